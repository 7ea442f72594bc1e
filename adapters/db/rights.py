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
    "outbox": _CHANGE,
    "breaker": _CHANGE,
    "mark": _CHANGE,
    "job": _REMOVE,
    "job_part": _REMOVE,
    "unread": _CHANGE,
    "merge": _CHANGE,
    "care_word": _APPEND,
    "card_feedback": _APPEND,
    "letter": _APPEND,
}


def grant(connection: Connection, role: str) -> None:
    """Give a role what the service needs, and take from it what else it was given on these tables.

    StoreUnavailableError on SQLite, which has no roles, for a role that is not there, and for who does not own the
    tables.
    """
    if connection.dialect.name != POSTGRESQL:
        raise StoreUnavailableError(
            "there is no role to grant anything to", why="SQLite has none", fix="Use the rights of its file instead"
        )
    _check(connection, role)
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    for table, rights in RIGHTS.items():
        connection.execute(text(f'REVOKE ALL ON "{table}" FROM {quoted}'))
        connection.execute(text(f'GRANT {rights} ON "{table}" TO {quoted}'))
    connection.execute(text(f"GRANT USAGE ON SEQUENCE decision_sequence_seq TO {quoted}"))


def _check(connection: Connection, role: str) -> None:
    """That the role is there, and that we may give: GRANT by another role than the owner may pass and give nothing."""
    if not connection.execute(
        text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)"), {"role": role}
    ).scalar():
        raise StoreUnavailableError("the server has no such role", where="--grant-to", fix="Make it with createuser")
    owned = text(
        "SELECT bool_and(pg_has_role(tableowner, 'USAGE')) FROM pg_tables"
        " WHERE schemaname = current_schema() AND tablename = ANY(:tables)"
    )
    if not connection.execute(owned, {"tables": list(RIGHTS)}).scalar():
        raise StoreUnavailableError(
            "only the owner of the tables can give rights on them", where="--grant-to",
            fix="Run this with the owner's PATHWAY_DATABASE_URL",
        )  # fmt: skip
