"""Patients of a FHIR server that others wrote: all of them, with the verdicts that a file gives, and no silent gap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.fhir.client import NotRetrievedError
from adapters.screen import server
from adapters.screen.crew import labour
from adapters.screen.deciding import Screener
from adapters.screen.job import begin
from adapters.screen.plan import plan
from tests.adapters.screen.sources import ndjson, told
from tests.servers import OtherServer, sekmet
from tests.world import NOW, FixedClock, candidate, make_house

pytestmark = [pytest.mark.e2e, pytest.mark.service]


def records() -> list[Record]:
    weak = Record("weak", NOW).fracture("L1", 9).finding("neurological-examination", "deficit", 0.2)
    return [candidate(), weak, Record("healthy", NOW).pain(2, 1)]


@pytest.fixture(scope="module")
def other() -> Iterator[OtherServer]:
    with sekmet() as running:
        for record in records():
            for body in record.resources:
                running.put(body)
        yield running


@pytest.fixture
def house(tmp_path: Path, other: OtherServer) -> Iterator[House]:
    later = FixedClock(datetime.now(UTC) + timedelta(minutes=5))  # the server dates versions by the machine's clock
    made = make_house(tmp_path, later, fhir_servers=(other.base,))
    yield made
    made.close()


def test_a_server_s_patients_get_the_verdicts_that_a_file_gives(
    tmp_path: Path, other: OtherServer, house: House
) -> None:
    from_server = begin(house, plan(house, other.base, 2), NOW)
    from_file = begin(house, plan(house, str(ndjson(tmp_path / "all.ndjson", records()))), NOW)
    for job in (from_server, from_file):
        assert labour(house, job, 1, lambda _: None).job.state == "done"
    found = told(house, from_server)
    assert [line["patient"] for line in found] == ["local|p1", "local|weak"]
    assert json.dumps(found) == json.dumps(told(house, from_file))


def test_a_patient_who_is_not_there_is_told_and_not_taken_for_healthy(other: OtherServer, house: House) -> None:
    base = server.base_of(other.base, house.settings)
    made = Screener.of(house, NOW).screen(server.read(base, ["p1", "nobody"]))
    assert made.patients == 1
    assert [where for where, _ in made.refused] == ["Patient/nobody"]


def test_a_server_that_is_down_is_said_and_nobody_is_screened(other: OtherServer, house: House) -> None:
    other.kill()
    try:
        with pytest.raises(NotRetrievedError, match="pathway screen DIR"):
            plan(house, other.base)
    finally:
        other.start()


def test_patients_are_listed_over_all_pages(other: OtherServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.fhir.client.PAGE", "1")
    assert server.patients(server.normalised(other.base)) == ("healthy", "p1", "weak")
