"""How SQLite is opened so that no write is lost and no writer meets a busy error.

Writers take the lock at BEGIN (IMMEDIATE): a deferred one that turns into a writer later cannot wait for it and
fails. Readers see one snapshot and are refused every write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

BUSY_SECONDS: Final = 30
_WRITE: Final = "pathway_write"
_PRAGMAS: Final = (
    "PRAGMA synchronous = FULL",  # WAL's default, NORMAL, may lose the last commits with the power
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # otherwise INSERT OR REPLACE deletes without asking the triggers
)


def engine_on(path: Path, pool: dict[str, Any]) -> Engine:
    """An engine on a database file that exists; connecting to a missing one is an error and makes no file."""
    query = {"uri": "true", "mode": "rw", "timeout": str(BUSY_SECONDS)}
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
    engine = create_engine(url, hide_parameters=True, **pool)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    _follow_name(engine, path)
    return engine


def options(*, write: bool) -> dict[str, Any]:
    """What a connection must be told before its transaction begins."""
    return {_WRITE: write}


def _follow_name(engine: Engine, path: Path) -> None:
    """Give up a connection whose file no longer has its name: it was moved, removed or replaced.

    An open file outlives its name, and SQLite writes on: what was acknowledged would be found by nobody.
    """

    def remember(_connection: Any, record: Any) -> None:
        record.info["file"] = _file_at(path)

    def compare(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _file_at(path):
            raise DisconnectionError("the file has another name")

    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", compare)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _on_connect(dbapi_connection: Any, _record: Any) -> None:
    """Silence the driver's own BEGIN (SQLAlchemy's documented way for sqlite3) and set what SQLite forgets."""
    dbapi_connection.isolation_level = None
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
