"""What the database can do to us, in words that a person can act on.

    PathwayError
    ├── StoreUnavailableError   locked, full, missing, damaged, or of another version: nothing was stored
    └── StoreRefusedError       what was to be written breaks a rule of the store: a defect in the caller

Only SQLite's name of the fault is read, never its message: messages of other databases carry values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pathway.errors import PathwayError


class StoreUnavailableError(PathwayError):
    """The database cannot be used now; the transaction left nothing behind."""


class StoreRefusedError(PathwayError):
    """The database refused a row: it is there already and may not change, or it refers to nothing."""


class _Fault(NamedTuple):
    what: str
    why: str
    fix: str


# SQLite's primary result codes (https://sqlite.org/rescode.html), without what extended codes add to them.
_FAULTS: Final = {
    "SQLITE_BUSY": _Fault(
        "the database is locked",
        "another process kept it for longer than the busy timeout",
        "Try again; if it lasts, find the process that holds the file open",
    ),
    "SQLITE_FULL": _Fault(
        "the database cannot grow",
        "the disk or the database's page limit is full",
        "Make room, then try again",
    ),
    "SQLITE_CANTOPEN": _Fault(
        "the database cannot be opened",
        "its file is missing or may not be read",
        "Check the database URL and the rights of the file and its directory; an upgrade makes a new one",
    ),
    "SQLITE_READONLY": _Fault(
        "the database cannot be written",
        "its file, its directory or this transaction is read only",
        "Check the rights of the file and its directory, and that a writing transaction was opened",
    ),
    "SQLITE_IOERR": _Fault(
        "the database file cannot be read or written", "the disk answered with an error", "Check the disk"
    ),
    "SQLITE_CORRUPT": _Fault("the database is damaged", "its pages do not fit together", "Restore a backup"),
    "SQLITE_NOTADB": _Fault(
        "the database cannot be read", "the file is not an SQLite database", "Check the database URL"
    ),
    "SQLITE_ERROR": _Fault(
        "the database does not fit this version of the service",
        "a table or column is missing",
        "Upgrade the database; starting the service does",
    ),
}
_POOL = _Fault(
    "no database connection is free", "too many transactions are open at once", "Use fewer threads, or try again"
)
_REFUSED = _Fault(
    "the store refused a row",
    "it is stored already and may not change, or what it refers to is not stored",
    "This is a defect of the service: report it with the time it happened",
)


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what the database raises inside into `PathwayError`s; an error in a value (TypeError) stays itself."""
    try:
        yield
    except IntegrityError as error:
        raise StoreRefusedError(_REFUSED.what, why=_REFUSED.why, fix=_REFUSED.fix) from error
    except (DBAPIError, sqlite3.Error, PoolTimeoutError) as error:
        fault = _fault(error)
        raise StoreUnavailableError(fault.what, why=fault.why, fix=fault.fix) from error
    except StatementError as error:
        raise error.orig or error from None  # raised by a column type that refused a value


def _fault(error: Exception) -> _Fault:
    if isinstance(error, PoolTimeoutError):
        return _POOL
    name = str(getattr(getattr(error, "orig", error), "sqlite_errorname", ""))
    primary = "_".join(name.split("_")[:2])
    unknown = _Fault("the database failed", name or type(error).__name__, "See the documentation of this code")
    return _FAULTS.get(primary, unknown)
