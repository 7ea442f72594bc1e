"""The outbox: what has to leave the house, who is sending it at present, and whether the other side is there.

A row says that a thing must go and how often that was wanted. Whoever sends it holds a lease with a token of their own:
without the token nothing about the row can be changed, so a sender that was away too long harms nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, case, func, or_, select, update

from adapters.db import tables
from adapters.db.rows import Rows

_ROW: Final = tables.outbox.c
_BREAKER: Final = tables.breaker.c
PENDING: Final = "pending"
SENT: Final = "sent"
PARKED: Final = "parked"
UNNEEDED: Final = "unneeded"
"""When its turn came, there was nothing to send any more."""
LONGEST: Final = timedelta(hours=1)
"""The longest pause of a row or a channel. What is to wait longer was noted under a clock that ran ahead: it is due."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours to send: what is known of it at the other side, and which post of it we answer (`wanted`).

    `attempts` counts this one. `written` is what the sender noted by `remember`. `posted_at` is when the oldest
    post was made that was not answered. `first_until` is set for the one that goes first to a server that failed.
    """

    key: str
    channel: str
    patient: str
    wanted: int
    attempts: int
    remote_id: str
    etag: str
    lease_token: str
    written: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    posted_at: datetime = _LONG_AGO
    first_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row as a person sees it. Its error names no patient."""

    key: str
    channel: str
    patient: str
    state: str
    wanted: int
    sent: int
    attempts: int
    remote_id: str
    last_error: str
    posted_at: datetime
    not_before: datetime
    sent_at: datetime | None


class Posts(Rows):
    """The part of a ledger that says what has to leave the house (`pathway.ports.Ledger`)."""

    posted: bool = False
    """Whether something was posted in this transaction."""

    def post(self, key: str, channel: str, patient: str, at: datetime) -> None:
        """A thing has to go, or has to go again; kept with the transaction. What was parked is tried anew."""
        self.posted = True
        row = {
            "key": key, "channel": channel, "patient": patient, "wanted": 1, "sent": 0, "state": PENDING,
            "attempts": 0, "not_before": at, "lease_token": "", "remote_id": "", "etag": "", "last_error": "",
            "posted_at": at, "written": [],
        }  # fmt: skip
        again = {"wanted": _ROW.wanted + 1, "state": PENDING, "attempts": 0, "not_before": at, "patient": patient}
        # The age of what waits is that of the first post that was not answered.
        answered = _ROW.state.in_((SENT, UNNEEDED))
        self._put(tables.outbox, row, **again, posted_at=case((answered, at), else_=_ROW.posted_at))


