"""What stands beside a verdict on a card and never mixes with it: other policies, safety, what to weigh, coverage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

from adapters.http.cds_hooks.guidance import Guidance, Row, name, verdict
from adapters.http.cds_hooks.markdown import plain
from pathway.applicability import PAYER
from pathway.forms import NOT_VERIFIED

_NEAR: Final = frozenset({"candidate", "needs-specialist-review"})
"""Outcomes after which somebody may plan cement: only then is it worth saying what has to be in order before."""
_ORDERED: Final = "pre-procedure.cement-ordered"
_REASON: Final = "give-reason"  # asked for beside a flag; the flag itself is the request
_GENERAL: Final = frozenset({"cement-on-record", "fracture-cause"})
"""What the considerations read that hold for everybody of one cause: they stand in the decision, not on the card."""


def beside(guidance: Guidance, rows: Sequence[Row]) -> Iterator[str]:
    """The lines below the verdicts of the acting policy. `rows` are those verdicts."""
    levels = {row["level"] for row in rows}
    near = {row["level"] for row in rows if row["outcome"] in _NEAR}
    yield from _section("Other policies, side by side; they ask for nothing here", _others(guidance, levels))
    yield from _section("Before cement", _safety(guidance, near))
    yield from _section("To weigh; the choice is the operator's", _considerations(guidance, near))
    yield from _section("To weigh of the bone; the choice is the physician's", _of_the_person(guidance, levels))
    yield from _section("Coverage: what the payer asks for, no reason for or against care", _coverage(guidance, levels))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(dict.fromkeys(lines))
    if found:
        yield from (f"### {title}", "", *found, "")


def _others(guidance: Guidance, levels: Set[str]) -> Iterator[str]:
    """One line for each vertebra and outcome: which policies say so, on what they rest, and who paid for that work."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in guidance.body["levels"]:
        other = guidance.kind(row["policy"]) == "clinical" and row["policy"] not in guidance.acting
        if other and row["level"] in levels and row["outcome"] != "out-of-scope":
            said.setdefault((name(row), verdict(row)), []).append(_source(guidance, row["policy"]))
    for (level, outcome), sources in said.items():
        yield f"- {level}: **{outcome}** by {'; '.join(sources)}."


def _source(guidance: Guidance, policy: str) -> str:
    """`rand-2018 0.1.0 (Hirsch JA et al.; a device maker paid for the study)`: in full on the patient's page."""
    header: Mapping[str, Any] = guidance.rule_sets[policy].document["ruleset"]
    basis = header.get("basis", {})
    paid = basis.get("funding", NOT_VERIFIED)
    told = [_first(basis.get("label", "")), "" if paid == NOT_VERIFIED else _first(paid)]
    inside = "; ".join(plain(text) for text in told if text)
    return f"{plain(policy)} {guidance.rule_sets[policy].version}" + (f" ({inside})" if inside else "")


def _first(text: str) -> str:
    """The first part of a long label."""
    return text.partition(";")[0].partition(",")[0]


def _safety(guidance: Guidance, levels: Set[str]) -> Iterator[str]:
    """Whether all is in order before cement that is ordered, and what has to be got, each request once."""
    for row in guidance.body["levels"]:
        unordered = any(one["id"] == _ORDERED and one["verdict"] == "not-met" for one in row["criteria"])
        if row["level"] in levels and guidance.kind(row["policy"]) == "safety" and not unordered:
            asks = list(dict.fromkeys(plain(item["say"]) for item in row["missing"] if item["ask"] != _REASON))
            missing = f" Open: {'; '.join(asks)}." if asks else ""
            policy = plain(guidance.release(row["policy"]))
            yield f"- {name(row)}: **{verdict(row)}**. {plain(row['reason'])}.{missing} {policy}."


def _considerations(guidance: Guidance, levels: Set[str]) -> Iterator[str]:
    """What of this patient is to be weighed. What holds for everybody, and what is not recorded: see the decision."""
    for row in guidance.body.get("considerations", ()):
        reads = {rule.id: set(rule.reads()) for rule in guidance.rule_sets[row["ruleSet"]].criteria}
        if row["level"] in levels and "@" not in row["instance"]:
            for criterion in row["criteria"]:
                if criterion["verdict"] == "met" and reads[criterion["id"]] - _GENERAL:
                    yield f"- {name(row)}: {plain(criterion['message'])}."


def _of_the_person(guidance: Guidance, levels: Set[str]) -> Iterator[str]:
    """What holds of the person as a whole: what is on record for or against, then by name what is held back.

    Of cemented vertebrae only what is there. Nothing where nobody of these levels is concerned.
    """
    for row in guidance.body.get("considerations", ()) if levels else ():
        if row["level"]:
            continue
        rule_set = guidance.rule_sets[row["ruleSet"]]
        title = {rule.id: rule.title for rule in rule_set.criteria}
        open_ = [title[one["id"]] for one in row["criteria"] if one["verdict"] == "unknown"]
        yield from (f"- {plain(one['message'])}." for one in row["criteria"] if one["verdict"] != "unknown")
        yield from _likelier(guidance, levels, rule_set.id)
        held = f" Held back, for not all is known: {plain('; '.join(open_))}." if open_ else ""
        yield f"- {plain(guidance.release(rule_set.id))}.{held}"


def _likelier(guidance: Guidance, levels: Set[str], rule_set: str) -> Iterator[str]:
    for row in guidance.body["considerations"]:
        if row["ruleSet"] == rule_set and row["level"] in levels:
            yield from (f"- {plain(one['message'])}." for one in row["criteria"] if one["verdict"] == "met")


def _coverage(guidance: Guidance, levels: Set[str]) -> Iterator[str]:
    """What a payer would ask for; silent where nobody knows of a payer, and where a rule set does not apply."""
    for row in guidance.body["levels"]:
        own = row["level"] in levels and guidance.kind(row["policy"]) == "coverage"
        paid = row["outcome"] != "not-applicable" and all(item["datum"] != PAYER for item in row["missing"])
        if own and ("lcd" in row or paid):
            yield _covered(guidance, row)
    for entry in guidance.body.get("choices", ()):
        if levels and not entry["chosen"] and all(item["datum"] != PAYER for item in entry["missing"]):
            asks = "".join(f". {plain(item['say'])}" for item in entry["missing"])
            yield f"- {verdict(entry).capitalize()}: {plain(entry['reason'])}{asks}."


def _covered(guidance: Guidance, row: Row) -> str:
    """One level under one determination on one line: what it is, draft, verdict, and what would have to be got."""
    asks = dict.fromkeys(plain(item["say"]) for item in row["missing"])
    missing = f" Missing: {'; '.join(asks)}." if asks else ""
    policy = plain(guidance.release(row["policy"]))
    by = f"LCD {plain(row['lcd'])}" if "lcd" in row else plain(guidance.rule_sets[row["policy"]].title)
    return f"- {name(row)}: **{verdict(row)}** by {by}. {plain(row['reason'])}.{missing} {policy}."
