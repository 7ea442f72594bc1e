"""Facts about a cement embolism: that there is one, where it lies, how it is coded, and what made it likely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import answered
from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.nerve_signs import began
from adapters.fhir.technique_facts import technique_used
from pathway.chart import ChartResource
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.levels import UNSPECIFIED

_PLACE: Final[Mapping[str, Value]] = {"peripheral": "peripheral", "central": "central"}
_PAIRED: Final = {
    (True, True): "both", (True, False): "embolism-only", (False, True): "complication-only", (False, False): "neither",
}  # fmt: skip

EARLY: Final = timedelta(days=14)
"""Cement sooner after the onset is a risk factor of embolism (rules/considerations/embolism-early)."""

MANY: Final = 3
"""As many vertebrae in one procedure are another (considerations.embolism-levels)."""


def embolism_facts(chart: KnownChart, event: Episode, level: str, places: Sequence[Finding]) -> Iterator[Fact]:
    """The facts of one vertebra of a procedure event; `places` are the findings `embolism-place` of the event."""
    yield answered("embolism-place", _PLACE, places)
    yield _cor_pulmonale(chart, event)
    yield _codes(chart, event)
    yield _risk_factors(chart, event, level)


def embolism_stated(chart: KnownChart, event: Episode, places: Sequence[Finding]) -> tuple[list[str], list[str]]:
    """The records that say that cement lies in the lungs after this event: those that are sure, those that are not.

    A diagnosis that is over counts too: the cement stays.
    """
    coded = list(_diagnoses(chart, event, "cement-embolism"))
    sure = [r.reference for r, standing in coded if standing != "suspected"]
    doubted = [r.reference for r, standing in coded if standing == "suspected"]
    told = [f for f in places if f.answer in _PLACE]
    sure += [f.source for f in told if f.confirmed]
    return sure, doubted + [f.source for f in told if not f.confirmed]


def worse_since(
    chart: KnownChart, event: Episode, places: Sequence[Finding], chest_signs: Sequence[datetime]
) -> datetime:
    """Since when an embolism is as bad as it is known to be: what was decided to observe before then was less.

    Each of central, cor pulmonale, symptoms and low oxygen counts from when it was first told, not again.
    """
    central = [f.at for f in places if f.answer == "central"]
    rows = _diagnoses(chart, event, "cement-embolism-cor-pulmonale")
    heart = [began(chart, resource)[0] for resource, standing in rows if standing != "over"]
    firsts = [min(central, default=event.onset_at), min(heart, default=event.onset_at)]
    return max(*firsts, *chest_signs)


def _diagnoses(chart: KnownChart, event: Episode, value_set: str) -> Iterator[tuple[ChartResource, str]]:
    """Diagnoses made after this event and before the next one."""
    later = [e.onset_at for e in chart.episodes_of(EpisodeKind.PROCEDURE) if e.onset_at > event.onset_at]
    until = min(later, default=None)
    for resource, standing in chart.conditions(value_set):
        at = chart.dated(resource)
        if at >= event.onset_at and (until is None or at < until):
            yield resource, standing


def _cor_pulmonale(chart: KnownChart, event: Episode) -> Fact:
    datum, rows = "acute-cor-pulmonale", list(_diagnoses(chart, event, "cement-embolism-cor-pulmonale"))
    for standing in ("active", "suspected"):
        own = [r for r, s in rows if s == standing]
        if own:
            at, sources = max(chart.dated(r) for r in own), tuple(r.reference for r in own)
            if standing == "active":
                return Fact(datum, True, at=at, sources=sources)
            return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)
    return unknown(datum)


def _codes(chart: KnownChart, event: Episode) -> Fact:
    """Both, one or neither of the two codes that a cement embolism takes, as far as diagnoses are confirmed."""
    embolism = [r for r, s in _diagnoses(chart, event, "cement-embolism") if s != "suspected"]
    complication = [r for r, s in _diagnoses(chart, event, "artery-complication") if s != "suspected"]
    sources = tuple(r.reference for r in (*embolism, *complication))
    return Fact("embolism-codes", _PAIRED[bool(embolism), bool(complication)], at=chart.as_of, sources=sources)


def _risk_factors(chart: KnownChart, event: Episode, level: str) -> Fact:
    """From the factors that are there to all but those that are not: what nobody recorded may be there."""
    factors = {
        "three vertebrae or more": _many(event),
        "thoracic": None if level == UNSPECIFIED else level.startswith("T"),
        "less than two weeks after the onset": _early(chart, event, level),
        "vertebroplasty": _vertebroplasty(chart, event, level),
    }
    there = [name for name, holds in factors.items() if holds]
    silent = [name for name, holds in factors.items() if holds is None]
    detail = {"present": ", ".join(there) or "none", "silent": ", ".join(silent) or "none"}
    count = Interval(len(there), len(there) + len(silent))
    return Fact("embolism-risk-factors", count, at=event.onset_at, sources=event.sources, detail=detail)


def _many(event: Episode) -> bool | None:
    if len(event.levels) >= MANY:
        return True
    return None if UNSPECIFIED in event.levels else False


def _early(chart: KnownChart, event: Episode, level: str) -> bool | None:
    """By the fracture of this vertebra that began last before the cement, where its onset is stated."""
    own = [e for e in chart.episodes_of(EpisodeKind.FRACTURE) if level in e.levels and e.onset_at <= event.onset_at]
    last = max(own, key=lambda e: (e.onset_at, e.id), default=None)
    return None if last is None or not last.onset_stated else event.onset_at - last.onset_at < EARLY


def _vertebroplasty(chart: KnownChart, event: Episode, level: str) -> bool | None:
    used = technique_used(chart, event, level)
    return used.value == "vertebroplasty" if used.known else None
