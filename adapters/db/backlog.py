"""How far the work is behind, in a few numbers; each is read by an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, literal, select

from adapters.db import tables

_OUTBOX = tables.outbox.c
_JOB = tables.job.c
_PART = tables.job_part.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """Since when the oldest task waits to be woken; rows of the outbox by channel and state with the age of the oldest
    post; how many servers are left alone; parts of jobs by kind and state with the age of the oldest job.
    """

    wake_lag: timedelta
    outbox: tuple[tuple[str, str, int, timedelta], ...]
    breakers_open: int
    parts: tuple[tuple[str, str, int, timedelta], ...] = ()


def backlog(connection: Connection, now: datetime) -> Backlog:
    """The backlog at an instant."""
    woken = connection.scalar(select(func.min(tables.task.c.wake_at)).where(tables.task.c.wake_at.is_not(None)))
    rows = connection.execute(
        select(_OUTBOX.channel, _OUTBOX.state, func.count().label("rows"), func.min(_OUTBOX.posted_at).label("oldest"))
        .where(_OUTBOX.state.in_(("pending", "parked")))
        .group_by(_OUTBOX.channel, _OUTBOX.state)
        .order_by(_OUTBOX.channel, _OUTBOX.state)
    )
    breakers = select(func.count()).select_from(tables.breaker).where(tables.breaker.c.open_until > now)
    found = tuple((row.channel, row.state, row.rows, now - row.oldest) for row in rows)
    lag = max(now - woken, timedelta()) if woken else timedelta()
    return Backlog(lag, found, connection.scalar(breakers) or 0, tuple(_parts(connection, now)))


def _parts(connection: Connection, now: datetime) -> Iterator[tuple[str, str, int, timedelta]]:
    for state in ("parked", "pending"):
        of_state = _PART.state == literal(state, literal_execute=True)  # written out, or no index would answer it
        query = select(_JOB.kind, func.count().label("rows"), func.min(_JOB.made_at).label("oldest"))
        query = query.join_from(tables.job_part, tables.job).where(of_state).group_by(_JOB.kind).order_by(_JOB.kind)
        for row in connection.execute(query):
            yield row.kind, state, row.rows, now - row.oldest
