"""Searches and reads of the FHIR API. A patient that is named narrows what is looked at, and is never left out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from adapters.fhir.from_letter import document_reference
from adapters.fhir.from_plan import TASK_KEY
from pathway.care import CareWord
from pathway.chart import patient_key
from pathway.episodes import Episode
from pathway.errors import NotFoundError
from pathway.letters import Letter
from pathway.ports import Ledger
from pathway.tasks import NAMESPACE, Task

LARGEST_PAGE: Final = 200
Query = Mapping[str, Any]
Json = dict[str, Any]
Plan = tuple[Episode, str, tuple[Task, ...], tuple[CareWord, ...]]
"""An episode, its patient's key, that patient's tasks, and what people said about their care."""

SEARCHES: Final = {
    "Task": {
        "patient": ("reference", "Whom the task is for, as Patient/id or id"),
        "status": ("token", "One or more statuses, with commas between"),
        "_id": ("token", "The logical id"),
        "identifier": ("token", f"The task's key, alone or as {TASK_KEY}|key"),
    },
    "CarePlan": {"patient": ("reference", "Whom the plan is for, as Patient/id or id; required")},
    "DocumentReference": {"patient": ("reference", "Whom the letter is about, as Patient/id or id; required")},
}
"""What the CapabilityStatement tells; a test holds it against openapi.yaml."""


def tasks(ledger: Ledger, source: str, query: Query) -> tuple[tuple[Task, ...], bool]:
    """One page of tasks, and whether there are more."""
    size = _size(query)
    ids = {id for id in (query["_id"], _id_of(query["identifier"])) if id is not None}
    if len(ids) > 1:
        return (), False
    found = ledger.find_tasks(
        patient=_patient(source, query), statuses=query["status"] or (), id=next(iter(ids), ""),
        limit=size + 1, offset=query["_offset"],
    )  # fmt: skip
    return found[:size], len(found) > size


def _id_of(identifier: str | None) -> str | None:
    """The id of the task with a key (`system|key` or `key`); one that no task has, for a key of another system."""
    if identifier is None:
        return None
    system, bar, key = identifier.rpartition("|")
    return str(uuid.uuid5(NAMESPACE, key)) if not bar or system == TASK_KEY else str(uuid.UUID(int=0))


def task_by_id(ledger: Ledger, id: str) -> Task:
    """A task; NotFoundError if there is none."""
    found = ledger.find_tasks(id=id, limit=1)
    if not found:
        raise NotFoundError("there is no such Task", fix="Search with GET /fhir/Task?patient=…")
    return found[0]


def care_plans(ledger: Ledger, source: str, query: Query) -> tuple[tuple[Plan, ...], bool]:
    """One page of a patient's care plans, in the order in which the episodes began, and whether there are more."""
    size, begin = _size(query), query["_offset"]
    found = tuple(islice(_plans_of(ledger, _patient(source, query)), begin, begin + size + 1))
    return found[:size], len(found) > size


def care_plan_by_id(ledger: Ledger, id: str) -> Plan:
    """A care plan by the id of its episode; NotFoundError if there is none. It looks at one patient after the other."""
    for patient in ledger.patients():
        for plan in _plans_of(ledger, patient):
            if plan[0].id == id:
                return plan
    raise NotFoundError("there is no such CarePlan", fix="Search with GET /fhir/CarePlan?patient=…")


def letters(ledger: Ledger, source: str, query: Query) -> tuple[tuple[Json, ...], bool]:
    """One page of a patient's letters as DocumentReferences, the latest first, and whether there are more."""
    size, begin, patient = _size(query), query["_offset"], _patient(source, query)
    found = ledger.letters(patient)[begin : begin + size + 1]
    return tuple(_document(ledger, one) for one in found[:size]), len(found) > size


def letter_by_id(ledger: Ledger, id: str) -> Json:
    """A letter as a DocumentReference; NotFoundError if there is none."""
    try:
        return _document(ledger, ledger.letter(id))
    except NotFoundError:
        fix = "Search with GET /fhir/DocumentReference?patient=…"
        raise NotFoundError("there is no such DocumentReference", fix=fix) from None


def _document(ledger: Ledger, letter: Letter) -> Json:
    patient = ledger.survivor(letter.made.patient)
    return document_reference(letter, patient, ledger.bytes_of(letter.last.sha256))


def _plans_of(ledger: Ledger, patient: str) -> Iterator[Plan]:
    own, said = ledger.tasks(patient), ledger.care_words(patient)
    for episode in sorted(ledger.episodes(patient), key=lambda e: (e.onset_at, e.id)):
        yield episode, patient, own, said


def _patient(source: str, query: Query) -> str:
    given = query["patient"]
    return patient_key(source, given.removeprefix("Patient/")) if given is not None else ""


def _size(query: Query) -> int:
    return min(query["_count"], LARGEST_PAGE)


def page_links(address: str, query: Query, more: bool) -> dict[str, str]:
    """`self` as the search was understood, and `next` where there is more."""
    given = {name: ",".join(v) if isinstance(v, list) else v for name, v in query.items() if v is not None}
    given["_count"] = _size(query)
    links = {"self": f"{address}?{urlencode(given)}"}
    if more:
        links["next"] = f"{address}?{urlencode(given | {'_offset': query['_offset'] + _size(query)})}"
    return links
