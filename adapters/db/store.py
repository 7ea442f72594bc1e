"""The store: opens transactions and hands out a ledger for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from adapters.db.board import Board
from adapters.db.charts import Charts
from adapters.db.engine import make_engine, transaction
from adapters.db.log import Log
from pathway.ports import Ledger


class SqlLedger(Charts, Board, Log):
    """Everything that is stored, seen from one transaction."""


class SqlStore:
    """`pathway.ports.Store` on an engine. May be shared by threads; a process that forks opens its own afterwards."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def write(self) -> Iterator[Ledger]:
        """A transaction that may write; committed when left without an error. It waits for other writers."""
        with transaction(self._engine, write=True) as connection:
            yield SqlLedger(connection)

    @contextmanager
    def read(self) -> Iterator[Ledger]:
        """A transaction that only reads one consistent state; it never waits for a writer."""
        with transaction(self._engine, write=False) as connection:
            yield SqlLedger(connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def open_store(url: str) -> SqlStore:
    """The store at a URL such as `sqlite:///var/pathway.db`, made by `upgrade` before; nothing is read yet."""
    return SqlStore(make_engine(url))
