"""A year in seconds: the invented patient's, told as a clinician reads it; and a stored patient's time to come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.demo.patients import demo_patients
from adapters.settings import Settings
from adapters.simulate import happenings, scratch
from adapters.simulate.course import course
from adapters.simulate.run import Arrival, Deed
from pathway.errors import BadInputError, NotFoundError
from pathway.lifecycle import Role
from pathway.people import Person
from tests.databases import counts
from tests.world import NOW, FixedClock, ingest, make_house

pytestmark = pytest.mark.slow

PATIENT = "local|demo-year"
UNTIL = datetime(2027, 12, 20, tzinfo=UTC)


def lines_of(settings: Settings, **more: object) -> list[str]:
    about = {"patient": PATIENT, "stored": "", "to_come": (), "now": NOW, "until": UNTIL} | more
    return list(course(settings, **about))  # type: ignore[arg-type]


@cache
def the_year() -> str:
    return "\n".join(lines_of(Settings())) + "\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock())
    record = next(one for one in demo_patients(NOW) if one.id == "demo-leak")
    ingest(made, record)
    yield made
    made.close()


def test_the_year_of_one_patient_reads_as_it_did(golden: Callable[[str, str], None]) -> None:
    golden("simulate/year.txt", the_year())


def test_the_year_leaves_nothing_open_and_loses_nothing_on_the_way() -> None:
    told = the_year()
    standing = told[told.index("How the tasks stand") :]
    for open_status in ("requested", "ready", "accepted", "in-progress", "on-hold"):
        assert f": {open_status}" not in standing
    assert "reopened" in told
    assert standing.count("Osteoporosis referral") == 1


def test_a_stored_patient_s_time_goes_by_and_the_store_stays_as_it_is(house: House) -> None:
    url, before = house.settings.database_url, counts(house.settings.database_url)
    (patient,) = _patients(house)
    told = lines_of(house.settings, patient=patient, stored=url, until=NOW + timedelta(days=120))
    assert counts(url) == before
    assert any("The clock" in line for line in told)
    assert any("escalated" in line for line in told)


def test_what_is_on_record_goes_on_under_its_own_keys(house: House) -> None:
    (patient,) = _patients(house)
    with house.store.read() as ledger:
        titles = {task.title for task in ledger.tasks(patient)}
    told = lines_of(house.settings, patient=patient, stored=house.settings.database_url, until=NOW + timedelta(days=1))
    standing = [line for line in told[told.index("How the tasks stand") :] if line.startswith("  ") and line[2] != " "]
    assert {line.strip().partition(" (")[0] for line in standing} == titles


def test_whom_a_person_s_word_ended_the_care_of_is_not_called_in_a_simulation_either(house: House) -> None:
    (patient,) = _patients(house)
    coordinator = Person("cora", Role.COORDINATOR, "Cora")
    house.service.desk.end_care(patient, "", "transferred", coordinator, "to the clinic in town")
    told = lines_of(house.settings, patient=patient, stored=house.settings.database_url, until=NOW + timedelta(days=90))
    assert not any("escalated" in line or "started" in line for line in told)


def test_nothing_leaves_a_simulation() -> None:
    loud = Settings(fhir_write_base="https://ehr.example/fhir")
    told = lines_of(loud, until=datetime(2026, 12, 9, tzinfo=UTC))  # a socket would be an error under pytest-socket
    assert any("Leak check" in line for line in told)


def test_every_setting_that_lets_something_out_is_empty_there() -> None:
    outward = {name: f"https://{name}.example" for name in scratch._OUTWARD}
    assert outward.keys() <= Settings.model_fields.keys()
    with scratch.scratch(Settings().model_copy(update=outward), NOW) as (house, _):
        assert {getattr(house.settings, name) for name in outward} == {""}


def test_an_unknown_patient_is_said(house: House) -> None:
    with pytest.raises(NotFoundError, match="nothing is stored"):
        lines_of(house.settings, patient="test|nobody", stored=house.settings.database_url)


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(BadInputError, match="ends before it begins"):
        lines_of(Settings(), until=datetime(2026, 11, 1, tzinfo=UTC))


def test_events_of_a_file_are_deliveries_and_acts_in_order_of_time() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient"}}]}
    act = {"at": "2027-01-01T00:00:00Z", "task": "a.b", "act": "claim"}
    later = {"at": "2027-01-02T00:00:00Z", "bundle": bundle}
    data = "\n".join(json.dumps(one) for one in (later, act)).encode()
    assert [type(one) for one in happenings.read(data, "events")] == [Deed, Arrival]


@pytest.mark.parametrize(
    "line",
    [
        '{"at": "2027-01-01", "task": "a.b", "act": "claim"}',
        '{"task": "a.b", "act": "claim"}',
        '{"at": "2027-01-01T00:00:00Z", "task": "a.b", "act": "kill"}',
        '{"at": "2027-01-01T00:00:00Z", "task": "a.b", "act": "claim", "role": "king"}',
        '{"at": "2027-01-01T00:00:00Z", "bundle": {"resourceType": "Bundle", "entry": []}}',
        "[]",
    ],
    ids=["no zone", "no instant", "no such act", "no such role", "empty Bundle", "no object"],
)
def test_a_line_that_is_no_happening_is_named(line: str) -> None:
    with pytest.raises(BadInputError, match="events:1"):
        happenings.read(line.encode(), "events")


def test_the_command_tells_the_year_and_says_that_it_is_a_simulation(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/never-made.sqlite3"
    ran = CliRunner().invoke(
        main, ["simulate", "demo-year", "--until", "2026-12-08"], env={"PATHWAY_DATABASE_URL": url}
    )
    assert ran.exit_code == 0, ran.output
    assert "nothing was stored or sent" in ran.output
    assert not (tmp_path / "never-made.sqlite3").exists()


def _patients(house: House) -> tuple[str, ...]:
    with house.store.read() as ledger:
        return ledger.patients()
