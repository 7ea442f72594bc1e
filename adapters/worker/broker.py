"""Which broker: a file beside the database on one machine, RabbitMQ or Redis elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from adapters.db.address import database_file
from adapters.settings import Settings
from pathway.errors import BadInputError

AMQP: Final = ("amqp://", "amqps://")
REDIS: Final = ("redis://", "rediss://")
FILE: Final = "sqla+sqlite://"
_UNHEARD: Final = 1000


def broker(settings: Settings) -> str:
    """The broker's address: the one that is set, else a file beside an SQLite database; BadInputError for none."""
    given = settings.broker_url.get_secret_value()
    if given:
        return given
    database = database_file(settings.database_url)
    if database is None:
        raise BadInputError(
            "no broker is named", where="PATHWAY_BROKER_URL", why="a database on a server serves several machines",
            fix="Set it to amqp://… (RabbitMQ) or redis://…",
        )  # fmt: skip
    path = database.with_name("broker.sqlite3")
    return "sqla+" + URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def broker_file(address: str) -> Path | None:
    """The file of a broker that is one."""
    return Path(str(make_url(address.removeprefix("sqla+")).database)) if address.startswith(FILE) else None


def make_file(address: str) -> None:
    """Make the broker's file, for its owner alone, if it is one and is not there."""
    path = broker_file(address)
    if path is None:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=10)) as connection, suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")  # kept in the file; who reads and who rings do not wait


def sweep_file(address: str) -> None:
    """Remove from the broker's file what was heard, which celery leaves there, and all but the last unheard bells."""
    path = broker_file(address)
    if path is None:
        return
    busy = suppress(sqlite3.OperationalError)  # or not made yet: the next time
    with closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as connection, busy:
        connection.execute("DELETE FROM kombu_message WHERE NOT visible")
        newest = "SELECT max(id) FROM kombu_message"
        connection.execute(f"DELETE FROM kombu_message WHERE id <= ({newest}) - ?", (_UNHEARD,))
