"""A screening of a slow source: a round ends with what it has, and nobody waits for a chart once the service stops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.demo.population import population
from adapters.jobs import progress, start, work
from adapters.screen import server
from adapters.screen.job import begin
from adapters.screen.plan import plan
from adapters.worker import ending
from tests.adapters.screen.sources import ndjson, told
from tests.world import NOW, candidate, make_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, fhir_servers=["http://127.0.0.1:9/fhir"])
    yield made
    made.close()


@pytest.fixture
def told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "is_ending", lambda: True)


def test_a_part_whose_time_is_over_tells_what_it_has_and_leaves_the_rest(tmp_path: Path, house: House) -> None:
    planned = plan(house, str(ndjson(tmp_path / "all.ndjson", [candidate(), *population(2, NOW)])))
    whole, slow = begin(house, planned, NOW), begin(house, planned, NOW)
    assert work(house, limit=10, job=whole) == 1
    rounds = 0
    while not progress(house, slow).ended:
        over = chain((False,), repeat(True))  # a round that is over when its first chart is read
        rounds += work(house, limit=10, job=slow, stop=lambda: next(over))  # noqa: B023
        assert progress(house, slow).size_done == rounds
    assert (rounds, progress(house, slow).size) == (3, 3)
    assert told(house, slow) == told(house, whole) != []


@pytest.mark.usefixtures("told_to_stop")
def test_a_worker_that_is_told_to_stop_fetches_no_chart_to_its_end_and_refuses_nobody(house: House) -> None:
    (chart,) = server.read("http://127.0.0.1:9/fhir", ["p1"])
    assert "told to stop" in chart.fault
    about = {"base": "http://127.0.0.1:9/fhir", "asOf": "2026-11-22T12:00:00Z", "keep": False, "acting": ""}
    job = start(house, "screen", [(2, {"patients": ["p1", "p2"]})], about)
    assert work(house, job=job) == 1
    seen = progress(house, job)
    assert (seen.job.state, seen.done, seen.parked) == ("open", 0, 0)
