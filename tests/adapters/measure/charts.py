"""Charts measured without a store: the real rules, readers and code tables, and what is told beside the chart."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from adapters.demo.record import Record
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.measure_facts import Told
from adapters.fhir.to_facts import ChartReader
from adapters.measure.judging import Chart, Judging
from pathway.measure_forms import measures_of
from pathway.measures import Line, Window
from pathway.strata import Machine
from tests.world import NOW, book, read, terms

ALENDRONATE = {"code": "M05BA04", "system": "http://www.whocc.no/atc"}
DXA = "38263-0"


@cache
def machine() -> Machine:
    return Machine(book().sets["measures"])


def chart_of(record: Record, told: Told | None = None, as_of: datetime = NOW) -> Chart:
    (delivery,) = read(record, max(as_of, NOW)).deliveries
    resources = [resource for resource, _ in delivery.resources]
    case = ChartReader(book().vocabulary, terms()).build(delivery.patient, resources, as_of)
    return Chart(KnownChart.read(delivery.patient, resources, as_of, terms(), UTC, ()), case, told or Told())


def lines(record: Record, told: Told | None = None, as_of: datetime = NOW) -> tuple[Line, ...]:
    measures = measures_of(book().sets["measures"].document["ruleset"])
    judging = Judging((machine(),), book().vocabulary, measures, Window(as_of, UTC))
    return judging.lines(chart_of(record, told, as_of))


def stands(record: Record, measure: str, told: Told | None = None, as_of: datetime = NOW) -> str:
    """Where the only episode of a record stands in a measure; empty where it is not in it."""
    found = [line for line in lines(record, told, as_of) if line.measure == measure]
    assert len(found) < 2, found
    return found[0].standing.value if found else ""
