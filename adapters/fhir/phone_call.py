"""A call of follow-up as FHIR R4: one Encounter that keeps the contact, one Observation for each answer, and back.

The ids are made from the task, the call and the question: sent twice it is one call, and no EHR's ids are met. A
correction is the same call again: what changed is `corrected`, what was taken back is `entered-in-error`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.from_plan import ACCOUNT
from adapters.fhir.invariants import objects
from adapters.fhir.reading import ANSWER, FINDING, ORDER, code_in
from adapters.fhir.terminology import BASE
from pathway.canonical import instant, parse_instant
from pathway.people import Person

Json = dict[str, Any]
PREFIX: Final = "pathway-call-"
"""Ids that begin so are ours: such a resource is stored here alone."""
CALL: Final = f"{BASE}/call"
CALL_OF: Final = f"{BASE}/call-of-task"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, CALL)
_CONTACT: Final = "follow-up-contact"
_ACT: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR"}
_UCUM: Final = "http://unitsofmeasure.org"
_LOINC: Final = "http://loinc.org"
_SPINE: Final = {"system": "http://snomed.info/sct", "code": "421060004"}
_MEASURED: Final[Mapping[str, tuple[str, str]]] = {
    "pain-score": ("72514-3", "{score}"),
    "body-temperature": ("8310-5", "Cel"),
}
"""Findings that are no code of ours: their LOINC code and UCUM unit (codes.csv says how each was verified)."""
_ANSWERS: Final = f"Observation/{PREFIX}"
_WHOLE: Final = frozenset({"disability-score"})
GONE: Final = "entered-in-error"


@dataclass(frozen=True, slots=True)
class Call:
    """A call about a task: whose, after which procedures, when, by whom, and the answers by finding; no empty ones.

    `patient` is the FHIR id, `script` the version of the wording that was read out.
    """

    id: str
    task: str
    patient: str
    procedures: Sequence[str]
    at: datetime
    by: Person
    answers: Mapping[str, str]
    script: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A call as it stands in the chart: when it was, who kept it, its answers and the record of each, by finding.

    `sources` are all its records, `gone` says that it was taken back.
    """

    id: str
    at: datetime
    by: str
    answers: Mapping[str, str]
    records: Mapping[str, str]
    sources: frozenset[str]
    gone: bool


def encounter_id(task: str, call: str) -> str:
    """The id of the Encounter of a call."""
    return _id(task, call, "contact")


def bundle(call: Call, before: Kept | None = None) -> Json:
    """All of a call as a transaction; over one that was kept `before`, only what is corrected in it."""
    was = before.answers if before else {}
    rows = [] if before else [_encounter(call, gone=False)]
    for name, answer in call.answers.items():
        if was.get(name) != answer:
            rows.append(_observation(call, name, answer, "corrected" if name in was else "final"))
    rows += [_observation(call, name, was[name], GONE) for name in was if name not in call.answers]
    return _transaction(rows)


def withdrawal(call: Call) -> Json:
    """All of a call as entered in error, as a transaction: `call` has the answers that were kept."""
    return _transaction(
        [_encounter(call, gone=True), *(_observation(call, *one, GONE) for one in call.answers.items())]
    )


def kept(task: str, call: str, chart: Mapping[str, Mapping[str, Any]]) -> Kept | None:
    """A call about a task, read back from a chart's resources by reference; None if it is not there.

    Every answer of it, of questions that the script has no more as well: taken back, all of it has to be.
    """
    encounter = chart.get(f"Encounter/{encounter_id(task, call)}")
    if encounter is None:
        return None
    rows = ((_name(body), reference) for reference, body in chart.items() if reference.startswith(_ANSWERS))
    records = {name: reference for name, reference in rows if reference == f"Observation/{_id(task, call, name)}"}
    gone = encounter.get("status") == GONE
    answers = {
        name: _answer(chart[reference]) for name, reference in records.items()
        if gone or chart[reference].get("status") != GONE
    }  # fmt: skip
    return Kept(
        call, parse_instant(encounter["period"]["start"]), _who(encounter), answers, records,
        frozenset((f"Encounter/{encounter['id']}", *records.values())), gone,
    )  # fmt: skip


