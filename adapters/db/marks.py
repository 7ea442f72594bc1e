"""Marks: how far something that goes on for ever came. Two that move one mark never both believe that they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select, update

from adapters.db import tables
from adapters.db.backlog import Backlog, backlog
from adapters.db.rows import Rows

_MARK = tables.mark.c
_WAIT: Final = timedelta(minutes=1)  # longer than any wait for a lock, after which `now` is the past


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one thing came: at which instant, and what it remembers. `version` counts its moves."""

    name: str
    at: datetime
    version: int
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Marks(Rows):
    """The marks, seen from one transaction."""

    def mark(self, name: str) -> Mark | None:
        """The mark of that name, if anything was ever marked under it."""
        row = self._connection.execute(select(tables.mark).where(_MARK.name == name)).one_or_none()
        return None if row is None else Mark(row.name, row.at, row.version, row.body)

    def tick(self, name: str, now: datetime, every: timedelta) -> bool:
        """Whether `every` has passed since the last tick, and the tick is ours: of several askers one hears yes.

        A mark that lies ahead by more than an interval and a minute was made by a clock that was wrong: it does not
        silence the tick.
        """
        if self._insert_new(tables.mark, {"name": name, "at": now, "version": 1, "body": {}}):
            return True
        late = or_(_MARK.at <= now - every, _MARK.at > now + every + _WAIT)
        moved = self._connection.execute(
            update(tables.mark).where(_MARK.name == name, late).values(at=now, version=_MARK.version + 1)
        )
        return moved.rowcount == 1

    def move(self, name: str, at: datetime, body: Mapping[str, Any], expect_version: int) -> bool:
        """Move a mark that was seen in a version (0: none was there); False if another moved it meanwhile."""
        if expect_version == 0:
            return self._insert_new(tables.mark, {"name": name, "at": at, "version": 1, "body": dict(body)})
        moved = self._connection.execute(
            update(tables.mark)
            .where(_MARK.name == name, _MARK.version == expect_version)
            .values(at=at, version=expect_version + 1, body=dict(body))
        )
        return moved.rowcount == 1

    def backlog(self, now: datetime) -> Backlog:
        """How far the work is behind."""
        return backlog(self._connection, now)

    def set(self, name: str, at: datetime, body: Mapping[str, Any] | None = None) -> None:
        """Put a mark, whatever was there."""
        row = {"name": name, "at": at, "version": 1, "body": dict(body or {})}
        self._put(tables.mark, row, at=at, version=_MARK.version + 1, body=row["body"])
