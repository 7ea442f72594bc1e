"""The course of a fracture: how long it has been cared for, and whether the pain is settling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.events import DONE
from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import located_pain
from adapters.fhir.reading import ORDER, When, at_path, code_in, happened
from pathway.facts import Fact, unknown

Span = tuple[datetime, datetime, str]

_LOOK_BACK: Final = timedelta(days=7)
"""Pain is compared with the last score at least so much earlier. A project default of 2026-11-22, awaiting sign-off."""


def care_days(chart: KnownChart, level: str) -> Fact:
    """Days of conservative care since onset, without the days between; care said to be absent ends what was open."""
    datum, episode = "conservative-care-days", chart.current_episode(level)
    if episode is None:
        return unknown(datum)
    rows = [f for f in chart.named("conservative-care") if f.confirmed and f.answer]
    none = [f for f in rows if f.answer == "absent" and f.at >= episode.onset_at]
    spans = [*_observed(rows, none, chart.as_of), *_performed(chart)]
    clipped = [(max(a, episode.onset_at), min(b, chart.as_of), source) for a, b, source in spans]
    clipped = sorted(span for span in clipped if span[0] <= span[1])
    if clipped:
        covered = _covered(clipped)
        grows = any(end >= chart.as_of for _, end, _ in clipped)
        since = chart.as_of - covered if grows else None
        sources = tuple(source for _, _, source in clipped)
        return Fact(datum, covered // timedelta(days=1), at=chart.as_of, sources=sources, since=since)
    return Fact(datum, 0, at=none[-1].at, sources=(none[-1].source,)) if none else unknown(datum)


def _observed(rows: Iterable[Finding], none: Iterable[Finding], as_of: datetime) -> Iterator[Span]:
    """A period without an end goes on until care is said to be absent; an instant is care on that day only."""
    stops = [f.at for f in none]
    for finding in rows:
        if finding.answer == "absent":
            continue
        open_end = min((stop for stop in stops if stop > finding.at), default=as_of)
        end = finding.until or open_end if finding.period else finding.latest
        yield finding.at, end, finding.source


def _performed(chart: KnownChart) -> Iterator[Span]:
    for procedure in chart.of_type("Procedure"):
        when = happened(procedure.body, chart.zone)
        local = code_in(ORDER, procedure.body.get("code")) == "conservative-care"
        if local and when is not None and procedure.body.get("status") in DONE:
            end = When.read(at_path(procedure.body, "performedPeriod.end"), chart.zone)
            going_on = procedure.body.get("status") == "in-progress"
            yield when.earliest, end.latest if end else (chart.as_of if going_on else when.latest), procedure.reference


def _covered(spans: Iterable[Span]) -> timedelta:
    """The time that at least one span covers."""
    total, last = timedelta(0), None
    for begin, end, _ in spans:
        start = begin if last is None or begin > last else last
        if last is None or end > last:
            total += max(end - start, timedelta(0))
            last = end
    return total


def pain_change(chart: KnownChart, level: str) -> Fact:
    """The latest located score less one of the same circumstance: of a week before, or the first since onset."""
    rows = [f for f in located_pain(chart) if f.at >= chart.since(level)]
    if not rows:
        return unknown("pain-change")
    day = rows[-1].at.astimezone(chart.zone).date()
    same_day = [f for f in rows if f.at.astimezone(chart.zone).date() == day]
    last = next((f for f in reversed(same_day) if f.circumstance == "on-movement"), same_day[-1])
    alike = [f for f in rows if f.circumstance == last.circumstance and last.at - f.at >= timedelta(days=1)]
    earlier = [f for f in alike if last.at - f.at >= _LOOK_BACK][-1:] or alike[:1]
    if not earlier:
        return unknown("pain-change", sources=[f.source for f in rows])
    change = (last.number or Decimal(0)) - (earlier[0].number or Decimal(0))
    return Fact("pain-change", change, at=last.at, sources=(earlier[0].source, last.source))
