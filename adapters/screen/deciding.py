"""A part of a screening: some patients read, decided and told in a line each. Run twice, it gives the same lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from adapters.bootstrap import House
from adapters.fhir.deliver import Reader
from adapters.http.cds_hooks.gaps import CODE, GapReader
from adapters.ingest.intake import Door, take
from adapters.screen.charts import Chart
from adapters.screen.needs import NO_LEVEL, Line, line_of, outcomes, says_something
from pathway.chart import ChartResource, SetAside
from pathway.errors import BadInputError
from pathway.service import Delivery, Service

DOOR: Final = Door("screen")


@dataclass(slots=True)
class Told:
    """What a part has to tell. `outcomes` counts vertebrae by policy and outcome, `took` is in seconds.

    `rules` are the rule sets that decided, by name and version: other parts may have met other ones.
    """

    patients: int = 0
    lines: list[Line] = field(default_factory=list[Line])
    refused: list[list[str]] = field(default_factory=list[list[str]])
    outcomes: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    rules: list[str] = field(default_factory=list[str])
    took: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, body: Mapping[str, Any], standing: Iterable[str]) -> None:
        """One patient's decision."""
        line = line_of(body, frozenset(standing))
        self.patients += 1
        if says_something(line):
            self.lines.append(line)
        judged = list(outcomes(line)) or [(body.get("acting") or "", NO_LEVEL)]
        for policy, outcome in judged:
            self.outcomes.setdefault(policy, Counter())[outcome] += 1
        self.rules = sorted({*self.rules, *(f"{one['id']} {one['version']}" for one in body["releases"])})

    def to_json(self) -> dict[str, Any]:
        """For the part's row."""
        return {
            "patients": self.patients, "lines": self.lines, "refused": self.refused, "rules": self.rules,
            "outcomes": {policy: dict(counts) for policy, counts in sorted(self.outcomes.items())},
            "took": {stage: round(seconds, 4) for stage, seconds in self.took.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screener:
    """Decides on charts as of one instant, over what is stored of a patient; with `keep` each is taken in before."""

    house: House
    service: Service
    reader: Reader
    as_of: datetime
    keep: bool = False

    @classmethod
    def of(cls, house: House, as_of: datetime, keep: bool = False) -> Screener:
        """A screener in a house, at its present instant."""
        doubting = replace(house.service, facts=GapReader(house.service.facts))
        return cls(house, doubting, house.reader(house.clock.now()), as_of, keep)

    def screen(self, charts: Iterable[Chart]) -> Told:
        """All of the charts; one that cannot be used is refused by its place and reason, and stops no other."""
        told = Told()
        since = time.perf_counter()
        for chart in charts:
            try:
                delivery = self._read(chart)
            except BadInputError as fault:
                told.refused.append([chart.where, fault.sentence()])
                since = _lap(told, "read", since)
                continue
            since = _lap(told, "read", since)
            if self.keep:
                take(self.house, chart.data, chart.where, DOOR)
                since = _lap(told, "take in", since)
            told.add(*self._decided(delivery))
            since = _lap(told, "decide", since)
        return told

    def _read(self, chart: Chart) -> Delivery:
        if chart.fault or (self.keep and chart.gaps):
            raise BadInputError(chart.fault or f"{chart.gaps[0][0]} could not be had: {chart.gaps[0][1]}")
        (delivery,) = self.reader.submission(chart.data, chart.where).deliveries
        aside = [SetAside(where, "invalid", why) for where, why in chart.aside]
        aside += [SetAside(where, CODE, why) for where, why in chart.gaps]
        return replace(delivery, set_aside=(*delivery.set_aside, *aside))

    def _decided(self, delivery: Delivery) -> tuple[Mapping[str, Any], Iterable[str]]:
        """The body of the decision, and the obligations that stand as open tasks."""
        resources: list[ChartResource] = [resource for resource, _ in delivery.resources]
        made = self.service.assess(delivery.patient, resources, self.as_of, delivery.set_aside, overlay=True)
        return made.decision.body, made.case.standing


def _lap(told: Told, stage: str, since: float) -> float:
    now = time.perf_counter()
    told.took[stage] = told.took.get(stage, 0.0) + now - since
    return now
