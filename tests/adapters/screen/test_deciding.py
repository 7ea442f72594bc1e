"""A part of a screening on a real house: lines, refusals, and nothing that becomes a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.fhir import strict_json
from adapters.screen.charts import Chart
from adapters.screen.deciding import Screener
from adapters.screen.needs import NO_LEVEL
from tests.databases import counts
from tests.world import NOW, candidate, ingest, make_house, person

pytestmark = pytest.mark.e2e  # the whole rule book


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = make_house(tmp_path_factory.mktemp("house"))
    yield made
    made.close()


def chart(record: Record) -> Chart:
    return Chart(record.id, strict_json.dumps(record.bundle()))


def screened(house: House, *charts: Chart, keep: bool = False) -> dict[str, Any]:
    return Screener.of(house, NOW, keep).screen(charts).to_json()


def weak_legs() -> Record:
    record = person("weak").fracture("L1", 9).tender("L1", True, 1).oedema("L1", True, 1)
    return record.finding("neurological-examination", "deficit", 0.2)


def test_a_line_says_verdict_and_what_is_asked_for(house: House) -> None:
    (line,) = screened(house, chart(candidate()))["lines"]
    assert line["patient"] == "local|p1"
    assert line["levels"]["L1"]["candidacy"] == "candidate"
    (need,) = (need for need in line["needs"] if need["code"] == "operator-review")
    assert need["levels"] == ["L1"]
    assert need["why"]
    assert not need["task"]
    assert not need["emergency"]


def test_an_emergency_is_marked(house: House) -> None:
    (line,) = screened(house, chart(weak_legs()))["lines"]
    assert {need["code"]: need["emergency"] for need in line["needs"]}["neurology-emergency"]


def test_who_has_nothing_is_counted_and_has_no_line(house: House) -> None:
    told = screened(house, chart(person("healthy").pain(3, 1)))
    assert told["patients"] == 1
    assert told["lines"] == []
    assert told["outcomes"] == {"candidacy": {NO_LEVEL: 1}}


def test_screening_stores_nothing(house: House) -> None:
    before = counts(house.settings.database_url)
    screened(house, chart(candidate()), chart(weak_legs()))
    assert counts(house.settings.database_url) == before


def test_one_that_cannot_be_read_stops_no_other_and_is_told_without_a_value(house: House) -> None:
    two = strict_json.dumps(Record("a", NOW).bundle() | {"entry": [
        {"resource": person(id).resources[0]} for id in ("secret-a", "secret-b")
    ]})  # fmt: skip
    told = screened(house, Chart("two.json", two), Chart("bad.json", b"{"), chart(candidate()))
    assert [where for where, _ in told["refused"]] == ["two.json", "bad.json"]
    assert "secret" not in str(told["refused"])
    assert len(told["lines"]) == 1


def test_what_a_server_did_not_give_is_unknown_and_never_a_no(house: House) -> None:
    bare = candidate()
    (line,) = screened(house, chart(bare))["lines"]
    assert line["levels"]["L1"]["candidacy"] == "candidate"
    (deaf,) = screened(house, Chart("p1", chart(bare).data, gaps=(("procedures", "late"),)))["lines"]
    assert deaf["levels"]["L1"]["candidacy"] == "insufficient-data"


def test_a_need_that_is_a_task_already_says_so(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    try:
        ingest(house, candidate())
        (line,) = screened(house, chart(candidate()))["lines"]
        assert all(need["task"] for need in line["needs"])
    finally:
        house.close()


def test_kept_patients_become_charts_and_tasks(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    try:
        (line,) = screened(house, chart(candidate()), keep=True)["lines"]
        with house.store.read() as ledger:
            assert {task.code for task in ledger.tasks("local|p1")} == {need["code"] for need in line["needs"]}
        assert all(need["task"] for need in line["needs"])
    finally:
        house.close()


def test_twice_gives_the_same_lines(house: House) -> None:
    once, again = (screened(house, chart(candidate()), chart(weak_legs())) for _ in range(2))
    assert {k: v for k, v in once.items() if k != "took"} == {k: v for k, v in again.items() if k != "took"}
