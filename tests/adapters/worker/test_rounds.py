"""A round of sweeping ends, and each of its two works gets its turn, whatever becomes of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.bootstrap import House
from adapters.worker import tasks

NAMES = ("wake", "catch_up")


def with_work(house: House, **work: Callable[..., int]) -> House:
    """The house, whose service does this work instead of its own."""
    made = SimpleNamespace(store=house.store, clock=house.clock, service=SimpleNamespace(**work))
    return cast(House, cast(Any, made))


@pytest.mark.parametrize("endless", NAMES)
def test_work_that_never_ends_takes_no_turn_from_the_other_and_ends_with_the_round(house: House, endless: str) -> None:
    turns: Counter[str] = Counter()

    def work(name: str) -> Callable[..., int]:
        def step(*_: object, **_given: object) -> int:
            turns[name] += 1
            if turns.total() > 100_000:
                raise AssertionError("the round does not end by itself")
            return int(name == endless)

        return step

    tasks.sweep(with_work(house, **{name: work(name) for name in NAMES}), lambda: False)
    assert turns["wake"] == turns["catch_up"] > 1
    with house.store.marks(write=False) as marks:
        assert marks.mark(tasks.SWEPT) is not None


def test_much_to_wake_leaves_time_to_decide(house: House) -> None:
    """A round has its time: one that wakes ten thousand tasks first would decide on nobody."""
    spent: Counter[str] = Counter()

    def wake(limit: int = 500, **_: object) -> int:
        spent["wake"] += limit
        return limit

    def catch_up(limit: int = 100, **_: object) -> int:
        spent["catch_up"] += limit
        return limit

    tasks.sweep(with_work(house, wake=wake, catch_up=catch_up), lambda: spent.total() > 300)
    assert spent["catch_up"] > 0
    assert spent["wake"] > 0


def test_a_sweep_ends_once_neither_has_anything_left(house: House) -> None:
    assert tasks.sweep(house, lambda: False) == 0
