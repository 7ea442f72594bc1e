"""The codes of SQLite and PostgreSQL that we know, each with what is wrong, why, and what mends it."""

from __future__ import annotations

from typing import Final, NamedTuple


class Fault(NamedTuple):
    """A fault in words. `passes`: the same transaction may succeed if it is simply run again."""

    what: str
    why: str
    fix: str
    passes: bool = False


POOL: Final = Fault(
    "no database connection is free", "too many transactions are open at once", "Use fewer threads, or try again"
)
REFUSED: Final = Fault(
    "the store refused a row",
    "it is stored already and may not change, what it refers to is not stored, or a value does not fit",
    "This is a defect of the service: report it with the time it happened",
)
UNSURE: Final = Fault(
    "the database went away while it was storing this",
    "all of it is stored, or nothing",
    "Send it again: what is stored already is not stored twice",
)

_OLD: Final = Fault(
    "the database does not fit this version of the service",
    "a table or column is missing",
    "Upgrade the database; starting the service does, or `pathway upgrade` by the owner of its tables",
)
_LOCKED: Final = Fault(
    "the database is locked",
    "another process kept it for longer than the busy timeout",
    "Try again; if it lasts, find the process that holds it open",
)
_DISK: Final = Fault("the database file cannot be read or written", "the disk answered with an error", "Check the disk")
_DAMAGED: Final = Fault("the database is damaged", "its pages do not fit together", "Restore a backup")
_READ_ONLY: Final = Fault(
    "the database cannot be written",
    "its file, its directory, its server or this transaction is read only",
    "Check the rights of the file and its directory, or that the server is not a standby",
)
_FULL: Final = Fault(
    "the database cannot grow", "the disk or the database's page limit is full", "Make room, then try again"
)

# SQLite's primary result codes (https://sqlite.org/rescode.html), without what extended codes add to them.
_SQLITE: Final = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_CANTOPEN": Fault(
        "the database cannot be opened",
        "its file is missing or may not be read",
        "Check the database URL and the rights of the file and its directory; an upgrade makes a new one",
    ),
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_IOERR": _DISK,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": Fault(
        "the database cannot be read", "the file is not an SQLite database", "Check the database URL"
    ),
    "SQLITE_ERROR": _OLD,
}

_LOST: Final = Fault(
    "the database cannot be reached",
    "its server is down, is starting, has no connection left for us, or does not know this role or database",
    "Check that it runs, and the database URL; this service goes on by itself as soon as it answers",
    passes=True,
)
_BETWEEN: Final = Fault(
    "another transaction came between", "both wanted the same rows", "Try again; nothing was stored", passes=True
)
_SLOW: Final = Fault("the database took too long", "a statement or a pause passed its limit", "Try again")

# PostgreSQL's error codes (https://www.postgresql.org/docs/15/errcodes-appendix.html); two characters name a class.
_POSTGRESQL: Final = {
    "08": _LOST,
    "57P": _LOST,
    "40": _BETWEEN,
    "55P03": _LOCKED,
    "57014": _SLOW,
    "25P03": _SLOW,
    "25006": _READ_ONLY,
    "53100": _FULL,
    "53": Fault(
        "the database has no room for this", "its server is out of memory or connections", "Try again, or give it more"
    ),
    "58": _DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "42P01": _OLD,
    "42703": _OLD,
    "3F000": _OLD,
    "42501": Fault(
        "the database does not allow this to the service's role",
        "a right on a table is missing",
        "Let the owner of the tables run `pathway upgrade --grant-to ROLE`",
    ),
}


def of_sqlite(name: str) -> Fault:
    """What an SQLite result code's name means."""
    return _SQLITE.get("_".join(name.split("_")[:2])) or _unknown(name)


def of_postgresql(state: str | None, *, broken: bool) -> Fault:
    """What an SQLSTATE means. There is none when the connection itself fails (`broken`), or when the driver refuses."""
    if state is None:
        return _LOST if broken else _unknown("")
    for length in (5, 3, 2):
        if state[:length] in _POSTGRESQL:
            return _POSTGRESQL[state[:length]]
    return _unknown(state)


def _unknown(code: str) -> Fault:
    if not code:
        return Fault("the database failed", "its driver gave no code", "Check the parameters in the database URL")
    return Fault("the database failed", code, "See the documentation of this code")
