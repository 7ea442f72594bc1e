"""What was stated or seen of one vertebra beside oedema and tenderness, and whether it goes on losing height."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.answers import HOLDS, THERE, answered
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import codings
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange

Own = Callable[[str], Sequence[Finding]]

_REASONS: Final = ("reason-despite-instability", "reason-despite-impingement", "reason-despite-retropulsion")
_SIGNS: Final = (  # datum, finding, value set of diagnoses
    ("kyphosis", "kyphotic-deformity", "kyphosis"),
    ("spinal-instability", "spinal-instability", "spinal-instability"),
    ("neural-impingement", "neural-impingement", ""),
    ("retropulsion", "retropulsion", ""),
)
_ORIGINS: Final = {"this-fracture": "this-fracture", "something-else": "something-else"}
_APART: Final = timedelta(days=1)
_PROGRESS: Final = Decimal(5)
"""Percentage points by which height loss must rise to be more than the error of measuring it on films.

No source fixes it. A project default of 2026-11-22, awaiting sign-off.
"""


def statements(chart: KnownChart, level: str, since: datetime, until: datetime) -> Iterator[Fact]:
    """Every statement and sign of one vertebra, from `since` to `until`; a fracture without a vertebra has none."""
    if level == UNSPECIFIED:
        return

    def own(code: str) -> list[Finding]:
        return [f for f in chart.named(code) if f.level == level and since <= f.at <= until]

    yield answered("pain-attribution", _ORIGINS, own("pain-attribution"))
    yield answered("care-optimal", HOLDS, own("care-optimal"))
    for datum, code, value_set in _SIGNS:
        loose = [f for f in chart.named(code) if f.level == UNSPECIFIED and since <= f.at <= until]
        yield _sign(chart, level, answered(datum, THERE, own(code)), loose, value_set, since)
    for code in _REASONS:
        yield answered(code, HOLDS, own(code))
    yield _progression(own)


def _sign(
    chart: KnownChart, level: str, seen: Fact, loose: Sequence[Finding], value_set: str, since: datetime
) -> Fact:  # fmt: skip
    """What was seen at the vertebra; a diagnosis decides only where it names the vertebra, else it makes one possible.

    So does a positive finding that names no vertebra. Either counts against what was seen only if it is later.
    A kyphosis speaks for cover, no danger: from before this fracture, or of two places, it only makes one possible.
    """
    if seen.value is True or seen.candidate is True:
        return seen
    rows = [(r, s, _place(chart, r, value_set)) for r, s in chart.conditions(value_set)] if value_set else []
    after = seen.at
    rows = [
        (r, s, place) for r, s, place in rows
        if s in ("active", "suspected") and place.holds(level) and (after is None or chart.dated(r) > after)
    ]  # fmt: skip
    named = [r for r, s, place in rows if s == "active" and place.lo == place.hi]
    if seen.datum == "kyphosis":
        named = [r for r in named if chart.dated(r) >= since and _one_place(chart, r, value_set)]
    if named:
        at = max(chart.dated(r) for r in named)
        return Fact(seen.datum, True, None, None, at, tuple(r.reference for r in named))
    vague = [f for f in loose if f.answer == "present" and (after is None or f.at > after)]
    sources = (*(r.reference for r, _, _ in rows), *(f.source for f in vague))
    if not sources:
        return seen
    at = max([*(chart.dated(r) for r, _, _ in rows), *(f.at for f in vague)])
    why = {"why": "recorded without its vertebra, or before this fracture"}
    return unknown(seen.datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=why)


def _one_place(chart: KnownChart, diagnosis: ChartResource, value_set: str) -> bool:
    """Whether the region of a diagnosis' code holds the vertebra of its bodySite."""
    code = chart.terms.match(value_set, codings(diagnosis.body.get("code")))
    return code is None or code.levels is None or code.levels.meet(_place(chart, diagnosis, value_set)) is not None


def _place(chart: KnownChart, diagnosis: ChartResource, value_set: str) -> LevelRange:
    """Where a diagnosis may be: the vertebra of its bodySite, else the region of its code, else anywhere."""
    site = chart.terms.match("vertebral-level", codings(diagnosis.body.get("bodySite")))
    code = chart.terms.match(value_set, codings(diagnosis.body.get("code")))
    found = (site and site.levels) or (code and code.levels)
    return found or WHOLE_SPINE


def _progression(own: Own) -> Fact:
    """A statement, unless measures came later; of the measures those of one technique, the last against the first."""
    datum = "progressive-height-loss"
    said = answered(datum, THERE, own(datum))
    measured = _measured([f for f in own("vertebral-height-loss") if f.number is not None and f.technique])
    if measured is None:
        return said
    if said.at is not None and measured.at is not None and said.at >= measured.at:
        return said
    return measured


def _measured(rows: Sequence[Finding]) -> Fact | None:
    """The comparison that ends last; None without two measures of one technique on days apart."""
    pairs: list[tuple[tuple[Finding, ...], Finding]] = []
    for technique in sorted({f.technique for f in rows}):
        alike = [f for f in rows if f.technique == technique]
        last = latest(alike)
        earlier = [f for f in alike if last[0].at - f.at >= _APART]
        if earlier:
            pairs.append((last, earlier[0]))
    if not pairs:
        return None
    end = max(last[0].at for last, _ in pairs)
    return _compared([(last, first) for last, first in pairs if last[0].at == end])


def _compared(pairs: Sequence[tuple[tuple[Finding, ...], Finding]]) -> Fact:
    datum = "progressive-height-loss"
    rises = {(f.number or Decimal(0)) - (first.number or Decimal(0)) for last, first in pairs for f in last}
    rows = [f for last, first in pairs for f in (first, *last)]
    sources, at = tuple(f.source for f in rows), rows[-1].at
    progress = {True if rise >= _PROGRESS else (False if rise <= 0 else None) for rise in rises}
    if len(progress) > 1:
        return unknown(datum, Reason.CONFLICTING, at=at, sources=sources)
    verdict = progress.pop()
    if verdict is None or not all(f.confirmed for f in rows):
        why = {"why": "within the error of measuring" if verdict is None else "a measure is preliminary"}
        candidate = True if verdict is None else verdict
        return unknown(datum, Reason.UNCONFIRMED, candidate=candidate, at=at, sources=sources, detail=why)
    return Fact(datum, verdict, None, None, at, sources)
