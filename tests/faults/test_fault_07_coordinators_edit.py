"""Fault 7: 412 after a coordinator's edit at the server. Their words stay, and ours arrive."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from pathway.tasks import Task
from tests.faults.proxy import first
from tests.faults.writing import Desk

pytestmark = pytest.mark.service
OWNER = {"reference": "Practitioner/anna", "display": "Anna, coordinator"}
NOTE = {"text": "Called her daughter; she comes on Monday."}
LATER = {"period": {"end": "2027-01-31T12:00:00Z"}}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A patient whose tasks are at the server already."""
    desk.settle()
    desk.clock.forward(minutes=5)
    return desk


def edit(desk: Desk, task: Task, **fields: Any) -> None:
    """Somebody changes the task at the server."""
    (there,) = desk.there(task)
    there["note"] = [*there.get("note", ()), NOTE]
    desk.server.put(there | fields)


def why(there: dict[str, Any]) -> list[str]:
    return [one["valueString"] for one in there["input"] if one["type"]["coding"][0]["code"] == "why"]


def test_an_edit_between_our_reading_and_our_writing_is_kept(desk: Desk) -> None:
    task = desk.tasks[0]
    desk.change(task, why=("Something new is known",))
    desk.proxy.next(first(lambda: edit(desk, task, owner=OWNER, restriction=LATER, status="in-progress")), method="PUT")
    desk.settle()
    (there,) = desk.there(task)
    assert there["owner"] == OWNER
    assert there["restriction"] == LATER
    assert there["status"] == "in-progress"
    assert NOTE in there["note"]
    assert why(there) == ["Something new is known"]


def test_it_stays_through_later_writes_until_we_say_otherwise_about_the_same(desk: Desk) -> None:
    task = desk.tasks[0]
    edit(desk, task, owner=OWNER, status="in-progress")
    for text in ("first", "second"):
        desk.clock.forward(minutes=1)
        desk.change(task, why=(text,))
        desk.settle()
    (there,) = desk.there(task)
    assert (there["owner"], there["status"], why(there)) == (OWNER, "in-progress", ["second"])
    desk.clock.forward(minutes=1)
    desk.change(task, status="completed", holder="berta", holder_display="Berta, clinician")
    desk.settle()
    (there,) = desk.there(task)
    assert there["status"] == "completed"
    assert there["owner"]["display"] == "Berta, clinician"
    assert there["note"] == [NOTE]


def test_a_task_that_was_ended_there_is_not_opened_by_our_news(desk: Desk) -> None:
    task = desk.tasks[0]
    edit(desk, task, status="completed")
    desk.change(task, why=("Something new is known",))
    desk.settle()
    assert desk.there(task)[0]["status"] == "completed"


def test_an_end_of_ours_ends_what_somebody_had_begun_there(desk: Desk) -> None:
    task = desk.tasks[0]
    desk.change(task, status="cancelled", status_reason="Nothing asks for it any more")
    desk.proxy.next(first(lambda: edit(desk, task, status="in-progress", owner=OWNER)), method="PUT")
    desk.settle()
    (there,) = desk.there(task)
    assert (there["status"], there["owner"]) == ("cancelled", OWNER)


def test_a_version_that_never_stands_still_is_put_off_and_not_forced(desk: Desk) -> None:
    task = desk.tasks[0]
    desk.change(task, why=("Something new is known",))
    desk.proxy.next(first(lambda: edit(desk, task)), times=3, method="PUT", path="/Task")
    assert desk.drain().failed == 1
    assert "moved while we wrote" in desk.rows("pending")[0].last_error
    desk.settle()
    (there,) = desk.there(task)
    assert there["note"].count(NOTE) >= 1
    assert why(there) == ["Something new is known"]


def test_what_was_deleted_there_is_there_again(desk: Desk) -> None:
    task = desk.tasks[0]
    (there,) = desk.there(task)
    assert requests.delete(f"{desk.server.base}/Task/{there['id']}", timeout=30).status_code in (200, 204)
    desk.change(task, why=("Something new is known",))
    if desk.own_ids or desk.server.name == "sekmet":
        desk.settle()
        assert len(desk.there(task)) == 1
