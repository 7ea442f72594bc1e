"""Fault 4: the server already holds duplicates of a task. One is kept, the others are cancelled, by name."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.fhir.from_plan import task as to_fhir
from pathway.tasks import Task
from tests.faults.proxy import first
from tests.faults.writing import Desk

pytestmark = pytest.mark.service


def another(task: Task) -> dict[str, Any]:
    """The task as somebody else's writer left it at the server."""
    return {key: value for key, value in to_fhir(task).items() if key not in ("id", "meta")}


def one_goes_on(desk: Desk, task: Task, kept: str) -> None:
    there = {one["id"]: one for one in desk.there(task)}
    assert there[kept]["status"] == task.status
    for own, one in there.items():
        if own != kept:
            assert one["status"] == "cancelled"
            assert one["statusReason"]["text"] == f"A duplicate of Task/{kept}"


def test_of_three_the_oldest_is_kept(desk: Desk) -> None:
    task = desk.tasks[0]
    ids = [desk.server.post(another(task))["id"] for _ in range(3)]
    desk.settle()
    one_goes_on(desk, task, ids[0])
    assert len(desk.there(task)) == 3
    assert len(desk.proofs(f"Task/{ids[1]}")) == 1


def test_it_is_done_once_and_the_kept_one_stays_the_same(desk: Desk) -> None:
    task = desk.tasks[0]
    ids = [desk.server.post(another(task))["id"] for _ in range(2)]
    desk.settle()
    before = desk.there(task)
    desk.clock.forward(minutes=1)
    changed = desk.change(task, status="in-progress")
    desk.settle()
    one_goes_on(desk, changed, ids[0])
    (cancelled,) = (one for one in before if one["id"] == ids[1])
    assert cancelled in desk.there(task)


def test_a_writer_that_was_quicker_than_the_servers_check_leaves_one(desk: Desk) -> None:
    if desk.own_ids:
        desk.settle()  # one id, so there is nothing to be quicker with
        desk.check()
        return
    task = desk.tasks[0]
    made: list[str] = []

    def race() -> None:
        desk.proxy.clear()
        made.append(desk.server.post(another(task))["id"])

    # Between the search and the answer of the create, another writer creates, and the server does not notice.
    desk.proxy.next(first(race), method="POST", path="/Task")
    desk.settle()
    open_ = [one for one in desk.there(task) if one["status"] != "cancelled"]
    assert len(open_) == 1
    assert made
