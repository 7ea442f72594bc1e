"""Makes the database and brings it to this version, all in one transaction that other starters wait for."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from adapters.db.engine import BUSY_SECONDS, database_file, make_engine, transaction
from adapters.db.errors import StoreUnavailableError, database_errors


def upgrade(url: str) -> None:
    """Make the database if it is missing (directory 0700, file 0600) and run the migrations it lacks.

    Safe when several processes start at once: the first does the work, the others wait and find it done.
    StoreUnavailableError if it cannot be made, or if a newer version of the service made it.
    """
    _make_file(database_file(url))
    engine = make_engine(url)
    try:
        _use_wal(engine)
        with transaction(engine, write=True) as connection:
            command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise StoreUnavailableError(
            "the database cannot be upgraded",
            why="it holds a revision that this version of the service does not know",
            fix="Run the version that last used it, or a newer one",
        ) from error
    finally:
        engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need: the packaged scripts, and the open transaction to work in."""
    config = Config()
    config.set_main_option("script_location", "adapters.db:migrations")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


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