def calls_of(task: str, encounters: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The ids of the calls that were kept about a task, with the Encounter of each."""
    for body in encounters:
        named = {str(one.get("system")): str(one.get("value")) for one in objects(body, "identifier")}
        if named.get(CALL_OF) == task and CALL in named and body.get("id") == encounter_id(task, named[CALL]):
            yield named[CALL], body


def is_ours(reference: str) -> bool:
    """Whether a reference leads to a resource of a call: it is in this house and nowhere else."""
    return reference.partition("/")[2].startswith(PREFIX)


def _id(task: str, call: str, what: str) -> str:
    return f"{PREFIX}{uuid.uuid5(_NAMESPACE, f'{task}/{call}/{what}')}"


def _encounter(call: Call, *, gone: bool) -> Json:
    at = instant(call.at)
    return {
        "resourceType": "Encounter", "id": encounter_id(call.task, call.id),
        "identifier": [{"system": CALL, "value": call.id}, {"system": CALL_OF, "value": call.task}],
        "status": GONE if gone else "finished", "class": _ACT,
        "type": [{"coding": [{"system": ORDER, "code": _CONTACT}]}],
        "subject": {"reference": f"Patient/{call.patient}"},
        "participant": [{"individual": _person(call.by)}], "period": {"start": at, "end": at},
        "reasonReference": [{"reference": one} for one in call.procedures],
    }  # fmt: skip


def _observation(call: Call, name: str, answer: str, status: str) -> Json:
    body: Json = {
        "resourceType": "Observation", "id": _id(call.task, call.id, name), "status": status, "code": _code(name),
        "subject": {"reference": f"Patient/{call.patient}"}, "effectiveDateTime": instant(call.at),
        "encounter": {"reference": f"Encounter/{encounter_id(call.task, call.id)}"},
        "partOf": [{"reference": one} for one in call.procedures], "performer": [_person(call.by)],
        "method": {"text": f"Asked on the telephone, script of {call.script}"},
    }  # fmt: skip
    if name in _MEASURED:
        body["valueQuantity"] = {"value": Decimal(answer), "system": _UCUM, "code": _MEASURED[name][1]}
    elif name in _WHOLE:
        body["valueInteger"] = int(answer)
    else:
        body["valueCodeableConcept"] = {"coding": [{"system": ANSWER, "code": answer}]}
    if name == "pain-score":
        moving = {"coding": [{"system": ANSWER, "code": "on-movement"}]}
        circumstance = {"coding": [{"system": FINDING, "code": "pain-circumstance"}]}
        body["bodySite"] = {"coding": [_SPINE]}
        body["component"] = [{"code": circumstance, "valueCodeableConcept": moving}]
    return body


def _code(name: str) -> Json:
    if name in _MEASURED:
        return {"coding": [{"system": _LOINC, "code": _MEASURED[name][0]}]}
    return {"coding": [{"system": FINDING, "code": name}]}


def _name(body: Mapping[str, Any]) -> str:
    """The finding that an Observation of ours records."""
    code = body.get("code")
    measured = (name for name, (loinc, _) in _MEASURED.items() if loinc == code_in(_LOINC, code))
    return code_in(FINDING, code) or next(measured, "")


def _person(by: Person) -> Json:
    """Whoever is signed in: an account of this service, of which there is no resource."""
    return {"type": "Practitioner", "identifier": {"system": ACCOUNT, "value": by.name}, "display": by.author}


def _who(encounter: Mapping[str, Any]) -> str:
    rows = [row.get("individual") for row in objects(encounter, "participant")]
    return next((str(row["display"]) for row in rows if isinstance(row, Mapping) and row.get("display")), "")


def _answer(body: Mapping[str, Any]) -> str:
    if isinstance(body.get("valueQuantity"), Mapping):
        return str(body["valueQuantity"]["value"])
    if "valueInteger" in body:
        return str(body["valueInteger"])
    return code_in(ANSWER, body.get("valueCodeableConcept")) or ""


def _transaction(rows: Sequence[Json]) -> Json:
    entries = [
        {
            "fullUrl": f"urn:uuid:{row['id'].removeprefix(PREFIX)}",
            "resource": {key: value for key, value in row.items() if value != []},
            "request": {"method": "PUT", "url": f"{row['resourceType']}/{row['id']}"},
        }
        for row in rows
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
