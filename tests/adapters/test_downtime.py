"""The paper for the hours without the service: every emergency is on it, and nothing that presses is left out."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.downtime.paper import Sheet, printed, sheet
from adapters.http.pages.worklist.filters import Filters
from adapters.http.pages.worklist.model import work_list
from pathway.people import Person, Role
from tests.world import NOW, FixedClock, ingest, make_house, person

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(make_house(tmp_path, FixedClock(), time_zone="Europe/Berlin")) as found:
        ingest(found, person("weak").fracture("T12", 20).finding("neurological-examination", "deficit", 0.1))
        ingest(found, person("done").cement("L1", 1))
        yield found


def paper(house: House, days: int = 7) -> Sheet:
    with house.store.read() as ledger:
        return sheet(ledger, NOW, BERLIN, timedelta(days=days))


def test_every_emergency_comes_first_and_every_task_is_on_it_or_counted(house: House) -> None:
    found = paper(house)
    assert found.bands[0][0] == "Emergencies"
    assert [line.patient for line in found.bands[0][1]] == ["weak"]
    with house.store.read() as ledger:
        every = [task for task in ledger.find_tasks() if not task.ended]
    assert sum(len(lines) for _, lines in found.bands) + found.left_out == len(every)


def test_what_falls_due_within_the_days_is_on_it_and_the_rest_is_counted(house: House) -> None:
    short, long = paper(house, 1), paper(house, 92)
    assert short.left_out > long.left_out


def test_the_page_says_when_it_was_made_in_the_facilitys_time_and_needs_nothing_else(house: House) -> None:
    text = printed(paper(house))
    assert "Sun 22 Nov 2026, 13:00 (Europe/Berlin)" in " ".join(text.split())
    assert "not approved for clinical use" in text
    assert "<script" not in text
    assert "http" not in text


def test_what_a_record_says_cannot_become_a_tag(tmp_path: Path) -> None:
    with closing(make_house(tmp_path, FixedClock())) as house:
        ingest(
            house,
            person("x", name="<script>alert(1)</script>")
            .fracture("T12", 20)
            .finding("neurological-examination", "deficit", 0.1),
        )
        assert "<script>" not in printed(paper(house))


@pytest.mark.e2e  # the command as a person gives it
def test_the_command_puts_a_whole_file_that_only_its_owner_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'd.sqlite3'}")
    file = tmp_path / "open.html"
    file.write_text("yesterday's")
    result = CliRunner().invoke(main, ["downtime", str(file)])
    assert result.exit_code == 0, result.output
    assert "Nothing is open" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".open.html*")) == []


@pytest.mark.e2e  # the command as a person gives it
def test_where_nothing_can_be_written_it_says_so_and_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_DATABASE_URL", f"sqlite:///{tmp_path / 'd.sqlite3'}")
    result = CliRunner().invoke(main, ["downtime", str(tmp_path / "away" / "open.html")])
    assert result.exit_code == 2, result.output
    assert "this file cannot be written" in result.output
    assert "No such file or directory" in result.output


def test_the_paper_and_the_list_put_what_presses_in_one_order(house: House) -> None:
    found = [line for _, lines in paper(house, 3000).bands for line in lines]
    with house.store.read() as ledger:
        page = work_list(ledger, Filters(), Person("a", Role.AUDITOR, "A."), NOW, BERLIN)
    shown = [(row.patient, row.task.title, row.levels) for row in page.rows]
    assert [(line.patient, line.title, line.levels) for line in found] == shown
