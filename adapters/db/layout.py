"""Rows as lines of text that are the same for both databases: what a backup is made of.

A line is a JSON array of a row's values in the order of its columns; bytes are base64, instants RFC 3339 in UTC.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Connection, Integer, LargeBinary, MetaData, Table, select
from sqlalchemy.types import TypeEngine

from adapters.db import tables
from pathway.canonical import instant, parse_instant

# Who is signed in, or tried to, ends with the database: a restored one asks everybody to sign in again.
LEFT_OUT: Final = frozenset({"session", "sign_in_attempt"})

_TYPES: Final[dict[str, type[TypeEngine[Any]]]] = {
    "instant": tables.Instant,
    "text": tables.Text,
    "bytes": LargeBinary,
    "json": JSON,
    "boolean": Boolean,
    "integer": Integer,
}
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """One table as a backup knows it: its name, its columns with the kind of each, and the columns of its key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]

    @classmethod
    def of(cls, table: Table) -> Layout:
        """The layout of a table of this version."""
        columns = tuple((column.name, _kind(column)) for column in table.columns)
        return cls(table.name, columns, tuple(column.name for column in table.primary_key))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Layout:
        """As `to_json` wrote it; KeyError, TypeError or ValueError for anything else."""
        columns = tuple((str(name), str(kind)) for name, kind in document["columns"])
        if not {kind for _, kind in columns} <= _TYPES.keys():
            raise ValueError("a kind of column that is not known here")
        name, key = str(document["name"]), tuple(str(name) for name in document["key"])
        if name in LEFT_OUT or not key or not set(key) <= {name for name, _ in columns}:
            raise ValueError("a table that no backup holds, or one without its key")
        return cls(name, columns, key)

    def to_json(self) -> dict[str, Any]:
        """For the head of a backup."""
        return {"name": self.name, "columns": self.columns, "key": self.key}

    @property
    def table(self) -> Table:
        """A table of this shape, whatever this version of the service has under that name."""
        return Table(self.name, MetaData(), *(Column(name, _TYPES[kind]()) for name, kind in self.columns))

    @contextmanager
    def lines(self, connection: Connection) -> Iterator[Iterator[tuple[bytes, dict[str, Any]]]]:
        """All rows in the order of the key, each as its line and as values; a few in memory at a time."""
        table = self.table
        query = select(table).order_by(*(table.c[name] for name in self.key))
        with connection.execute(query, execution_options={"yield_per": _BATCH}) as found:
            yield ((_line(self._plain(row)), dict(row._mapping)) for row in found)

    def _plain(self, row: Sequence[Any]) -> list[Any]:
        return [_PLAIN.get(kind, _same)(value) for value, (_, kind) in zip(row, self.columns, strict=True)]

    def row(self, values: Sequence[Any]) -> dict[str, Any]:
        """The row of a line's values; ValueError, TypeError or KeyError for values that are none."""
        if len(values) != len(self.columns):
            raise ValueError("a row with more or fewer values than columns")
        return {name: _BACK.get(kind, _same)(value) for value, (name, kind) in zip(values, self.columns, strict=True)}


def layouts() -> tuple[Layout, ...]:
    """All tables that a backup holds, those that others refer to first."""
    return tuple(Layout.of(t) for t in tables.metadata.sorted_tables if t.name not in LEFT_OUT)


def _kind(column: Column[Any]) -> str:
    return next(kind for kind, of in _TYPES.items() if isinstance(column.type, of))


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _same(value: Any) -> Any:
    return value


_PLAIN: Final = {
    "bytes": lambda value: b64encode(value).decode(),
    "instant": lambda value: value and instant(value),
    "boolean": bool,
}
_BACK: Final = {
    "bytes": lambda value: b64decode(value, validate=True),
    "instant": lambda value: value and parse_instant(value),
}
