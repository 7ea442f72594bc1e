"""Who came before the service did: one list, no overdue contacts; and who died: no calls, every decision kept."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.cohort_report import rendered
from adapters.demo.record import Record
from pathway.cohort import Line
from pathway.tasks import Task
from tests.conftest import SOAK
from tests.world import NOW, FixedClock, candidate, ingest, make_house, settled

pytestmark = pytest.mark.e2e
TODAY = NOW.date()
HERE = ZoneInfo("UTC")


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), database_url=database, go_live=TODAY)
    yield made
    made.close()


def treated(id: str, days: float, level: str = "L1") -> Record:
    """Cemented so many days ago, with the fracture behind it."""
    return Record(id, NOW).fracture(level, days + 40).cement(level, days)


def tasks(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return list(ledger.find_tasks(limit=5000))


def test_a_procedure_from_before_makes_a_line_and_no_task(house: House) -> None:
    ingest(house, treated("p1", 300))
    assert tasks(house) == []
    lines = list(house.service.cohort())
    assert [line.code for line in lines if line.bone_health] != []
    assert all(line.patient == "local|p1" and line.since < NOW - timedelta(days=299) for line in lines)
    assert lines[0].bone_health, "the gaps in osteoporosis care come first"


def test_a_fracture_from_before_that_was_never_cemented_makes_lines_and_no_task(house: House) -> None:
    record = Record("p1", NOW).fracture("L1", 100)
    ingest(house, record)
    assert tasks(house) == []
    owed = {line.rule for line in house.service.cohort() if line.bone_health}
    assert {"bone-health.fracture-referral", "bone-health.fracture-treatment"} <= owed
    house.clock.forward(days=2)  # type: ignore[attr-defined]
    record.now = house.clock.now()
    ingest(house, record.fracture("T8", 1))
    assert "bone-health.fracture-referral" in {task.rule for task in tasks(house)}


def test_an_emergency_is_an_emergency_however_old_the_cement(house: House) -> None:
    ingest(house, treated("p1", 300).finding("neurological-examination", "deficit", 0.2))
    made = tasks(house)
    assert [task.rule for task in made if task.emergency] != []
    assert all(task.priority in ("stat", "asap") or task.sources for task in made), "only what the new finding bears"
    assert not any(task.rule.startswith("after-cement.contact") for task in made)


def test_what_is_recorded_of_a_fracture_after_that_day_makes_its_tasks(house: House) -> None:
    house.clock.forward(days=5)  # type: ignore[attr-defined]
    later = NOW + timedelta(days=5)
    record = Record("p1", later).encounter("AMB", 2, ended=1.9).fracture("L1", 30)
    ingest(house, record.tender("L1", True, 2).oedema("L1", True, 2).well(2).care(28).pain(8, 26).pain(7, 1))
    assert tasks(house) != []


def test_a_leak_that_is_stated_after_that_day_is_asked_about_however_old_the_cement(house: House) -> None:
    record = treated("p1", 2)
    ingest(house, record)
    assert tasks(house) == []
    house.clock.forward(days=3)  # type: ignore[attr-defined]
    record.now = house.clock.now()
    ingest(house, record.leak_statement("L1", 0.1, leaks=["canal", "lungs"]))
    assert "after-cement.ct-for-leak" in {task.rule for task in tasks(house)}
    assert "after-cement.contact-three-months" not in {task.rule for task in tasks(house)}, "only what is new"


def test_without_a_day_of_go_live_there_is_no_cohort(tmp_path: Path) -> None:
    house = make_house(tmp_path, FixedClock())
    try:
        ingest(house, treated("p1", 300))
        assert tasks(house) != []
        assert list(house.service.cohort()) == []
    finally:
        house.close()


@pytest.mark.slow
def test_a_thousand_procedures_from_before_make_one_report_and_nothing_overdue(tmp_path: Path) -> None:
    """A thousand under `make soak`, a fifth of them else."""
    people = 1000 if SOAK else 200
    house = make_house(tmp_path, FixedClock(), go_live=TODAY)
    try:
        for number in range(people):
            ingest(house, treated(f"p{number}", 2 + number % 360, ("T12", "L1", "L2")[number % 3]))
        assert tasks(house) == []
        lines = list(house.service.cohort())
        gaps = {line.patient for line in lines if line.bone_health}
        assert len(gaps) == people
        house.clock.forward(days=40)  # type: ignore[attr-defined]
        while house.service.wake() + house.service.catch_up(500):
            pass
        assert tasks(house) == [], "time asks for nothing either"
    finally:
        house.close()


def a_line() -> Line:
    from pathway.episodes import EpisodeKind

    return Line(
        "local|p1", EpisodeKind.PROCEDURE, ("L1",), NOW, "c", "=cmd()", "because", "nurse", NOW, True, "r", "s|1"
    )


def test_the_report_is_text_a_safe_spreadsheet_and_lines_of_json() -> None:
    text = b"".join(rendered([a_line()], "text", HERE)).decode()
    assert "procedure L1 of 2026-11-22: =cmd()" in text
    assert "1 lines, 1 patients, 1 gaps in osteoporosis care" in text
    rows = list(csv.DictReader(io.StringIO(b"".join(rendered([a_line()], "csv", HERE)).decode())))
    assert [(row["levels"], row["title"]) for row in rows] == [("L1", "'=cmd()")]
    (line,) = b"".join(rendered([a_line()], "ndjson", HERE)).splitlines()
    assert json.loads(line)["bone_health"] is True


def test_the_text_has_the_days_of_the_facility_and_what_programs_read_has_utc() -> None:
    midnight = replace(a_line(), since=datetime(2026, 10, 22, 22, 0, tzinfo=UTC))
    berlin = ZoneInfo("Europe/Berlin")
    assert b"procedure L1 of 2026-10-23:" in b"".join(rendered([midnight], "text", berlin))
    assert b"2026-10-22T22:00:00Z" in b"".join(rendered([midnight], "ndjson", berlin))


def test_the_command_says_what_to_set_and_a_sweep_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'store.sqlite3'}")
    without = CliRunner().invoke(main, ["cohort"])
    assert (without.exit_code, "PATHWAY_GO_LIVE" in without.output) == (2, True)
    monkeypatch.setenv("PATHWAY_GO_LIVE", str(date(2026, 12, 1)))
    assert "0 lines, 0 patients" in CliRunner().invoke(main, ["cohort"]).output
    assert "0 tasks moved by the clock, 0 patients looked at again" in CliRunner().invoke(main, ["sweep"]).output


def test_a_death_ends_outreach_keeps_every_decision_and_asks_for_nothing_new(tmp_path: Path) -> None:
    house = make_house(tmp_path, FixedClock())
    try:
        first = ingest(house, candidate())
        record = candidate()
        person = next(one for one in record.resources if one["resourceType"] == "Patient")
        person["deceasedDateTime"] = "2026-11-21"
        ingest(house, record)
        found = tasks(house)
        assert {(task.status, task.status_reason) for task in found} == {("cancelled", "the patient died: Patient/p1")}
        assert house.service.replay(first.decision.id).body == first.decision.body
        ingest(house, settled(onset=60).care(28).pain(8, 26).pain(7, 1))
    finally:
        house.close()
