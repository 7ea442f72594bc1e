"""Calls of follow-up that people keep here: through the one way in, as if a record system had sent them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.fhir.phone_call import Kept, kept
from pathway.chart import source_of
from pathway.episodes import EpisodeKind
from pathway.people import Person
from pathway.ports import Ledger, Submission
from pathway.service import Ingested
from pathway.tasks import Task

DOOR: Final = "phone-script"


def take(house: House, bundle: Mapping[str, Any], task: Task, person: Person) -> Ingested:
    """Keep a call in the chart of the task's patient, decide, and bring the tasks up to date: at once, or nothing.

    Raises BadInputError for a bundle that the reader refuses, and what the store raises.
    """
    now, source = house.clock.now(), source_of(task.patient)
    data = strict_json.dumps(bundle)
    parcel = house.reader(now, source).submission(data, "call")
    (delivery,) = parcel.deliveries
    submission = Submission(str(uuid.uuid4()), source, DOOR, now, parcel.sha256)
    return house.service.ingest(delivery, submission, data, person.name)


def procedures_of(ledger: Ledger, task: Task) -> tuple[str, ...]:
    """The procedures that a task is about, by reference; none for a task of another kind."""
    own = (one for one in ledger.episodes(task.patient) if one.id == task.episode)
    return tuple(
        source for one in own if one.kind is EpisodeKind.PROCEDURE for source in one.sources
        if source.startswith("Procedure/")
    )  # fmt: skip


def kept_call(ledger: Ledger, task: Task, call: str) -> Kept | None:
    """A call about a task as the chart has it; None if it is not there."""
    return kept(task.id, call, records(ledger, task.patient, "Encounter", "Observation"))


def records(ledger: Ledger, patient: str, *types: str) -> dict[str, Mapping[str, Any]]:
    """The resources of some types in a patient's chart by reference; of two by one name the survivor's own."""
    rows = [row for key in reversed(ledger.keys_of(patient)) for type in types for row in ledger.resources(type, [key])]
    return {resource.reference: resource.body for _, resource in rows}
