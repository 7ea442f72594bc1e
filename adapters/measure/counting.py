"""Counting over the stored charts, patient by patient, as the record was known at an instant. Nothing is stored."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from adapters.bootstrap import House, rules_in_force
from adapters.fhir.known_chart import KnownChart
from adapters.measure.judging import Chart, Judging
from adapters.measure.told import told
from adapters.settings import Settings
from pathway.deciding import turned_out
from pathway.errors import NotFoundError
from pathway.leases import RulesInForce
from pathway.measure_forms import Measure, NotComputed, measures_of, not_computed
from pathway.measures import Line, Window
from pathway.rulebook import RuleSet

RULE_SETS: Final = ("measures",)
"""The rule sets that declare measures."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts patients of a house by measures, as of one instant."""

    house: House
    judging: Judging

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that are counted."""
        return self.judging.measures

    @property
    def window(self) -> Window:
        """The events that are looked at, and as of when."""
        return self.judging.window

    @property
    def rule_sets(self) -> tuple[RuleSet, ...]:
        """What it counts by."""
        return tuple(machine.rule_set for machine in self.judging.machines)

    @property
    def not_computed(self) -> tuple[NotComputed, ...]:
        """The measures that are named and cannot be computed yet."""
        return tuple(one for rule_set in self.rule_sets for one in not_computed(rule_set.document["ruleset"]))

    def lines(self, patients: Iterable[str]) -> Iterator[Line]:
        """The lines of patients by their keys, one patient after the other, so that there may be any number."""
        for patient in patients:
            yield from self.of(patient)

    def of(self, patient: str) -> tuple[Line, ...]:
        """The lines of one patient."""
        return self.judging.lines(self._read(patient))

    def _read(self, patient: str) -> Chart:
        house, as_of = self.house, self.window.as_of
        with house.store.read() as ledger:
            chart, stored = ledger.chart(patient), ledger.episodes(patient)
            case = house.service.facts.build(patient, chart, as_of, stored)
            same = turned_out(stored, case.episodes, ledger.keys_of(patient))
            beside = told(ledger, patient, case.episodes, same, as_of)
        zone = ZoneInfo(house.settings.time_zone)
        return Chart(KnownChart.read(patient, chart, as_of, house.terms, zone, stored), case, beside)


_READ: Final[dict[tuple[object, ...], RulesInForce]] = {}


def _rules(settings: Settings) -> RulesInForce:
    """The measures in force, read and compiled once for a process: parts of a job follow each other closely."""
    key = (settings.rules, settings.rules_from, settings.site_rules, settings.time_zone)
    if key not in _READ:
        _READ[key] = rules_in_force(settings, RULE_SETS)
    return _READ[key]


@contextmanager
def counting(house: House, window: Window, only: str = "") -> Generator[Counter]:
    """A counter by the measures in force, or by one of them; NotFoundError that names them all for one not there."""
    with _rules(house.settings).lease(house.clock.now()) as armed:
        every = [one for rule_set in armed.rule_sets for one in measures_of(rule_set.document["ruleset"])]
        chosen = tuple(one for one in every if only in ("", one.id))
        if not chosen:
            fix = f"Known: {', '.join(one.id for one in every)}"
            raise NotFoundError(f"no measure {only!r}", where="--measure", fix=fix)
        yield Counter(house, Judging(tuple(armed.machines), house.vocabulary, chosen, window))
