"""Fault 6: 429, 503, a hang, a cut body, an endless body, a redirect to this machine. None does harm, all pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Fault, cut, endless, hang, outcome, proxy, redirect, status
from tests.faults.writing import KINDS, Desk, Office, hurry, office

pytestmark = pytest.mark.service
FAULTS = {
    "429": status(429, 120), "503": status(503, 120), "500": status(500), "hang": hang(), "cut": cut(),
    "endless": endless(), "not-json": status(200),
}  # fmt: skip


@pytest.fixture(params=KINDS[:1] + KINDS[3:], scope="module")
def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(request.param, tmp_path_factory.mktemp("office")) as one:
        yield one


@pytest.fixture
def desk(rooms: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    hurry(monkeypatch)
    one = rooms.desk()
    yield one
    rooms.proxy.clear()


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_it_passes_and_everything_is_there_once(desk: Desk, fault: Fault, method: str) -> None:
    write = method if desk.own_ids or method == "GET" else "POST"
    desk.proxy.next(fault, times=2, method=write, path="/Task")
    first = desk.drain()
    assert first.parked == 0
    assert first.failed > 0
    desk.settle()
    desk.check()


@pytest.mark.parametrize("code", [429, 503])
def test_a_pause_that_was_asked_for_is_kept_by_all_rows(desk: Desk, code: int) -> None:
    desk.proxy.next(status(code, 120))
    desk.drain()
    heard = len(desk.proxy.heard)
    desk.clock.forward(seconds=119)
    assert desk.drain().rows == 0
    assert len(desk.proxy.heard) == heard
    desk.settle(minutes=1)
    desk.check()


def test_a_redirect_is_not_followed(desk: Desk) -> None:
    with proxy(desk.server.base) as elsewhere:
        desk.proxy.next(redirect(f"{elsewhere.base}/Task"), times=3)
        assert desk.drain().failed > 0
        desk.settle()
        assert elsewhere.heard == []
    desk.check()


def test_what_the_server_refuses_for_good_is_parked_and_goes_when_a_person_says_so(desk: Desk) -> None:
    desk.proxy.next(status(422), times=1, method="PUT" if desk.own_ids else "POST", path="/Task")
    assert desk.drain().parked == 1
    desk.settle()
    (row,) = desk.rows("parked")
    assert row.last_error.startswith("the server answered 422")
    with desk.house.store.outbox(write=True) as outbox:
        assert outbox.requeue(row.key, desk.clock.now())
    desk.settle()
    desk.check()
    desk.check_plans()


def test_errors_name_neither_the_patient_nor_an_address(desk: Desk) -> None:
    for fault in FAULTS.values():
        desk.proxy.next(fault)
        desk.drain()
        desk.clock.forward(hours=2)
    said = " ".join(row.last_error for row in desk.rows("pending"))
    assert said
    for word in (desk.patient, desk.patient.partition("|")[2], "127.0.0.1", "http", "Task/"):
        assert word not in said
    desk.settle()


def test_a_server_that_answers_writes_with_an_outcome_hears_of_a_reopened_task(desk: Desk) -> None:
    for method in ("PUT", "POST"):
        desk.proxy.next(outcome(), times=1000, method=method)
    task = desk.tasks[0]
    desk.settle()
    for state in ("completed", "ready"):
        desk.clock.forward(minutes=5)
        desk.change(task, status=state)
        desk.settle()
        assert [one["status"] for one in desk.there(task)] == [state]
    desk.check()


def test_a_server_that_refuses_provenance_has_the_tasks_and_the_plan_and_a_warning_stays(desk: Desk) -> None:
    desk.proxy.next(status(422), times=1000, path="/Provenance")
    desk.settle()
    assert desk.rows("parked") == ()
    for task in desk.tasks:
        assert len(desk.there(task)) == 1
    desk.check_plans()
    for row in desk.rows("sent"):
        assert row.remote_id
        assert row.last_error.startswith("its Provenance was not taken: the server answered 422")


def test_a_plan_does_not_wait_for_the_provenance_of_its_tasks(desk: Desk) -> None:
    desk.proxy.next(status(503), times=1000, path="/Provenance")
    for _ in range(20):
        desk.drain()
        desk.clock.forward(minutes=6)
    desk.check_plans()
    desk.proxy.clear()
    desk.settle()
    desk.check()
