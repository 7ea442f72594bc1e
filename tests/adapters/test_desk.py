"""The desk on both databases: what leaves the house with an act, many at once, honest ends of all care."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Json, Record
from pathway.care import end_of_care
from pathway.desk import Desk
from pathway.errors import ChartMovedError
from pathway.keeping import keep_task
from pathway.people import Act, NotYoursError, OutOfTurnError, Person, Role, Said
from pathway.tasks import ON_CALL, Attempt, Task
from tests.databases import BACKENDS, fresh
from tests.world import NOW, FixedClock, candidate, ingest, make_house

CORA = Person("cora", Role.COORDINATOR, "Cora C.")
BEN = Person("ben", Role.COORDINATOR, "Ben B.")
CLIO = Person("clio", Role.CLINICIAN, "Clio K.")
AUDRA = Person("audra", Role.AUDITOR, "Audra A.")
PATIENTS = ["nobody"]
ALL = frozenset({"fhir", "webhook", "email"})


@pytest.fixture(params=BACKENDS, scope="module")
def open_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house on each database; each test has a patient of its own in it."""
    folder = tmp_path_factory.mktemp("desk")
    with fresh(request.param, folder) as url:
        made = make_house(folder, FixedClock(), database_url=url)
        yield made
        made.close()


@pytest.fixture
def house(open_house: House) -> House:
    """The house on the first day, with another patient for whom it asks something."""
    assert isinstance(open_house.clock, FixedClock)
    open_house.clock.at = NOW
    PATIENTS.append(f"p{len(PATIENTS)}")
    ingest(open_house, record())
    return open_house


class Chart(Record):
    """A record under the id of this test's patient."""

    def bundle(self, kind: str = "collection") -> Json:
        return json.loads(re.sub(r"\bp1\b", PATIENTS[-1], json.dumps(super().bundle(kind))))


def record() -> Record:
    """What is known of this test's patient: a fracture, and how it hurts."""
    known = candidate()
    known.__class__ = Chart
    return known


def me() -> str:
    """The key of this test's patient."""
    return f"local|{PATIENTS[-1]}"


def tasks(house: House) -> tuple[Task, ...]:
    with house.store.read() as ledger:
        return ledger.tasks(me())


def desk(house: House) -> Desk:
    """A desk of a house that has everything set up."""
    return replace(house.service.desk, channels=ALL)


def posted(house: House) -> list[str]:
    with house.store.outbox(write=False) as outbox:
        return sorted(row.key for row in outbox.rows(state="pending", limit=1000) if row.patient == me())


def emergency(house: House) -> Task:
    """An emergency that the record asked for just now."""
    now = house.clock.now()
    task = replace(
        tasks(house)[0], key=f"{tasks(house)[0].episode}/candidacy.neurology-emergency/1", owner=ON_CALL, version=1,
        priority="stat", emergency=True, rule="candidacy.neurology-emergency", due_at=now,
        escalate_at=now + timedelta(minutes=15),
    )  # fmt: skip
    with house.store.write() as ledger:
        keep_task(ledger, None, task, None, ALL, now)
    return task


def test_without_a_channel_nothing_is_posted(house: House) -> None:
    assert posted(house) == []


def test_an_act_posts_the_task_and_its_plan_and_no_alert(house: House) -> None:
    (task, *_) = tasks(house)
    desk(house).act(task.id, Act.CLAIM, CORA, task.version)
    assert posted(house) == [f"CarePlan/{task.episode}", f"Task/{task.id}"]


def test_an_emergency_is_told_of_at_once_and_at_each_stage_until_it_is_answered(house: House) -> None:
    task, clock = emergency(house), house.clock
    assert isinstance(clock, FixedClock)
    rings = replace(house.service, channels=ALL)
    for _ in range(3):
        clock.forward(minutes=15)
        rings.wake()
    (now,) = [one for one in tasks(house) if one.emergency]
    desk(house).act(task.id, Act.ACKNOWLEDGE, CLIO, now.version)
    clock.forward(hours=5)
    rings.wake()
    assert [key for key in posted(house) if "alert" in key] == [
        f"alert/{task.id}/{stage}/{channel}" for stage in (0, 2, 3) for channel in ("email", "webhook")
    ]


