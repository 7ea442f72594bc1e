"""What the service's role may do on PostgreSQL, when it is not the owner of the tables: never change what is logged."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from adapters.db.address import POSTGRESQL
from adapters.db.errors import StoreUnavailableError

_APPEND: Final = "SELECT, INSERT"
_CHANGE: Final = "SELECT, INSERT, UPDATE"
_REMOVE: Final = "SELECT, INSERT, UPDATE, DELETE"
RIGHTS: Final = {
    "alembic_version": "SELECT",
    "payload": _APPEND,
    "submission": _APPEND,
    "patient_head": _CHANGE,
    "resource_version": _CHANGE,
    "decision": _APPEND,
    "release": _APPEND,
    "episode": _CHANGE,
    "task": _CHANGE,
    "task_event": _APPEND,
    "account": _CHANGE,
    "session": _REMOVE,
    "sign_in_attempt": _REMOVE,
}


def grant(connection: Connection, role: str) -> None:
    """Give a role what the service needs, and take from it what else it was given on these tables.

    StoreUnavailableError on SQLite, which has no roles.
    """
    if connection.dialect.name != POSTGRESQL:
        raise StoreUnavailableError(
            "there is no role to grant anything to", why="SQLite has none", fix="Use the rights of its file instead"
        )
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    for table, rights in RIGHTS.items():
        connection.execute(text(f'REVOKE ALL ON "{table}" FROM {quoted}'))
        connection.execute(text(f'GRANT {rights} ON "{table}" TO {quoted}'))
    connection.execute(text(f"GRANT USAGE ON SEQUENCE decision_sequence_seq TO {quoted}"))
