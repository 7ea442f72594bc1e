"""A patient's year: one vertebra is cemented, and what the record then hears of until twelve months are over.

Each step is what one delivery brings, at the instant at which it comes. All invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.demo.record import ATC, SNOMED, Record, concept

PATIENT: Final = "demo-year"
PROCEDURE_AT: Final = datetime(2026, 12, 7, 10, 0, tzinfo=UTC)
"""The instant of the cement, from which the days of the steps are counted."""

VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_LABORATORY: Final = (
    ("17861-6", 9.3, "mg/dL"), ("2777-1", 3.4, "mg/dL"), ("6768-6", 71, "U/L"), ("1751-7", 4.1, "g/dL"),
    ("2160-0", 0.9, "mg/dL"), ("62292-8", 24, "ng/mL"), ("3016-3", 1.8, "m[IU]/L"),
)  # fmt: skip


def year() -> tuple[tuple[datetime, dict[str, Any]], ...]:
    """The deliveries in order: when each comes, and its Bundle. The same bytes each time."""
    record = Record(PATIENT, PROCEDURE_AT, name="Uta Example", age=76)
    steps: list[tuple[datetime, dict[str, Any]]] = []
    for days, step in _steps():
        record.now, sent = PROCEDURE_AT + timedelta(days=days), len(record.resources) if steps else 0
        corrected = step(record)
        steps.append((record.now, _bundle([*record.resources[sent:], *corrected])))
    return tuple(steps)


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:x:{r['resourceType']}/{r['id']}", "resource": deepcopy(r)} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


Step = Callable[[Record], list[dict[str, Any]]]


def _steps() -> Iterator[tuple[float, Step]]:
    """Days from the cement, and what comes then; a step returns what it sends again, changed."""
    yield -6.0, _fracture
    yield -4.0, _made_ready
    yield 0.1, _cemented
    yield 0.2, _checked
    yield 2.0, lambda record: _all(record.contact(0.02, "VR").legs_well(0.02).appointment(-19))
    yield 3.0, lambda record: _all(record.order("bone-density", 0.1))
    yield 21.2, _visit
    yield 30.0, lambda record: _all(record.lab("38267-1", -3.1, "{Tscore}", 0.2))
    yield 33.0, _laboratory
    yield 45.0, _referral_kept
    yield 46.0, lambda record: _all(_alendronate(record, "MedicationRequest", "active"))
    yield 52.0, lambda record: _all(_alendronate(record, "MedicationDispense", "completed"))
    yield 60.0, _statement_withdrawn
    yield 62.0, lambda record: _all(record.leak_statement("L1", 0.1))
    yield 91.2, lambda record: _all(record.contact(0.1).legs_well(0.1).pain(2, 0.1).disability(7, 0.1))
    yield 150.0, _pain_next_door
    yield 152.0, lambda record: _all(record.oedema("L2", False, 0.2).oedema("L1", False, 0.2))
    yield 153.0, _refuted
    yield 160.0, lambda record: _all(record.pain(3, 0.1).tender("L2", False, 0.1))
    yield 183.0, lambda record: _all(record.appointment(0.1, "noshow"))
    yield 190.0, lambda record: _all(record.contact(0.1, "VR").legs_well(0.1).pain(2, 0.1))
    yield 366.0, lambda record: _all(record.contact(0.1).legs_well(0.1).pain(1, 0.1).disability(4, 0.1))


def _all(record: Record) -> list[dict[str, Any]]:
    """Nothing is sent again: the step only adds."""
    del record
    return []


def _fracture(record: Record) -> list[dict[str, Any]]:
    """Five weeks of pain at a fresh, tender L1; tablets have not helped."""
    record.encounter("AMB", 0.3, ended=0.2).fracture("L1", 36).tender("L1", True, 0.2).oedema("L1", True, 2)
    record.height_loss("L1", 25, 2).well(0.2).allergy("716186003", 300, SNOMED)
    return _all(record.care(33).pain(8, 31).pain(8, 0.2))


def _made_ready(record: Record) -> list[dict[str, Any]]:
    """Ordered, told and examined; the osteoporosis referral is placed with the order."""
    record.order("vertebral-augmentation", 0.2, levels=["L1"]).referral("active", 0.2).consent(0.1)
    record.lab("6301-6", 1.0, "{INR}", 0.5).lab("777-3", 250, "10*3/uL", 0.5).lab("8310-5", 36.6, "Cel", 0.2)
    signs = ("spinal-instability", "neural-impingement", "retropulsion", "intravertebral-cleft", "cortical-defect")
    record.attest(dict.fromkeys((*signs, "atypical-pattern"), "absent"), 0.2, level="L1")
    ready = {
        "antithrombotic": "none", "bleeding-risk": "absent", "coagulation-check": "normal",
        "inflammation-markers": "normal", "cardiopulmonary-disease": "absent", "prone-and-sedation": "tolerated",
        "surgical-rescue": "yes", "team-discussion": "yes", "antibiotic-prophylaxis": "yes",
    }  # fmt: skip
    return _all(record.attest(ready, 0.2))


def _cemented(record: Record) -> list[dict[str, Any]]:
    """Cement into L1; the order for it is carried out."""
    order = next(r for r in record.resources if r["id"] == f"{PATIENT}-order-1")
    order["status"] = "completed"
    record.cement("L1", 0.1)
    return [order]


def _checked(record: Record) -> list[dict[str, Any]]:
    """The operator states where cement went, and legs and chest are normal."""
    record.leak_statement("L1", 0.08, leaks=["disc"])
    record.finding("neurological-examination", "normal", 0.02).finding("chest-check", "normal", 0.02)
    return _all(record.pain(3, 0.02))


def _visit(record: Record) -> list[dict[str, Any]]:
    """The visit at three weeks is kept: better, and walking."""
    booked = next(r for r in record.resources if r["resourceType"] == "Appointment")
    booked["status"] = "fulfilled"
    record.contact(0.15).pain(2, 0.15).disability(9, 0.15).finding("neurological-examination", "normal", 0.15)
    return [booked]


def _laboratory(record: Record) -> list[dict[str, Any]]:
    for code, value, unit in _LABORATORY:
        record.lab(code, value, unit, 0.3, flag="N")
    return _all(record)


def _referral_kept(record: Record) -> list[dict[str, Any]]:
    referral = next(r for r in record.resources if r["id"] == f"{PATIENT}-referral-1")
    referral["status"] = "completed"
    return [referral]


def _alendronate(record: Record, kind: str, status: str) -> Record:
    return record.medicine("Alendronate 70 mg tablet", 0.1, code="M05BA04", system=ATC, status=status, kind=kind)


def _refuted(record: Record) -> list[dict[str, Any]]:
    """STIR showed no oedema at L2: the clinic refutes the suspected fracture."""
    suspected = next(r for r in record.resources if r["id"] == f"{PATIENT}-fx-2")
    suspected["verificationStatus"] = concept(VERIFICATION, "refuted")
    return [suspected]


def _statement_withdrawn(record: Record) -> list[dict[str, Any]]:
    """The statement on leaks was another patient's: it is marked as entered in error."""
    statement = next(r for r in record.resources if r["id"] == f"{PATIENT}-leak-1")
    statement["status"] = "entered-in-error"
    return [statement]


def _pain_next_door(record: Record) -> list[dict[str, Any]]:
    """New pain five months later, tender at L2, next to the cemented vertebra: a fracture is suspected."""
    record.encounter("AMB", 0.2, ended=0.1).pain(7, 0.1).tender("L2", True, 0.1).tender("L1", False, 0.1)
    record.fracture("L2", 3, verification="provisional")
    return _all(record.finding("neurological-examination", "normal", 0.1).finding("infection-screen", "absent", 0.1))