def test_the_third_attempt_in_vain_is_escalated_in_the_same_moment(house: House) -> None:
    (task, *_) = tasks(house)
    for _ in range(3):
        task = desk(house).act(task.id, Act.ATTEMPT, CORA, task.version, Said("rang", "no-answer", "phone"))
    assert (task.stage, task.status) == (2, "in-progress")
    with house.store.read() as ledger:
        told = [(event.act, event.text, event.version) for event in ledger.task_events(task.key)]
    assert told[-2:] == [("attempt", "By telephone, no answer: rang", 4), ("escalate", "to the role", 5)]


def test_what_is_done_to_many_is_done_to_each_or_refused_with_its_reason(house: House) -> None:
    one, other, alarm = *tasks(house)[:2], emergency(house)
    desk(house).act(other.id, Act.COMMENT, BEN, other.version, Said("mine soon"))
    missing = "5d1b5d3c-0000-5000-8000-000000000000"
    asked = [(one.id, one.version), (other.id, other.version), (alarm.id, 1), (missing, 1)]
    done, moved, refused, unknown = desk(house).act_on_many(asked, Act.CLAIM, CORA)
    assert done.task is not None
    assert (done.task.holder, done.refused) == ("cora", None)
    assert moved.refused is not None
    assert moved.refused.why.startswith("Ben B. commented on it")
    assert isinstance(refused.refused, NotYoursError)
    assert (unknown.task, unknown.refused is None) == (None, False)
    with pytest.raises(OutOfTurnError, match="many"):
        desk(house).act_on_many(asked, Act.ACKNOWLEDGE, CLIO)


def test_a_person_reopens_what_ended_and_not_what_was_asked_for_again_since(house: House) -> None:
    (task, *_) = tasks(house)
    ended = desk(house).act(task.id, Act.COMPLETE, CORA, task.version, Said(outcome="done"))
    again = desk(house).act(task.id, Act.REOPEN, BEN, ended.version, Said("the wrong vertebra"))
    assert (again.status, again.holder, again.outcome, again.ended_at) == ("ready", "", "", None)
    ended = desk(house).act(task.id, Act.COMPLETE, CORA, again.version, Said(outcome="done"))
    later = replace(task, key=task.key[:-1] + "2", occurrence=2, version=1)
    with house.store.write() as ledger:
        ledger.save_task(later, 0)
    with pytest.raises(OutOfTurnError, match="again since"):
        desk(house).act(task.id, Act.REOPEN, BEN, ended.version, Said("the wrong vertebra"))


def test_a_person_does_not_reopen_what_is_asked_for_again_in_the_same_moment(house: House) -> None:
    (task, *_) = tasks(house)
    ended = desk(house).act(task.id, Act.COMPLETE, CORA, task.version, Said(outcome="done"))
    with ThreadPoolExecutor(1) as pool:
        with house.store.write() as ledger:
            ledger.hold(me())
            said = Said("the wrong vertebra")
            reopening = pool.submit(desk(house).act, task.id, Act.REOPEN, BEN, ended.version, said)
            wait_for([reopening], timeout=1)
            ledger.save_task(replace(task, key=task.key[:-1] + "2", occurrence=2, version=1), 0)
        with pytest.raises(OutOfTurnError, match="again since"):
            reopening.result()
    assert [one.id for one in tasks(house) if one.id == task.id and not one.ended] == []


def open_codes(house: House) -> set[str]:
    return {task.code for task in tasks(house) if not task.ended}


