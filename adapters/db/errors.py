"""What the database can do to us, in words that a person can act on.

    PathwayError
    ├── StoreUnavailableError   locked, full, missing, down, damaged, or of another version: nothing was stored
    │   └── StoreUnsureError    the connection broke during COMMIT: all of it is stored, or nothing
    └── StoreRefusedError       what was to be written breaks a rule of the store: a defect in the caller

Only the database's code for a fault is read, never its message: messages carry values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.db import faults
from adapters.db.faults import Fault
from pathway.errors import PathwayError


class StoreUnavailableError(PathwayError):
    """The database cannot be used now; the transaction left nothing behind.

    `passes`: the database itself undid the transaction, or lost it, for a reason that may be gone at once.
    """

    passes: bool = False


class StoreUnsureError(StoreUnavailableError):
    """The connection broke while the transaction was being committed: all of it is stored, or nothing."""

    passes = True

    def __init__(self) -> None:
        super().__init__(faults.UNSURE.what, why=faults.UNSURE.why, fix=faults.UNSURE.fix)


class StoreRefusedError(PathwayError):
    """The database refused a row: it is there already and may not change, or it refers to nothing."""


@dataclass
class Progress:
    """How far a transaction has come: a connection lost during COMMIT leaves open how it ended."""

    committing: bool = False


@contextmanager
def database_errors() -> Iterator[Progress]:
    """Turn what the database raises inside into `PathwayError`s; an error in a value (TypeError) stays itself."""
    progress = Progress()
    try:
        yield progress
    except (IntegrityError, DataError) as error:
        refused = faults.REFUSED
        raise StoreRefusedError(refused.what, why=refused.why, fix=refused.fix) from error
    except (DBAPIError, sqlite3.Error, PoolTimeoutError) as error:
        if progress.committing and _lost(error):
            raise StoreUnsureError() from error
        raise _unavailable(_fault(error)) from error
    except StatementError as error:
        raise error.orig or error from None  # raised by a column type that refused a value


def _unavailable(fault: Fault) -> StoreUnavailableError:
    error = StoreUnavailableError(fault.what, why=fault.why, fix=fault.fix)
    error.passes = fault.passes
    return error


def _lost(error: Exception) -> bool:
    """Whether the server went away, by its own word (08…, 57P…) or without one."""
    state = getattr(getattr(error, "orig", error), "sqlstate", "none")
    return state is None or state.startswith(("08", "57P"))


def _fault(error: Exception) -> Fault:
    if isinstance(error, PoolTimeoutError):
        return faults.POOL
    cause = getattr(error, "orig", error)
    state = getattr(cause, "sqlstate", "none")  # of psycopg's errors only
    if state != "none":
        return faults.of_postgresql(state, broken=isinstance(error, (OperationalError, InterfaceError)))
    return faults.of_sqlite(str(getattr(cause, "sqlite_errorname", "")))
