"""How PostgreSQL is opened: readers see one snapshot, writers see what is committed once they hold the patient.

Nothing waits for ever: not for a server that does not answer, nor for a lock, nor a statement, nor a transaction that
its process forgot. What a site writes into the URL's `options` comes later and wins.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, bindparam, create_engine, func, select, text

from adapters.db.errors import StoreUnavailableError
from adapters.db.tables import Text

# A server that went silent is given up after half a minute, a new one after three seconds (libpq's parameters).
_CONNECTION: Final = {
    "application_name": "pathway",
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_SETTINGS: Final = {
    "timezone": "UTC",
    "datestyle": "ISO",  # the only one that the driver reads
    "lock_timeout": "30s",  # as long as SQLite waits
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "client_min_messages": "warning",
}
# A key space of two numbers, which the locks on patients (one number of 64 bits) do not meet.
_UPGRADE: Final = (7_284, 1)
_HOLD: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("patient", type_=Text()), 0)))


def engine_on(url: URL, pool: dict[str, Any]) -> Engine:
    """An engine on a server's database. A connection that the server has closed meanwhile is replaced unseen."""
    ours = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    theirs = url.query.get("options", "")
    arguments: dict[str, Any] = {"options": f"{ours} {theirs}".strip()}
    arguments |= {name: value for name, value in _CONNECTION.items() if name not in url.query}
    url = url.difference_update_query(["options"])
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments, **pool)


def options(*, write: bool) -> dict[str, Any]:
    """What a connection must be told before its transaction begins."""
    if write:
        return {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def hold(connection: Connection, patient: str) -> None:
    """Wait until no other transaction holds this patient, and hold it until this one ends.

    A lock on a name and not on a row: a patient of whom nothing is stored yet has no row. Two names with one hash
    share a lock, which costs them a wait.
    """
    connection.execute(_HOLD, {"patient": patient})


def hold_upgrade(connection: Connection) -> None:
    """Wait, however long, until no other process upgrades this database; then let statements take their time."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    without_limits(connection)
    connection.execute(select(func.pg_advisory_xact_lock(*_UPGRADE)))
    connection.execute(text("SET LOCAL lock_timeout = '30s'"))


def refuse_other_encodings(connection: Connection) -> None:
    """StoreUnavailableError for a database that cannot hold every character."""
    if connection.scalar(text("SHOW server_encoding")) != "UTF8":
        raise StoreUnavailableError(
            "this database cannot hold every character",
            why="its encoding is not UTF8",
            fix="Make another with `createdb --encoding=UTF8 --template=template0`",
        )


def without_limits(connection: Connection) -> None:
    """For what reads or writes everything: no limit on a statement or a pause, until the transaction ends."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
