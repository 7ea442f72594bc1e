"""Taking records in: bytes to the reader, deliveries to the service, and an answer for each entry."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import Any, Final

from adapters.bootstrap import House
from adapters.fhir.deliver import Entry, Parcel
from adapters.http.contract import held
from adapters.http.events import Watch, decided
from adapters.http.guard import note
from adapters.http.problems import outcome
from pathway.canonical import instant
from pathway.ports import Stored, Submission

Json = dict[str, Any]
DOOR: Final = "fhir-api"
ACTOR: Final = "unauthenticated"
"""Who submits is not known until there is a sign-in; the log says so rather than inventing someone."""


def submit(house: House, data: bytes) -> Json:
    """Keep what was sent, decide, and answer with a Bundle. Raises BadInputError for what is refused whole."""
    now, watch = house.clock.now(), Watch()
    parcel = house.reader(now).submission(data, "body", house.settings.max_body_bytes, held)
    watch.lap("read")
    submission = Submission(str(uuid.uuid4()), house.settings.source, DOOR, now, parcel.sha256)
    stored: dict[str, Stored] = {}
    for delivery in parcel.deliveries:
        made = house.service.ingest(delivery, submission, data, ACTOR)
        stored.update(made.stored)
        watch.lap("ingest")
        decided(made.decision, json.loads(made.decision.body))
        note(decision=made.decision.id, created=len(made.changes.created), updated=len(made.changes.updated))
    return _answer(parcel, stored, instant(now))


def _answer(parcel: Parcel, stored: dict[str, Stored], at: str) -> Json:
    kind = "transaction-response" if parcel.bundle_type == "transaction" else "batch-response"
    entries = [{"response": _accepted(e, stored, at) if e.accepted else _refused(e)} for e in parcel.entries]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def _accepted(entry: Entry, stored: dict[str, Stored], at: str) -> Json:
    """201 for what is new in the chart, 200 for what it already holds. Charts are not served: there is no ETag."""
    status = HTTPStatus.CREATED if stored[entry.reference] is Stored.NEW else HTTPStatus.OK
    return {"status": _line(status), "location": entry.reference, "lastModified": at}


def _refused(entry: Entry) -> Json:
    told = outcome(entry.code or "invalid", entry.why, fix=entry.fix, expression=entry.expression)
    return {"status": _line(HTTPStatus.UNPROCESSABLE_ENTITY), "outcome": told}


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"
