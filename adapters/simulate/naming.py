"""Records in a few words: what they are of, where, what they say, and a status that is out of the usual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from adapters.fhir.terminology import load_rows

Json = Mapping[str, Any]

_USUAL: Final = frozenset({"final", "finished", "completed"})
"""A status that goes without saying, except where it is the news."""
_STEPS: Final = frozenset({"ServiceRequest", "Appointment", "MedicationRequest"})
"""What is wanted or booked: how far it came is the news."""
_ABOUT: Final = ("code", "medicationCodeableConcept", "serviceType", "type")
_PLAIN: Final[Mapping[str, str]] = {
    "Patient": "who it is", "Encounter": "a visit", "Appointment": "an appointment", "Observation": "a finding",
}  # fmt: skip
_CLASSES: Final[Mapping[str, str]] = {
    "AMB": "a visit",
    "VR": "a call",
    "IMP": "a stay in hospital",
    "EMER": "emergency",
}


def in_words(resource: Json) -> str:
    """Such as `Spinal tenderness at L1: present` or `ServiceRequest Osteoporosis referral (revoked)`."""
    said = ": ".join(part for part in (_subject(resource), _value(resource)) if part)
    status = resource.get("status", "")
    unusual = [status] if status and (status not in _USUAL or resource["resourceType"] in _STEPS) else []
    doubt = _concept(resource.get("verificationStatus", {}))
    unusual += [doubt] if doubt not in ("", "confirmed") else []
    return f"{said} ({', '.join(unusual)})" if unusual else said


def _subject(resource: Json) -> str:
    kind = str(resource["resourceType"])
    if kind == "Encounter":
        return _CLASSES.get(resource.get("class", {}).get("code", ""), _PLAIN[kind])
    named = next((_concept(resource[key]) for key in _ABOUT if isinstance(resource.get(key), Mapping)), "")
    where = ", ".join(filter(None, (_concept(site) for site in _sites(resource))))
    what = named or _PLAIN.get(kind, kind)
    if named and kind != "Observation":
        what = f"{kind} {named}"
    return f"{what} at {where}" if where else what


def _sites(resource: Json) -> Iterator[Json]:
    site = resource.get("bodySite", ())
    yield from [site] if isinstance(site, Mapping) else site


def _value(resource: Json) -> str:
    if isinstance(value := resource.get("valueCodeableConcept"), Mapping):
        return _concept(value)
    if isinstance(value := resource.get("valueQuantity"), Mapping):
        unit = str(value.get("code", ""))
        return f"{value.get('value')}" + ("" if not unit or unit.startswith("{") else f" {unit}")
    if "valueInteger" in resource:
        return str(resource["valueInteger"])
    return _parts(resource.get("component", ()))


def _parts(components: Iterable[Json]) -> str:
    """The parts of a finding by their answer, such as `present: disc; absent: canal, foramen`."""
    by_answer: dict[str, list[str]] = {}
    for part in components:
        by_answer.setdefault(_value(part).lower(), []).append(_concept(part["code"]).lower())
    return "; ".join(f"{answer}: {', '.join(named)}" for answer, named in sorted(by_answer.items(), reverse=True))


def _concept(concept: Json) -> str:
    codings = [c for c in concept.get("coding", ()) if isinstance(c, Mapping)]
    known = (_displays().get((c.get("system", ""), c.get("code", "")), "") for c in codings)
    shown = (str(c.get("display", "")) for c in codings)
    bare = (str(c.get("code", "")) for c in codings)
    return next((one for one in (str(concept.get("text", "")), *shown, *known, *bare) if one), "")


@cache
def _displays() -> Mapping[tuple[str, str], str]:
    """What our own tables call a code; for one whose display we may not carry, the name of its value set."""
    return {(row.system, row.code): str(row.display or row.value_set.replace("-", " ")) for row in load_rows()}
