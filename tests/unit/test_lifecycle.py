"""The published life of a task: its tables hold together, and the page says what they say."""

import pytest

from adapters.fhir.terminology import load_local_codes
from adapters.lifecycle_page import PAGE, page
from pathway.clockwork import STAGES
from pathway.history import PAST
from pathway.lifecycle import ACTORS, ENDS, IN_BULK, MAY, MOVES, NONE, OPEN, Act, Role, Tick, Word, leads
from pathway.people import CARE_ENDS, OUTCOMES
from pathway.tasks import ENDED


def test_the_page_is_made_from_the_tables() -> None:
    assert PAGE.read_text() == page(), "run `python -m adapters.lifecycle_page`"


def test_every_status_is_reached_and_left() -> None:
    reached = {end for move in MOVES for end in move.to}
    left = {source for move in MOVES for source in move.sources if move.to}
    assert reached == {*OPEN, *ENDS}
    assert left == {*OPEN, *ENDS, NONE}
    assert set(ENDS) <= ENDED
    assert not set(OPEN) & ENDED


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("by", [Act.COMPLETE, Act.DECLINE, Word.CLOSE, Word.WITHDRAW])
def test_an_open_task_can_be_ended_from_wherever_it_stands(by: Act | Word, status: str) -> None:
    assert set(leads(by, status)) <= set(ENDS)
    assert leads(by, status)


@pytest.mark.parametrize("by", [*Act, *Tick])
def test_everything_that_can_happen_stands_in_the_table(by: Act | Tick) -> None:
    assert any(move.by is by for move in MOVES)


def test_whatever_happens_to_a_task_has_its_word_in_the_history_and_nothing_else_has() -> None:
    assert set(PAST) == {*Act, *Tick, *Word}


def test_who_looks_on_does_nothing_and_a_coordinator_only_writes_on_an_emergency() -> None:
    for act, may in MAY.items():
        assert may.emergency | (may.pressing or may.ordinary) <= may.ordinary | may.emergency <= ACTORS
        assert (Role.COORDINATOR in may.emergency) is (act is Act.COMMENT)
    assert set(MAY) == set(Act)
    assert not {Act.COMMENT, Act.ATTEMPT, Act.REOPEN} & IN_BULK


def test_an_end_of_all_care_is_an_honest_end_of_a_task() -> None:
    assert {"done", "not-needed"} == set(OUTCOMES) - CARE_ENDS


def test_who_is_told_last_is_a_role_of_the_local_list() -> None:
    assert STAGES[-1] in {concept["code"] for concept in load_local_codes()["role"]}
