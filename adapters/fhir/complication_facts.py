"""What went wrong after cement, for counting: days to it, or its course. No alert rests on any of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import NEUROLOGY
from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import When
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Reason, unknown

_SOON: Final = timedelta(days=30)
"""How long after cement a sign is counted to it. A project default of 2026-11-23, awaiting sign-off."""
_SIGNS: Final = {"chest-check": "symptoms", "radicular-pain": "present"}


def complications(chart: KnownChart, event: Episode, over_at: datetime) -> Iterator[Fact]:
    """What measures count of complications of one procedure."""
    course = _deficit(chart, over_at)
    yield course
    yield _symptoms(chart, over_at, course)
    yield _infection(chart, event, over_at)
    yield _new_fracture(chart, event, over_at)
    yield _death(chart, event)


def _deficit(chart: KnownChart, over_at: datetime) -> Fact:
    """First seen in the days after cement; it lasts until an examination is normal. Unconfirmed ones are left out."""
    datum = "deficit-after-cement"
    rows = [f for f in chart.named("neurological-examination") if f.confirmed and f.answer in NEUROLOGY]
    before = [f for f in rows if f.latest < over_at]
    after = [f for f in rows if f.at >= over_at]
    soon = [f for f in after if f.at <= over_at + _SOON]
    if not soon:
        return unknown(datum)
    last, sources = after[-1], tuple(sorted({f.source for f in after}))
    if all(f.answer == "normal" for f in soon):
        return Fact(datum, "none", at=last.at, sources=sources)
    if before and before[-1].answer != "normal" and not _is_new(before[-1], soon):
        return Fact(datum, "from-before", at=last.at, sources=sources)
    now = [f for f in after if f.at == last.at]
    passed = all(f.answer == "normal" for f in now)
    return Fact(datum, "passed" if passed else "lasting", at=last.at, sources=sources)


def _is_new(before: Finding, soon: Sequence[Finding]) -> bool:
    """Whether it is another deficit than the one from before cement: worse, or back after a normal examination."""
    ranks = list(NEUROLOGY)  # from normal to the gravest
    seen = [ranks.index(one.answer) for one in soon]
    return max(seen) > ranks.index(before.answer) or (0 in seen and max(seen[seen.index(0) :]) > 0)


def _symptoms(chart: KnownChart, over_at: datetime, course: Fact) -> Fact:
    """Any sign of the days after cement; none where chest and legs were looked at and nothing was found."""
    datum = "symptoms-after-cement"
    rows = [f for f in chart.named(*_SIGNS) if over_at <= f.at <= over_at + _SOON]
    signs = [f for f in rows if f.answer == _SIGNS[f.code]]
    sure = [f for f in signs if f.confirmed]
    if sure or course.value in ("passed", "lasting"):
        sources = tuple(f.source for f in sure) or course.sources
        return Fact(datum, True, at=sure[0].at if sure else course.at, sources=sources)
    if signs:
        return _unconfirmed(datum, signs[0])
    chest = [f for f in rows if f.code == "chest-check" and f.answer == "normal" and f.confirmed]
    if chest and course.known:
        return Fact(datum, False, at=chest[-1].at, sources=(chest[-1].source, *course.sources))
    return unknown(datum)


def _unconfirmed(datum: str, sign: Finding) -> Fact:
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=sign.at, sources=(sign.source,))


def _infection(chart: KnownChart, event: Episode, over_at: datetime) -> Fact:
    """The first infection that began after cement, over by now or not; a suspected one is a candidate."""
    rows = [(chart.dated(r), r.reference, s) for r, s in chart.conditions("spinal-or-systemic-infection")]
    after = [row for row in rows if row[0] >= over_at]
    sure = [row for row in after if row[2] != "suspected"]
    if not after:
        return unknown("infection-day")
    at, source, _ = min(sure or after)
    return _counted(chart, "infection-day", event, at, source, sure=bool(sure))


def _new_fracture(chart: KnownChart, event: Episode, over_at: datetime) -> Fact:
    """The first fracture that began after cement, at any vertebra; one without a stated onset may be an old one."""
    rows = [one for one in chart.episodes_of(EpisodeKind.FRACTURE) if one.onset_at > over_at]
    sure = [one for one in rows if one.onset_stated]
    if not rows:
        return unknown("new-fracture-day")
    first = min(sure or rows, key=lambda one: (one.onset_at, one.id))
    return _counted(chart, "new-fracture-day", event, first.onset_at, *first.sources, sure=bool(sure))


def _death(chart: KnownChart, event: Episode) -> Fact:
    """The day of death; a death without a day, or with one before cement, is no day, and no life either."""
    patient = chart.patient
    body = patient.body if patient else {}
    when = When.read(body.get("deceasedDateTime"), chart.zone)
    dated = when is not None and when.earliest <= chart.as_of
    if patient is None or not (dated or body.get("deceasedBoolean") is True):
        return unknown("death-day")
    latest = max(0, chart.local_days(event.onset_at, chart.as_of))
    if when is not None and dated:  # a month or a year alone may be many days
        first, last = (chart.local_days(event.onset_at, at) for at in (when.earliest, when.latest))
        if first == last >= 0:
            return _counted(chart, "death-day", event, when.earliest, patient.reference, sure=True)
        latest = min(latest, max(0, last))
    return unknown("death-day", Reason.UNPARSEABLE, candidate=latest, at=chart.as_of, sources=(patient.reference,))


def _counted(chart: KnownChart, datum: str, event: Episode, at: datetime, *sources: str, sure: bool) -> Fact:
    day = max(0, chart.local_days(event.onset_at, at))
    if sure:
        return Fact(datum, day, at=at, sources=sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=day, at=at, sources=sources)
