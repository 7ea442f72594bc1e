"""Dated happenings from a file: a line of JSON for each delivery, and for each act of a person.

{"at": "2027-01-04T09:00:00Z", "bundle": {"resourceType": "Bundle", ...}}
{"at": "2027-01-05T14:00:00Z", "task": "after-cement.early-contact", "act": "attempt", "role": "coordinator",
 "said": {"channel": "phone", "outcome": "no-answer"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.fhir import strict_json
from adapters.simulate.run import Arrival, Deed, Happening
from pathway.canonical import parse_instant
from pathway.errors import BadInputError
from pathway.lifecycle import Act, Role

_FORMS: Final = "Write {at, bundle} or {at, task, act, role, said}"


def read(data: bytes, where: str) -> tuple[Happening, ...]:
    """The happenings of a file, in order of time; BadInputError names the line that is none."""
    found = [_happening(value, f"{where}:{number}") for number, value in strict_json.load_ndjson(data, where=where)]
    return tuple(sorted(found, key=lambda one: one.at))


def _happening(value: Any, where: str) -> Happening:
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    at = _instant(given, where)
    match given:
        case {"bundle": {"resourceType": "Bundle", "entry": [_, *_]} as bundle}:
            return Arrival(at, bundle)
        case {"task": str(rule), "act": str(act)} if act in set(Act) and given.get("role", "coordinator") in set(Role):
            return Deed(at, rule, act, given.get("role", "coordinator"), dict(given.get("said", {})))
    raise BadInputError("this is neither a delivery nor an act", where=where, fix=_FORMS)


def _instant(given: Mapping[str, Any], where: str) -> datetime:
    try:
        at = parse_instant(str(given.get("at", "")))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadInputError(
            "there is no instant at which it happens", where=where, fix="Write at: 2027-01-04T09:00:00Z"
        )
    return at
