"""When a chart reads otherwise by itself: something that it dates ahead comes or ends, or has stood for too long.

Sound rather than sharp: an instant that changes nothing costs one decision; one that is missed costs a patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from adapters.fhir.known_chart import KnownChart
from adapters.fhir.level_facts import MRI_DECIDES
from adapters.fhir.medicines import DATES, LASTS
from adapters.fhir.reading import When, at_path, known_from, status_code
from adapters.fhir.stays import LONGEST_STAY
from pathway.chart import ChartResource

_SKIPPED: Final = frozenset({"meta", "text", "extension", "contained"})
_RIGHT_AFTER: Final = timedelta.resolution
_GONE: Final = frozenset({"entered-in-error", "cancelled", "not-done", "revoked", "noshow", "refuted"})


def turns_at(chart: KnownChart, resources: Iterable[ChartResource]) -> datetime | None:
    """The first instant after `chart.as_of` at which a fact may read otherwise though nothing came; None for never.

    `resources` is the whole chart, with what is set aside because it lies ahead.
    """
    ahead = (at for at in _instants(chart, resources) if at > chart.as_of)
    return min(ahead, default=None)


def withdrawn(resources: Iterable[ChartResource]) -> tuple[str, ...]:
    """The records that do not hold, or not any more: entered in error, refuted, cancelled, not done; sorted."""
    return tuple(sorted(resource.reference for resource in resources if _is_gone(resource.body)))


def dated(resources: Iterable[ChartResource], zone: tzinfo) -> dict[str, datetime]:
    """Of when each record is, but the Patient: since when it can have been known; when it came where it has no date."""
    return {one.reference: _dated(one, zone) for one in resources if one.type != "Patient"}


def _dated(resource: ChartResource, zone: tzinfo) -> datetime:
    known = known_from(resource.body, zone)
    if known is None and resource.type.startswith("Medication"):
        read = (When.read(at_path(resource.body, path), zone) for path in DATES)
        known = next((when.earliest for when in read if when), None)
    return known or resource.received_at


def _is_gone(body: Mapping[str, Any]) -> bool:
    status = body.get("status")
    return (isinstance(status, str) and status in _GONE) or status_code(body.get("verificationStatus")) in _GONE


def _instants(chart: KnownChart, resources: Iterable[ChartResource]) -> Iterator[datetime]:
    today = f"{(chart.as_of - timedelta(days=2)).date()}"  # two days cover every zone
    for resource in resources:
        for when in _dates(resource.body, today, chart.zone):
            yield when.earliest
            yield when.latest + _RIGHT_AFTER
    yield from _birthdays(chart)
    for finding in chart.named("marrow-oedema"):
        yield finding.at + MRI_DECIDES + _RIGHT_AFTER
    for encounter in chart.of_type("Encounter"):
        if start := When.read(at_path(encounter.body, "period.start"), chart.zone):
            yield start.earliest + timedelta(days=LONGEST_STAY + 1)
    for resource in chart.resources:
        if resource.type.startswith("Medication"):
            yield from _supplies(resource, chart.zone)


def _dates(node: Any, today: str, zone: tzinfo) -> Iterator[When]:
    """The dates of a resource that do not surely lie in the past."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in _SKIPPED:
                yield from _dates(value, today, zone)
    elif isinstance(node, list):
        for value in node:
            yield from _dates(value, today, zone)
    elif isinstance(node, str) and node[:4].isdigit() and node >= today[: len(node)]:
        when = When.read(node, zone)
        yield from (when,) if when else ()


def _birthdays(chart: KnownChart) -> Iterator[datetime]:
    """The next birthday, of a partial date both that it allows: at midnight of the facility."""
    patient = chart.patient
    born = When.read(patient.body.get("birthDate"), chart.zone) if patient else None
    today = chart.as_of.astimezone(chart.zone).date()
    for at in (born.earliest, born.latest) if born else ():
        day = at.astimezone(chart.zone).date()
        for year in (today.year, today.year + 1):
            yield datetime.combine(_anniversary(day, year), datetime.min.time(), chart.zone)


def _anniversary(day: date, year: int) -> date:
    """The day of a year on which one more has passed; for who was born on 29 February in other years 1 March."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _supplies(resource: ChartResource, zone: tzinfo) -> Iterator[datetime]:
    """When what was handed out is used up, and when what was taken once no longer counts as taken."""
    days = at_path(resource.body, "daysSupply.value")
    for path in DATES:
        if when := When.read(at_path(resource.body, path), zone):
            yield when.latest + LASTS + _RIGHT_AFTER
            if isinstance(days, int) and 0 < days < 1000:
                yield when.latest + timedelta(days=days)
    yield resource.received_at + LASTS + _RIGHT_AFTER
