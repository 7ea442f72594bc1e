"""Chart to case: the one place where FHIR becomes facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from adapters.fhir.bone_care import bone_care
from adapters.fhir.bone_drug_facts import bone_drug_facts
from adapters.fhir.bone_history import bone_history
from adapters.fhir.bone_risk_facts import bone_risk_facts
from adapters.fhir.coverage_facts import payer, place_of_service, state_of_care, unmapped_coverages
from adapters.fhir.inflammation_facts import inflammation
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import measured, undated
from adapters.fhir.level_facts import LevelReader, assessed_levels
from adapters.fhir.medicine_facts import Thinners, antithrombotic, plans, thinners
from adapters.fhir.medicines import doubted
from adapters.fhir.new_fracture_facts import fracture_counts, placed
from adapters.fhir.order_facts import bone_density_referral, disability, levels_planned, statements
from adapters.fhir.person_facts import person_facts
from adapters.fhir.places import Found, Places, places
from adapters.fhir.plan_facts import ordered_from, ordered_here, plan_facts
from adapters.fhir.readiness_facts import plain, unusable
from adapters.fhir.red_flags import red_flags
from adapters.fhir.safety_facts import antibiotic_allergy, cement_allergy, coagulopathy, contrast_allergy
from adapters.fhir.suspicion_facts import suspicion
from adapters.fhir.terminology import Terminology
from adapters.fhir.treated_facts import TreatedReader
from adapters.fhir.tumour_facts import tumour_facts
from adapters.fhir.turns import dated, turns_at, withdrawn
from adapters.fhir.unmapped import unmapped_codes
from pathway.canonical import sha256
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Sheet, unknown
from pathway.levels import UNSPECIFIED
from pathway.vocabulary import Scope, Vocabulary


@dataclass(frozen=True, slots=True)
class ChartReader:
    """Builds cases from charts, with one vocabulary, one set of code tables and the facility's time zone and state.

    `state` is where care is given when the encounter does not say it (`PATHWAY_PLACE_STATE`); empty is unknown.
    """

    vocabulary: Vocabulary
    terms: Terminology
    zone: tzinfo = UTC
    state: str = ""
    places: Places = field(default_factory=places)
    home: Found = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", self.places.of_setting(self.state))

    def build(
        self,
        patient: str,
        chart: Sequence[ChartResource],
        as_of: datetime,
        episodes: Sequence[Episode] = (),
        standing: Sequence[str] = (),
        aside: Sequence[SetAside] = (),
    ) -> Case:
        """The case as the record knew it at `as_of`. The order of the chart never matters."""
        known = KnownChart.read(patient, chart, as_of, self.terms, self.zone, episodes)
        names = assessed_levels(known)
        by_level = {name: (*LevelReader(known, name, as_of).facts(), *placed(known, name)) for name in names}
        rows = {name: {fact.datum: fact for fact in facts} for name, facts in by_level.items()}
        for name, fact in ordered_here(known, rows):
            by_level[name] += (fact,)
        bone = {fact.datum: fact for fact in bone_history(known)}
        for name, fact in bone_care(known, rows, bone):
            by_level[name] += (fact,)
        person = list(fracture_counts(known, rows))
        found = thinners(known)
        person += [*person_facts(known), *self._coverage(known, rows), _mismatch(rows), coagulopathy(known, found)]
        person += [*plain(known), *tumour_facts(known), suspicion(known), *_readiness(known, found, rows, aside)]
        person += bone.values()
        person += plan_facts(known, rows, by_datum := {fact.datum: fact for fact in person})
        person += statements(known, by_datum)
        whole = {name: {fact.datum: fact for fact in facts} for name, facts in by_level.items()}
        person += [*bone_drug_facts(known, whole, by_datum["tumour-kind"]), *bone_risk_facts(known, whole)]
        causes = {name: facts["fracture-cause"] for name, facts in rows.items()}
        treated = [
            self._treated(known, event, level, causes)
            for event in known.episodes_of(EpisodeKind.PROCEDURE)
            for level in event.levels
        ]
        person += red_flags(known, treated)
        return Case(
            patient=patient,
            as_of=as_of,
            person=Sheet.fill(self.vocabulary, Scope.PATIENT, person, instance="patient"),
            levels=tuple(self._level(known, name, facts) for name, facts in by_level.items()),
            treated=tuple(treated),
            episodes=known.episodes,
            set_aside=tuple(sorted({*aside, *known.set_aside, *_set_aside(known, found)}, key=_by_code)),
            input_sha256=sha256(manifest(chart)),
            standing=tuple(sorted(standing)),
            value_sets=self.terms.sha256,
            turns_at=turns_at(known, chart),
            withdrawn=withdrawn(chart),
            dated=dated(chart, self.zone),
        )

    def _coverage(self, known: KnownChart, rows: Mapping[str, Mapping[str, Fact]]) -> Iterator[Fact]:
        """What only the coverage rules ask for."""
        yield payer(known)
        yield place_of_service(known, self.places, self.home)
        yield state_of_care(known, self.places, self.home)
        yield disability(known)
        yield levels_planned(known, rows)
        yield cement_allergy(known)
        yield bone_density_referral(known)

    def _level(self, known: KnownChart, name: str, facts: Sequence[Fact]) -> Sheet:
        episode = known.current_episode(name)
        return Sheet.fill(
            self.vocabulary, Scope.LEVEL, facts, instance=name, level=name, episode=episode.id if episode else ""
        )

    def _treated(self, known: KnownChart, event: Episode, level: str, causes: Mapping[str, Fact]) -> Sheet:
        facts = TreatedReader(known, event, level, causes).facts()
        return Sheet.fill(
            self.vocabulary, Scope.TREATED_LEVEL, facts, instance=f"{event.id}@{level}", level=level, episode=event.id
        )


def _readiness(
    known: KnownChart, found: Thinners, rows: Mapping[str, Mapping[str, Fact]], aside: Sequence[SetAside]
) -> Iterator[Fact]:  # fmt: skip
    """What has to be in order before the needle, beyond what one finding answers."""
    numbers = {fact.datum: fact for fact in measured(known)}
    yield from numbers.values()
    inflamed = tuple(inflammation(known, numbers["body-temperature"]))
    yield from inflamed
    yield unusable((*numbers.values(), *inflamed))
    yield doubted(antithrombotic(known, found), aside)
    yield from plans(known, found, ordered_from(known, rows))
    yield contrast_allergy(known)
    yield antibiotic_allergy(known)


def _set_aside(known: KnownChart, found: Thinners) -> Iterator[SetAside]:
    """What the builders could not use: what is told one by one, then how many more have a code that nobody knows."""
    told = [*unmapped_coverages(known), *found.unmapped]
    yield from told
    yield from unmapped_codes(known.resources, known.terms, {item.where for item in told})
    yield from undated(known)


def _by_code(item: SetAside) -> tuple[str, str, str]:
    return item.code, item.where, item.why


def _mismatch(by_level: Mapping[str, Mapping[str, Fact]]) -> Fact:
    """Tender at one vertebra and fresh at another: the examination and the imaging do not speak of the same level."""
    datum = "tender-beside-fresh"
    rows = {
        name: facts
        for name, facts in by_level.items()
        if name != UNSPECIFIED and facts["fracture-evidence"].value != "none"
    }
    fresh = [
        r
        for r in rows.values()
        if r["acuity-imaging"].value == "oedema-or-uptake" and r["tenderness"].value == "absent"
    ]
    tender = [
        r
        for r in rows.values()
        if r["tenderness"].value == "at-level" and r["acuity-imaging"].value != "oedema-or-uptake"
    ]
    both = [r for r in rows.values() if r["acuity-imaging"].known and r["tenderness"].known]
    if fresh and tender:
        facts = (fresh[0]["acuity-imaging"], tender[0]["tenderness"])
        return Fact(datum, True, at=facts[1].at, sources=tuple(s for f in facts for s in f.sources))
    if both and len(both) == len(rows):
        return Fact(datum, False, at=both[0]["tenderness"].at)
    return unknown(datum)
