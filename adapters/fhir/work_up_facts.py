"""What was done about pain after cement: a new sign of it, and since then a study of the spine and blood for infection.

An order does nothing here: a study counts with what was read of it, blood with its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from adapters.fhir.answers import THERE, answered
from adapters.fhir.ct_facts import spine_studies
from adapters.fhir.events import MRI, NUCLEAR
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import readings
from pathway.facts import Fact, Reason, unknown

NEW_PAIN: Final = "new-back-pain"
_MODALITIES: Final = ("mri-modality", "nuclear-modality")
_IN_BLOOD: Final = ("c-reactive-protein", "sedimentation-rate")
"""Leucocytes alone answer nothing: an infection of the spine may leave them normal."""


def work_up(chart: KnownChart, told: Sequence[Finding], since: datetime | None) -> Iterator[Fact]:
    """New pain as `told` of one procedure, and what was done about pain since it began, or came back, at `since`."""
    yield answered(NEW_PAIN, THERE, told)
    begun = max((at for at in (since, _there_since(told)) if at is not None), default=None)
    day = begun.astimezone(chart.zone).replace(hour=0, minute=0, second=0, microsecond=0) if begun else None
    yield _done("imaged-for-pain", _imaged(chart, day) if day else ())
    yield _done("markers-for-pain", _measured(chart, day) if day else ())


def _there_since(told: Sequence[Finding]) -> datetime | None:
    """When new pain was first told of; after it was said to be gone it begins anew."""
    rows = [f for f in told if f.answer in THERE]
    if not any(f.answer == "present" for f in latest(rows)):
        return None
    gone = max((f.at for f in rows if f.answer == "absent" and f.confirmed), default=None)
    return min((f.at for f in rows if f.answer == "present" and (gone is None or f.at > gone)), default=rows[-1].at)


Row = tuple[datetime, str, bool]
"""When something was done, by which record, and whether that is final."""


def _imaged(chart: KnownChart, since: datetime) -> Iterator[Row]:
    """What was read of the marrow by MRI or a bone scan, at any vertebra, and studies of the spine that were read."""
    for finding in chart.named("marrow-oedema", "tracer-uptake"):
        if finding.at >= since and finding.answer in THERE and finding.technique in MRI | NUCLEAR:
            yield finding.at, finding.source, finding.confirmed
    yield from ((at, source, read) for at, source, read in spine_studies(chart, _MODALITIES) if at >= since)


def _measured(chart: KnownChart, since: datetime) -> Iterator[Row]:
    rows = (r for value_set in _IN_BLOOD for r in readings(chart, value_set))
    yield from ((r.at, r.resource.reference, r.confirmed) for r in rows if r.at >= since)
    said = (f for f in chart.named("inflammation-markers") if f.at >= since and f.answer)
    yield from ((f.at, f.source, f.confirmed) for f in said)


def _done(datum: str, rows: Iterable[Row]) -> Fact:
    found = sorted(rows)
    sure = [row for row in found if row[2]]
    if sure:
        return Fact(datum, True, None, None, sure[-1][0], tuple(sorted({source for _, source, _ in sure})))
    if found:
        why, sources = {"why": "not final"}, sorted({source for _, source, _ in found})
        return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=found[-1][0], sources=sources, detail=why)
    return unknown(datum)