@pytest.mark.parametrize("outcome", ["declined-by-patient", "transferred", "hospice", "died"])
def test_all_of_a_patients_care_ends_honestly_but_an_emergency(house: House, outcome: str) -> None:
    asked, alarm = open_codes(house), emergency(house)
    held = desk(house).act(tasks(house)[0].id, Act.CLAIM, BEN, tasks(house)[0].version)
    ended = desk(house).end_care(me(), "", outcome, CORA, "the family called")
    assert {task.code for task in ended} == asked
    assert all((task.outcome, task.holder, task.by_person) == (outcome, "cora", True) for task in ended)
    assert held.id in {task.id for task in ended}
    assert [task.id for task in tasks(house) if not task.ended] == [alarm.id]
    with house.store.read() as ledger:
        assert ledger.task_events(held.key)[-1].text == "the family called"
        word = end_of_care(ledger.care_words(me()))
    assert word is not None
    assert (word.outcome, word.display, word.text) == (outcome, "Cora C.", "the family called")


def test_what_care_ended_is_not_asked_for_again_until_somebody_says_that_it_goes_on(house: House) -> None:
    asked, clock = open_codes(house), house.clock
    assert isinstance(clock, FixedClock)
    desk(house).end_care(me(), "", "declined-by-patient", CORA, "wants no more calls")
    ingest(house, record().pain(8, 0.1))
    house.service.catch_up()
    assert open_codes(house) == set()
    clock.forward(minutes=1)
    desk(house).resume_care(me(), "", CLIO, "changed their mind")
    house.service.catch_up()
    assert open_codes(house) == asked


def test_care_of_one_episode_ends_alone_and_of_none_that_is_not_there(house: House) -> None:
    (task, *_) = tasks(house)
    others = {t.id for t in tasks(house) if t.episode != task.episode and not t.ended}
    desk(house).end_care(me(), task.episode, "transferred", CORA, "to the spine clinic")
    assert {t.id for t in tasks(house) if not t.ended} == others
    assert f"CarePlan/{task.episode}" in posted(house)
    with pytest.raises(Exception, match="no such episode"):
        desk(house).end_care(me(), "nowhere", "transferred", CORA, "why")


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        pytest.param({"outcome": "done"}, OutOfTurnError, id="no honest end of care"),
        pytest.param({"text": " "}, OutOfTurnError, id="no reason"),
        pytest.param({"outcome": "unreachable"}, OutOfTurnError, id="nobody tried three times"),
        pytest.param({"person": AUDRA}, NotYoursError, id="who looks on"),
    ],
)
def test_care_is_not_ended_lightly(house: House, how: dict[str, Any], kind: type[Exception]) -> None:
    before = tasks(house)
    said = {"outcome": "hospice", "person": CORA, "text": "since Monday"} | how
    with pytest.raises(kind):
        desk(house).end_care(me(), "", said["outcome"], said["person"], said["text"])
    assert tasks(house) == before
    with house.store.read() as ledger:
        assert ledger.care_words(me()) == ()


def test_after_three_attempts_in_vain_the_patient_is_unreachable(house: House) -> None:
    (task, *_) = tasks(house)
    tried = tuple(Attempt(house.clock.now(), "Cora", "phone", "no-answer") for _ in range(3))
    with house.store.write() as ledger:
        ledger.save_task(replace(task, attempts=tried, version=task.version + 1), task.version)
    ended = desk(house).end_care(me(), "", "unreachable", CORA, "moved away")
    assert {one.status for one in ended} == {"failed"}


def test_a_conflict_says_what_the_clock_did_meanwhile(house: House) -> None:
    clock, (task, *_) = house.clock, tasks(house)
    assert isinstance(clock, FixedClock)
    clock.at = task.due_at + timedelta(days=2)
    house.service.wake()
    with pytest.raises(ChartMovedError) as moved:
        desk(house).act(task.id, Act.CLAIM, CORA, task.version)
    assert moved.value.why.startswith("The clock escalated it at ")
