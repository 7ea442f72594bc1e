"""Bulk Data export of a real server: all of it comes in, a stop costs little, and polling goes on from its instant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.ingest import bulk, export, looking, polling
from adapters.ingest.reach import reach
from adapters.jobs import progress, results, work
from adapters.screen import lines
from adapters.screen.plan import cut
from pathway.errors import BadInputError
from tests.adapters.ingest.records import charts, decisions, open_tasks, references, resources
from tests.servers import OtherServer, sekmet
from tests.world import NOW, FixedClock, make_house

pytestmark = pytest.mark.e2e
PEOPLE = ["p1", "p2"]


@pytest.fixture(scope="module")
def server() -> Iterator[OtherServer]:
    with sekmet() as running:
        for patient in PEOPLE:
            for one in resources(patient):
                running.put(one)
        yield running


@pytest.fixture
def house(server: OtherServer, tmp_path: Path) -> Iterator[House]:
    clock = FixedClock(max(NOW, datetime.now(UTC) + timedelta(minutes=1)))
    made = make_house(tmp_path, clock, poll_base=server.base, export_folder=tmp_path / "exports")
    yield made
    made.close()


def step(house: House, job: str) -> None:
    """One part of the job, or a second that it waits."""
    if not work(house, limit=1, job=job):
        house.clock.forward(seconds=1)  # type: ignore[attr-defined]
    assert not progress(house, job).ended


def carried_out(house: House, job: str, at_once: int = 1000) -> None:
    for _ in range(200):
        work(house, limit=at_once, job=job)
        if progress(house, job).ended:
            return
        house.clock.forward(seconds=1)  # type: ignore[attr-defined]
    pytest.fail(f"the export came to no end: {progress(house, job)}")


def test_all_patients_come_in_and_polling_goes_on_from_there(server: OtherServer, house: House) -> None:
    job = export.begin(house, server.base)
    carried_out(house, job, at_once=1)
    seen = progress(house, job)
    assert (seen.parked, seen.size_done) == (0, len(PEOPLE))
    for patient, found in charts(house, PEOPLE).items():
        assert sorted(found) == sorted(references(resources(patient)))
    assert all(open_tasks(house, PEOPLE).values())
    assert {decisions(house, patient) for patient in PEOPLE} == {1}
    assert bulk.total(results(house, job)).unread == 0
    written = datetime.fromisoformat(server.read("Patient/p1")["meta"]["lastUpdated"])
    assert written - timedelta(minutes=10) < reach(house, "Condition").since <= datetime.now(UTC)
    assert list(house.settings.export_folder.iterdir()) == []  # whole charts: they stay no longer than they are needed


def test_the_files_of_an_export_are_their_owners_alone_and_what_a_killed_worker_left_is_removed(
    server: OtherServer, house: House
) -> None:
    job, folder = export.begin(house, server.base), house.settings.export_folder
    while not list(folder.glob(f"{job}/*.index")):
        step(house, job)
    assert {file.stat().st_mode & 0o077 for file in (folder / job).iterdir()} == {0}
    export.tidy(house, ())
    assert (folder / job).is_dir()  # it is not over
    carried_out(house, job)
    for left in (job, "another", str(uuid.uuid4())):  # whoever finished the last part was killed; and what is not ours
        (folder / left).mkdir(exist_ok=True)
    house.clock.forward(hours=2)  # type: ignore[attr-defined]
    polling.poll(house)
    assert not (folder / job).exists()
    assert len(list(folder.iterdir())) == 2


def test_a_large_file_is_looked_through_in_slices_that_find_what_one_look_finds(
    server: OtherServer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_MEBIBYTE", 2000)
    job, folder = export.begin(house, server.base), house.settings.export_folder
    while not list(folder.glob(f"{job}/*.ndjson")) or progress(house, job).done < 2:
        step(house, job)
    for _ in range(200):
        stops = iter((False,))
        work(house, limit=1, job=job, stop=lambda: next(stops, True))  # noqa: B023  each round is over at once
        if progress(house, job).size:  # the parts that load are there
            break
        house.clock.forward(seconds=1)  # type: ignore[attr-defined]
    found = looking.files(folder / job)
    assert len(list((folder / job).glob("*.index"))) > len(found) > 0
    assert [body for _, body in looking.joined(folder / job)] == [
        body for _, body in cut("lines", lines.Index.of(found).rows(), bulk.CHUNK)
    ]
    carried_out(house, job)
    assert all(open_tasks(house, PEOPLE).values())


def test_a_server_that_is_killed_and_comes_back_costs_no_file(server: OtherServer, house: House) -> None:
    job = export.begin(house, server.base)
    work(house, limit=1, job=job)
    server.stop()
    work(house, limit=3, job=job)
    assert not progress(house, job).ended
    server.start()  # it has forgotten the export: the job says so, and a new one is asked for
    house.clock.forward(minutes=1)  # type: ignore[attr-defined]
    carried_out(house, job)
    assert "came to no end" in progress(house, job).faults[0][1]
    again = export.begin(house, server.base)
    carried_out(house, again)
    assert all(open_tasks(house, PEOPLE).values())


def test_a_server_that_is_not_listed_is_not_asked(house: House) -> None:
    with pytest.raises(BadInputError, match="not one of the FHIR servers"):
        export.begin(house, "https://elsewhere.example/fhir")


def test_an_instant_without_a_zone_is_refused(server: OtherServer, house: House) -> None:
    with pytest.raises(BadInputError, match="not an instant"):
        export.begin(house, server.base, since="2026-11-22")
