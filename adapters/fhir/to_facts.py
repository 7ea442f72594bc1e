"""Chart to case: the one place where FHIR becomes facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from adapters.fhir.known_chart import KnownChart
from adapters.fhir.level_facts import LevelReader, assessed_levels
from adapters.fhir.person_facts import person_facts
from adapters.fhir.terminology import Terminology
from adapters.fhir.treated_facts import TreatedReader
from pathway.canonical import sha256
from pathway.case import Case
from pathway.chart import ChartResource, SetAside, manifest
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Sheet, unknown
from pathway.levels import UNSPECIFIED
from pathway.vocabulary import Scope, Vocabulary


@dataclass(frozen=True, slots=True)
class ChartReader:
    """Builds cases from charts, with one vocabulary, one set of code tables and the facility's time zone."""

    vocabulary: Vocabulary
    terms: Terminology
    zone: tzinfo = UTC

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
        by_level = {name: tuple(LevelReader(known, name, as_of).facts()) for name in names}
        person = [*person_facts(known), _mismatch(by_level)]
        causes = {name: next(f for f in facts if f.datum == "fracture-cause") for name, facts in by_level.items()}
        return Case(
            patient=patient,
            as_of=as_of,
            person=Sheet.fill(self.vocabulary, Scope.PATIENT, person, instance="patient"),
            levels=tuple(self._level(known, name, facts) for name, facts in by_level.items()),
            treated=tuple(
                self._treated(known, event, level, causes)
                for event in known.episodes_of(EpisodeKind.PROCEDURE)
                for level in event.levels
            ),
            episodes=known.episodes,
            set_aside=tuple(sorted({*aside, *known.set_aside}, key=lambda s: (s.code, s.where, s.why))),
            input_sha256=sha256(manifest(chart)),
            standing=tuple(sorted(standing)),
        )

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


def _mismatch(by_level: Mapping[str, Sequence[Fact]]) -> Fact:
    """Tender at one vertebra and fresh at another: the examination and the imaging do not speak of the same level."""
    datum = "tender-beside-fresh"
    rows = {name: {f.datum: f for f in facts} for name, facts in by_level.items() if name != UNSPECIFIED}
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
