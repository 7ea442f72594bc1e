"""A sweep costs what is due: the same due tasks among few and among very many open ones, on both databases."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

from adapters.bootstrap import House, open_house
from adapters.settings import Settings
from adapters.simulate.scratch import HandClock
from bench.charts import NOW, STATE
from bench.databases import fresh_database
from bench.many_tasks import due, fill
from bench.measure import shown
from bench.report import Table

FEW: Final = 10_000
MANY: Final = 1_000_000
DUE: Final = 200
IDLE: Final = 50
"""How often a sweep that finds nothing is timed in a round; their median counts."""
_HEAD: Final = ("database", "what is due", "among few", "among many", "many / few", "the same, our CPU")
Spent = tuple[float, float]
"""Seconds: waited, and of our own CPU."""


def tables(*, rounds: int = 5, few: int = FEW, many: int = MANY, due_each: int = DUE) -> list[Table]:
    """Both databases, side by side; SQLite alone where there is no server."""
    rows: list[tuple[str, ...]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows += _measured("SQLite", [f"sqlite:///{folder}/{name}.sqlite3" for name in ("few", "many")],
                          (few, many), rounds, due_each)  # fmt: skip
        urls = [stack.enter_context(fresh_database()) for _ in range(2)]
        if all(urls):
            rows += _measured("PostgreSQL", urls, (few, many), rounds, due_each)
    notes = [
        f"Few are {few:,} open tasks, many {many:,}, of a fifth as many patients, whose own decisions also wait for a "
        f"day to come. Each sweep is `Service.wake()` and `Service.catch_up()`; {due_each} tasks begin at the instant "
        "of a round, one short transaction each. p50, few and many in turns. Our CPU is that of this process: all of "
        "SQLite's work, and none of what PostgreSQL's server does.",
    ]
    if not all(urls):
        notes.append("No PostgreSQL server was found at PATHWAY_TEST_POSTGRES.")
    return [Table("A sweep over open obligations", _HEAD, rows, notes)]


def _measured(database: str, urls: list[str], sizes: tuple[int, ...], rounds: int, count: int) -> list[tuple[str, ...]]:
    busy: list[list[Spent]] = [[], []]
    idle: list[list[Spent]] = [[], []]
    with ExitStack() as stack:
        houses = [stack.enter_context(_opened(url, size, rounds, count)) for url, size in zip(urls, sizes, strict=True)]
        for number in range(1, rounds + 1):
            for place in (0, 1) if number % 2 else (1, 0):
                house, watch = houses[place]
                watch.at = _instant(number)
                busy[place].append(_swept(house, count))
                idle[place] += [_swept(house, 0) for _ in range(IDLE)]
    return [(database, what, *_compared(*spent)) for what, spent in ((f"{count} tasks", busy), ("nothing", idle))]


def _compared(few: list[Spent], many: list[Spent]) -> tuple[str, ...]:
    waits, works = ([median(one[clock] for one in of) for of in (few, many)] for clock in (0, 1))
    return *(shown(wait * 1e6) for wait in waits), *(f"{one[1] / one[0]:.2f}" for one in (waits, works))


def _swept(house: House, expected: int) -> Spent:
    """What one sweep took, which must find what is due and no more."""
    began, worked = time.perf_counter(), time.process_time()
    found = house.service.wake() + house.service.catch_up()
    spent = time.perf_counter() - began, time.process_time() - worked
    if found != expected:
        raise SystemExit(f"a sweep found {found} instead of {expected}: nothing is timed")
    return spent


def _instant(number: int) -> datetime:
    return NOW + timedelta(hours=number)


@contextmanager
def _opened(url: str, size: int, rounds: int, count: int) -> Iterator[tuple[House, HandClock]]:
    """A house with so many sleeping tasks, and with what will be due in each round."""
    settings = Settings(_env_file=None, database_url=url, rules_from="working", place_state=STATE)  # type: ignore[call-arg]
    watch = HandClock(NOW)
    house = open_house(settings, watch)
    try:
        fill(house, size)
        for number in range(1, rounds + 1):
            due(house, _instant(number), count, f"round-{number}")
        yield house, watch
    finally:
        house.close()
