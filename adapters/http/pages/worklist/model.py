"""What the work list shows: every open task in its band, the most pressing first; and one task with its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.http.pages.evidence import Why, why
from adapters.http.pages.worklist.bands import BANDS, band_of, pressing
from adapters.http.pages.worklist.days import Days, next_try, put_off
from adapters.http.pages.worklist.filters import Filters
from adapters.http.pages.worklist.rows import Row, holds, rows_of
from pathway.chart import patient_id
from pathway.clockwork import Pace
from pathway.history import TaskEvent
from pathway.lifecycle import OPEN
from pathway.people import Person
from pathway.ports import Ledger
from pathway.rulebook import RuleBook
from pathway.tasks import Task

PAGE: Final = 50
BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Band:
    """A band of the list: how many tasks it has in all, and those that are on this page."""

    id: str
    title: str
    count: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list. `total` counts what the filters leave, `every` all open tasks."""

    bands: tuple[Band, ...]
    number: int
    pages: int
    total: int
    every: int

    @property
    def rows(self) -> Iterable[Row]:
        """The tasks on this page."""
        return (row for band in self.bands for row in band.rows)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the tasks on this page."""
        return frozenset(row.id for row in self.rows)

    @property
    def many(self) -> bool:
        """Whether there is anything to choose together."""
        return any(row.one_of_many for row in self.rows)


def work_list(ledger: Ledger, filters: Filters, reader: Person, now: datetime, zone: ZoneInfo) -> Page:
    """The page of the list that the filters name; a page past the end is the last one."""
    every = list(open_tasks(ledger))
    kept = [t for t in every if filters.hold(t, patient_id(t.patient), holds(t, reader))]
    by_band = {task.key: band_of(task, now, zone) for task in kept}
    order = list(BANDS)
    kept.sort(key=lambda t: (order.index(by_band[t.key]), pressing(t)))
    pages = max(1, -(-len(kept) // PAGE))
    page = min(filters.page, pages)
    rows = rows_of(ledger, kept[(page - 1) * PAGE : page * PAGE], reader, now, zone)
    bands = tuple(
        Band(id, title, sum(1 for band in by_band.values() if band == id), tuple(r for r in rows if r.band == id))
        for id, title in BANDS.items()
    )
    return Page(bands, page, pages, len(kept), len(every))


def open_tasks(ledger: Ledger) -> Iterable[Task]:
    """Every open task, in batches: an emergency is never beyond a limit."""
    offset = 0
    while True:
        found = ledger.find_tasks(statuses=_OPEN, limit=BATCH, offset=offset)
        yield from found
        if len(found) < BATCH:
            return
        offset += BATCH


_OPEN: Final = (*OPEN, "draft", "received")
"""Older versions of the service made no others; whatever is no end is shown."""


@dataclass(frozen=True, slots=True)
class Full:
    """One task with everything behind it: its row, why it exists, what happened to it.

    `again` are the days for which a next try can be planned, `until` those to which it can be put off; None if no day.
    """

    row: Row
    why: Why
    events: tuple[TaskEvent, ...]
    again: Days | None
    until: Days | None


def full(ledger: Ledger, book: RuleBook, task: Task, reader: Person, now: datetime, zone: ZoneInfo, pace: Pace) -> Full:
    """A task in full."""
    (row,) = rows_of(ledger, [task], reader, now, zone)
    furthest = now + pace.furthest(task)
    return Full(
        row, why(ledger, book, task), ledger.task_events(task.key), again=next_try(now, furthest, zone),
        until=put_off(now, furthest, zone),
    )  # fmt: skip
