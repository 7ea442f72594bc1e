"""The chart as it was known at an instant, read once into what the fact builders share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final, TypeVar

from adapters.fhir.events import CementEvent, Fracture, cement_events, fractures, seen_on_imaging
from adapters.fhir.findings import Finding, findings, in_order
from adapters.fhir.reading import Resource, When, codings, happened, known_from, recorded, status_code
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource, SetAside
from pathway.episodes import SAME_FRACTURE, Episode, EpisodeKind, cluster, match

READ: Final = frozenset({
    "Patient", "Encounter", "Condition", "AllergyIntolerance", "ImagingStudy", "DiagnosticReport", "Observation",
    "Procedure", "ServiceRequest", "Coverage", "MedicationRequest", "MedicationStatement", "MedicationAdministration",
    "MedicationDispense", "Appointment",
})  # fmt: skip
SHARED: Final = frozenset({"Location", "Organization", "Medication"})
"""Types that are nobody's own: read only to follow a reference of the patient's own resources."""
_TAKEN: Final = READ | SHARED
_Row = TypeVar("_Row")
_MOST_DAYS: Final = 45_000  # the upper bound of every count of days in rules/vocabulary
_OVER: Final = frozenset({"inactive", "remission", "resolved"})


@dataclass(frozen=True, slots=True)
class KnownChart:
    """What the record said by `as_of`: its resources, the findings and events in them, and what was set aside."""

    as_of: datetime
    zone: tzinfo
    terms: Terminology
    resources: tuple[ChartResource, ...]
    findings: tuple[Finding, ...]
    fractures: tuple[Fracture, ...]
    cement: tuple[CementEvent, ...]
    episodes: tuple[Episode, ...]
    set_aside: tuple[SetAside, ...]
    _by_type: Mapping[str, tuple[ChartResource, ...]]
    _by_code: Mapping[str, tuple[Finding, ...]]
    _standings: dict[str, tuple[tuple[ChartResource, str], ...]] = field(default_factory=dict[str, Any])
    _observed: dict[tuple[str, ...], list[ChartResource]] = field(default_factory=dict[Any, Any])

    @classmethod
    def read(
        cls, patient: str, chart: Sequence[ChartResource], as_of: datetime, terms: Terminology, zone: tzinfo,
        stored: Sequence[Episode],
    ) -> KnownChart:  # fmt: skip
        """Read a chart; what had not happened or was not written by `as_of` is set aside and listed."""
        known, aside = _known(chart, as_of, zone)
        known = tuple(_understood(resource, terms) for resource in known)
        rows, undated = findings(known, terms, zone)
        found = tuple(f for f in rows if f.at <= as_of)
        breaks, notes = fractures(known, terms, zone)
        cement, loose = cement_events(known, terms, zone)
        operations = [event.sighting for event in cement if event.sighting is not None]
        sightings = [*(b.sighting for b in breaks), *seen_on_imaging(found, breaks, cement), *operations]
        episodes = match(stored, cluster(patient, sightings))
        return cls(
            as_of, zone, terms, known, found, breaks, cement, episodes, (*aside, *undated, *notes, *loose),
            _grouped(known, lambda resource: resource.type), _grouped(found, lambda finding: finding.code),
        )  # fmt: skip

    def of_type(self, kind: str) -> tuple[ChartResource, ...]:
        """The resources of one type."""
        return self._by_type.get(kind, ())

    def observations(self, value_set: str) -> Iterator[ChartResource]:
        """The Observations whose code is in a value set: a code is looked up once, however often it was measured."""
        if not self._observed:
            for resource in self.of_type("Observation"):
                coded = codings(resource.body.get("code"))
                key = tuple(repr((coding.get("system"), coding.get("code"))) for coding in coded)
                self._observed.setdefault(key, []).append(resource)
        for alike in self._observed.values():
            if self.terms.match(value_set, codings(alike[0].body.get("code"))):
                yield from alike

    @property
    def shared(self) -> Mapping[str, Resource]:
        """The places, organizations and medicines that came, by reference."""
        return {r.reference: r.body for kind in SHARED for r in self.of_type(kind)}

    @property
    def patient(self) -> ChartResource | None:
        """The Patient, if it came."""
        return next(iter(self.of_type("Patient")), None)

    def episodes_of(self, kind: EpisodeKind) -> tuple[Episode, ...]:
        """The episodes of one kind."""
        return tuple(e for e in self.episodes if e.kind is kind)

    def named(self, *codes: str) -> tuple[Finding, ...]:
        """The findings with one of these codes, oldest first."""
        if len(codes) == 1:
            return self._by_code.get(codes[0], ())
        return tuple(sorted((f for code in codes for f in self._by_code.get(code, ())), key=in_order))

    def conditions(self, value_set: str) -> tuple[tuple[ChartResource, str], ...]:
        """Conditions of a value set with how they stand: `active`, `suspected` or `over`; denied ones are left out."""
        if value_set not in self._standings:
            self._standings[value_set] = tuple(self._with_standing(value_set))
        return self._standings[value_set]

    def _with_standing(self, value_set: str) -> Iterator[tuple[ChartResource, str]]:
        for resource in self.of_type("Condition"):
            if self.terms.match(value_set, codings(resource.body.get("code"))):
                standing = self.standing(resource.body)
                if standing:
                    yield resource, standing

    def standing(self, body: Resource) -> str:
        """How a diagnosis or an allergy stands: `active`, `suspected`, `over`, or empty where it is denied."""
        verification = status_code(body.get("verificationStatus"))
        if verification in ("refuted", "entered-in-error"):
            return ""
        if verification in ("unconfirmed", "provisional", "differential"):
            return "suspected"
        abated = When.read(body.get("abatementDateTime"), self.zone)
        over = status_code(body.get("clinicalStatus")) in _OVER and (abated is None or abated.earliest <= self.as_of)
        return "over" if over or (abated is not None and abated.latest <= self.as_of) else "active"

    def dated(self, resource: ChartResource) -> datetime:
        """The latest instant at which a resource's matter can have begun: it must not look old for a vague date."""
        onset, written = happened(resource.body, self.zone), recorded(resource.body, self.zone)
        begun = [w.latest for w in (onset,) if w] + [w.earliest for w in (written,) if w]
        return min(max(begun, default=resource.received_at), self.as_of)

    def local_days(self, begin: datetime, end: datetime) -> int:
        """Days of the facility's calendar from one instant to another; negative where the other is earlier.

        Never more than the vocabulary allows, either way: a date of 1850 is a slip, and stops nobody's decision.
        """
        count = (end.astimezone(self.zone).date() - begin.astimezone(self.zone).date()).days
        return max(-_MOST_DAYS, min(count, _MOST_DAYS))

    def current_episode(self, level: str) -> Episode | None:
        """The fracture episode of a level that began last."""
        own = [e for e in self.episodes_of(EpisodeKind.FRACTURE) if level in e.levels]
        return max(own, key=lambda e: (e.onset_at, e.id)) if own else None

    def since(self, level: str) -> datetime:
        """The instant from which findings belong to the level's current episode.

        The start of the onset's day; where no onset is stated, as long before the first record as one fracture lasts.
        """
        episode = self.current_episode(level)
        if episode is None:
            return datetime.min.replace(tzinfo=self.as_of.tzinfo)
        day = episode.onset_at.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return day if episode.onset_stated else day - SAME_FRACTURE


