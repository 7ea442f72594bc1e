"""The work list: what is pressing stands on top, why it is there can be seen, and nobody overwrites anybody."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from adapters.bootstrap import House
from adapters.http.pages.worklist.bands import band_of
from adapters.http.pages.worklist.filters import Filters
from adapters.http.pages.worklist.model import PAGE
from pathway.tasks import Task
from tests.adapters.http.builders import candidate, emergency, unproven
from tests.adapters.http.conftest import NOW, MakeHouse, StandingClock
from tests.adapters.http.desks import Desk, Reader, bands, ids

pytestmark = pytest.mark.e2e  # pages of a whole house

Send = Callable[..., Any]


@pytest.fixture
def desk(house: House, send: Send) -> Desk:
    """A coordinator of a house with an emergency, a task of this week and one for later."""
    for record in (emergency("p-1", NOW), candidate("p-2", NOW), unproven("p-3", NOW)):
        send(record.bundle())
    return Desk(house, "coordinator")


def later(house: House, **by: float) -> House:
    """The same house when its clock shows another instant."""
    clock = StandingClock(NOW + timedelta(**by))
    return replace(house, clock=clock, service=replace(house.service, clock=clock))


def test_every_open_task_stands_in_its_band_with_patient_reason_and_who_it_is_for(desk: Desk) -> None:
    page = desk.read("/worklist")
    told = bands(page)
    assert list(told) == ["emergencies", "overdue", "today", "week", "later", "deferred"]
    (emergency_row,) = [row for row in told["emergencies"] if "Emergency: neurological sign" in row]
    assert emergency_row.startswith("At once due 2026-11-22 13:00 Test p-1 T11")
    assert "for on call" in emergency_row
    (review,) = [row for rows in told.values() for row in rows if "Operator's review" in row]
    assert "Test p-2 L1" in review
    assert "for operator" in review
    (referral,) = [row for row in told["later"] if "Test p-2" in row and "Referral for the bone" in row]
    assert referral.startswith("Urgent due 2027-02-20 Test p-2 L1")
    assert "for coordinator" in referral
    assert f"{len(ids(page))} open tasks." in page.text


def test_an_empty_house_says_so_and_still_warns(house: House) -> None:
    page = Desk(house, "coordinator").read("/worklist")
    assert "0 open tasks." in page.text
    assert "Draft rules: not approved for clinical use." in page.text


def task(**changes: Any) -> Task:
    base = Task(
        key="e/r/1", patient="s|p", episode="e", rule="r", occurrence=1, code="c", title="t", status="ready",
        priority="routine", owner="nurse", due_at=NOW, anchor="asked", focus="", release="x|1", decision="d",
        authored_at=NOW, modified_at=NOW,
    )  # fmt: skip
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("hours", "priority", "band"),
    [
        (-1, "routine", "overdue"),
        (-1, "stat", "emergencies"),
        (300, "stat", "emergencies"),
        (0, "routine", "today"),
        (10.9, "routine", "today"),  # 23:54 in Berlin
        (11, "routine", "week"),  # midnight there
        (11 + 6 * 24 - 0.1, "routine", "week"),
        (11 + 6 * 24, "routine", "later"),
    ],
)
def test_the_band_follows_the_facilitys_day_and_an_emergency_stays_on_top(
    hours: float, priority: str, band: str
) -> None:
    due = NOW + timedelta(hours=hours)
    assert band_of(task(due_at=due, priority=priority), NOW, ZoneInfo("Europe/Berlin")) == band


@pytest.mark.parametrize(
    ("status", "band"), [("on-hold", "deferred"), ("ready", "overdue"), ("in-progress", "overdue")]
)
def test_what_is_put_off_stands_apart_until_its_day(status: str, band: str) -> None:
    assert band_of(task(due_at=NOW - timedelta(days=3), status=status), NOW, ZoneInfo("UTC")) == band


def test_within_a_band_priority_comes_before_the_due_date_and_equal_ones_keep_their_order(desk: Desk) -> None:
    page = desk.read("/worklist")
    order = {"At once": 0, "As soon as possible": 1, "Urgent": 2, "Routine": 3}
    for rows in bands(page).values():
        keys = []
        for row in rows:
            priority = next(word for word in order if row.startswith(word))
            keys.append((order[priority], re.search(r"due (\S+ \S+)", row)[1]))  # type: ignore[index]
        assert keys == sorted(keys)
    assert ids(page) == ids(desk.read("/worklist"))


def test_due_dates_are_in_the_facilitys_zone_and_overdue_is_told(make_house: MakeHouse) -> None:
    house = make_house(time_zone="Europe/Berlin")
    Desk(house, "coordinator").client.post("/fhir", json=unproven("p-1", NOW).bundle())
    (row,) = [r for r in bands(Desk(later(house, days=9), "coordinator").read("/worklist"))["overdue"] if "MRI" in r]
    assert "due 2026-11-29 1 day overdue" in row


def test_filters_narrow_the_list_and_live_in_the_address(desk: Desk) -> None:
    every = ids(desk.read("/worklist"))
    one = desk.read("/worklist?patient=p-2")
    assert 0 < len(ids(one)) < len(every)
    assert all("p-2" in row for rows in bands(one).values() for row in rows)
    assert f"{len(ids(one))} of {len(every)} open tasks." in one.text
    stat = ids(desk.read("/worklist?priority=stat"))
    assert stat == ids(desk.read("/worklist?priority=stat&owner=&mine=&patient="))  # as a form sends it
    assert 0 < len(stat) < len(every)
    assert ids(desk.read("/worklist?owner=operator")) != every
    assert ids(desk.read("/worklist?mine=yes")) == []
    desk.act(every[-1], "claim")
    assert ids(desk.read("/worklist?mine=yes")) == [every[-1]]


@pytest.mark.parametrize("query", ["priority=soon", "owner=me", "page=0", "patient=%3Cscript%3E", "surname=x"])
def test_a_filter_that_is_none_is_refused_rather_than_passed_over(desk: Desk, query: str) -> None:
    page = desk.read(f"/worklist?{query}", 400)
    assert "<script" not in page.html


def test_filters_survive_an_act_and_go_into_every_link() -> None:
    filters = Filters(priority="stat", patient="p", page=3)
    assert filters.query(page=4) == {"priority": "stat", "patient": "p", "page": "4"}
    assert filters.query(owner="nurse") == {"priority": "stat", "patient": "p", "owner": "nurse"}
    assert filters.query(open="t") == {"priority": "stat", "patient": "p", "page": "3", "open": "t"}


def test_a_long_list_comes_in_pages_that_hold_every_task_once(house: House, send: Send) -> None:
    for number in range(13):
        send(candidate(f"p-{number}", NOW).pain(7, 0.5).bundle())
        send(unproven(f"q-{number}", NOW).bundle())
    with house.store.read() as ledger:
        owed = sorted(task.id for task in ledger.find_tasks() if not task.ended)
    assert 2 * PAGE < len(owed) < 3 * PAGE
    desk = Desk(house, "coordinator")
    first, second, last, beyond = (desk.read(f"/worklist?page={n}") for n in (1, 2, 3, 4))
    assert f"{len(owed)} open tasks." in first.text
    assert len(ids(first)) == len(ids(second)) == PAGE
    assert sorted(ids(first) + ids(second) + ids(last)) == owed
    assert ids(beyond) == ids(last), "a page past the end is the last one"
    assert "/worklist?page=2" in first.html


def test_the_whole_list_takes_a_fixed_number_of_queries(house: House, send: Send) -> None:
    def queries() -> int:
        desk, seen = Desk(house, "coordinator"), []
        event.listen(house.store._engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
        desk.read("/worklist")
        return len(seen)

    send(candidate("p-1", NOW).bundle())
    few = queries()
    for number in range(2, 12):
        send(candidate(f"p-{number}", NOW).bundle())
    assert queries() == few


def test_a_row_asks_for_nothing_that_it_does_not_show(house: House, desk: Desk) -> None:
    seen: list[str] = []
    event.listen(house.store._engine, "before_cursor_execute", lambda *a: seen.append(a[2]))

    def asked(address: str, *, part: bool) -> tuple[bool, bool]:
        """Whether what was not sent was looked up, and whom a task can be given to."""
        seen.clear()
        desk.read(address, part=part)
        return any("FROM outbox" in one for one in seen), any("ORDER BY account.name" in one for one in seen)

    id = ids(desk.read("/worklist?patient=p-2"))[0]
    assert asked(f"/tasks/{id}", part=False) == (True, True)
    assert asked(f"/tasks/{id}?open={id}", part=True) == (False, True)
    assert asked(f"/tasks/{id}", part=True) == (False, False)


def test_why_a_task_exists_is_shown_with_rule_facts_gaps_sources_and_decision(desk: Desk) -> None:
    (id,) = [one for one in ids(desk.read("/worklist?patient=p-3")) if "MRI" in desk.read(f"/tasks/{one}").text]
    page = desk.read(f"/tasks/{id}")
    assert "Painful and tender, but freshness is not shown: not recorded" in page.text
    assert re.search(
        r"Rule candidacy\.order-spine-mri, candidacy version \d+\.\d+\.\d+ \(draft, not approved\)", page.text
    )
    assert "Tenderness" in page.text
    assert "2026-11-20 Observation/p-3-spinal-tenderness-1" in page.text
    assert "MRI of the spine with a STIR or fat-suppressed sequence" in page.text
    assert "ACR Appropriateness Criteria" in page.text
    assert len(page.links("/records/")) == 1
    row = desk.read(f"/tasks/{id}?open={id}", part=True)
    assert row.html.lstrip().startswith("<li")
    assert "ACR Appropriateness Criteria" in row.text
    assert "ACR Appropriateness Criteria" in desk.read(f"/worklist?open={id}").text


def test_a_task_is_claimed_and_completed_and_leaves_the_list(desk: Desk) -> None:
    id = ids(desk.read("/worklist?patient=p-2"))[0]
    claimed = desk.act(id, "claim", **{"from": "list", "patient": "p-2"})
    assert (claimed.status_code, claimed.location) == (303, f"/worklist?patient=p-2&done=claim&task={id}#task-{id}")
    page = desk.read(claimed.location)
    assert "You hold it now: " in page.text
    assert "You hold it" in desk.read("/worklist?patient=p-2").text
    assert desk.act(id, "complete", 2, outcome="done").status_code == 303
    assert id not in ids(desk.read("/worklist"))
    told = desk.read(f"/tasks/{id}").text
    assert "completed: Done" in told
    assert "Coordinator Test (coordinator) ended it, done" in told


def test_for_htmx_only_the_row_comes_back_with_new_counts(desk: Desk) -> None:
    page = desk.read("/worklist?patient=p-2")
    id = ids(page)[0]
    desk.act(id, "claim")
    part = desk.act(id, "complete", 2, part=True, outcome="done", patient="p-2")
    html = part.get_data(as_text=True)
    assert part.status_code == 200
    assert "<html" not in html
    assert html.lstrip().startswith('<li class="task')
    assert "autofocus" in html  # where the row was, the keyboard still is
    before = dict(re.findall(r'id="count-([a-z]+)"[^>]*>(\d+)<', page.html))
    after = dict(re.findall(r'id="count-([a-z]+)"[^>]*>(\d+)<', html))
    assert sum(map(int, after.values())) == sum(map(int, before.values())) - 1


def test_somebody_elses_change_is_shown_and_not_overwritten(house: House, desk: Desk) -> None:
    id = ids(desk.read("/worklist?patient=p-2"))[0]
    other = Desk(house, "clinician")
    assert other.act(id, "claim").status_code == 303
    for part in (False, True):
        late = desk.act(id, "claim", 1, part=part)
        told = Reader(late.get_data(as_text=True)).text
        assert late.status_code == 409
        assert "Not done." in told
        assert "Clinician Test" in told
        assert 'name="version" value="2"' in late.get_data(as_text=True)
    assert "Held by Clinician Test" in desk.read(f"/tasks/{id}").text


@pytest.mark.parametrize(
    ("act", "fields", "said"),
    [
        ("complete", {}, "outcome"),
        ("complete", {"outcome": "unreachable"}, "needs a reason"),
        ("decline", {}, "declined with a reason"),
        ("release", {}, "Nobody holds this task"),
        ("comment", {}, "comment is empty"),
    ],
)
def test_an_act_that_lacks_something_changes_nothing_and_says_what(
    desk: Desk, act: str, fields: dict[str, str], said: str
) -> None:
    id = ids(desk.read("/worklist?patient=p-2"))[0]
    refused = desk.act(id, act, **fields)
    assert refused.status_code == 409
    assert said in Reader(refused.get_data(as_text=True)).text
    assert 'name="version" value="1"' in desk.read(f"/tasks/{id}").html


def test_a_task_is_declined_with_a_reason_and_commented_on(desk: Desk) -> None:
    first, *_ = ids(desk.read("/worklist?patient=p-2"))
    assert desk.act(first, "comment", text="<script>x</script> wants a call", **{"from": "task"}).status_code == 303
    page = desk.read(f"/tasks/{first}")
    assert "<script>x</script> wants a call" in page.text
    assert "<bdi>&lt;script&gt;" in page.html, "what a person typed turns no line around"
    assert "<script>x" not in page.html
    assert desk.act(first, "decline", 2, text="seen elsewhere").status_code == 303
    assert first not in ids(desk.read("/worklist"))
    assert "seen elsewhere" in desk.read(f"/tasks/{first}").text


def test_an_emergency_offers_a_coordinator_a_comment_and_a_clinician_its_end(house: House, desk: Desk) -> None:
    id = next(one for one in ids(desk.read("/worklist?priority=stat")))
    offered = {b.get("value") for b in desk.read(f"/tasks/{id}").all("button")} - {None}
    assert offered == {"comment"}
    assert desk.act(id, "complete", outcome="done").status_code == 409
    clinicians = {b.get("value") for b in Desk(house, "clinician").read(f"/tasks/{id}").all("button")} - {None}
    assert clinicians == {"acknowledge", "claim", "assign", "attempt", "complete", "comment"}


def test_what_came_from_records_is_text_and_never_markup(house: House, send: Send) -> None:
    record = emergency("p-1", NOW)
    record.resources[0]["name"] = [{"family": "<script>alert(1)</script>"}]
    record.resources[0]["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">narrative canary</div>',
    }
    send(record.bundle())
    page = Desk(house, "coordinator").read("/worklist")
    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text
    assert "narrative canary" not in page.html


def test_a_form_without_its_token_changes_nothing(desk: Desk) -> None:
    id = ids(desk.read("/worklist?patient=p-2"))[0]
    assert desk.act(id, "claim", csrf_token="").status_code == 400
    assert "Held by nobody" in desk.read(f"/tasks/{id}").text


def test_an_unknown_task_is_not_there(desk: Desk) -> None:
    desk.read("/tasks/00000000-0000-4000-8000-000000000000", 404)
