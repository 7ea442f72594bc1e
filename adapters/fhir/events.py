"""Events: fractures and cement procedures as records tell of them, for clustering into episodes.

One event may carry many codes; refuted, mistaken and not-done records tell of nothing; `resolved` proves no healing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import product
from typing import Any, Final

from adapters.fhir.findings import Finding
from adapters.fhir.reading import When, at_path, codings, happened, recorded, reference_of, status_code
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource, SetAside
from pathway.episodes import SAME_EVENT, EpisodeKind, Sighting
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange

FRACTURES: Final = (
    "vertebral-fracture-osteoporotic",
    "vertebral-fracture-neoplastic",
    "vertebral-fracture-collapse",
    "vertebral-fracture-traumatic",
    "vertebral-fracture-unstated",
)
OTHER_SITE: Final = "fracture-other-site"
DENIED: Final = frozenset({"refuted", "entered-in-error", "differential"})
SUSPECTED: Final = frozenset({"unconfirmed", "provisional"})
MRI: Final = frozenset({"stir", "fat-suppressed-t2"})
NUCLEAR: Final = frozenset({"bone-scan", "spect", "spect-ct"})
STILL_HOT: Final = timedelta(days=365)
"""How long after its stated onset oedema at a vertebra is still of the fracture on record.

