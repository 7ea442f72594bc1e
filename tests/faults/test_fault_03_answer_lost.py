"""Fault 3: the server commits and its answer is lost. Nothing is there twice, and nothing is written twice."""

from __future__ import annotations

import pytest

from tests.faults.proxy import lost
from tests.faults.writing import Desk

pytestmark = pytest.mark.service


WRITE = {True: "PUT", False: "POST"}


def test_what_was_created_and_not_answered_is_found_and_not_made_again(desk: Desk) -> None:
    desk.proxy.next(lost(), times=2, method=WRITE[desk.own_ids], path="/Task")
    assert desk.drain().failed >= 2
    desk.settle()
    desk.check()
    assert desk.proxy.writes("Task") == len(desk.tasks)


def test_the_same_holds_for_a_care_plan(desk: Desk) -> None:
    desk.proxy.next(lost(), times=1, method=WRITE[desk.own_ids], path="/CarePlan")
    desk.settle()
    desk.check()
    desk.check_plans()
    assert desk.proxy.writes("CarePlan") == len(desk.episodes)


def test_a_lost_provenance_is_written_once(desk: Desk) -> None:
    desk.proxy.next(lost(), times=2, path="/Provenance")
    desk.settle()
    desk.check()


def test_a_lost_write_that_was_overtaken_keeps_its_provenance_and_our_newest_word(desk: Desk) -> None:
    desk.settle()
    task = desk.tasks[0]
    desk.change(task, status="in-progress")
    desk.proxy.next(lost(), method="PUT", path="/Task")
    assert desk.drain().failed == 1
    desk.clock.forward(seconds=1)
    desk.change(task, status="completed", status_reason="Done")
    desk.settle()
    desk.check()
    (there,) = desk.there(task)
    assert there["status"] == "completed"
    assert len(desk.proofs(f"Task/{there['id']}")) == 3
