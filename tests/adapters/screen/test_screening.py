"""A whole screening as a user runs it: from files to the list of who needs what; stopped, killed and gone on with."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.bootstrap import House
from adapters.cli import main
from adapters.demo.population import population
from adapters.jobs import progress, results, work
from adapters.jobs.working import LEASE
from adapters.screen.crew import labour
from adapters.screen.job import begin
from adapters.screen.plan import plan, size_of
from adapters.screen.summary import Summary
from pathway.errors import BadInputError, PathwayError
from tests.adapters.screen.sources import bundles, ndjson, told
from tests.world import NOW, ROOT, FixedClock, candidate, make_house, person

pytestmark = pytest.mark.e2e  # the whole rule book, and processes of their own


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'screen.sqlite3'}")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, database_url=f"sqlite:///{tmp_path / 'screen.sqlite3'}")
    yield made
    made.close()


def run(*args: str | Path) -> Result:
    result = CliRunner().invoke(main, ["screen", *map(str, args)])
    assert "Traceback" not in result.output + result.stderr
    return result


AS_OF = ("--as-of", "2026-11-22T12:00:00Z")


def test_a_folder_of_bundles_and_the_same_patients_as_ndjson_give_the_same_list(tmp_path: Path, house: House) -> None:
    records = list(population(30, NOW))
    first = begin(house, plan(house, str(bundles(tmp_path / "charts", records)), 7), NOW)
    second = begin(house, plan(house, str(ndjson(tmp_path / "all.ndjson", records)), 11), NOW)
    for job in (first, second):
        assert labour(house, job, 1, lambda _: None).job.state == "done"
    assert told(house, first) == told(house, second)
    assert len(told(house, first)) > 8


def test_the_command_shows_sums_and_writes_both_lists(tmp_path: Path) -> None:
    source = ndjson(tmp_path / "all.ndjson", [candidate(), person("healthy").pain(2, 1)])
    rows, lines = tmp_path / "needs.csv", tmp_path / "needs.ndjson"
    result = run(source, *AS_OF, "--csv", rows, "--ndjson", lines)
    assert result.exit_code == 0, result.stderr
    assert "2 patients decided on, 1 with something to tell" in result.stdout
    assert "1 patient without a vertebral fracture on record" in result.stdout
    with rows.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["patient"] for row in table} == {"local|p1"}
    assert "L1 candidate" in table[0]["verdicts"]
    assert [json.loads(line)["patient"] for line in lines.read_text().splitlines()] == ["local|p1"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (rows, lines))  # patients: for their owner's eyes


def test_an_emergency_is_said_first_because_nobody_is_told_of_it(tmp_path: Path) -> None:
    record = person("weak").fracture("L1", 9).finding("neurological-examination", "deficit", 0.2)
    shown = run(ndjson(tmp_path / "all.ndjson", [record]), *AS_OF).stdout.splitlines()
    assert shown[2].startswith("EMERGENCIES: 1 patient in need of somebody now, and nobody has been told")


def test_patients_who_could_not_be_read_are_told_and_change_the_exit_code(tmp_path: Path) -> None:
    folder = bundles(tmp_path / "charts", [candidate()])
    (folder / "bad.json").write_text("{")
    result = run(folder, *AS_OF)
    assert result.exit_code == 1
    assert "1 could not be read" in result.stdout
    assert "bad.json: " in result.stdout


def test_lines_that_belong_to_nobody_are_told_and_not_all_of_a_bad_file(tmp_path: Path) -> None:
    source = ndjson(tmp_path / "all.ndjson", [candidate()])
    with source.open("a") as file:
        file.writelines("{no json\n" for _ in range(50))
    result = run(source, *AS_OF)
    assert result.exit_code == 1
    assert "1 patient decided on" in result.stdout
    assert len(result.stderr.splitlines()) < 30
    assert "and 30 lines more" in result.stderr


def test_the_summary_as_json(tmp_path: Path) -> None:
    body = json.loads(run(ndjson(tmp_path / "all.ndjson", [candidate()]), *AS_OF, "--json").stdout)
    assert body["patients"] == 1
    assert body["outcomes"]["candidacy"] == {"candidate": 1}
    assert body["needs"]["operator-review"] == {"patients": 1, "withTask": 0}
    assert len(body["rules"]) == 1  # all were decided under the same
    assert any(one.startswith("candidacy ") for one in body["rules"][0])


def test_so_many_bytes_are_looked_through_as_were_said(tmp_path: Path, house: House) -> None:
    files = [ndjson(tmp_path / name, [person(name[0])]) for name in ("a.ndjson", "b.jsonl", "c.NDJSON")]
    for path in (tmp_path, *files):
        heard: list[int] = []
        plan(house, str(path), tell=heard.append)
        assert sum(heard) == size_of(path) > 0


def test_with_ingest_they_have_their_tasks_and_a_later_screening_sees_them(tmp_path: Path) -> None:
    source = ndjson(tmp_path / "all.ndjson", [candidate()])
    assert run(source, "--ingest").exit_code == 0
    body = json.loads(run(source, "--json").stdout)
    assert all(need["withTask"] == need["patients"] for need in body["needs"].values())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Give a source"),
        (("nowhere",), "no patient is found there"),
        (("https://ehr.example/fhir",), "PATHWAY_FHIR_SERVERS"),
        (("x", "--ingest", "--as-of", "2026-11-22"), "Leave out"),
        (("--resume", "no-such-job"), "there is no such job"),
        (("--resume", "a", "--ingest"), "goes on as it began"),
    ],
    ids=["no-source", "nothing-there", "unlisted-server", "ingest-in-the-past", "no-job", "other-wish"],
)
def test_what_cannot_be_screened_is_refused_with_a_fix(args: tuple[str, ...], words: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert words in result.stderr


def test_two_workers_find_what_one_finds(tmp_path: Path, house: House) -> None:
    made = plan(house, str(ndjson(tmp_path / "all.ndjson", list(population(24, NOW)))), 4)
    alone, both = begin(house, made, NOW), begin(house, made, NOW)
    labour(house, alone, 1, lambda _: None)
    assert labour(house, both, 2, lambda _: None).job.state == "done"
    assert told(house, alone) == told(house, both)


def test_stopped_between_two_parts_it_goes_on_and_nobody_is_told_twice(tmp_path: Path, house: House) -> None:
    made = plan(house, str(ndjson(tmp_path / "all.ndjson", list(population(20, NOW)))), 4)
    whole, broken = begin(house, made, NOW), begin(house, made, NOW)
    labour(house, whole, 1, lambda _: None)
    assert work(house, 2, job=broken) == 2
    far = progress(house, broken)
    assert (far.done, far.size_done) == (2, 8)
    labour(house, broken, 1, lambda _: None)
    assert told(house, broken) == told(house, whole)
    assert Summary.of(results(house, broken)).patients == 20


@pytest.mark.slow
def test_a_worker_killed_in_the_midst_loses_nothing(tmp_path: Path, house: House) -> None:
    source = ndjson(tmp_path / "all.ndjson", list(population(60, NOW)))
    made = plan(house, str(source), 10)
    whole, broken = begin(house, made, NOW), begin(house, made, NOW)
    labour(house, whole, 1, lambda _: None)
    command = [sys.executable, "-m", "adapters.cli", "screen", "--resume", broken]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as victim:
        under_way(house, broken)
        os.kill(victim.pid, signal.SIGKILL)
    assert 0 < progress(house, broken).done < 6
    later = make_house(tmp_path, FixedClock(datetime.now(UTC) + LEASE), database_url=house.settings.database_url)
    labour(later, broken, 1, lambda _: None)
    later.close()
    assert told(house, broken) == told(house, whole)


def test_a_term_ends_it_soon_and_says_how_to_go_on(tmp_path: Path, house: House) -> None:
    source = ndjson(tmp_path / "all.ndjson", list(population(200, NOW)))
    command = [sys.executable, "-m", "adapters.cli", "screen", str(source), "--chunk", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        job = under_way(house)
        one.send_signal(signal.SIGTERM)
        _, said = one.communicate(timeout=15)
    assert f"go on with: pathway screen --resume {job}" in said
    far = progress(house, job)
    assert 0 < far.done < far.parts
    with house.store.jobs(write=True) as jobs:  # nothing is left in anybody's hands
        assert jobs.claim(datetime.now(UTC), LEASE, "next", job)


def under_way(house: House, job: str = "") -> str:
    """Wait until a part of the job, or of any, is done; the job's id."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with house.store.jobs(write=False) as jobs:
            found = [one.id for one in jobs.jobs(["screen"]) if job in ("", one.id) and jobs.progress(one.id).done]
        if found:
            return found[0]
        time.sleep(0.05)
    pytest.fail("no part was done within a minute")


def test_all_workers_dead_is_said_and_not_waited_for(
    tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(house, plan(house, str(ndjson(tmp_path / "all.ndjson", [candidate()]))), NOW)
    monkeypatch.setattr("adapters.screen.crew._hand", os.abort)
    with pytest.raises(PathwayError, match=f"--resume {job}"):
        labour(house, job, 2, lambda _: None)


def test_a_file_that_changed_is_not_read_at_old_places(tmp_path: Path, house: House) -> None:
    source = ndjson(tmp_path / "all.ndjson", [candidate()])
    job = begin(house, plan(house, str(source)), NOW)
    ndjson(source, [person("another")])
    far = labour(house, job, 1, lambda _: None)
    assert far.parked == 1
    assert "changed since it was looked through" in far.faults[0][1]


def test_an_empty_folder_holds_nobody(tmp_path: Path, house: House) -> None:
    with pytest.raises(BadInputError, match="no patient is found there"):
        plan(house, str(tmp_path / "store"))