class Outbox(Rows):
    """The outbox and the breakers of its channels, seen from one transaction."""

    def claim(
        self, channel: str, now: datetime, lease: timedelta, token: str, longest: timedelta = LONGEST
    ) -> Claimed | None:
        """The row of a channel that waits longest, leased; None if none is due or the channel is left alone.

        The attempt is counted before the work, so that a row that kills its sender is not tried for ever. No row and no
        channel waits for longer than `longest`.
        """
        free = or_(_ROW.lease_until.is_(None), _ROW.lease_until <= now, _ROW.lease_until > now + 2 * lease)
        row = self._first(channel, free, _ROW.not_before <= now)
        row = self._first(channel, free, _ROW.not_before > now + longest) if row is None else row
        if row is None:
            return None
        may, first_until = self._enter(channel, now, now + lease, now + max(longest, lease))
        if not may:
            return None
        held = {"attempts": _ROW.attempts + 1, "lease_until": now + lease, "lease_token": token}
        self._connection.execute(update(tables.outbox).where(_ROW.key == row.key).values(**held))
        return Claimed(
            row.key, channel, row.patient, row.wanted, row.attempts + 1, row.remote_id, row.etag, token, row.written,
            row.posted_at, first_until,
        )  # fmt: skip

    def _first(self, channel: str, *due: ColumnElement[bool]) -> Row[Any] | None:
        query = select(tables.outbox).where(_ROW.state == PENDING, _ROW.channel == channel, *due)
        query = query.order_by(_ROW.not_before, _ROW.key.desc()).limit(1)  # tasks before the plan that names them
        # Two at PostgreSQL pass each other by; SQLite, which knows no such lock, has one writer at a time.
        return self._connection.execute(query.with_for_update(skip_locked=True)).one_or_none()

    def remember(self, row: Claimed, written: Sequence[Mapping[str, Any]], remote_id: str = "") -> bool:
        """Note what is about to be written, before it is, or where it is now; False if the lease is no longer ours."""
        return self._change(row, {}, {}, written=list(written), remote_id=remote_id or row.remote_id)

    def settle(
        self, row: Claimed, remote_id: str, etag: str, at: datetime, written: Sequence[Mapping[str, Any]] | None = None,
        warning: str = "",
    ) -> bool:  # fmt: skip
        """The other side has it as of this post, if with a `warning`; posted again meanwhile, it stays to be sent."""
        return self._change(
            row, {"state": SENT}, {"state": PENDING, "posted_at": at}, sent=row.wanted, attempts=0, last_error=warning,
            sent_at=at, remote_id=remote_id, etag=etag, written=list(row.written if written is None else written),
            **_LET_GO,
        )  # fmt: skip

    def drop(self, row: Claimed) -> bool:
        """Nothing is to be sent any more, unless it was posted again meanwhile."""
        return self._change(row, {"state": UNNEEDED}, {}, attempts=0, last_error="", **_LET_GO)

    def put_off(self, row: Claimed, error: str, until: datetime, *, counts: bool) -> bool:
        """Not now: try again at an instant. An attempt that does not count is taken back."""
        attempts = row.attempts if counts else row.attempts - 1
        return self._change(row, {"not_before": until, "attempts": attempts}, {}, last_error=error, **_LET_GO)

    def park(self, row: Claimed, error: str) -> bool:
        """Not without a person: lay it aside, unless it was posted again meanwhile."""
        return self._change(row, {"state": PARKED}, {}, last_error=error, **_LET_GO)

    def requeue(self, key: str, at: datetime) -> bool:
        """Try a parked row again; False if it is not parked."""
        return self._requeued(at, _ROW.key == key) == 1

    def requeue_all(self, at: datetime) -> int:
        """Try every parked row again; says how many."""
        return self._requeued(at)

    def rows(self, state: str = PARKED, after: str = "", limit: int = 100) -> tuple[OutboxRow, ...]:
        """The rows in a state, by key; `after` is the last key of the page before."""
        columns = [_ROW[name] for name in OutboxRow.__slots__]
        query = select(*columns).where(_ROW.state == state, _ROW.key > after).order_by(_ROW.key).limit(limit)
        return tuple(OutboxRow(*row) for row in self._connection.execute(query))

    def counts(self) -> dict[str, int]:
        """How many rows are in each state."""
        query = select(_ROW.state, func.count()).group_by(_ROW.state).order_by(_ROW.state)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def remote_ids(self, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The state of those keys that were posted, and their id at the other side, empty where it has none yet."""
        query = select(_ROW.key, _ROW.state, _ROW.remote_id).where(_ROW.key.in_(keys))
        return {row.key: (row.state, row.remote_id) for row in self._connection.execute(query)}

    def again(self, key: str, at: datetime) -> None:
        """Send a thing again that was sent: what it refers to has changed at the other side."""
        sent = update(tables.outbox).where(_ROW.key == key, _ROW.state == SENT)
        self._connection.execute(sent.values(wanted=_ROW.wanted + 1, state=PENDING, not_before=at, posted_at=at))

    def failures(self, channel: str) -> int:
        """How often in a row the other side failed."""
        return self._connection.scalar(select(_BREAKER.failures).where(_BREAKER.name == channel)) or 0

    def failed(self, channel: str, at: datetime, open_until: datetime | None, error: str) -> None:
        """The other side failed once more; it is left alone until an instant, if one is given."""
        row = {"name": channel, "failures": 1, "open_until": open_until, "changed_at": at, "last_error": error}
        changed = {"open_until": open_until, "changed_at": at, "last_error": error}
        self._put(tables.breaker, row, failures=_BREAKER.failures + 1, **changed)

    def healed(self, channel: str, at: datetime) -> None:
        """The other side answered as it should."""
        failing = update(tables.breaker).where(_BREAKER.name == channel, _BREAKER.failures > 0)
        self._connection.execute(failing.values(failures=0, open_until=None, changed_at=at, last_error=""))

    def pass_on(self, row: Claimed, at: datetime) -> None:
        """Who went first to a server that failed asked it nothing: another may."""
        if row.first_until is not None:
            ours = update(tables.breaker).where(_BREAKER.name == row.channel, _BREAKER.open_until == row.first_until)
            self._connection.execute(ours.values(open_until=at))

    def _enter(self, channel: str, now: datetime, until: datetime, latest: datetime) -> tuple[bool, datetime | None]:
        """Whether the channel may be used. After a pause one goes first, and the others wait for what they meet: until
        when is said to the first. A pause beyond the `latest` is none.
        """
        pause = self._connection.scalar(select(_BREAKER.open_until).where(_BREAKER.name == channel))
        if pause is None:
            return True, None
        if now < pause <= latest:
            return False, None
        first = update(tables.breaker).where(_BREAKER.name == channel, _BREAKER.open_until == pause)
        return self._connection.execute(first.values(open_until=until)).rowcount == 1, until

    def _requeued(self, at: datetime, *which: ColumnElement[bool]) -> int:
        parked = update(tables.outbox).where(_ROW.state == PARKED, *which)
        return self._connection.execute(parked.values(state=PENDING, attempts=0, not_before=at)).rowcount

    def _change(self, row: Claimed, answered: Mapping[str, Any], anew: Mapping[str, Any], **values: Any) -> bool:
        """Change a row that is leased to us; False if it no longer is.

        `answered` holds where nothing was posted since the row was claimed, `anew` where it was.
        """
        ours = update(tables.outbox).where(_ROW.key == row.key, _ROW.lease_token == row.lease_token)
        for wanted, more in ((_ROW.wanted == row.wanted, answered), (_ROW.wanted != row.wanted, anew)):
            if self._connection.execute(ours.where(wanted).values(**values | dict(more))).rowcount == 1:
                return True
        return False


_LET_GO: Final[dict[str, Any]] = {"lease_until": None, "lease_token": ""}
