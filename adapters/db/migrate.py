"""Makes the database and brings it to this version, all in one transaction that other starters wait for."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from adapters.db import postgres
from adapters.db.address import POSTGRESQL, database_file
from adapters.db.engine import make_engine, transaction
from adapters.db.errors import StoreUnavailableError, database_errors
from adapters.db.rights import grant
from adapters.db.sqlite import BUSY_SECONDS


def upgrade(url: str, grant_to: str = "") -> None:
    """Make an SQLite file if it is missing (directory 0700, file 0600), and run the migrations the database lacks.

    `grant_to`: a role of PostgreSQL that is given what the service needs. Safe when several processes start at once:
    the first does the work, the others wait and find it done. StoreUnavailableError if it cannot be made or reached,
    if this role may not change its tables, or if a newer version of the service made it.
    """
    with prepared(url) as engine:
        if engine.dialect.name == POSTGRESQL and not grant_to and _is_done(engine):
            return  # whoever may only use the tables may start too
        with transaction(engine, write=True) as connection:
            migrate(connection)
            if grant_to:
                grant(connection, grant_to)


@contextmanager
def prepared(url: str) -> Iterator[Engine]:
    """An engine for making tables, on a file that is made if it is missing; disposed of at the end."""
    path = database_file(url)
    if path is not None:
        _make_file(path)
    engine = make_engine(url)
    try:
        if path is not None:
            _use_wal(engine)
        yield engine
    finally:
        engine.dispose()


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision inside an open transaction; StoreUnavailableError if it is not known here."""
    if connection.dialect.name == POSTGRESQL:
        postgres.hold_upgrade(connection)
        postgres.refuse_other_encodings(connection)
    try:
        command.upgrade(alembic_config(connection), revision)
    except CommandError as error:
        raise StoreUnavailableError(
            "the database cannot be upgraded",
            why="it holds a revision that this version of the service does not know",
            fix="Run the version that last used it, or a newer one",
        ) from error


def _is_done(engine: Engine) -> bool:
    with transaction(engine, write=False) as connection:
        return at_head(connection)


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need: the packaged scripts, and the open transaction to work in."""
    config = Config()
    config.set_main_option("script_location", "adapters.db:migrations")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def at_head(connection: Connection) -> bool:
    """Whether every migration that this version knows has run, and no other."""
    return set(MigrationContext.configure(connection).get_current_heads()) == _heads()


@cache
def _heads() -> frozenset[str]:
    config = Config()
    config.set_main_option("script_location", "adapters.db:migrations")
    config.set_main_option("path_separator", "newline")
    return frozenset(ScriptDirectory.from_config(config).get_heads())


def _make_file(path: Path) -> None:
    """Before SQLite does, for its rights: the log and index files that SQLite adds take them over."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailableError(
            "the database file cannot be made or opened", why=os.strerror(error.errno or 0),
            fix="Check the database URL and the rights of its directory",
        ) from error  # fmt: skip


def _use_wal(engine: Engine) -> None:
    """Switch the file to WAL for good. SQLite does not wait for other starters here, whatever its busy timeout."""
    deadline = time.monotonic() + BUSY_SECONDS
    with database_errors():
        connection = engine.raw_connection()
        try:
            while True:
                try:
                    connection.cursor().execute("PRAGMA journal_mode = WAL")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                time.sleep(0.02)
        finally:
            connection.close()
