"""One part of a ledger: a connection in a transaction, and the inserts that all parts share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from adapters.db import postgres
from adapters.db.address import POSTGRESQL

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Rows:
    """Rows of one open transaction; of no use after it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: set[str] = set()

    def hold(self, patient: str) -> None:
        """Let no other transaction write on this patient until this one ends; waits for one that does.

        Every write on a patient does so by itself. Whoever first reads what it then writes by must do so before.
        """
        if patient in self._held or self._connection.dialect.name != POSTGRESQL:
            return  # on SQLite a writing transaction holds everything
        postgres.hold(self._connection, patient)
        self._held.add(patient)

    def _insert_new(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Insert a row unless its key is taken; whether it was inserted."""
        statement = _insert_or_pass(self._connection.dialect.name, table)
        return self._connection.execute(statement, row).rowcount == 1

    def _put(self, table: Table, row: Mapping[str, Any], **changed: Any) -> None:
        """Insert a row, or where its key is taken set the columns in `changed` to values or expressions."""
        insert = _INSERTS[self._connection.dialect.name](table)
        keys = list(table.primary_key)
        self._connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), row)


@cache  # building a statement costs SQLAlchemy more than running it costs SQLite
def _insert_or_pass(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    # An insert's rowcount is promised only when it is asked for.
    return _INSERTS[dialect](table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
