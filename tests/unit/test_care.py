"""Whether care goes on, by what people said, and what is still owed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pathway.care import CareWord, end_of_care, lifted, still_owed
from pathway.chart import ChartResource
from pathway.obligations import Obligation, State
from pathway.tasks import ON_CALL

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def said(outcome: str, episode: str = "", after: int = 0) -> CareWord:
    """Care of two known episodes ended, or goes on."""
    at = AT + timedelta(hours=after)
    return CareWord("s|p", episode, at, "cora", "coordinator", "Cora", outcome, "because", ("old", "older"))


def wish(episode: str, owner: str = "nurse", state: State = State.OPEN) -> Obligation:
    return Obligation("r", "s|1", "c", "T", episode, state, (), "asked", AT, owner, "routine", "")


@pytest.mark.parametrize(
    ("words", "ended"),
    [
        pytest.param([], set(), id="nothing was said"),
        pytest.param([said("declined-by-patient")], {"old", "older"}, id="a new fracture asks anew"),
        pytest.param([said("hospice")], {"old", "older", "new"}, id="hospice holds for what comes"),
        pytest.param([said("died")], {"old", "older", "new"}, id="death holds for what comes"),
        pytest.param([said("transferred", "old")], {"old"}, id="one episode"),
        pytest.param([said("hospice"), said("", after=1)], set(), id="care goes on"),
        pytest.param([said("transferred"), said("", "old", 1)], {"older"}, id="care of one episode goes on"),
        pytest.param([said("", "old"), said("unreachable", after=1)], {"old", "older"}, id="the last word holds"),
    ],
)
def test_where_care_has_ended_nothing_is_owed(words: list[CareWord], ended: set[str]) -> None:
    owed = still_owed([wish(episode) for episode in ("old", "older", "new")], words)
    assert {"old", "older", "new"} - {one.episode for one in owed} == ended


def test_an_emergency_and_what_the_record_closes_are_never_left_out() -> None:
    wishes = [wish("old", ON_CALL), wish("old", state=State.CLOSED)]
    assert still_owed(wishes, [said("died")]) == tuple(wishes)


def test_the_patients_care_stands_ended_by_the_word_that_ended_it() -> None:
    word = said("transferred")
    assert end_of_care([word]) == word
    assert end_of_care([word, said("", after=2)]) is None
    assert end_of_care([said("transferred", "old")]) is None


def of_key(key: str, outcome: str, episode: str, after: int) -> CareWord:
    return replace(said(outcome, after=after), patient=key, episodes=(episode,))


def owed_of(episodes: str, words: list[CareWord], same: dict[str, str]) -> set[str]:
    return {one.episode for one in still_owed([wish(episode) for episode in episodes.split()], words, same)}


def test_an_end_of_care_holds_for_what_its_episode_turned_out_to_be() -> None:
    assert owed_of("new", [said("declined-by-patient", "old")], {"old": "new"}) == set()
    assert owed_of("new", [of_key("s|a", "declined-by-patient", "old", 0)], {"old": "new"}) == set()


def test_of_two_who_turned_out_to_be_one_each_word_holds_for_what_it_was_about() -> None:
    apart = [of_key("s|a", "declined-by-patient", "ea", 0), of_key("s|b", "transferred", "eb", 1)]
    assert owed_of("ea eb ec", apart, {}) == {"ec"}
    assert owed_of("ea eb", [*apart, of_key("s|b", "", "eb", 2)], {}) == {"eb"}
    together = replace(said("", after=3), episodes=("ea", "eb"))
    assert owed_of("ea eb", [*apart, together], {}) == {"ea", "eb"}


def record(reference: str, hours: int) -> ChartResource:
    type, id = reference.split("/")
    return ChartResource({"resourceType": type, "id": id}, "", AT + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [("transferred", {"new", "asap"}), ("hospice", {"new", "asap"}), ("died", set[str]())],
)
def test_what_came_after_the_word_and_what_presses_is_owed_but_of_the_dead(outcome: str, kept: set[str]) -> None:
    chart = [record("Condition/old", -1), record("Observation/new", 1), record("Patient/p", 1)]
    wishes = [
        replace(wish("old"), title="old", sources=("Condition/old", "Patient/p")),
        replace(wish("old"), title="new", sources=("Condition/old", "Observation/new")),
        replace(wish("old"), title="asap", sources=("Condition/old",), priority="asap"),
    ]
    assert {one.title for one in still_owed(wishes, [said(outcome)], chart=chart)} == kept


def test_only_what_the_word_itself_ended_is_lifted_when_care_goes_on() -> None:
    from tests.unit.test_reopening import by_person

    def ended(key: str, hours: float, outcome: str = "transferred"):  # type: ignore[no-untyped-def]
        return replace(by_person(outcome), key=key, episode="old", ended_at=AT + timedelta(hours=hours))

    tasks = [ended("before", -1), ended("by it", 0), ended("other", 0, "done"), ended("after", 1)]
    assert lifted(tasks, [said("transferred")]) == frozenset()
    assert lifted(tasks, [said("transferred"), said("", after=2)]) == {"by it"}
