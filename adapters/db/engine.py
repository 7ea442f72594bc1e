"""Engines and transactions: how SQLite is opened so that no write is lost and no writer meets a busy error.

Writers take the lock at BEGIN (IMMEDIATE): a deferred one that turns into a writer later cannot wait for it and
fails. Readers see one snapshot and are refused every write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from adapters.db.errors import StoreUnavailableError, database_errors

BUSY_SECONDS: Final = 30
_WRITE: Final = "pathway_write"
_PRAGMAS: Final = (
    "PRAGMA synchronous = FULL",  # WAL's default, NORMAL, may lose the last commits with the power
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # otherwise INSERT OR REPLACE deletes without asking the triggers
)


def database_file(url: str) -> Path:
    """The absolute path of the database that a URL such as `sqlite:///var/pathway.db` names, `%25` meaning `%`.

    StoreUnavailableError for another database or for one in memory: a store outlives its process.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unsupported() from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:") or parsed.query:
        raise _unsupported()
    return Path(str(parsed.database)).absolute()


def _unsupported() -> StoreUnavailableError:
    return StoreUnavailableError(
        "this database is not supported",
        why="the store is a file of SQLite",
        fix="Use a URL of the form sqlite:///path/to/file.db",
    )


def make_engine(url: str) -> Engine:
    """An engine on a database file that exists; connecting to a missing one is an error and makes no file."""
    where = f"file:{quote(str(database_file(url)))}"
    query = {"uri": "true", "mode": "rw", "timeout": str(BUSY_SECONDS)}
    # hide_parameters: no patient's value in an error's text
    engine = create_engine(URL.create("sqlite", database=where, query=query), hide_parameters=True)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


@contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """One transaction: committed when left without an error, else undone. Raises `PathwayError`s for the database's."""
    with database_errors(), engine.connect() as connection:
        connection.execution_options(**{_WRITE: write})
        with connection.begin():
            yield connection


def _on_connect(dbapi_connection: Any, _record: Any) -> None:
    """Silence the driver's own BEGIN (SQLAlchemy's documented way for sqlite3) and set what SQLite forgets."""
    dbapi_connection.isolation_level = None
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
