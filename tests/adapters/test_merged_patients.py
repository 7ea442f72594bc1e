"""Two records of one person: joined under the surviving key, with a record of it; nothing lost, nothing asked twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record
from pathway.canonical import parse
from pathway.lifecycle import Act
from pathway.people import Person, Role, Said
from pathway.ports import Submission
from pathway.tasks import Task
from tests.databases import plainly
from tests.world import NOW, FixedClock, candidate, ingest, make_house, settled

pytestmark = pytest.mark.e2e
OLD, SURVIVOR = "local|p1", "local|p2"
CORA = Person("cora", Role.COORDINATOR, "Cora")


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), database_url=database)
    yield made
    made.close()


def patient(id: str, **links: str) -> dict[str, Any]:
    said = [
        {"type": kind.replace("_", "-"), "other": {"reference": f"Patient/{other}"}} for kind, other in links.items()
    ]
    return {
        "resourceType": "Patient",
        "id": id,
        "birthDate": "1952-03-01",
        "gender": "female",
        **({"link": said} if said else {}),
    }


def send(house: House, *resources: dict[str, Any]) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    data, now = json.dumps(bundle).encode(), house.clock.now()
    parcel = house.reader(now).submission(data, "test")
    for delivery in parcel.deliveries:
        house.service.ingest(delivery, Submission(str(uuid.uuid4()), "local", "test", now, parcel.sha256), data, "t")


def twin() -> Record:
    """The same fracture, as the other hospital has it."""
    record = Record("p2", NOW).fracture("L1", 29)
    return record


def tasks(house: House, key: str) -> dict[str, Task]:
    with house.store.read() as ledger:
        return {task.key: task for task in ledger.tasks(key)}


def open_rules(found: dict[str, Task]) -> list[str]:
    return sorted(task.rule for task in found.values() if not task.ended)


@pytest.mark.parametrize("says", ["replaced-by", "replaces"])
def test_the_tasks_go_on_under_the_survivor_and_none_is_made_anew(house: House, says: str) -> None:
    ingest(house, candidate())
    before = tasks(house, OLD)
    link = patient("p1", replaced_by="p2") if says == "replaced-by" else patient("p2", replaces="p1")
    send(house, link)
    after = tasks(house, SURVIVOR)
    assert tasks(house, OLD) == {}
    assert open_rules(after) == open_rules(before)
    assert set(before) <= set(after), "the same tasks, by key and so by FHIR id"
    with house.store.read() as ledger:
        assert (ledger.survivor(OLD), ledger.patients()) == (SURVIVOR, (SURVIVOR,))
        history = [event.act for event in ledger.task_events(next(iter(before)))]
        assert {r.reference for r in ledger.chart(SURVIVOR) if r.type == "Patient"} == {link_name(says)}
    assert history[:2] == ["ask", "merge"]


def link_name(says: str) -> str:
    return "Patient/p1" if says == "replaced-by" else "Patient/p2"


def test_the_record_says_who_became_whom_and_by_which_record(house: House, database: str) -> None:
    ingest(house, candidate())
    send(house, patient("p1", replaced_by="p2"))
    assert plainly(database, 'SELECT patient, "into", source FROM merge') == [(OLD, SURVIVOR, "Patient/p1")]


def test_one_fracture_that_both_knew_is_asked_about_once_and_an_end_by_a_person_counts_for_both(house: House) -> None:
    ingest(house, candidate())
    ingest(house, twin())
    review = next(t for t in tasks(house, OLD).values() if t.rule == "candidacy.operator-review")
    house.service.desk.act(review.id, Act.COMPLETE, CORA, review.version, Said(outcome="done"))
    send(house, patient("p2", replaces="p1"))
    after = tasks(house, SURVIVOR)
    assert "candidacy.operator-review" not in open_rules(after), "somebody did it"
    assert len(open_rules(after)) == len(set(open_rules(after)))


@pytest.mark.parametrize("held", [OLD, SURVIVOR])
def test_a_hook_after_a_merge_knows_what_stands_open_as_the_next_decision_does(house: House, held: str) -> None:
    """One of the two tasks keeps an episode that turned out to be the other's; it lasts while data grow old."""
    ingest(house, candidate())
    both = json.loads(json.dumps(candidate().bundle()).replace("p1", "p2"))
    send(house, *(entry["resource"] for entry in both["entry"]))
    for key in (OLD, SURVIVOR):
        (task,) = (t for t in tasks(house, key).values() if t.rule == "candidacy.operator-review")
        act, said = (Act.CLAIM, Said()) if key == held else (Act.COMPLETE, Said(outcome="done"))
        house.service.desk.act(task.id, act, CORA, task.version, said)
    send(house, patient("p1", replaced_by="p2"))
    assert isinstance(house.clock, FixedClock)
    house.clock.forward(days=60)
    made = house.service.assess(SURVIVOR, [], house.clock.now(), overlay=True)
    house.service.catch_up()
    with house.store.read() as ledger:
        decided = parse(ledger.decisions(SURVIVOR)[0].body)
    assert list(made.case.standing) == decided["facts"]["standing"]
    assert made.decision.body["obligations"] == decided["obligations"]
    assert "candidacy.operator-review" in {wish["rule"] for wish in decided["obligations"] if wish["state"] == "open"}


