"""The long comparison of engine and evaluator: 100,000 random sheets under `make soak`."""

from collections.abc import Callable

import pytest

from tests.engine.test_agreement import agree
from tests.engine.test_driver import AS_OF, random_engine, rss


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
def test_engine_and_evaluator_agree_on_100_000_random_sheets(tenth: int, rounds: Callable[[int], int]) -> None:
    assert agree(seed=tenth, sheets_wanted=rounds(10_000))


@pytest.mark.slow
def test_memory_stays_flat_over_100_000_evaluations(rounds: Callable[[int], int]) -> None:
    engine, views = random_engine(9)
    turns = rounds(100_000) // len(views)
    for _ in range(50):
        engine.run(views, AS_OF)
    before = rss()
    for _ in range(turns):
        engine.run(views, AS_OF)
    assert rss() - before < 1500, f"{rss() - before} kB more"
