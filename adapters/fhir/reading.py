"""Reading FHIR elements: instants that may be partial, codings, statuses and references, from plain JSON.

Values are taken as they stand; what cannot be read is None, and the caller says what that means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.terminology import local_system

Resource = Mapping[str, Any]

FINDING: Final = local_system("finding")
ANSWER: Final = local_system("answer")
TECHNIQUE: Final = local_system("technique")
LEAK: Final = local_system("leak-destination")
LEVEL: Final = local_system("level")
ORDER: Final = local_system("order")
PAYER: Final = local_system("payer")

_PARTIAL: Final = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$")

_YEARS: Final = ("1850", "2199")  # outside them a date is a slip, or a filler such as 0001 or 9999
_LEAP: Final = re.compile(r"(T\d\d:\d\d):60")  # FHIR allows leap seconds, Python does not


@dataclass(frozen=True, slots=True)
class When:
    """What a FHIR date says: the earliest and latest instants that it allows (the same for a full dateTime)."""

    earliest: datetime
    latest: datetime

    @classmethod
    def read(cls, text: Any, zone: tzinfo = UTC) -> When | None:
        """A FHIR date, dateTime or instant; a date without time is a day of the facility's zone. None if unreadable."""
        if not isinstance(text, str) or not _YEARS[0] <= text[:4] <= _YEARS[1]:
            return None
        partial = _PARTIAL.match(text)
        try:
            if partial is None:
                at = datetime.fromisoformat(_LEAP.sub(r"\1:59", text).replace("Z", "+00:00"))
                return cls(at.astimezone(UTC), at.astimezone(UTC)) if at.tzinfo else None
            _, month, day = (int(part) if part else None for part in partial.groups())
            first = datetime(int(partial.group(1)), month or 1, day or 1, tzinfo=zone)
            after = first + timedelta(days=1)
            if day is None:
                after = datetime(
                    first.year + (month in (None, 12)), 1 if month in (None, 12) else first.month + 1, 1, tzinfo=zone
                )
        except ValueError:
            return None
        return cls(first.astimezone(UTC), after.astimezone(UTC) - timedelta(microseconds=1))


_EVENTS: Final = "effectiveTiming.event"
_HAPPENED: Final[Mapping[str, Sequence[str]]] = {
    "Condition": ("onsetDateTime", "onsetPeriod.start", "onsetPeriod.end"),
    "Observation": (
        "effectiveDateTime",
        "effectivePeriod.start",
        "effectiveInstant",
        _EVENTS,
        "effectivePeriod.end",
    ),
    "Procedure": ("performedDateTime", "performedPeriod.start", "performedPeriod.end"),
    "Encounter": ("period.start",),
    "ImagingStudy": ("started",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.start"),
    "ServiceRequest": ("authoredOn",),
    "AllergyIntolerance": ("recordedDate", "onsetDateTime"),
    "MedicationRequest": ("authoredOn",),
    "MedicationAdministration": ("effectiveDateTime", "effectivePeriod.start"),
    "MedicationDispense": ("whenHandedOver", "whenPrepared"),
}
_STATUS_SYSTEMS: Final = frozenset({
    "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
})  # fmt: skip
_RECORDED: Final[Mapping[str, str]] = {
    "Condition": "recordedDate", "Observation": "issued", "DiagnosticReport": "issued", "ServiceRequest": "authoredOn",
    "MedicationStatement": "dateAsserted", "Appointment": "created",
}  # fmt: skip


def happened(resource: Resource, zone: tzinfo = UTC) -> When | None:
    """When what a resource tells of happened or began, of several events the last; None where it does not say."""
    for path in _HAPPENED.get(str(resource.get("resourceType")), ()):
        when = _last_event(resource, zone) if path == _EVENTS else When.read(at_path(resource, path), zone)
        if when is not None:
            return when
    return None


def _last_event(resource: Resource, zone: tzinfo) -> When | None:
    """The last of `effectiveTiming.event`; a result cannot be older than what it is a result of."""
    timing = resource.get("effectiveTiming")
    events = timing.get("event") if isinstance(timing, Mapping) else None
    read = [When.read(event, zone) for event in events] if isinstance(events, list) else []
    return max((when for when in read if when), key=lambda when: (when.earliest, when.latest), default=None)


def recorded(resource: Resource, zone: tzinfo = UTC) -> When | None:
    """When a resource was written down, by its own account."""
    return When.read(resource.get(_RECORDED.get(str(resource.get("resourceType")), "")), zone)


def known_from(resource: Resource, zone: tzinfo = UTC) -> datetime | None:
    """The instant from which the record can have been known: it had happened, and it had been written."""
    days = [when.earliest for when in (happened(resource, zone), recorded(resource, zone)) if when]
    return max(days) if days else None


def at_path(resource: Any, path: str) -> Any:
    """The element at a dotted path of objects, the first where the last is a list, or None."""
    for name in path.split("."):
        if not isinstance(resource, Mapping):
            return None
        resource = resource.get(name)
    return next(iter(resource), None) if isinstance(resource, list) else resource


def codings(*concepts: Any) -> Iterator[Mapping[str, Any]]:
    """Every coding of CodeableConcepts, or of lists of them."""
    for concept in concepts:
        if isinstance(concept, list):
            yield from codings(*concept)
        elif isinstance(concept, Mapping):
            for coding in concept.get("coding") or ():
                if isinstance(coding, Mapping):
                    yield coding


def code_in(system: str, *concepts: Any) -> str | None:
    """The first code of one system among concepts."""
    return next((str(c["code"]) for c in codings(*concepts) if c.get("system") == system and c.get("code")), None)


def codes_in(system: str, *concepts: Any) -> frozenset[str]:
    """Every code of one system among concepts: two of them may say two things."""
    return frozenset(str(c["code"]) for c in codings(*concepts) if c.get("system") == system and c.get("code"))


def status_code(concept: Any) -> str:
    """The code of a clinicalStatus or verificationStatus in HL7's system, of diagnosis or allergy; empty where absent.

    A local code may stand beside it, in any order.
    """
    return next((str(c.get("code", "")) for c in codings(concept) if c.get("system") in _STATUS_SYSTEMS), "")


def reference_of(element: Any) -> str:
    """The literal reference of a Reference, cut to `Type/id`; other forms are left as they are."""
    text = element.get("reference", "") if isinstance(element, Mapping) else ""
    parts = str(text).split("/_history")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 else str(text)


def number(element: Any) -> Decimal | None:
    """A number as Decimal; None for anything else."""
    if isinstance(element, bool) or not isinstance(element, int | Decimal):
        return None
    return Decimal(element)
