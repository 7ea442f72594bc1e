"""Medicines of a chart: what each record is of, whether it still stands, and when it was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.fhir.antithrombotics import ANTICOAGULANT, Kind, names
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import When, at_path, codings, reference_of
from pathway.chart import ChartResource, SetAside
from pathway.facts import Fact, Reason, unknown

STANDS: Final = "stands"
DOUBTFUL: Final = "doubtful"
ENDED: Final = "ended"

_TYPES: Final = ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense")
_OF_A_MEDICINE: Final = re.compile(rf"({'|'.join((*_TYPES, 'Medication'))})\b")
_PROPOSED: Final = frozenset({"proposal", "option"})  # MedicationRequest.intent: nobody has asked for it yet
_ON: Final = frozenset({"active", "on-hold", "in-progress"})
_OPEN: Final = frozenset({"draft", "unknown", "intended", "preparation"})
_NEVER: Final = frozenset({"entered-in-error", "cancelled", "not-taken", "not-done", "declined"})
_DAYS: Final = frozenset({"d", "day", "days"})
LASTS: Final = timedelta(days=90)
"""How long what was finished, handed out or given without an end may still be at work.

No hold time: it only leaves the matter open. A project default of 2026-11-22, awaiting sign-off.
"""
DATES: Final = (
    "authoredOn", "dateAsserted", "effectiveDateTime", "effectivePeriod.start", "effectivePeriod.end",
    "whenPrepared", "whenHandedOver",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Medicine:
    """One record of a medicine: what it is, how it stands, and the first and last day that it speaks of.

    `told` is false where neither a code that is known nor a word says what it is.
    """

    resource: ChartResource
    kind: Kind
    told: bool
    standing: str
    begun: datetime
    noted: datetime


def medicines(chart: KnownChart) -> Iterator[Medicine]:
    """Every record of a medicine that was meant to be taken; what was denied, cancelled or a mistake is left out."""
    for resource in (r for kind in _TYPES for r in chart.of_type(kind)):
        standing = _standing(chart, resource)
        if standing:
            concepts, words, whole = content(chart, resource)
            kind = names().of(concepts, words, chart.terms)
            days = _days(chart, resource)
            yield Medicine(resource, kind, bool(kind.kind or (words and whole)), standing, min(days), max(days))


def doubted(said: Fact, aside: Iterable[SetAside]) -> Fact:
    """What is said of antithrombotics, unknown where a medicine came that could not be read: it may be a worse one."""
    unread = any(item.code == "invalid" and _OF_A_MEDICINE.match(item.why) for item in aside)
    if not unread or not said.known or said.value == ANTICOAGULANT:
        return said
    why = {"why": "a medicine was sent that could not be read: mend it, and send it again"}
    return unknown(said.datum, Reason.UNPARSEABLE, candidate=said.value, at=said.at, sources=said.sources, detail=why)


def _standing(chart: KnownChart, resource: ChartResource) -> str:
    """`stands`, `doubtful` or `ended` by status and period; empty for what was never to be taken.

    Without a status, or with one that is not known, it is doubtful: a record that says nothing denies nothing.
    """
    body, status = resource.body, resource.body.get("status")
    if body.get("doNotPerform") is True or body.get("intent") in _PROPOSED or status in _NEVER:
        return ""
    given = resource.type == "MedicationAdministration"
    if status in _OPEN and not given:
        return DOUBTFUL
    end = _end(chart, body)
    over = end is not None and end <= chart.as_of
    if status in _ON:
        return DOUBTFUL if over else STANDS  # it is said to go on, and to have ended
    if status == "completed" or (given and status in ("stopped", "unknown")):
        if end is not None and not given:
            return ENDED if over else STANDS
        return DOUBTFUL if chart.as_of - max(_days(chart, resource)) <= LASTS else ENDED
    return ENDED if status == "stopped" else DOUBTFUL


def _end(chart: KnownChart, body: Mapping[str, Any]) -> datetime | None:
    """When it ends: its period, the last of its dosages if each has an end, or the day on which a box is empty."""
    bounds = [at_path(d, "timing.repeat.boundsPeriod.end") for d in objects(body, "dosageInstruction")]
    if bounds and all(bounds):
        ends = [When.read(text, chart.zone) for text in bounds]
        return max((e.latest for e in ends if e), default=None) if all(ends) else None
    handed = When.read(body.get("whenHandedOver"), chart.zone)
    supply = at_path(body, "daysSupply.value")
    if handed and isinstance(supply, int) and _in_days(body.get("daysSupply")) and 0 < supply < 1000:
        return handed.latest + timedelta(days=supply)
    end = When.read(at_path(body, "effectivePeriod.end"), chart.zone)
    return end.latest if end else None


def _in_days(supply: Any) -> bool:
    """Whether a supply is counted in days: by its code, else by its unit; without either nobody knows."""
    unit = at_path(supply, "code") or at_path(supply, "unit") or ""
    return str(unit).strip().lower() in _DAYS


def _days(chart: KnownChart, resource: ChartResource) -> list[datetime]:
    """The days that a record speaks of and that are past, read late; when it came, if there is none."""
    found = (When.read(at_path(resource.body, path), chart.zone) for path in DATES)
    return [min(w.latest, chart.as_of) for w in found if w and w.earliest <= chart.as_of] or [resource.received_at]


def content(chart: KnownChart, resource: ChartResource) -> tuple[list[Mapping[str, Any]], list[str], bool]:
    """What a record is of: its concepts, those of each Medication in it, every word about them; is that all?

    An ingredient that is only referred to and cannot be found leaves open what the whole is of.
    """
    body = resource.body
    concepts, words = [body.get("medicationCodeableConcept")], [at_path(body, "medicationReference.display")]
    seen: list[Mapping[str, Any]] = []
    ahead, whole = [(body, _medication(chart, body, body.get("medicationReference")))], True
    while ahead:
        home, medicine = ahead.pop()
        if any(medicine is other for other in seen):
            continue
        seen.append(medicine)
        home = medicine if medicine.get("contained") else home
        concepts.append(medicine.get("code"))
        for part in objects(medicine, "ingredient"):
            concepts.append(part.get("itemCodeableConcept"))
            if element := part.get("itemReference"):
                words.append(display := at_path(element, "display"))
                found = _medication(chart, home, element)
                whole = whole and bool(found or display)
                ahead.append((home, found))
    good = [concept for concept in concepts if isinstance(concept, Mapping)]
    words += [concept.get("text") for concept in good] + [coding.get("display") for coding in codings(*good)]
    return good, [word for word in words if isinstance(word, str) and word.strip()], whole


def _medication(chart: KnownChart, home: Mapping[str, Any], element: Any) -> Mapping[str, Any]:
    """The resource that a reference points to: contained in its `home`, or sent beside; empty if it is neither."""
    raw = at_path(element, "reference")
    if isinstance(raw, str) and raw.startswith("#"):
        return next((c for c in objects(home, "contained") if c.get("id") == raw[1:]), {})
    return chart.shared.get(reference_of(element), {}) if raw else {}