def test_an_emergency_that_was_closed_rings_no_second_time_for_a_merge_or_what_comes_after(house: House) -> None:
    ingest(house, Record("p1", NOW).fracture("L1", 12).finding("neurological-examination", "deficit", 0.2))
    (alarm,) = (task for task in tasks(house, OLD).values() if task.emergency)
    clinician = Person("clio", Role.CLINICIAN, "Clio")
    house.service.desk.act(alarm.id, Act.COMPLETE, clinician, alarm.version, Said(outcome="done", text="seen"))
    send(house, patient("p2", replaces="p1"))
    for days in (3, 4):
        send(house, Record("p2", NOW).pain(days, 0.001).resources[-1])
        assert [task.key for task in tasks(house, SURVIVOR).values() if task.emergency] == [alarm.key]


def test_what_comes_later_for_the_old_id_is_the_survivors(house: House) -> None:
    ingest(house, settled(onset=5).care(4).pain(7, 1))
    send(house, patient("p1", replaced_by="p2"))
    ingest(house, candidate())
    assert tasks(house, OLD) == {}
    assert "candidacy.operator-review" in open_rules(tasks(house, SURVIVOR))
    with house.store.read() as ledger:
        assert {d.patient for d in ledger.decisions(SURVIVOR)} == {OLD, SURVIVOR}, "decisions from before are kept"


def test_a_link_that_is_sent_again_or_leads_in_a_circle_joins_nothing_more(house: House) -> None:
    ingest(house, candidate())
    send(house, patient("p1", replaced_by="p2"))
    before = tasks(house, SURVIVOR)
    send(house, patient("p1", replaced_by="p2"))
    send(house, patient("p2", replaced_by="p1"))
    after = tasks(house, SURVIVOR)
    assert {key: task.status for key, task in after.items()} == {key: task.status for key, task in before.items()}


def test_both_may_come_in_one_bundle(house: House) -> None:
    ingest(house, candidate())
    send(house, patient("p1", replaced_by="p2"), patient("p2"))
    assert "candidacy.operator-review" in open_rules(tasks(house, SURVIVOR))


def test_three_in_a_row_come_to_the_last(house: House) -> None:
    ingest(house, candidate())
    before = open_rules(tasks(house, OLD))
    send(house, patient("p2", replaced_by="p3"))
    send(house, patient("p1", replaced_by="p2"))
    assert open_rules(tasks(house, "local|p3")) == before
    with house.store.read() as ledger:
        assert ledger.keys_of("local|p3") == ("local|p3", OLD, SURVIVOR)


def test_a_link_to_another_server_joins_nobody_and_is_told(house: House) -> None:
    ingest(house, candidate())
    foreign = patient("p1")
    foreign["link"] = [{"type": "replaced-by", "other": {"reference": "https://other.example/fhir/Patient/p2"}}]
    send(house, foreign)
    with house.store.read() as ledger:
        assert ledger.survivor(OLD) == OLD
        aside = json.loads(ledger.decisions(OLD)[0].body)["setAside"]
    assert any("another server" in item["why"] for item in aside)


def test_what_people_say_of_care_under_the_old_key_is_said_of_the_survivor(house: House) -> None:
    ingest(house, candidate())
    before = open_rules(tasks(house, OLD))
    house.service.desk.end_care(OLD, "", "transferred", CORA, "she moved")
    send(house, patient("p2", replaces="p1"))
    house.service.desk.resume_care(OLD, "", CORA, "she is back")
    with house.store.read() as ledger:
        assert (ledger.head(OLD).recheck_at, ledger.head(SURVIVOR).recheck_at) == (None, house.clock.now())
    assert house.service.catch_up() == 1
    assert house.service.catch_up() == 0, "and then the sweep comes to rest"
    assert open_rules(tasks(house, SURVIVOR)) == before
    assert house.service.desk.end_care(OLD, "", "transferred", CORA, "again") != ()
    assert open_rules(tasks(house, SURVIVOR)) == []


@pytest.mark.parametrize("lags", [False, True])
def test_a_merged_key_whose_row_says_that_it_is_due_keeps_no_sweep_busy(
    house: House, database: str, lags: bool
) -> None:
    """As one act under the old key could leave it: each sweep would find it, and none decide on it."""
    ingest(house, candidate())
    send(house, patient("p1", replaced_by="p2"))
    late = "decided_version = 0, recheck_at = NULL" if lags else "recheck_at = '2026-11-22 00:00:00.000000+00:00'"
    if database.startswith("sqlite"):
        late = late.replace("+00:00", "")
    plainly(database, f"UPDATE patient_head SET {late} WHERE patient = '{OLD}'")
    assert house.service.catch_up() == 0
    with house.store.write() as ledger:
        ledger.postpone(OLD, house.clock.now())
    assert house.service.catch_up() == 0
