"""Polling real servers: what changed comes once, whole charts of whom nobody knew, and nothing is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.ingest.polling import poll
from adapters.ingest.reach import reach
from adapters.jobs import work
from tests.adapters.ingest.records import charts, decisions, open_tasks, references, resources
from tests.servers import OtherServer, medplum, sekmet
from tests.world import NOW, FixedClock, make_house

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["sekmet", pytest.param("medplum", marks=pytest.mark.service)])
def server(request: pytest.FixtureRequest) -> Iterator[OtherServer]:
    with sekmet() if request.param == "sekmet" else medplum() as running:
        yield running


@pytest.fixture
def polling(server: OtherServer, tmp_path: Path) -> Iterator[House]:
    # the server's clock is the real one, and what it wrote must not lie ahead of ours
    made = make_house(tmp_path, FixedClock(max(NOW, datetime.now(UTC) + timedelta(minutes=1))), poll_base=server.base)
    yield made
    made.close()


def polled(house: House) -> int:
    came = poll(house, now=True)
    work(house, limit=1000)
    return came


def test_a_patient_s_year_arrives_by_polling_alone(server: OtherServer, polling: House) -> None:
    record = resources("p1")
    for one in record:
        server.put(one)
    assert polled(polling) == len(record)
    assert sorted(charts(polling, ["p1"])["p1"]) == sorted(references(record))
    assert open_tasks(polling, ["p1"])["p1"]
    assert decisions(polling, "p1") == 1  # the whole chart at once

    assert polled(polling) == len(record)  # the overlap brings all of it again
    assert decisions(polling, "p1") == 1  # and it is told by its hash

    (condition,) = [one for one in record if one["resourceType"] == "Condition"][:1]
    server.put({**condition, "note": [{"text": "Seen again."}]})
    polled(polling)
    assert decisions(polling, "p1") == 2

    with polling.store.unread(write=False) as unread:
        assert unread.counts() == {}


def test_of_a_patient_whom_nobody_knew_the_whole_chart_comes(server: OtherServer, polling: House) -> None:
    record = resources("p1")
    for one in record:
        server.put(one)
    with polling.store.marks(write=True) as marks:  # all that was long ago, but for one resource
        for kind in {one["resourceType"] for one in record} - {"Condition"}:
            marks.set(f"poll/{kind}", reach(polling, kind).since.replace(year=2037))
    polled(polling)
    assert sorted(charts(polling, ["p1"])["p1"]) == sorted(references(record))


def test_a_server_that_is_away_is_asked_again_from_where_it_was(server: OtherServer, polling: House) -> None:
    record = resources("p1")
    for one in record[:4]:
        server.put(one)
    polled(polling)
    asked_from = reach(polling, "Condition").since
    server.kill()
    assert polled(polling) == 0
    assert reach(polling, "Condition").since == asked_from
    server.start()
    for one in record[4:]:
        server.put(one)
    polled(polling)
    assert sorted(charts(polling, ["p1"])["p1"]) == sorted(references(record))
    assert open_tasks(polling, ["p1"])["p1"]
