"""Invented charts and hook calls."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from adapters.demo.record import Record
from adapters.http.cds_hooks.catalogue import services

Json = dict[str, Any]
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
TYPES = {
    "patient": "Patient", "conditions": "Condition", "observations": "Observation", "imaging": "ImagingStudy",
    "reports": "DiagnosticReport", "procedures": "Procedure", "encounters": "Encounter",
    "allergies": "AllergyIntolerance", "requests": "ServiceRequest", "coverage": "Coverage",
    "medications": "MedicationRequest", "medicationStatements": "MedicationStatement",
}  # fmt: skip


def candidate(id: str, now: datetime, level: str = "L1") -> Record:
    """A fresh, tender, painful fracture with every gate answered and conservative care given its time."""
    record = Record(id, now).encounter("AMB", 2, ended=1.9).fracture(level, 30).care(28).pain(8, 26).pain(7, 1)
    return record.tender(level, True, 2).oedema(level, True, 3).well(2)


def unproven(id: str, now: datetime, level: str = "L1") -> Record:
    """As `candidate`, painful and tender, but nobody has shown that the fracture is fresh: an MRI is wanted."""
    record = Record(id, now).encounter("AMB", 2, ended=1.9).fracture(level, 30).care(28).pain(8, 26).pain(7, 1)
    return record.tender(level, True, 2).well(2)


def emergency(id: str, now: datetime) -> Record:
    """Weak legs with a fracture."""
    return Record(id, now).fracture("T11", 9).finding("neurological-examination", "deficit", 0.2)


def searchset(resources: list[Json], next_url: str = "") -> Json:
    """Resources as a server's answer to a search."""
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if resources:
        bundle["entry"] = [{"resource": resource} for resource in resources]
    return bundle | ({"link": [{"relation": "next", "url": next_url}]} if next_url else {})


def prefetch(record: Record) -> Json:
    """A chart as a client prefetches it: every key of the service, asked and answered."""
    by_type = {key: [r for r in record.resources if r["resourceType"] == type_] for key, type_ in TYPES.items()}
    assert set(TYPES) == set(next(iter(services().values())).prefetch)
    return {key: rows[0] if key == "patient" else searchset(rows) for key, rows in by_type.items()}


def call(patient_id: str, **members: Any) -> Json:
    """A patient-view call."""
    context = {"userId": "Practitioner/u1", "patientId": patient_id}
    return {"hook": "patient-view", "hookInstance": INSTANCE, "context": context, **members}


def texts(value: Any) -> Iterator[Any]:
    """Every value at any depth of JSON, containers included."""
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(child)


def hollow(value: Any) -> bool:
    """Whether anything in JSON is null, empty text, an empty list or an empty object."""
    return any(item is None or item in ("", [], {}) for item in texts(value))
