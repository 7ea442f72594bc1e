"""Contacts of follow-up: the last visit or call after cement that was kept, and the function that was scored since.

What was booked or missed is no contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.order_facts import roland_morris
from adapters.fhir.reading import ORDER, When, codings, reference_of
from pathway.chart import ChartResource
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, unknown

DATUM: Final = "last-contact-day"
CONTACT: Final = "follow-up-contact"
_KEPT: Final[Mapping[str, str]] = {"Encounter": "finished", "Appointment": "fulfilled"}
_STAYS: Final = frozenset({"IMP", "ACUTE", "NONAC", "SS", "OBSENC", "EMER"})
"""Classes of an encounter that is no contact of follow-up, whatever it says of its reason: a stay, an emergency."""
_SAYS: Final = ("type", "serviceType", "reasonCode", "appointmentType")


def last_contact(chart: KnownChart, event: Episode, over_at: datetime) -> Fact:
    """On which day after cement the last contact of this event was kept, by an Encounter or an Appointment.

    It names the event in its reason or order, or bears the local code of such a contact and is the event's by its date.
    """
    kept = contacts(chart, event, over_at)
    if not kept:
        return unknown(DATUM)
    at = max(at for at, _ in kept)
    sources = tuple(sorted(r for day, r in kept if day == at))
    return Fact(DATUM, chart.local_days(event.onset_at, at), at=at, sources=sources)


def cemented_again(chart: KnownChart, event: Episode) -> Fact:
    """Whether a later procedure has follow-up of its own: one person is called once, not once for each procedure."""
    later = [one for one in chart.episodes_of(EpisodeKind.PROCEDURE) if one.onset_at > event.onset_at]
    if not later:
        return Fact("cemented-again", value=False, at=chart.as_of)
    first = min(later, key=lambda one: (one.onset_at, one.id))
    return Fact("cemented-again", value=True, at=first.onset_at, sources=first.sources)


def function_after(chart: KnownChart, event: Episode, over_at: datetime) -> Iterator[Fact]:
    """The last Roland-Morris total since the procedure, and on which day after cement it was taken."""
    score = roland_morris("function-after-cement", [f for f in chart.named("disability-score") if f.at >= over_at])
    yield score
    day = chart.local_days(event.onset_at, score.at) if score.at is not None else None
    if score.known:
        yield Fact("function-day", day, at=score.at, sources=score.sources)
    else:
        yield replace(score, datum="function-day", candidate=day)


def contacts(chart: KnownChart, event: Episode, over_at: datetime) -> list[tuple[datetime, str]]:
    """When the contacts of an event were kept since it was over, each with its record; in no order."""
    orders = {r.reference: r.body for r in chart.of_type("ServiceRequest")}
    return [(at, r.reference) for r in _kept(chart) if (at := _begun(chart, r)) and over_at <= at <= chart.as_of
            and _is_of(chart, event, r, at, orders)]  # fmt: skip


def _kept(chart: KnownChart) -> Iterator[ChartResource]:
    for kind, status in _KEPT.items():
        for resource in chart.of_type(kind):
            setting = resource.body.get("class")
            stay = isinstance(setting, Mapping) and setting.get("code") in _STAYS
            if resource.body.get("status") == status and not stay:
                yield resource


def _begun(chart: KnownChart, resource: ChartResource) -> datetime | None:
    """When it began; the earliest that its date allows, so that no vague date reaches into a later period."""
    period = resource.body.get("period")
    text = period.get("start") if isinstance(period, Mapping) else resource.body.get("start")
    when = When.read(text, chart.zone)
    return when.earliest if when else None


def _is_of(
    chart: KnownChart, event: Episode, resource: ChartResource, at: datetime, orders: Mapping[str, Mapping[str, Any]]
) -> bool:  # fmt: skip
    named = {reference_of(one) for key in ("reasonReference", "basedOn") for one in objects(resource.body, key)}
    named |= {reference_of(one) for order in named & orders.keys() for one in objects(orders[order], "reasonReference")}
    events = chart.episodes_of(EpisodeKind.PROCEDURE)
    if any(named & set(one.sources) for one in events):
        return bool(named & set(event.sources))
    coded = _bears_code(resource.body) or any(_bears_code(orders[order]) for order in named & orders.keys())
    before = [one for one in events if one.onset_at <= at]
    return coded and max(before, key=lambda one: (one.onset_at, one.id), default=event).id == event.id


def _bears_code(body: Mapping[str, Any]) -> bool:
    concepts = [body.get(key) for key in (*_SAYS, "code")]
    return any(c.get("system") == ORDER and c.get("code") == CONTACT for c in codings(*concepts))