A project default of 2026-11-22, awaiting a clinician's sign-off: beyond it a second fracture is as likely.
"""
_OVER: Final = frozenset({"inactive", "remission", "resolved"})
DONE: Final = frozenset({"completed", "in-progress", "stopped", "unknown"})
"""`stopped` counts: an injection stopped for a leak has left cement behind."""


@dataclass(frozen=True, slots=True)
class Fracture:
    """A Condition that says vertebral fracture: which value sets and codes said it, where, when, and how surely.

    `vague` says that its stated onset leaves more than a day open, `active` that nobody has called it over.
    """

    codes: tuple[tuple[str, str], ...]
    sighting: Sighting
    confirmed: bool
    vague: bool
    active: bool = True


@dataclass(frozen=True, slots=True)
class CementEvent:
    """A Procedure on vertebrae: `cement` is false for a reposition, which counts only beside cement of the same event.

    `when` is None for a procedure without a date. `add_on` marks a code for one more vertebra than the others name.
    `system` is the code system that told it; `same_as` the instant at which another dates the operation, a day earlier.
    """

    resource: ChartResource
    place: LevelRange
    when: When | None
    cement: bool
    add_on: bool
    system: str = ""
    same_as: datetime | None = None

    @property
    def sighting(self) -> Sighting | None:
        """What it tells an episode; None where it cannot be placed in time."""
        if self.when is None:
            return None
        encounter = reference_of(self.resource.body.get("encounter"))
        at = self.when.earliest
        source = self.resource.reference
        return Sighting(EpisodeKind.PROCEDURE, self.place, at, at, source, encounter, since=self.same_as)


def fractures(
    chart: Iterable[ChartResource], terms: Terminology, zone: tzinfo
) -> tuple[tuple[Fracture, ...], tuple[SetAside, ...]]:
    """The fractures that Conditions state, and notes on those that do not say enough to be used."""
    found: list[Fracture] = []
    notes: list[SetAside] = []
    for resource in chart:
        verification = status_code(resource.body.get("verificationStatus"))
        if resource.type != "Condition" or verification in DENIED:
            continue
        codes, places, note = _where(resource.body, terms)
        if note:
            notes.append(SetAside(resource.reference, "unmapped", note))
        for place in places:
            sighting = _condition_sighting(resource, place, zone)
            sure, vague = verification not in SUSPECTED, _vague(resource.body, zone)
            found.append(Fracture(codes, sighting, sure, vague, not _over(resource.body)))
        if places and happened(resource.body, zone) is None and recorded(resource.body, zone) is None:
            why = "a fracture without onset or recorded date is taken as of when it came"
            notes.append(SetAside(resource.reference, "invalid", why))
    return tuple(found), tuple(notes)


def _where(body: Mapping[str, Any], terms: Terminology) -> tuple[tuple[tuple[str, str], ...], list[LevelRange], str]:
    """All value sets and codes that say fracture, the vertebrae meant, and a note where the record contradicts itself.

    The bodySite sharpens what the code says; where the two exclude each other the vertebra is not known. Sequelae are
    history, not a fracture.
    """
    concept = list(codings(body.get("code")))
    said = [m for m in (terms.match(value_set, concept) for value_set in FRACTURES) if m and not m.sequela]
    places = _sites(body, terms)
    other = terms.match(OTHER_SITE, concept)
    if other is not None and not other.sequela:
        if not places and not said:
            return (), [], "a pathological fracture whose bone is not named is not taken for a vertebra"
        said.append(other)
    if not said:
        return (), [], ""
    codes = tuple((match.value_set, match.code) for match in said)
    by_code = WHOLE_SPINE
    for match in said:
        by_code = by_code.meet(match.levels or WHOLE_SPINE) or by_code
    if any(by_code.meet(place) is None for place in places):
        return (
            codes,
            [WHOLE_SPINE],
            "its code and its bodySite name different vertebrae: the vertebra counts as not named",
        )
    return codes, [place.meet(by_code) or place for place in places] or [by_code], ""


def _sites(body: Mapping[str, Any], terms: Terminology) -> list[LevelRange]:
    """Every vertebra that a bodySite names, once."""
    found = [terms.match("vertebral-level", [coding]) for coding in codings(body.get("bodySite"))]
    return list(dict.fromkeys(match.levels for match in found if match is not None and match.levels is not None))


def _condition_sighting(resource: ChartResource, place: LevelRange, zone: tzinfo) -> Sighting:
    """When a fracture began; a partial date counts as late as it allows, and never makes a fracture look older.

    One without any date is known since it came: alerts hang on the fracture, and must not be lost with its date.
    """
    onset, written = happened(resource.body, zone), recorded(resource.body, zone)
    when = onset or written or When(resource.received_at, resource.received_at)
    at = when.earliest
    if when.latest - when.earliest > timedelta(days=1):
        at = min(when.latest, written.earliest) if written else when.latest
    encounter = reference_of(resource.body.get("encounter"))
    return Sighting(EpisodeKind.FRACTURE, place, at, at, resource.reference, encounter, onset is not None)


def _vague(body: Mapping[str, Any], zone: tzinfo) -> bool:
    """Whether a stated onset is a month, a year, a period longer than a day, or one of which only the end is said."""
    when = When.read(body.get("onsetDateTime"), zone)
    start, end = (When.read(at_path(body, f"onsetPeriod.{part}"), zone) for part in ("start", "end"))
    first, last = (when, when) if when else (start, end or start)
    return last is not None and (first is None or last.latest - first.earliest > timedelta(days=1))


def _over(body: Mapping[str, Any]) -> bool:
    """Whether a diagnosis is called over; that it is healed takes a study."""
    return status_code(body.get("clinicalStatus")) in _OVER or any(key.startswith("abatement") for key in body)


def seen_on_imaging(
    rows: Sequence[Finding], breaks: Sequence[Fracture] = (), cement: Sequence[CementEvent] = ()
) -> Iterator[Sighting]:
    """Oedema or uptake at a named vertebra tells of a fracture there, whether or not anyone has coded it."""
    for finding in rows:
        positive = finding.code in ("marrow-oedema", "tracer-uptake") and finding.answer == "present"
        if positive and finding.confirmed and finding.level != UNSPECIFIED:
            place = LevelRange.parse(finding.level)
            at, source = finding.at, finding.source
            since = _still_of(finding, rows, breaks, cement)
            yield Sighting(EpisodeKind.FRACTURE, place, at, at, source, finding.encounter, stated=False, since=since)


def _still_of(
    finding: Finding, rows: Sequence[Finding], breaks: Sequence[Fracture], cement: Sequence[CementEvent]
) -> datetime | None:
    """The stated onset of the active fracture that is still hot; none once a study showed it cold, or after cement."""
    onsets = [b.sighting.at for b in breaks if b.active and b.confirmed and b.sighting.stated and _at(b, finding)]
    onset = max((at for at in onsets if timedelta(0) <= finding.at - at <= STILL_HOT), default=None)
    if onset is None:
        return None
    studies = (r for r in rows if r.level == finding.level and r.confirmed and r.technique in MRI | NUCLEAR)
    cold = any(r.answer == "absent" and onset <= r.at < finding.at for r in studies)
    given = (e.when.earliest for e in cement if e.cement and e.when and e.place.holds(finding.level))
    return None if cold or any(onset <= at <= finding.at for at in given) else onset


def _at(fracture: Fracture, finding: Finding) -> bool:
    return fracture.sighting.place.level == finding.level


def cement_events(
    chart: Iterable[ChartResource], terms: Terminology, zone: tzinfo
) -> tuple[tuple[CementEvent, ...], tuple[SetAside, ...]]:
    """The procedures that put cement into vertebrae, one per record and level; undated ones are noted as well."""
    found: list[CementEvent] = []
    notes: list[SetAside] = []
    for resource in chart:
        if resource.type != "Procedure" or resource.body.get("status") not in DONE:
            continue
        concept = list(codings(resource.body.get("code")))
        cement = terms.match("cement-augmentation", concept)
        match = cement or terms.match("fracture-reposition", concept)
        if match is None:
            continue
        when = _performed(resource.body, zone)
        if when is None and cement is not None:
            why = "a cement procedure without a date cannot be followed up: send performedDateTime"
            notes.append(SetAside(resource.reference, "invalid", why))
        add_on = terms.match("cement-add-on", concept) is not None
        for place in _sites(resource.body, terms) or [match.levels or WHOLE_SPINE]:
            found.append(CementEvent(resource, place, when, cement is not None, add_on, match.system))
    starts = [e.when.earliest for e in found if e.cement and e.when is not None]
    kept = (e for e in found if e.cement or (e.when and any(abs(e.when.earliest - s) < SAME_EVENT for s in starts)))
    return tuple(_joined(list(kept), zone)), tuple(notes)


def _joined(events: Sequence[CementEvent], zone: tzinfo) -> Iterator[CementEvent]:
    """The events, of which those that two code systems date a day apart name the operation that they are of.

    The surgeon's bill and the hospital's are dated by different clerks. Only dates without an hour are slips of that
    kind, of places that fit; and where either system knows an operation on both days there were two.
    """
    cement = [e for e in events if e.cement and e.when is not None]
    told = {(e.system, _day(e, zone)) for e in cement}
    by_day: dict[date, list[CementEvent]] = {}
    for event in cement:
        by_day.setdefault(_day(event, zone), []).append(event)
    same: dict[tuple[str, date], datetime] = {}
    for day, rows in by_day.items():
        before = day - timedelta(days=1)
        for late, early in product(rows, by_day.get(before, ())):
            both = early.system == late.system or told & {(early.system, day), (late.system, before)}
            fits = early.place.meet(late.place) is not None and (_is_day(early) or _is_day(late))
            if fits and not both and early.when is not None:
                same[late.system, day] = early.when.earliest
    for event in events:
        yield event if event.when is None else replace(event, same_as=same.get((event.system, _day(event, zone))))


def _day(event: CementEvent, zone: tzinfo) -> date:
    assert event.when is not None, "asked only of what is dated"
    return event.when.earliest.astimezone(zone).date()


def _is_day(event: CementEvent) -> bool:
    """Whether it is dated by a day alone; a procedure of so many hours there is none."""
    return event.when is not None and event.when.latest - event.when.earliest > timedelta(hours=20)


def _performed(body: Mapping[str, Any], zone: tzinfo) -> When | None:
    """From the start of a procedure to its end; None where it has no date."""
    when = happened(body, zone)
    end = When.read(at_path(body, "performedPeriod.end"), zone)
    return When(when.earliest, max(when.latest, end.latest)) if when and end else when
