"""Marks: one of several who ask gets the tick, and a mark is moved only by who saw it as it stands."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.db import SqlStore

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVERY = timedelta(seconds=5)


def tick(store: SqlStore, at: datetime) -> bool:
    with store.marks(write=True) as marks:
        return marks.tick("beat", at, EVERY)


def test_a_tick_is_given_once_in_each_interval(store: SqlStore) -> None:
    asked = [NOW + timedelta(seconds=s) for s in (0, 0, 4.999, 5, 5, 9.9, 10)]
    assert [tick(store, at) for at in asked] == [True, False, False, True, False, False, True]


@pytest.mark.parametrize(("ahead", "given"), [(5, False), (65, False), (65.001, True), (86_400, True)])
def test_a_mark_of_a_clock_that_was_ahead_does_not_silence_the_tick(store: SqlStore, ahead: float, given: bool) -> None:
    with store.marks(write=True) as marks:
        marks.set("beat", NOW + timedelta(seconds=ahead))
    assert tick(store, NOW) is given


def test_a_mark_moves_only_for_who_saw_it_as_it_stands(store: SqlStore) -> None:
    with store.marks(write=True) as marks:
        assert marks.mark("poll") is None
        assert marks.move("poll", NOW, {"page": 1}, expect_version=0)
        assert not marks.move("poll", NOW, {"page": 9}, expect_version=0)
    with store.marks(write=True) as marks:
        assert marks.move("poll", NOW + EVERY, {"page": 2}, expect_version=1)
        assert not marks.move("poll", NOW + EVERY, {"page": 9}, expect_version=1)
    with store.marks(write=False) as marks:
        mark = marks.mark("poll")
    assert mark is not None
    assert (mark.at, mark.version, mark.body) == (NOW + EVERY, 2, {"page": 2})
