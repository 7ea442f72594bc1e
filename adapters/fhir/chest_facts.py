"""The chest after cement: symptoms from whatever source, saturation and pulse. What reassures takes back no warning.

Only a normal check of the chest that is surely later answers a sign. A normal saturation and a clean film are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import WATCHED, Reading, readings, worst_of
from adapters.fhir.nerve_signs import began
from adapters.fhir.reading import happened
from pathway.facts import Fact, Reason, Value, unknown

SYMPTOM: Final = "chest-symptom-after-cement"
_CHECK: Final = "chest-after-cement"
_DAYS: Final = {"saturation-after-cement": "saturation-day", "pulse-after-cement": "pulse-day"}
_OXYGEN: Final = "oxygen-saturation"
_MOST_DAYS: Final = 45_000
_HALF_A_DAY: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)
WATCHED_FOR: Final = timedelta(days=90)
"""How long the worst saturation and the fastest pulse are looked for. As long as the rules let them count.

A project default of 2026-11-23, awaiting a clinician's sign-off.
"""
EARLY: Final = timedelta(days=31)
"""How long a sign is one of the procedure's first weeks; with `_LIMITS` it says which of several readings is told.

What rings is for the rules to say; these are their numbers of 2026-11-23, which await a clinician's sign-off.
"""
_LIMITS: Final = {"saturation-after-cement": (92, 1000), "pulse-after-cement": (-1, 120)}


@dataclass(frozen=True, slots=True)
class Chest:
    """Reads the chest after one procedure, which began at `begun` and was surely over at `over`.

    A check within `observed` of it is one of the observation; a sign has no such bound.
    """

    chart: KnownChart
    begun: datetime
    over: datetime
    observed: timedelta

    def facts(self) -> Iterator[Fact]:
        """The symptom, the check with its day, saturation and pulse with theirs."""
        symptom = self._symptom()
        yield symptom
        yield self._check(symptom)
        if symptom.at is not None:
            yield self._day(replace(symptom, datum="chest-check-day"), self._first_sign() or symptom.at)
        yield from self._watched()

    def _first_sign(self) -> datetime | None:
        """When the first sign came that counts still: one more of them never makes it a late one."""
        since = self.chart.as_of - WATCHED_FOR
        return min((at for at, _, _ in self._signs() if at >= since), default=None)

    def first_signs(self) -> list[datetime]:
        """When symptoms that nobody has answered first came, and when oxygen was first low, however long ago."""
        told = sorted(at for at, _, _ in self._signs())
        rows = self._standing(_OXYGEN, self.begun)
        low = sorted(r.at for r in rows if _alarming(worst_of(WATCHED[_OXYGEN], [r])))
        return [*told[:1], *low[:1]]

    def _symptom(self) -> Fact:
        rows = list(self._signs())
        if rows:
            at, sources = max(at for at, _, _ in rows), tuple(dict.fromkeys(source for _, _, source in rows))
            if any(sure for _, sure, _ in rows):
                return Fact(SYMPTOM, True, None, None, at, sources)
            return unknown(SYMPTOM, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)
        return _denied(SYMPTOM, False, self._normal())

    def _signs(self) -> Iterator[tuple[datetime, bool, str]]:
        """Each sign that no later normal check has answered: when, how surely, by which record.

        One of the procedure's own day counts where its hour is not known: what warns is rather heard too early. A
        diagnosis that is over by now counts where it is said to have begun in the first weeks: early relief excludes
        nothing.
        """
        clear = self._clear
        for finding in self.chart.named("chest-check"):
            told = finding.answer == "symptoms" and finding.latest >= self.begun
            if told and (clear is None or clear <= finding.latest):
                yield max(finding.at, self.begun), finding.confirmed, finding.source
        for resource, standing in self.chart.conditions("chest-symptom"):
            at, latest = began(self.chart, resource)
            dated = happened(resource.body, self.chart.zone) is not None
            early = dated and self.begun - _DAY < at <= self.begun + EARLY  # the day of the procedure is one of them
            if (standing != "over" or early) and latest >= self.begun and (clear is None or clear <= latest):
                yield max(at, self.begun), standing != "suspected", resource.reference

    @property
    def _clear(self) -> datetime | None:
        return max((f.at for f in self._normal() if f.confirmed), default=None)

    def _normal(self) -> list[Finding]:
        return [f for f in self.chart.named("chest-check") if f.answer == "normal" and f.at >= self.over]

    def _check(self, symptom: Fact) -> Fact:
        """The symptom as the check of the observation has it; a normal one counts in the time of that alone."""
        if True in (symptom.value, symptom.candidate):
            candidate = None if symptom.known else "symptoms"
            value = "symptoms" if symptom.known else None
            return Fact(_CHECK, value, symptom.reason, candidate, symptom.at, symptom.sources)
        return _denied(_CHECK, "normal", [f for f in self._normal() if f.at <= self.over + self.observed])

    def _watched(self) -> Iterator[Fact]:
        """The worst of each vital sign since the procedure and since the last normal check, with its day."""
        for value_set, measure in WATCHED.items():
            standing = self._standing(value_set, self.chart.as_of - WATCHED_FOR)
            early = worst_of(measure, [r for r in standing if r.at <= self.begun + EARLY])
            fact = early if _alarming(early) else worst_of(measure, standing)
            yield fact
            day = _DAYS[fact.datum]
            yield self._day(replace(fact, datum=day), fact.at) if fact.at is not None else unknown(day)

    def _standing(self, value_set: str, since: datetime) -> list[Reading]:
        clear = self._clear
        vague = self.over - self.begun >= _HALF_A_DAY  # its hour is not known: a sign of its day is rather heard
        first = max(self.begun if vague else self.over, since)
        rows = [r for r in readings(self.chart, value_set) if r.latest >= first and r.at <= self.chart.as_of]
        return [r for r in rows if clear is None or clear <= r.latest]

    def _day(self, fact: Fact, at: datetime) -> Fact:
        """The local day of a fact, counted from cement."""
        zone = self.chart.zone
        day = (at.astimezone(zone).date() - self.begun.astimezone(zone).date()).days
        return Fact(fact.datum, min(max(day, 0), _MOST_DAYS), None, None, at, fact.sources)


def _alarming(fact: Fact) -> bool:
    """Whether a vital sign is one that is told before any later and worse one: it rang first, and nobody answered."""
    value = fact.value if fact.known else fact.candidate
    low, high = _LIMITS[fact.datum]
    return isinstance(value, int | Decimal) and not (low < value < high)


def _denied(datum: str, value: Value, rows: Sequence[Finding]) -> Fact:
    """What normal checks say: the last that is confirmed, else the last."""
    sure = [f for f in rows if f.confirmed]
    last = max(sure or rows, key=lambda f: (f.at, f.source), default=None)
    if last is None:
        return unknown(datum)
    if sure:
        return Fact(datum, value, None, None, last.at, (last.source,))
    return unknown(datum, Reason.UNCONFIRMED, candidate=value, at=last.at, sources=[last.source])
