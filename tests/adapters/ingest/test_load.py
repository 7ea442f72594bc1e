"""Loading files: whole charts whatever the order of lines; the same again is nothing; stopped, it goes on."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.ingest import bulk
from adapters.ingest.intake import Taken
from adapters.jobs import progress, results, work
from adapters.jobs.working import LEASE
from tests.adapters.ingest.records import by_type, charts, decisions, lines, open_tasks, references, resources
from tests.world import FixedClock

pytestmark = pytest.mark.e2e
PEOPLE = [f"n{number:02d}" for number in range(6)]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)


def loaded(house: House, path: Path) -> tuple[str, Taken]:
    job = bulk.begin(house, path)
    work(house, limit=1000, job=job)
    assert progress(house, job).job.state == "done"
    return job, bulk.total(results(house, job))


def everybody() -> list[dict[str, object]]:
    return [one for patient in PEOPLE for one in resources(patient)]


def test_a_folder_by_type_becomes_whole_charts_each_decided_on_once(house: House, tmp_path: Path) -> None:
    by_type(tmp_path / "in", everybody())
    _, taken = loaded(house, tmp_path / "in")
    assert taken.resources == len(everybody())
    for patient, found in charts(house, PEOPLE).items():
        assert sorted(found) == sorted(references(resources(patient)))
    assert {decisions(house, patient) for patient in PEOPLE} == {1}
    assert all(open_tasks(house, PEOPLE).values())


def test_loaded_again_it_changes_nothing_and_decides_nothing(house: House, tmp_path: Path) -> None:
    by_type(tmp_path / "in", everybody())
    first, _ = loaded(house, tmp_path / "in")
    before = open_tasks(house, PEOPLE)
    second, taken = loaded(house, tmp_path / "in")
    assert first != second
    assert taken == Taken(known=len(everybody()))
    assert open_tasks(house, PEOPLE) == before
    assert {decisions(house, patient) for patient in PEOPLE} == {1}


def test_the_order_of_lines_and_files_does_not_matter(house: House, tmp_path: Path) -> None:
    by_type(tmp_path / "in", everybody())
    loaded(house, tmp_path / "in")
    other = tmp_path / "other"
    other.mkdir()
    from tests.world import make_house

    beside = make_house(other, FixedClock())
    mixed = everybody()
    random.Random(7).shuffle(mixed)
    (other / "a.ndjson").write_bytes(lines(mixed[:40]))
    (other / "b.ndjson").write_bytes(lines(mixed[40:]))
    loaded(beside, other)
    assert open_tasks(beside, PEOPLE) == open_tasks(house, PEOPLE)
    assert charts(beside, PEOPLE) == charts(house, PEOPLE)
    beside.close()


def test_bundles_in_files_are_loaded_too(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for patient in PEOPLE[:3]:
        entry = [{"resource": one} for one in resources(patient)]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entry}
        (folder / f"{patient}.json").write_text(json.dumps(bundle))
    (folder / "broken.json").write_text('{"resourceType": "Bund')
    _, taken = loaded(house, folder)
    assert (taken.unread, set(map(bool, open_tasks(house, PEOPLE[:3]).values()))) == (1, {True})


def test_what_cannot_be_read_is_listed_with_its_own_bytes_and_stops_nothing(house: House, tmp_path: Path) -> None:
    good = resources("n00")
    bad = {**good[1], "id": "n00-bad", "status": {"nonsense": 1}}
    nobody = {"resourceType": "Observation", "id": "lost", "status": "final", "code": {"text": "?"}}
    (tmp_path / "in.ndjson").write_bytes(lines([*good, bad, nobody]) + b'{"resourceType": "Condi\n')
    loaded(house, tmp_path / "in.ndjson")
    with house.store.unread(write=False) as unread:
        rows = {row.place.partition(": entry")[0]: row for row in unread.rows()}
        kept = {place: unread.bytes_of(row.sha256) for place, row in rows.items()}
    n = len(good)
    assert set(rows) == {"Patient/n00", f"in.ndjson:{n + 2}", f"in.ndjson:{n + 3}"}
    assert kept[f"in.ndjson:{n + 3}"] == b'{"resourceType": "Condi'
    assert json.loads(kept["Patient/n00"]) == bad
    assert (rows["Patient/n00"].reference, rows["Patient/n00"].patient) == (
        f"{bad['resourceType']}/n00-bad", "local|n00",
    )  # fmt: skip
    assert all(row.why and row.fix for row in rows.values())
    assert len(charts(house, ["n00"])["n00"]) == n


def test_bad_lines_of_files_of_one_name_are_each_listed_and_no_good_line_with_them(
    house: House, tmp_path: Path
) -> None:
    for name, patient in (("a", "n00"), ("b", "n01")):
        by_type(tmp_path / name, resources(patient))
    (a, b), good = ((tmp_path / name / "Observation.ndjson" for name in "ab"), resources("n00"))
    (bad_a, bad_b) = (b'{"resourceType": "a', b'{"resourceType": "b')
    a.write_bytes(bad_a + b"\n" + a.read_bytes())
    b.write_bytes(bad_b + b"\n" + bad_b + b"2\n" + b.read_bytes())
    assert len(a.read_bytes().splitlines()) > 2
    bulk.begin(house, tmp_path)
    with house.store.unread(write=False) as unread:
        listed = [unread.bytes_of(row.sha256) for row in unread.rows()]
    assert sorted(listed) == [bad_a, bad_b, bad_b + b"2"]
    loaded(house, tmp_path)
    assert len(charts(house, ["n00"])["n00"]) == len(good)


def test_a_stopped_load_goes_on_with_the_same_job(house: House, tmp_path: Path) -> None:
    by_type(tmp_path / "in", everybody())
    job = bulk.begin(house, tmp_path / "in")
    work(house, limit=1, job=job)
    with house.store.jobs(write=True) as jobs:
        jobs.stop(job, house.clock.now())
    assert loaded(house, tmp_path / "in")[0] == job
    assert all(open_tasks(house, PEOPLE).values())


def test_files_that_changed_meanwhile_are_not_read_by_their_old_places(house: House, tmp_path: Path) -> None:
    by_type(tmp_path / "in", everybody())
    job = bulk.begin(house, tmp_path / "in")
    with (tmp_path / "in" / "Patient.ndjson").open("ab") as file:
        file.write(lines(resources("late")[:1]))
    work(house, limit=1000, job=job)
    seen = progress(house, job)
    assert (seen.done, seen.parked) == (0, seen.parts)
    assert "the file changed" in seen.faults[0][1]


def test_a_patient_who_breaks_workers_is_listed_and_the_others_are_loaded(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_type(tmp_path / "in", everybody())
    job = bulk.begin(house, tmp_path / "in")
    real = bulk.take

    def deadly(house: House, data: bytes, where: str, door: object) -> Taken:
        if where == "Patient/n03":
            raise KeyboardInterrupt  # as good as a kill: nothing is noted of the part
        return real(house, data, where, door)  # type: ignore[arg-type]

    monkeypatch.setattr(bulk, "take", deadly)
    for _ in range(12):
        try:
            work(house, limit=1000, job=job)
        except KeyboardInterrupt:
            house.clock.forward(seconds=LEASE.total_seconds())  # type: ignore[attr-defined]
    seen = progress(house, job)
    assert (seen.job.state, seen.parked) == ("done", 1)
    tasks = open_tasks(house, PEOPLE)
    assert [patient for patient, keys in tasks.items() if not keys] == ["n03"]
