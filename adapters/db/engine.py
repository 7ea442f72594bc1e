"""Engines and transactions on either database. A forked process never uses its parent's connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import Connection, Engine

from adapters.db import postgres, sqlite
from adapters.db.address import POSTGRESQL, address, database_file
from adapters.db.errors import database_errors

_POOL: Final[dict[str, Any]] = {"pool_size": 10, "max_overflow": 5, "pool_timeout": 30}
_ENGINES: Final[WeakSet[Engine]] = WeakSet()
_PARENTS: Final[list[Any]] = []


def make_engine(url: str) -> Engine:
    """An engine on the database that a URL names, with nothing opened yet. Its errors hide what was to be stored."""
    path = database_file(url)
    engine = postgres.engine_on(address(url), _POOL) if path is None else sqlite.engine_on(path, _POOL)
    _ENGINES.add(engine)
    return engine


@contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """One transaction: committed when left without an error, else undone. Raises `PathwayError`s for the database's."""
    options = postgres.options if engine.dialect.name == POSTGRESQL else sqlite.options
    with database_errors() as progress, engine.connect() as connection:
        connection.execution_options(**options(write=write))
        with connection.begin():
            yield connection
            progress.committing = write


def _after_fork() -> None:
    """Begin with no connection. The parent's are kept out of reach but not closed: closing would end its sessions."""
    for engine in _ENGINES:
        _PARENTS.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)
