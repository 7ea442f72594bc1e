"""The spine from T1 to L5 as a drawing: which vertebrae are spoken of, and what was found there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pathway.levels import LEVELS

Json = Mapping[str, Any]
SHOWN: Final = tuple(level for level in LEVELS if level[0] in "TL")
WIDTH, HEIGHT, STEP = 150, 16, 21
_MARKS: Final[Mapping[str, tuple[str, Any, str]]] = {
    "oedema": ("acuity-imaging", "oedema-or-uptake", "oedema or uptake"),
    "tender": ("tenderness", "at-level", "tender"),
    "cement": ("cement-on-record", True, "cement"),
}


@dataclass(frozen=True, slots=True)
class Vertebra:
    """One vertebra of the drawing. `outcome` is empty where nothing is known of it; `marks` are what was found."""

    name: str
    y: int
    outcome: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spine:
    """The drawing, and the same in a sentence."""

    vertebrae: tuple[Vertebra, ...]
    said: str
    width: int = WIDTH
    height: int = STEP * len(SHOWN) + 4


def spine(body: Json, policy: str) -> Spine:
    """The spine as a decision sees it, coloured by the outcome under one policy."""
    outcomes = {row["level"]: row["outcome"] for row in body["levels"] if row["policy"] == policy}
    facts = {sheet["level"]: sheet["facts"] for sheet in body["facts"]["levels"]}
    vertebrae = tuple(
        Vertebra(level, 4 + STEP * place, outcomes.get(level, ""), _marks(facts.get(level, {})))
        for place, level in enumerate(SHOWN)
    )
    spoken_of = [_said(one) for one in vertebrae if one.outcome]
    return Spine(vertebrae, "; ".join(spoken_of) or "No vertebra is named")


def _marks(facts: Json) -> tuple[str, ...]:
    return tuple(mark for mark, (datum, value, _) in _MARKS.items() if facts.get(datum, {}).get("value") == value)


def _said(one: Vertebra) -> str:
    return ": ".join((one.name, ", ".join((one.outcome.replace("-", " "), *(_MARKS[mark][2] for mark in one.marks)))))
