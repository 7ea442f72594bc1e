"""One patient's line of a screening: the verdict on each vertebra, and what is still asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pathway.tasks import ON_CALL

Line = dict[str, Any]
"""`patient`, `levels` (by vertebra, by policy: the outcome), `needs`, and `aside`: how much could not be used."""

NO_LEVEL: Final = "no vertebral fracture on record"


def line_of(body: Mapping[str, Any], standing: Collection[str]) -> Line:
    """The line of a decision's body; `standing` are the obligations that are tasks already, by their key."""
    levels: dict[str, dict[str, str]] = {}
    for row in body["levels"]:
        levels.setdefault(row["level"], {})[row["policy"]] = row["outcome"]
    needs = [_need(wish, standing) for wish in body["obligations"] if wish["state"] == "open"]
    aside = sum(1 for item in body["setAside"] if item["code"] == "invalid")
    return {"patient": body["patient"], "levels": levels, "needs": needs, "aside": aside}


def says_something(line: Line) -> bool:
    """Whether there is anything to tell of this patient; of most of a population there is not."""
    return bool(line["levels"] or line["needs"] or line["aside"])


def outcomes(line: Line) -> Iterator[tuple[str, str]]:
    """Policy and outcome, once for each vertebra that it judged."""
    for judged in line["levels"].values():
        yield from judged.items()


def _need(wish: Mapping[str, Any], standing: Collection[str]) -> dict[str, Any]:
    return {
        "code": wish["code"], "title": wish["title"], "rule": wish["rule"], "levels": wish.get("levels", []),
        "owner": wish["owner"], "priority": wish["priority"], "due": wish["due"],
        "emergency": wish["owner"] == ON_CALL, "task": f"{wish['episode']}/{wish['rule']}" in standing,
        "why": wish.get("why", []),
    }  # fmt: skip
