"""Signs of infection and bleeding after cement: temperature, puncture site, night pain.

What was told stands until somebody has looked for infection since and recorded what was found, or it is diagnosed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import BY_DATUM, readings, worst_of
from adapters.fhir.nerve_signs import began
from pathway.episodes import EpisodeKind
from pathway.facts import Fact, Reason, Value, unknown

NIGHT: Final = "night-pain"
TEMPERATURE: Final = "highest-temperature"
WOUND: Final = "wound-after-cement"
FEVER_FOR: Final = timedelta(days=7)
"""How long a temperature counts as of now. A project default of 2026-11-23, awaiting a clinician's sign-off."""
_WOUND: Final[dict[str, Value]] = {"clean": "clean", "haematoma": "haematoma"}


def searched_at(chart: KnownChart) -> datetime | None:
    """When infection was last looked for with a recorded result, or was diagnosed."""
    screens = [f.at for f in chart.named("infection-screen") if f.confirmed and f.answer in ("present", "absent")]
    found = [began(chart, r)[0] for r, s in chart.conditions("spinal-or-systemic-infection") if s == "active"]
    return max((*screens, *found), default=None)


def infection_signs(chart: KnownChart) -> Iterator[Fact]:
    """What concerns the person: night pain and the highest temperature, both since the first cement.

    A second procedure answers no sign of the first.
    """
    begun = min((e.onset_at for e in chart.episodes_of(EpisodeKind.PROCEDURE)), default=None)
    if begun is None:
        return
    yield _night(chart, begun)
    searched, first = searched_at(chart), max(begun, chart.as_of - FEVER_FOR)
    rows = [r for r in readings(chart, "body-temperature") if r.latest >= first and r.at <= chart.as_of]
    rows = [r for r in rows if searched is None or searched <= r.latest]
    yield worst_of(BY_DATUM["body-temperature"], rows, TEMPERATURE)


def _night(chart: KnownChart, begun: datetime) -> Fact:
    rows = [f for f in chart.named(NIGHT) if f.answer in HOLDS and f.latest >= begun]
    there = _unsearched(chart, [f for f in rows if HOLDS[f.answer] is True])
    return _standing(NIGHT, True, there) if there else answered(NIGHT, HOLDS, [f for f in rows if not HOLDS[f.answer]])


def wound(chart: KnownChart, told: Sequence[Finding], begun: datetime, over: datetime) -> Fact:
    """The puncture site after one procedure: a discharge that nobody has looked into, else what was seen last."""
    rows = [f for f in told if (f.at >= over if f.answer == "clean" else f.latest >= begun)]
    leaking = _unsearched(chart, [f for f in rows if f.answer == "discharge"])
    return _standing(WOUND, "discharge", leaking) if leaking else answered(WOUND, _WOUND, rows)


def _unsearched(chart: KnownChart, rows: list[Finding]) -> list[Finding]:
    searched = searched_at(chart)
    return [f for f in rows if searched is None or searched <= f.latest]


def _standing(datum: str, value: Value, rows: list[Finding]) -> Fact:
    at, sources = max(f.at for f in rows), tuple(dict.fromkeys(f.source for f in rows))
    if any(f.confirmed for f in rows):
        return Fact(datum, value, None, None, at, sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=value, at=at, sources=sources)
