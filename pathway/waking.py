"""Waking: what the clock does to the tasks whose time has come, each in a short transaction of its own.

Several sweepers may do it at once, and one may stop anywhere: a task is found again until its row says otherwise. A
task that cannot be moved is told of, and keeps no other waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from pathway.clockwork import Pace, tick
from pathway.errors import ChartMovedError
from pathway.history import clock_event
from pathway.keeping import keep_task
from pathway.leases import Tell, silent
from pathway.ports import DueTask, Ledger, Store
from pathway.tasks import Task

TRY_AGAIN: Final = timedelta(minutes=1)
"""A task that the clock could not move waits so long for the next try: it may be an emergency."""


def wake(
    store: Store, now: datetime, pace: Pace, channels: Collection[str], limit: int,
    stop: Callable[[], bool] = lambda: False, tell: Tell = silent,
) -> int:  # fmt: skip
    """Do what is due for at most `limit` tasks, emergencies first, then the longest waiting; how many were moved, or
    put off because they could not be.
    """
    with store.read() as ledger:
        due = ledger.due_tasks(now, limit)
    moved = 0
    for task in due:
        if stop():
            break
        try:
            moved += _wake(store, task, now, pace, channels)
        except Exception as fault:  # one row that cannot be read may not stop the clock for all
            tell("wake-failed", task=task.id, fault=type(fault).__name__)
            with store.write() as ledger:  # where the store itself is away, that comes out here
                ledger.rest_task(task, now + TRY_AGAIN)
            moved += 1
    return moved


def _wake(store: Store, seen: DueTask, now: datetime, pace: Pace, channels: Collection[str]) -> bool:
    def work(ledger: Ledger) -> bool:
        ledger.hold(seen.patient)
        return run_down(ledger, ledger.find_task(seen.id), now, pace, channels) is not None

    try:
        return store.run(work, lambda ledger: ledger.find_task(seen.id).version > seen.version)
    except ChartMovedError:
        return False  # somebody else was quicker; what is left to do is found again


def run_down(ledger: Ledger, task: Task, now: datetime, pace: Pace, channels: Collection[str]) -> Task | None:
    """Do one after the other what the clock has to do to a task by now, in an open transaction; None if nothing was."""
    moved: Task | None = None
    while step := tick(moved or task, pace, now):
        before, (after, what) = moved or task, step
        keep_task(ledger, before, after, clock_event(before, after, what) if what else None, channels, now)
        moved = after
    return moved
