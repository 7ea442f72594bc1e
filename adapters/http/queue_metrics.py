"""How far the work is behind, read from the database when somebody asks: the same whichever process is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.bootstrap import House
from adapters.db.backlog import Backlog
from adapters.db.marks import Mark
from adapters.fhir.known_chart import READ
from adapters.ingest.reach import DOOR
from adapters.worker.tasks import SWEPT
from pathway.errors import PathwayError

_LABELS: Final = ("channel", "state")
_STATES: Final = ("pending", "parked")


class Queues(Collector):
    """Ages in seconds, rows, and which servers are left alone; nothing of it where the database is away."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterable[Metric]:
        """The gauges of this instant."""
        now = self._house.clock.now()
        try:
            with self._house.store.marks(write=False) as marks:
                swept = marks.mark(SWEPT)
                backlog = marks.backlog(now)
                read = [(kind, marks.mark(f"{DOOR}/{kind}")) for kind in sorted(READ)]
        except PathwayError:  # the database is a matter of /readyz
            return ()
        found = [*_of(backlog), _read(read, now)]
        age = GaugeMetricFamily("pathway_sweep_age_seconds", "Since the last sweep came to its end")
        if swept is not None:
            age.add_metric((), (now - swept.at).total_seconds())
        return (age, *found)

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead of time."""
        return iter(())


def _of(backlog: Backlog) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "pathway_wake_lag_seconds", "Since the oldest task that waits for a sweep was due to wake",
        value=backlog.wake_lag.total_seconds(),
    )  # fmt: skip
    rows = GaugeMetricFamily(
        "pathway_outbox_rows", "Writes that wait, or wait for a person", labels=("channel", "state")
    )
    oldest = GaugeMetricFamily(
        "pathway_outbox_oldest_seconds", "Age of the oldest of them", labels=("channel", "state")
    )
    for channel, state, count, age in backlog.outbox:
        if state in _STATES:
            rows.add_metric((channel, state), count)
            oldest.add_metric((channel, state), age.total_seconds())
    yield rows
    yield oldest
    open_ = GaugeMetricFamily("pathway_breakers_open", "Servers that are left alone for a while after failures")
    open_.add_metric((), backlog.breakers_open)
    yield open_
    parts = GaugeMetricFamily(
        "pathway_parts", "Parts of jobs that wait, or wait for a person", labels=("kind", "state")
    )
    waited = GaugeMetricFamily("pathway_parts_oldest_seconds", "Age of the oldest of them", labels=("kind", "state"))
    for kind, state, count, age in backlog.parts:
        parts.add_metric((kind, state), count)
        waited.add_metric((kind, state), age.total_seconds())
    yield parts
    yield waited


def _read(marks: Iterable[tuple[str, Mark | None]], now: datetime) -> Metric:
    """A type that one thing holds up is seen, whatever the others do."""
    age = GaugeMetricFamily("pathway_poll_age_seconds", "Since all of a type was read by polling", labels=("type",))
    for kind, mark in marks:
        if mark is not None:
            age.add_metric((kind,), (now - mark.at).total_seconds())
    return age
