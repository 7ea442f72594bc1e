"""From call to cards: gather, read, decide, log. The chart is overlaid for this one decision; none of it is stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from adapters.bootstrap import House
from adapters.fhir.bundles import owner_of
from adapters.fhir.client import FhirServer, listed
from adapters.fhir.deliver import Reader
from adapters.fhir.known_chart import SHARED
from adapters.http.cds_hooks.call import Call
from adapters.http.cds_hooks.cards import Shown, shown
from adapters.http.cds_hooks.gaps import CODE, GapReader
from adapters.http.cds_hooks.gather import Gathered, gather, refuse_without
from adapters.http.cds_hooks.guidance import Guidance
from adapters.http.cds_hooks.hints import hints
from adapters.http.events import Watch, decided
from adapters.http.guard import note
from adapters.http.metrics import metrics
from pathway.chart import ChartResource, SetAside, patient_key

FETCH_SHARE: Final = 0.8
"""The part of the budget that fetching may take; the rest is for deciding, logging and the way back."""


def answer(house: House, call: Call, began: float) -> list[dict[str, Any]]:
    """The cards of a call that began at an instant of `time.monotonic`. Raises as `gather` does."""
    watch = Watch(began)
    watch.lap("parse")
    gathered = _gather(house, call, began)
    watch.lap("gather")
    now = house.clock.now()
    good, unusable = _read(house.reader(now), gathered, call.service.required)
    watch.lap("read")
    gaps = [SetAside(key, CODE, why) for key, why in gathered.gaps.items()]
    service = replace(house.service, facts=GapReader(house.service.facts))
    made = service.assess(
        patient_key(house.settings.source, call.patient_id), [resource for resource, _ in good], now,
        [*unusable, *gaps], overlay=True,
    )  # fmt: skip
    watch.lap("decide")
    record = service.log(made, good, trigger=call.service.hook, actor=call.user_id, hook_instance=call.instance)
    watch.lap("log")
    decided(record, made.decision.body)
    rule_sets = {rule_set.id: rule_set for rule_set in made.rule_sets}
    guidance, url = Guidance(made.decision.body, rule_sets), house.settings.public_url.rstrip("/")
    hinted = hints(guidance, made.chart, call.encounter_id, service.zone, record.id, url)
    given = [*shown(guidance, record.id, url), *_not_dismissed(house, hinted)]
    for one in given:
        metrics().showed(one.kind, one.rule)
    watch.lap("card")
    note(decision=record.id, resources=len(good), unusable=len(unusable), gaps=len(gaps), cards=len(given))
    return [one.card for one in given]


def _not_dismissed(house: House, hinted: Sequence[Shown]) -> list[Shown]:
    """The hints that nobody has overridden; the store is asked only where there are any."""
    if not hinted:
        return []
    with house.store.feedback(write=False) as kept:
        gone = kept.dismissed([one.card["uuid"] for one in hinted])
    return [one for one in hinted if one.card["uuid"] not in gone]


def _gather(house: House, call: Call, began: float) -> Gathered:
    """The call's data. The token goes only with a base that is listed."""
    deadline = began + house.settings.hook_budget_seconds * FETCH_SHARE
    base = listed(call.server, house.settings.fhir_servers) if call.server else None
    unasked = "fhirServer is not one that this service knows" if call.server else "no fhirServer was named"
    server = FhirServer(base, deadline, call.token) if base else None
    return gather(call, server, unasked, lambda: deadline - time.monotonic())


def _read(
    reader: Reader, gathered: Gathered, required: frozenset[str]
) -> tuple[list[tuple[ChartResource, bytes]], list[SetAside]]:
    """What can be used and what cannot. A required key of which nothing can be used was not had: MissingDataError."""
    rows = [row for of_key in gathered.rows.values() for row in of_key]
    aside = [
        SetAside(place, "invalid", "it does not say whose record it is")
        for place, body in rows
        if isinstance(body, Mapping) and not owner_of(body) and body.get("resourceType") not in SHARED
    ]
    nameless = {item.where for item in aside}
    good, invalid = reader.resources(row for row in rows if row[0] not in nameless)
    aside += invalid
    unusable = {item.where for item in aside}
    empty = {
        key for key, of_key in gathered.rows.items() if of_key and unusable.issuperset(place for place, _ in of_key)
    }
    refuse_without(required, dict.fromkeys(sorted(empty), "none of its records can be used"))
    return good, aside
