"""One chart judged by the criteria of measures: its sheets filled with what they count by, and a line for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from adapters.fhir.known_chart import KnownChart
from adapters.fhir.measure_facts import Told, fracture_facts, procedure_facts, sex
from pathway.case import Case
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Sheet
from pathway.measure_forms import Measure
from pathway.measures import Line, Subject, Window
from pathway.strata import Judged, Machine
from pathway.vocabulary import Scope, Vocabulary


@dataclass(frozen=True, slots=True)
class Chart:
    """What is known of one patient: the chart, the case that was built from it, and what is told beside it."""

    known: KnownChart
    case: Case
    told: Told


@dataclass(frozen=True, slots=True)
class Judging:
    """Compiled rule sets of measures, the measures that are asked for, and the window that they look at."""

    machines: Sequence[Machine]
    vocabulary: Vocabulary
    measures: tuple[Measure, ...]
    window: Window

    def lines(self, chart: Chart) -> tuple[Line, ...]:
        """The lines of one patient."""
        rows: dict[str, tuple[Episode, list[Judged]]] = {}
        episodes = {one.id: one for one in chart.known.episodes}
        for judged in self._judged(self._cases(chart)):
            found = episodes.get(judged.sheet.episode)
            if found is not None:
                rows.setdefault(found.id, (found, []))[1].append(judged)
        rules = {rule.id: rule for machine in self.machines for rule in machine.rule_set.criteria}
        subject = Subject(chart.case.patient, rules, tuple(rows.values()))
        return tuple(subject.lines(self.measures, self.window))

    def _cases(self, chart: Chart) -> Iterator[Case]:
        """The case with what measures count by; older fractures of a vertebra, which have no sheet, in cases after it.

        Of an older fracture only what measures count by is known: the rest of the form is of the present one.
        """
        known, case = chart.known, chart.case
        person = self._filled(case.person, [sex(known)])
        treated = tuple(
            self._filled(sheet, procedure_facts(known, event, sheet.level, chart.told))
            for sheet in case.treated if (event := case.episode(sheet.episode)) is not None
        )  # fmt: skip
        levels = tuple(self._of_fracture(sheet, chart) for sheet in case.levels)
        yield replace(case, person=person, levels=levels, treated=treated)
        by_level: dict[str, list[Episode]] = {}
        current = {sheet.episode for sheet in case.levels}
        for one in known.episodes_of(EpisodeKind.FRACTURE):
            if one.id not in current:
                by_level.setdefault(one.levels[0], []).append(one)
        for some in zip_longest(*by_level.values()):
            bare = [Sheet(Scope.LEVEL, one.levels[0], {}, one.levels[0], one.id) for one in some if one is not None]
            older = tuple(self._of_fracture(sheet, chart) for sheet in bare)
            yield replace(case, person=person, levels=older, treated=())

    def _of_fracture(self, sheet: Sheet, chart: Chart) -> Sheet:
        event = chart.case.episode(sheet.episode) if sheet.episode else None
        return self._filled(sheet, fracture_facts(chart.known, event, chart.told) if event is not None else ())

    def _filled(self, sheet: Sheet, facts: Iterable[Fact]) -> Sheet:
        whole = {**sheet.facts, **{fact.datum: fact for fact in facts}}
        return Sheet.fill(
            self.vocabulary, sheet.scope, whole.values(), instance=sheet.instance, level=sheet.level,
            episode=sheet.episode,
        )  # fmt: skip

    def _judged(self, cases: Iterable[Case]) -> Iterator[Judged]:
        """The sheets of fractures and of cemented vertebrae, judged by every rule set of measures together."""
        for case in cases:
            found = [machine.criteria(case.within(machine.rule_set.vocabulary)) for machine in self.machines]
            for scope in (Scope.LEVEL, Scope.TREATED_LEVEL):
                for rows in zip(*(judged[scope] for judged in found), strict=True):
                    verdicts: Mapping[str, str] = {id_: v for row in rows for id_, v in row.verdicts.items()}
                    yield replace(rows[0], verdicts=verdicts)
