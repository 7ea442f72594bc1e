"""A letter as FHIR R4 DocumentReference: the document itself within it, and how it stands.

`status` is about the letter (current, superseded, entered in error), `docStatus` about its text: preliminary until a
clinician signs it off.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from adapters.fhir.from_plan import ACCOUNT, DECISION
from adapters.fhir.terminology import BASE
from pathway.canonical import instant
from pathway.chart import patient_id
from pathway.letters import Letter, LetterStep

Json = dict[str, Any]
LETTER: Final = f"{BASE}/letter"
TITLE: Final = "Referral for care of the bone after a vertebral fracture"
MEDIA_TYPE: Final = "text/html; charset=utf-8"
_REFERRAL_NOTE: Final = {"system": "http://loinc.org", "code": "57133-1", "display": "Referral note"}
"""As HL7's C-CDA on FHIR has it (value set ReferralDocumentType, STU 1.2), read 2026-11-23."""
_STATUS: Final[Mapping[str, str]] = {
    "preliminary": "current", "signed": "current", "replaced": "superseded", "withdrawn": "entered-in-error",
}  # fmt: skip


def document_reference(letter: Letter, patient: str, document: bytes) -> Json:
    """A letter with its document, for a patient's key. R4 wants the hash as SHA-1; the identifier has the SHA-256."""
    made, signed = letter.made, letter.signed
    body: Json = {
        "resourceType": "DocumentReference",
        "id": letter.id,
        "meta": {"versionId": _version(letter), "lastUpdated": instant(letter.last.at)},
        "identifier": [
            {"system": LETTER, "value": letter.id},
            {"system": f"{LETTER}-sha256", "value": letter.last.sha256},
        ],
        "status": _STATUS[letter.standing],
        "docStatus": "entered-in-error" if letter.withdrawn else "final" if signed else "preliminary",
        "type": {"coding": [_REFERRAL_NOTE], "text": TITLE},
        "subject": {"reference": f"Patient/{patient_id(patient)}"},
        "date": instant(made.at),
        "author": [_person(made)],
        "description": TITLE,
        "content": [{"attachment": {
            "contentType": MEDIA_TYPE, "language": "en", "data": b64encode(document).decode(),
            "size": len(document), "hash": b64encode(hashlib.sha1(document, usedforsecurity=False).digest()).decode(),
            "title": TITLE, "creation": instant(letter.last.at),
        }}],
        "context": {"related": [{"identifier": {"system": DECISION, "value": made.decision}}]},
    }  # fmt: skip
    if signed:
        body["authenticator"] = _person(signed)
    if letter.before:
        body["relatesTo"] = [{"code": "replaces", "target": _other(letter.before[0])}]
    return body


def _version(letter: Letter) -> str:
    """Its step, and whether it was replaced since: that is no step of its own, and another version all the same."""
    return f"{letter.last.sequence}{'-replaced' if letter.standing == 'replaced' else ''}"


def _person(step: LetterStep) -> Json:
    """Who did it: an account of this service, of which there is no resource."""
    return {"type": "Practitioner", "identifier": {"system": ACCOUNT, "value": step.actor}, "display": step.author}


def _other(letter: str) -> Json:
    return {
        "reference": f"DocumentReference/{letter}", "type": "DocumentReference",
        "identifier": {"system": LETTER, "value": letter},
    }  # fmt: skip
