"""`backup` and `restore`: everything that is stored, from one database into one file, and back into either database.

Both look at each thing they move: bytes must have their hash, a decision and a release theirs. A restored database
is read again, before it is committed, and must come to what the file says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from gzip import GzipFile
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, inspect, text

from adapters.db import migrate, postgres
from adapters.db.address import POSTGRESQL, database_file
from adapters.db.archive import BackupError, Head, Rows, Sum, new_file, opened
from adapters.db.engine import make_engine, transaction
from adapters.db.layout import Layout, layouts
from pathway import __version__
from pathway.canonical import instant, sha256

# What must have the hash that stands beside it.
_HASHED: Final = {"payload": ("sha256", "body"), "release": ("sha256", "body"), "decision": ("body_sha256", "body")}
_BATCH: Final = 200
_EMPTY: Final = "Restore into a new database: a file that does not exist yet, or one of PostgreSQL without tables"


def backup(url: str, path: Path, now: datetime) -> Sum:
    """Write everything that is stored to a new file (0600), as it was at one instant, while others go on writing.

    What it came to. BackupError if the file cannot be written, if something stored does not have its hash, or if the
    database is of another version; then there is no file.
    """
    engine = make_engine(url)
    try:
        with transaction(engine, write=False) as connection, new_file(path) as file:
            _take_time(connection)
            return _write(connection, file, now)
    finally:
        engine.dispose()


def restore(url: str, path: Path) -> Sum:
    """Fill an empty database from a backup's file, and bring it to this version: all of it, or nothing.

    The file is read to its end before the database is touched. BackupError for a file that is not whole, and for a
    database that holds anything.
    """
    with opened(path) as (_, rows):
        expected = _drain(rows)
    with _emptied_on_failure(url), opened(path) as (head, rows), migrate.prepared(url) as engine:
        with transaction(engine, write=True) as connection:
            _refuse_unless_empty(connection)
            migrate.migrate(connection, head.schema)
            _take_time(connection)
            _fill(connection, rows)
            _verify(connection, head, expected)
            migrate.migrate(connection)
        return expected


def _write(connection: Connection, file: GzipFile, now: datetime) -> Sum:
    if not migrate.at_head(connection):
        raise BackupError(
            "this database is of another version", where="backup", fix="Upgrade it first: `pathway upgrade`"
        )
    (schema,) = connection.scalars(text("SELECT version_num FROM alembic_version"))
    head = Head(schema, __version__, instant(now), layouts())
    first = json.dumps(head.to_json(), separators=(",", ":")).encode() + b"\n"
    file.write(first)
    found = Sum()
    found.head(first)
    for number, layout in enumerate(head.tables):
        with layout.lines(connection) as lines:
            for line, row in lines:
                _check_hash(layout, row)
                found.row(layout.name, line)
                file.write(b"[%d," % number + line[1:])
    file.write(json.dumps(found.to_json(), separators=(",", ":")).encode() + b"\n")
    return found


def _check_hash(layout: Layout, row: dict[str, Any]) -> None:
    if layout.name in _HASHED:
        told, body = (row[name] for name in _HASHED[layout.name])
        if sha256(body) != told:
            raise BackupError(
                "something stored was changed", where=f"{layout.name} {row[layout.key[0]]}",
                why="its bytes do not have the hash that was stored with them", fix="Keep your last whole backup",
            )  # fmt: skip


def _drain(rows: Rows) -> Sum:
    """Read to the end; what it came to."""
    while True:
        try:
            layout, row = next(rows)
        except StopIteration as end:
            return end.value
        _check_hash(layout, row)


def _fill(connection: Connection, rows: Rows) -> None:
    waiting: list[dict[str, Any]] = []
    table: Layout | None = None
    for layout, row in rows:
        if waiting and (layout != table or len(waiting) == _BATCH):
            _insert(connection, table, waiting)
            waiting = []
        table = layout
        waiting.append(row)
    if waiting:
        _insert(connection, table, waiting)
    if connection.dialect.name == POSTGRESQL:
        last = "SELECT setval('decision_sequence_seq', max(sequence)) FROM decision HAVING max(sequence) > 0"
        connection.execute(text(last))


def _insert(connection: Connection, layout: Layout | None, rows: list[dict[str, Any]]) -> None:
    if layout is not None:
        connection.execute(insert(layout.table), rows)


def _verify(connection: Connection, head: Head, expected: Sum) -> None:
    """What is in the database now, read again, must be what the file said."""
    found = Sum()
    for layout in head.tables:
        with layout.lines(connection) as lines:
            for line, row in lines:
                _check_hash(layout, row)
                found.row(layout.name, line)
    if found.tables() != expected.tables():
        raise BackupError(
            "the restored rows are not those of the backup", where="restore", why="the database changed them",
            fix="Nothing was stored. Report it with the versions of the service and of the database",
        )  # fmt: skip


def _refuse_unless_empty(connection: Connection) -> None:
    if inspect(connection).get_table_names():
        raise BackupError("this database is not empty", where="restore", why="it has tables already", fix=_EMPTY)


@contextmanager
def _emptied_on_failure(url: str) -> Iterator[None]:
    """A file of SQLite that was not there before is not there after a failure either."""
    path = database_file(url)
    ours = path is not None and not path.exists()
    try:
        yield
    except BaseException:
        if ours and path is not None:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                with suppress(OSError):
                    path.with_name(name).unlink()
        raise


def _take_time(connection: Connection) -> None:
    if connection.dialect.name == POSTGRESQL:
        postgres.without_limits(connection)
