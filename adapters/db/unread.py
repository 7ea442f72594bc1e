"""What came and could not be read, one row for the same bytes of one source however often they come."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, select, update

from adapters.db import tables
from adapters.db.deliveries import Deliveries
from pathway.errors import NotFoundError

_ROW = tables.unread.c
_VERSION = tables.resource_version.c
_NAMESPACE: Final = uuid.UUID("5f0b1a86-3a54-5d0e-9d8f-0c2f3f6f1c11")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read: where it came from and stood, why, and how to mend it. `data` are its own bytes.

    `patient` and `reference` are empty where nobody can tell. `code` is a FHIR issue type.
    """

    source: str
    door: str
    place: str
    why: str
    data: bytes
    fix: str = ""
    code: str = "invalid"
    patient: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row of the list. `state` is open, read (it, or a later version of it, could be) or dismissed."""

    id: str
    at: datetime
    source: str
    door: str
    patient: str
    place: str
    reference: str
    code: str
    why: str
    fix: str
    sha256: str
    state: str
    handled_at: datetime | None
    handled_by: str
    note: str


class Unread(Deliveries):
    """The list, seen from one transaction."""

    def add(self, what: Unreadable, now: datetime) -> str:
        """Put something on the list and say its id. What was dismissed stays so; what had been read is open again."""
        about = asdict(what)
        sha256 = self.keep_bytes(about.pop("data"))
        id = _id(what.source, sha256)
        row = about | {
            "id": id, "at": now, "sha256": sha256, "state": "open", "handled_at": None, "handled_by": "", "note": "",
        }  # fmt: skip
        if not self._insert_new(tables.unread, row):
            again = update(tables.unread).where(_ROW.id == id, _ROW.state == "read")
            self._connection.execute(again.values(**row))
        return id

    def find(self, id: str) -> UnreadRow:
        """A row by id; NotFoundError if there is none."""
        row = self._connection.execute(select(tables.unread).where(_ROW.id == id)).one_or_none()
        if row is None:
            raise NotFoundError("nothing unread has this id", where=id, fix="`pathway unread list` names what there is")
        return UnreadRow(**row._mapping)

    def rows(self, state: str = "open", after: str = "", limit: int = 100) -> tuple[UnreadRow, ...]:
        """Rows in a state, the oldest first; with `after`, those that stand behind the row with that id."""
        query = select(tables.unread).where(_ROW.state == state).order_by(_ROW.at, _ROW.id).limit(limit)
        if after:
            last = self.find(after)
            query = query.where((_ROW.at > last.at) | ((_ROW.at == last.at) & (_ROW.id > last.id)))
        return tuple(UnreadRow(**row._mapping) for row in self._connection.execute(query))

    def counts(self) -> dict[str, int]:
        """How many rows there are, by state."""
        query = select(_ROW.state, func.count().label("rows")).group_by(_ROW.state).order_by(_ROW.state)
        return {row.state: row.rows for row in self._connection.execute(query)}

    def hold_row(self, id: str) -> UnreadRow:
        """A row that nobody else changes until this transaction ends; NotFoundError if there is none."""
        self._connection.execute(select(_ROW.id).where(_ROW.id == id).with_for_update())
        return self.find(id)

    def handle(self, id: str, state: str, now: datetime, by: str, note: str = "") -> None:
        """Say what became of a row, and by whom."""
        values: dict[str, Any] = {"state": state, "handled_at": now, "handled_by": by, "note": note}
        self._connection.execute(update(tables.unread).where(_ROW.id == id).values(**values))

    def explain(self, id: str, code: str, why: str, fix: str) -> None:
        """Say anew why a row cannot be read."""
        self._connection.execute(update(tables.unread).where(_ROW.id == id).values(code=code, why=why, fix=fix))

    def has_open(self, source: str, references: Iterable[str]) -> bool:
        """Whether a row about one of these resources is open."""
        query = select(_ROW.reference).where(*_open_about(source, references))
        # the order is that of the index of open rows: unasked, SQLite would look through all that is open
        return self._connection.scalar(query.order_by(_ROW.reference).limit(1)) is not None

    def settle(self, source: str, references: Iterable[str], now: datetime) -> int:
        """Close the open rows of resources of which a version could be read meanwhile; says how many."""
        values = {"state": "read", "handled_at": now, "handled_by": "service", "note": "a later version could be read"}
        ours = update(tables.unread).where(*_open_about(source, references))
        return self._connection.execute(ours.values(**values)).rowcount

    def is_listed(self, source: str, sha256: str) -> bool:
        """Whether these bytes are on the list, and wait for a person or were dismissed by one."""
        row = select(_ROW.id).where(_ROW.id == _id(source, sha256), _ROW.state != "read")
        return self._connection.scalar(row) is not None

    def held(self, patients: Sequence[str], hashes: Sequence[str]) -> frozenset[str]:
        """Those of some hashes of resources that the charts of these keys hold already, as some version."""
        query = select(_VERSION.sha256).where(_VERSION.patient.in_(patients), _VERSION.sha256.in_(hashes))
        return frozenset(self._connection.scalars(query))


def _id(source: str, sha256: str) -> str:
    """The same for the same bytes of one source."""
    return str(uuid.uuid5(_NAMESPACE, f"{source}|{sha256}"))


def _open_about(source: str, references: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    is_open = _ROW.state == literal("open", literal_execute=True)  # written out, or the index of open rows is of no use
    return is_open, _ROW.source == source, _ROW.reference.in_(sorted(references))
