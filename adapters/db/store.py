"""The store: opens transactions and hands out a ledger for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, func, inspect, select

from adapters.db import tables
from adapters.db.accounts import Accounts
from adapters.db.again import PAUSES, Again
from adapters.db.board import Board
from adapters.db.care import CareWords
from adapters.db.charts import Charts
from adapters.db.engine import make_engine, transaction
from adapters.db.errors import StoreUnavailableError
from adapters.db.feedback import Feedback
from adapters.db.jobs import Jobs
from adapters.db.letters import Letters
from adapters.db.log import Log
from adapters.db.marks import Marks
from adapters.db.migrate import at_head
from adapters.db.outbox import Outbox, Posts
from adapters.db.recalls import Recalls
from adapters.db.tables import metadata
from adapters.db.task_events import TaskEvents
from adapters.db.unread import Unread
from pathway.ports import Answer, Ledger


class SqlLedger(Charts, Recalls, Board, TaskEvents, CareWords, Letters, Posts, Log):
    """Everything that is stored, seen from one transaction."""


def _nobody(_name: str) -> None:
    """Nobody is told that something was posted: the next tick finds it."""


class SqlStore:
    """`pathway.ports.Store` on an engine. May be shared by threads; a process that forks opens its own afterwards.

    `ring` is called after the commit of what was posted; it must neither wait nor raise.
    """

    def __init__(self, engine: Engine, ring: Callable[[str], None] = _nobody) -> None:
        self._engine = engine
        self._ring = ring

    @contextmanager
    def write(self) -> Iterator[Ledger]:
        """A transaction that may write; committed when left without an error.

        It waits for other writers: on SQLite for all, on PostgreSQL for those of the patients that it writes on.
        """
        with transaction(self._engine, write=True) as connection:
            ledger = SqlLedger(connection)
            yield ledger
        if ledger.posted:
            self._ring("drain")

    def run(self, work: Callable[[Ledger], Answer], done: Callable[[Ledger], bool]) -> Answer:
        """Do `work` in a transaction that may write; again, a few times, if the database undid it for a passing reason.

        Passing are a deadlock, a serialization failure and a lost connection. Where the connection broke during COMMIT,
        `done` is asked first whether that run is stored. StoreUnavailableError when it lasts, and StoreUnsureError
        when in the end nobody could say.
        """
        again = Again(self.write, work, done)
        for pause in PAUSES:
            try:
                return again()
            except StoreUnavailableError as error:
                if not error.passes:
                    raise
            time.sleep(pause)
        return again()

    @contextmanager
    def read(self) -> Iterator[Ledger]:
        """A transaction that only reads one consistent state; it never waits for a writer."""
        with transaction(self._engine, write=False) as connection:
            yield SqlLedger(connection)

    def next_instant(self) -> datetime | None:
        """When the clock next has something to do: a task that wakes, a patient to decide on again; None for never."""
        with transaction(self._engine, write=False) as connection:
            columns = (tables.task.c.wake_at, tables.patient_head.c.recheck_at)
            found = [connection.scalar(select(func.min(column))) for column in columns]
        return min((at for at in found if at is not None), default=None)

    def is_current(self) -> bool:
        """Whether all migrations of this version have run. StoreUnavailableError if the database cannot be asked."""
        with transaction(self._engine, write=False) as connection:
            return at_head(connection)

    def missing_tables(self) -> tuple[str, ...]:
        """The tables that this version needs and the database lacks. StoreUnavailableError if it cannot be asked."""
        with transaction(self._engine, write=False) as connection:
            return tuple(sorted(metadata.tables.keys() - inspect(connection).get_table_names()))

    @contextmanager
    def accounts(self, *, write: bool) -> Iterator[Accounts]:
        """A transaction on accounts and sessions, which are none of the core's business."""
        with transaction(self._engine, write=write) as connection:
            yield Accounts(connection)

    @contextmanager
    def marks(self, *, write: bool) -> Iterator[Marks]:
        """A transaction on the marks of what goes on for ever."""
        with transaction(self._engine, write=write) as connection:
            yield Marks(connection)

    @contextmanager
    def feedback(self, *, write: bool) -> Iterator[Feedback]:
        """A transaction on what clinicians answered to cards."""
        with transaction(self._engine, write=write) as connection:
            yield Feedback(connection)

    @contextmanager
    def jobs(self, *, write: bool) -> Iterator[Jobs]:
        """A transaction on jobs and their parts."""
        with transaction(self._engine, write=write) as connection:
            yield Jobs(connection)

    @contextmanager
    def unread(self, *, write: bool) -> Iterator[Unread]:
        """A transaction on what could not be read."""
        with transaction(self._engine, write=write) as connection:
            yield Unread(connection)

    @contextmanager
    def outbox(self, *, write: bool) -> Iterator[Outbox]:
        """A transaction on what has to leave the house."""
        with transaction(self._engine, write=write) as connection:
            yield Outbox(connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def open_store(url: str, ring: Callable[[str], None] = _nobody) -> SqlStore:
    """The store at a URL (`adapters.db.address`), made by `upgrade` before; nothing is read yet."""
    return SqlStore(make_engine(url), ring)
