"""Acts beyond claim and complete: emergencies acknowledged, patients tried, tasks put off, given on and reopened."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from adapters.bootstrap import House
from pathway.tasks import Task
from tests.adapters.http.builders import candidate, emergency
from tests.adapters.http.conftest import NOW, MakeHouse, StandingClock
from tests.adapters.http.desks import Desk, Reader, bands, ids
from tests.world import person

pytestmark = pytest.mark.e2e  # pages of a whole house


@pytest.fixture
def desk(house: House, send: Callable[..., Any]) -> Desk:
    """A coordinator of a house with an emergency of p-1 and ordinary work on p-2."""
    for record in (emergency("p-1", NOW), candidate("p-2", NOW)):
        send(record.bundle())
    return Desk(house, "coordinator")


def at(house: House, **by: float) -> House:
    """The same house when its clock shows another instant."""
    clock = StandingClock(NOW + timedelta(**by))
    return replace(house, clock=clock, service=replace(house.service, clock=clock))


def task(house: House, patient: str = "p-2") -> Task:
    with house.store.read() as ledger:
        found = ledger.find_tasks(patient=f"local|{patient}")
    return next(one for one in found if one.emergency is (patient == "p-1"))


def told(answer: Any) -> str:
    return Reader(answer.get_data(as_text=True)).text


def test_an_emergency_shows_its_timer_until_a_clinician_acknowledges_it(house: House, desk: Desk) -> None:
    one = task(house, "p-1")
    (row,) = bands(desk.read("/worklist?priority=stat"))["emergencies"]
    assert "Nobody has answered it. It goes further at 2026-11-22 12:15 15 minutes left" in row
    assert desk.act(one.id, "acknowledge").status_code == 409
    clinician = Desk(house, "clinician")
    assert clinician.act(one.id, "acknowledge", one.version).status_code == 303
    (row,) = bands(desk.read("/worklist?priority=stat"))["emergencies"]
    assert "Acknowledged by Clinician Test at 2026-11-22 12:00" in row
    assert "goes further" not in row
    assert task(house, "p-1").acknowledged_by == "Clinician Test"


def test_an_emergency_that_was_escalated_says_who_was_told(house: House, desk: Desk) -> None:
    later = at(house, minutes=16)
    later.service.wake()
    (row,) = bands(Desk(later, "coordinator").read("/worklist?priority=stat"))["emergencies"]
    assert "told: on call" in row


def test_three_attempts_in_vain_are_kept_shown_and_escalate(house: House, desk: Desk) -> None:
    one = task(house)
    assert told(desk.act(one.id, "complete", outcome="unreachable", text="x")).count("Not done.") == 1
    for version, reached in enumerate(["no-answer", "left-message", "no-answer"], start=1):
        now = task(house)
        sent = desk.act(
            one.id, "attempt", now.version, channel="phone", reached=reached, again="2026-11-24", text=f"try {version}"
        )
        assert sent.status_code == 303, told(sent)
    page = desk.read(f"/tasks/{one.id}").text
    assert "no answer; next try by 2026-11-24" in page
    assert "3 attempts without reaching the patient" in desk.read("/worklist?patient=p-2").text
    assert "left a message, next try 2026-11-24 23:59 UTC: try 2" in page
    assert "The clock escalated it" in page
    assert (
        desk.act(one.id, "complete", task(house).version, outcome="unreachable", text="moved away").status_code == 303
    )


def test_what_is_put_off_stands_with_the_deferred_until_its_day_and_comes_back_by_itself(
    house: House, desk: Desk
) -> None:
    one = task(house)
    assert desk.act(one.id, "snooze", until="2026-11-25").status_code == 409  # no reason
    assert desk.act(one.id, "snooze", text="on holiday").status_code == 409  # no day
    assert desk.act(one.id, "snooze", until="2026-11-21", text="on holiday").status_code == 409
    assert desk.act(one.id, "snooze", until="2026-02-30", text="on holiday").status_code == 400
    assert desk.act(one.id, "snooze", until="2026-11-25", text="on holiday").status_code == 303
    (row,) = [row for row in bands(desk.read("/worklist"))["deferred"] if one.title in row]
    assert "back 2026-11-25" in row
    back = at(house, days=2, hours=12)
    back.service.wake()
    assert one.title in " ".join(
        " ".join(rows)
        for band, rows in bands(Desk(back, "coordinator").read("/worklist")).items()
        if band != "deferred"
    )
    assert "The clock brought it back" in desk.read(f"/tasks/{one.id}").text


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("attempt", {"channel": "phone", "reached": "no-answer", "again": "9999-12-31"}),
        ("snooze", {"until": "0001-01-01", "text": "on holiday"}),
    ],
)
def test_a_day_at_an_end_of_the_calendar_is_refused_and_no_fault_of_ours(
    make_house: MakeHouse, act: str, fields: dict[str, str]
) -> None:
    house = make_house(time_zone="Europe/Berlin")  # east of UTC the first day begins before there are dates
    desk = Desk(house, "coordinator")
    assert desk.client.post("/fhir", json=candidate("p-2", NOW).bundle()).status_code == 200
    refused = desk.act(task(house).id, act, **fields)
    assert refused.status_code == 409
    assert "Not done. There is no such day here. Choose a day that is near." in told(refused)


def days(page: Reader, field: str) -> tuple[str | None, str | None]:
    """The first and the last day that a field of a date offers."""
    (found,) = [i for i in page.all("input") if i.get("name") == field and (i.get("id") or "").startswith(f"{field}-")]
    return found.get("min"), found.get("max")


def test_a_form_offers_the_days_that_the_act_takes_in_the_facilitys_zone(make_house: MakeHouse) -> None:
    house = at(make_house(time_zone="Europe/Berlin"), hours=11, minutes=30)  # past midnight there
    desk = Desk(house, "coordinator")
    assert desk.client.post("/fhir", json=candidate("p-2", NOW).bundle()).status_code == 200
    one = task(house)
    for page in (desk.read(f"/tasks/{one.id}"), desk.read(f"/tasks/{one.id}?open={one.id}", part=True)):
        assert days(page, "again")[0] == "2026-11-23"
        assert days(page, "until")[0] == "2026-11-24"
    (_, again), (_, until) = days(page, "again"), days(page, "until")
    assert again is not None
    assert until is not None
    for version, (act, field, last, fields) in enumerate(
        [
            ("attempt", "again", again, {"channel": "phone", "reached": "no-answer"}),
            ("snooze", "until", until, {"text": "on holiday"}),
        ],
        start=1,
    ):
        after = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
        assert desk.act(one.id, act, version, **fields, **{field: after}).status_code == 409
        assert desk.act(one.id, act, version, **fields, **{field: last}).status_code == 303


def test_a_task_is_given_to_a_colleague_and_taken_back_with_a_reason(house: House, desk: Desk) -> None:
    one = task(house)
    assert desk.act(one.id, "assign", to="nobody").status_code == 409
    assert desk.act(one.id, "assign", to="auditor").status_code == 409
    assert desk.act(one.id, "assign", to="clinician").status_code == 303
    assert task(house).holder_display == "Clinician Test"
    assert desk.act(one.id, "release", 2).status_code == 409
    assert desk.act(one.id, "unassign", 2).status_code == 409
    assert desk.act(one.id, "unassign", 2, text="she is ill").status_code == 303
    page = desk.read(f"/tasks/{one.id}").text
    assert "Coordinator Test (coordinator) gave it: “ to Clinician Test”" in page
    assert "took it back: “ she is ill”" in page


def test_an_ended_task_is_opened_again_with_a_reason(house: House, desk: Desk) -> None:
    one = task(house)
    desk.act(one.id, "complete", outcome="done")
    assert desk.act(one.id, "reopen", 2).status_code == 409
    assert desk.act(one.id, "reopen", 2, text="it was another patient").status_code == 303
    assert one.id in ids(desk.read("/worklist"))
    assert "opened it again: “ it was another patient”" in desk.read(f"/tasks/{one.id}").text


def many(desk: Desk, act: str, *chosen: Task, **fields: str) -> Any:
    """Ticked rows and one button, as the form sends them."""
    token = next(i["value"] for i in desk.read("/worklist").all("input") if i.get("name") == "csrf_token")
    form = {"act": act, "csrf_token": token, "task": [f"{one.id}:{one.version}" for one in chosen], **fields}
    return desk.client.post("/worklist/acts", data=form)


def ordinary(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return [one for one in ledger.find_tasks() if not one.emergency and not one.ended]


def test_many_are_claimed_at_once_and_those_that_were_not_say_why(house: House, desk: Desk) -> None:
    first, second, *_ = ordinary(house)
    Desk(house, "clinician").act(second.id, "claim")
    answer = many(desk, "claim", first, second, task(house, "p-1"))
    page = told(answer)
    assert answer.status_code == 200
    assert "1 of 3 done." in page
    assert f"Done: {first.title} , {first.patient.split('|')[1]}. You hold it now" in page
    assert "Clinician Test claimed it at 2026-11-22 12:00 UTC" in page
    assert "An emergency is never one of many" in page
    with house.store.read() as ledger:
        assert ledger.find_task(first.id).holder == "coordinator"
        assert ledger.find_task(second.id).holder == "clinician"


@pytest.mark.parametrize(
    ("act", "fields", "holds"),
    [
        ("assign", {"to": "clinician"}, lambda one: one.holder == "clinician"),
        ("snooze", {"until": "2026-11-25", "text": "holiday"}, lambda one: one.status == "on-hold"),
        ("complete", {"outcome": "transferred"}, lambda one: one.outcome == "transferred"),
    ],
)
def test_many_are_given_put_off_and_ended(
    house: House, desk: Desk, act: str, fields: dict[str, str], holds: Callable[[Task], bool]
) -> None:
    chosen = ordinary(house)[:2]
    assert many(desk, act, *chosen, **fields).status_code == 200
    with house.store.read() as ledger:
        assert all(holds(ledger.find_task(one.id)) for one in chosen)


def test_nothing_chosen_or_nothing_done_is_no_success(house: House, desk: Desk) -> None:
    assert "No task was chosen" in told(many(desk, "claim"))
    one = ordinary(house)[0]
    refused = many(desk, "snooze", one, until="2026-11-25")
    assert (refused.status_code, "0 of 1 done." in told(refused)) == (409, True)
    assert many(desk, "reopen", one).status_code == 400
    unknown = replace(one, key="x/y/1")
    assert "There is no such task" in told(many(desk, "claim", unknown))


def care(desk: Desk, act: str = "end", **fields: str) -> Any:
    token = next(i["value"] for i in desk.read("/worklist").all("input") if i.get("name") == "csrf_token")
    return desk.client.post("/patients/p-2/care", data={"act": act, "csrf_token": token, **fields})


def test_care_ends_with_an_honest_outcome_and_goes_on_again(house: House, desk: Desk) -> None:
    before = [one for one in ordinary(house) if one.patient == "local|p-2"]
    assert "Care ends and goes on with a reason" in told(care(desk, outcome="hospice"))
    assert "Care ends with an honest outcome" in told(care(desk, outcome="done", text="x"))
    assert care(desk, outcome="hospice", text="moved on Friday").status_code == 303
    page = desk.read("/patients/p-2").text
    assert "Care here has ended: In hospice care" in page
    assert "“ moved on Friday”" in page
    assert "Nothing is open." in page
    with house.store.read() as ledger:
        assert {ledger.find_task(one.id).outcome for one in before} == {"hospice"}
    assert care(desk, "resume", text="a mistake").status_code == 303
    assert "Goes on." in desk.read("/patients/p-2").text


def test_an_episode_whose_care_may_end_has_the_day_of_the_facility(make_house: MakeHouse) -> None:
    house = make_house(time_zone="Europe/Berlin")
    desk = Desk(house, "coordinator")
    record = person("p-2").fracture("L1", 30 + 14 / 24)  # midnight of 23 October in Berlin, in summer time
    assert desk.client.post("/fhir", json=record.bundle()).status_code == 200
    page = desk.read("/patients/p-2").text
    assert "Fracture L1, since 2026-10-23" in page
    assert "Fracture L1, 2026-10-23" in page
    assert "2026-10-22" not in page


def test_the_end_of_care_leaves_the_emergency_open(house: House, desk: Desk) -> None:
    token = next(i["value"] for i in desk.read("/worklist").all("input") if i.get("name") == "csrf_token")
    form = {"act": "end", "csrf_token": token, "outcome": "transferred", "text": "to the university"}
    assert desk.client.post("/patients/p-1/care", data=form).status_code == 303
    assert not task(house, "p-1").ended


def test_an_auditor_is_offered_no_end_of_care(house: House, desk: Desk) -> None:
    page = Desk(house, "auditor").read("/patients/p-2")
    assert "Care here" in page.text
    assert [form for form in page.all("form") if "care" in (form.get("action") or "")] == []
