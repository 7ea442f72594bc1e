"""Events: fractures and cement procedures as records tell of them, clustered into episodes.

One event may carry many codes; refuted, mistaken and not-done records tell of nothing; `resolved` proves no healing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from adapters.fhir.findings import Finding
from adapters.fhir.reading import codings, happened, recorded, reference_of, status_code
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource, SetAside
from pathway.episodes import EpisodeKind, Sighting
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange

FRACTURES: Final = (
    "vertebral-fracture-osteoporotic",
    "vertebral-fracture-neoplastic",
    "vertebral-fracture-collapse",
    "vertebral-fracture-traumatic",
    "vertebral-fracture-unstated",
)
DENIED: Final = frozenset({"refuted", "entered-in-error", "differential"})
DONE: Final = frozenset({"completed", "in-progress", "stopped", "unknown"})
"""`stopped` counts: an injection stopped for a leak has left cement behind."""


@dataclass(frozen=True, slots=True)
class Fracture:
    """A Condition that says vertebral fracture: which value set said it, where, and when."""

    value_set: str
    code: str
    place: LevelRange
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class CementEvent:
    """A Procedure on vertebrae: `cement` is false for a reposition, which counts only beside cement of the same day."""

    resource: ChartResource
    sighting: Sighting
    cement: bool


def fractures(
    chart: Iterable[ChartResource], terms: Terminology, zone: tzinfo
) -> tuple[tuple[Fracture, ...], tuple[SetAside, ...]]:
    """The fractures that Conditions state, and notes on those that do not say enough to be used."""
    found: list[Fracture] = []
    notes: list[SetAside] = []
    for resource in chart:
        if resource.type != "Condition" or status_code(resource.body.get("verificationStatus")) in DENIED:
            continue
        match = _fracture_code(resource.body, terms)
        if match is None:
            if terms.match("fracture-other-site", list(codings(resource.body.get("code")))):
                why = "a pathological fracture whose bone is not named is not taken for a vertebra"
                notes.append(SetAside(resource.reference, "unmapped", why))
            continue
        value_set, code, place = match
        sighting = _condition_sighting(resource, place, zone)
        if sighting is None:
            notes.append(
                SetAside(
                    resource.reference, "invalid", "a fracture without onset or recorded date cannot be placed in time"
                )
            )
            continue
        found.append(Fracture(value_set, code, place, sighting))
    return tuple(found), tuple(notes)


def _fracture_code(body: Mapping[str, Any], terms: Terminology) -> tuple[str, str, LevelRange] | None:
    """Value set, code and place; the bodySite sharpens what the code says. Sequelae are history, not a fracture."""
    concept = list(codings(body.get("code")))
    site = terms.match("vertebral-level", list(codings(body.get("bodySite"))))
    for value_set in FRACTURES:
        match = terms.match(value_set, concept)
        if match is not None and not match.sequela:
            place = match.levels or WHOLE_SPINE
            if site is not None and site.levels is not None:
                place = site.levels
            return value_set, match.code, place
    other = terms.match("fracture-other-site", concept)
    if other is not None and not other.sequela and site is not None and site.levels is not None:
        return "fracture-other-site", other.code, site.levels
    return None


def _condition_sighting(resource: ChartResource, place: LevelRange, zone: tzinfo) -> Sighting | None:
    onset, written = happened(resource.body, zone), recorded(resource.body, zone)
    when = onset or written
    if when is None:
        return None
    last = max(w.earliest for w in (onset, written) if w is not None)
    return Sighting(
        EpisodeKind.FRACTURE, place, when.earliest, last, resource.reference,
        reference_of(resource.body.get("encounter")), onset is not None,
    )  # fmt: skip


def seen_on_imaging(rows: Sequence[Finding]) -> Iterator[Sighting]:
    """Oedema or uptake at a named vertebra tells of a fracture there, whether or not anyone has coded it."""
    for finding in rows:
        positive = finding.code in ("marrow-oedema", "tracer-uptake") and finding.answer == "present"
        if positive and finding.confirmed and finding.level != UNSPECIFIED:
            yield Sighting(
                EpisodeKind.FRACTURE,
                LevelRange.parse(finding.level),
                finding.at,
                finding.at,
                finding.source,
                stated=False,
            )


def cement_events(chart: Iterable[ChartResource], terms: Terminology, zone: tzinfo) -> tuple[CementEvent, ...]:
    """The procedures that put cement into vertebrae, one per record and level; undated ones cannot be placed."""
    found: list[CementEvent] = []
    for resource in chart:
        if resource.type != "Procedure" or resource.body.get("status") not in DONE:
            continue
        concept = list(codings(resource.body.get("code")))
        cement = terms.match("cement-augmentation", concept)
        match = cement or terms.match("fracture-reposition", concept)
        when = happened(resource.body, zone)
        if match is None or when is None:
            continue
        sites = [terms.match("vertebral-level", [coding]) for coding in codings(resource.body.get("bodySite"))]
        places = [site.levels for site in sites if site is not None and site.levels is not None]
        for place in places or [match.levels or WHOLE_SPINE]:
            at: datetime = when.earliest
            sighting = Sighting(
                EpisodeKind.PROCEDURE, place, at, at, resource.reference, reference_of(resource.body.get("encounter"))
            )
            found.append(CementEvent(resource, sighting, cement is not None))
    days = {event.sighting.at.date() for event in found if event.cement}
    return tuple(event for event in found if event.sighting.at.date() in days)