def _known(
    chart: Sequence[ChartResource], as_of: datetime, zone: tzinfo
) -> tuple[tuple[ChartResource, ...], list[SetAside]]:
    known: list[ChartResource] = []
    aside: list[SetAside] = []
    not_read: Counter[str] = Counter()
    for resource in sorted(chart, key=lambda r: (r.type, r.id)):
        since = known_from(resource.body, zone)
        if resource.type not in _TAKEN:
            not_read[resource.type] += 1
        elif since is not None and since > as_of:
            aside.append(
                SetAside(
                    resource.reference, "not-yet-known", "it happened or was written after the instant of the decision"
                )
            )
        else:
            known.append(resource)
    for kind, count in sorted(not_read.items()):
        aside.append(SetAside(kind, "not-read", f"{count} of a type that this version does not read"))
    return tuple(known), aside


def _understood(resource: ChartResource, terms: Terminology) -> ChartResource:
    """A resource with our codes beside the site's own; it still stands for the bytes that came."""
    body = terms.understood(resource.body)
    return resource if body is resource.body else ChartResource(body, resource.sha256, resource.received_at)


def _grouped(rows: Iterable[_Row], key: Callable[[_Row], str]) -> dict[str, tuple[_Row, ...]]:
    """Rows by a key, each group in the order of the rows."""
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: tuple(group) for name, group in groups.items()}


def days(begin: datetime, end: datetime) -> int:
    """Whole days from one instant to another, never negative and never more than the vocabulary allows."""
    return min(max(0, (end - begin) // timedelta(days=1)), _MOST_DAYS)
