"""What is to be weighed of the person and not of one vertebra: such rule sets have a part of the page to themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.http.pages.worklist.rows import level_words
from pathway.rulebook import RuleSet

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Weighed:
    """One rule set of considerations about the person: its notes, and what it lists of cemented vertebrae, by name."""

    title: str
    release: Json
    person: tuple[Json, ...]
    vertebrae: tuple[tuple[str, tuple[Json, ...]], ...]


def weighed(body: Json, rule_sets: Mapping[str, RuleSet]) -> tuple[Weighed, ...]:
    """The considerations about the person, rule set by rule set, with those of its vertebrae beside them."""
    listed, releases = body.get("considerations", ()), {release["id"]: release for release in body["releases"]}
    return tuple(
        Weighed(
            rule_sets[row["ruleSet"]].title, releases[row["ruleSet"]], tuple(row["criteria"]),
            tuple(
                (level_words([other["level"]]), tuple(other["criteria"]))
                for other in listed
                if other["ruleSet"] == row["ruleSet"] and other["level"]
            ),
        )
        for row in listed
        if not row["level"]
    )  # fmt: skip


def of_level(body: Json, level: str) -> Iterator[Json]:
    """The criteria that are listed of one vertebra by the rule sets that have no part of their own."""
    listed = body.get("considerations", ())
    apart = {row["ruleSet"] for row in listed if not row["level"]}
    for row in listed:
        if row["level"] == level and row["ruleSet"] not in apart:
            yield from row["criteria"]
