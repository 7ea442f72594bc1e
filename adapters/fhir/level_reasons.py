"""Reasons to go on with one vertebra in spite of a flag: each counts from the day of what it excuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from pathway.facts import Fact, Reason, unknown

Own = Callable[[str], Sequence[Finding]]

_EXCUSED: Final = {
    "reason-despite-instability": "spinal-instability",
    "reason-despite-impingement": "neural-impingement",
    "reason-despite-retropulsion": "retropulsion",
    "reason-despite-epidural-extension": "epidural-extension",
}
_COLLAPSE: Final = "reason-despite-collapse"


def reasons(chart: KnownChart, own: Own, shown: Sequence[Fact]) -> Iterator[Fact]:
    """The latest of each reason; one from before what it is to excuse is stale: it cannot have meant it."""
    signs = {fact.datum: fact for fact in shown}
    for code, sign in _EXCUSED.items():
        yield _as_of(chart, answered(code, HOLDS, own(code)), _sign_begun(signs[sign], own(sign)))
    yield _as_of(chart, answered(_COLLAPSE, HOLDS, own(_COLLAPSE)), _collapsed(own("vertebral-height-loss")))


def _as_of(chart: KnownChart, said: Fact, begun: datetime | None) -> Fact:
    if said.at is None or begun is None or _day(chart, said.at) >= _day(chart, begun):
        return said
    why = {"why": "given before what it is a reason for"}
    given = said.candidate if said.value is None else said.value
    return unknown(said.datum, Reason.STALE, candidate=given, at=said.at, sources=said.sources, detail=why)


def _sign_begun(sign: Fact, rows: Sequence[Finding]) -> datetime | None:
    """Since when a sign is there or feared: seen again, it is no new one."""
    if sign.value is not True and sign.candidate is not True:
        return None
    told = [f for f in reversed(rows) if f.answer in ("present", "absent")]
    begun = [f.at for f in takewhile(lambda f: f.answer == "present", told)]
    return min([at for at in (sign.at, *begun) if at is not None], default=None)


def _collapsed(rows: Sequence[Finding]) -> datetime | None:
    """Since when the vertebra is known to be as low as it is: the first of the last measures that were no less."""
    measured = [f for f in rows if f.number is not None]
    last = latest(measured)
    if not last:
        return None
    least = min(f.number or Decimal(0) for f in last)
    return min(f.at for f in takewhile(lambda f: (f.number or Decimal(0)) >= least, reversed(measured)))


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()
