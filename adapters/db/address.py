"""Where the database is: a URL of a form that the store supports, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.db.errors import StoreUnavailableError

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"


def address(url: str) -> URL:
    """The database that a URL names: `sqlite:///var/pathway.db` or `postgresql://user@host/name`.

    StoreUnavailableError for any other, and for an SQLite in memory: a store outlives its process. The error never
    repeats the URL, which may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the second for a port that is no number
        raise _unsupported() from None
    if parsed.drivername in (SQLITE, f"{SQLITE}+pysqlite"):
        if parsed.database in (None, "", ":memory:") or parsed.query:
            raise _unsupported()
        return parsed
    if parsed.drivername in (POSTGRESQL, f"{POSTGRESQL}+psycopg") and parsed.database:
        return parsed.set(drivername=f"{POSTGRESQL}+psycopg")
    raise _unsupported()


def database_file(url: str) -> Path | None:
    """The absolute path of an SQLite database, `%25` in its URL meaning `%`; None for a server's database."""
    parsed = address(url)
    return Path(str(parsed.database)).absolute() if parsed.get_backend_name() == SQLITE else None


def _unsupported() -> StoreUnavailableError:
    return StoreUnavailableError(
        "this database is not supported",
        why="the store is a file of SQLite or a database of PostgreSQL",
        fix="Use a URL of the form sqlite:///path/to/file.db or postgresql://user@host/name",
    )
