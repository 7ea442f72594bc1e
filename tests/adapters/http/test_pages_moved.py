"""A task that went to another record of its patient: its history has words for that, as for all that can happen."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.http.pages import frame
from pathway.lifecycle import Act, Tick, Word
from pathway.tasks import Task
from tests.adapters.http.builders import candidate
from tests.adapters.http.conftest import NOW
from tests.adapters.http.desks import Desk, Reader

MOVED = "The record moved it: with its patient to another record of the same person"


@pytest.fixture
def moved(house: House, send: Callable[..., Any]) -> Task:
    """A task of p-1, who turned out to be p-2."""
    send(candidate("p-1", NOW).bundle())
    with house.store.read() as ledger:
        before = ledger.tasks("local|p-1")[0]
    other = {"reference": "Patient/p-1"}
    survivor = {"resourceType": "Patient", "id": "p-2", "link": [{"type": "replaces", "other": other}]}
    send({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": survivor}]})
    with house.store.read() as ledger:
        after = ledger.find_task(before.id)
    assert after.patient == "local|p-2"
    return after


def test_there_is_a_word_for_all_that_can_happen_to_a_task() -> None:
    assert set(frame._DID) == {*Act, *Tick, *Word}


@pytest.mark.e2e  # pages of a whole house
def test_its_page_and_its_row_in_full_tell_where_it_came_from(house: House, moved: Task) -> None:
    desk = Desk(house, "coordinator")
    assert MOVED in desk.read(f"/tasks/{moved.id}").text
    assert MOVED in desk.read(f"/tasks/{moved.id}?open={moved.id}", part=True).text
    assert MOVED in desk.read(f"/worklist?open={moved.id}").text


@pytest.mark.e2e
@pytest.mark.parametrize("part", [False, True])
def test_an_act_that_is_refused_is_told_beside_it(house: House, moved: Task, part: bool) -> None:
    refused = Desk(house, "coordinator").act(moved.id, "claim", moved.version - 1, part=part)
    told = Reader(refused.get_data(as_text=True)).text
    assert refused.status_code == 409
    assert "Not done." in told
    assert MOVED in told
