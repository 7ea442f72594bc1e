"""Sending what is in the outbox: claim a row, send it, say what became of it. Any number of processes may do so.

Sent         the other side has it
TryLater     not now: again after a pause that grows; parked after so many attempts
Refused      never as it is: parked, for a person to look at
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from adapters.bootstrap import House
from adapters.db.outbox import Claimed as Claimed
from adapters.out.breaker import longest, pause
from adapters.places import places_of
from pathway.errors import PathwayError

SEND: Final = timedelta(seconds=8)
"""How long one row may take to send, all of its requests: what is in flight when the service is told to end, ends."""
LEASE: Final = timedelta(seconds=30)
"""How long a row is nobody else's. More than twice `SEND`: a sender that is slow is not yet dead."""
FIRST: Final = timedelta(seconds=2)
"""The pause after a row's first failure, which doubles up to the longest of its channel (`breaker.longest`)."""
_UNEXPECTED: Final = "a fault of this service"

_LOG = structlog.get_logger("pathway.outbox")


class TryLater(PathwayError):
    """It may yet arrive. `after` is the pause that the other side asked for.

    `server`: the other side is in trouble, whatever is sent to it, and may be left alone for a while. `counts`: the
    attempt counts towards parking; false where the row cannot be to blame.
    """

    def __init__(
        self, what: str, *, where: str = "", why: str = "", fix: str = "", after: timedelta | None = None,
        server: bool = True, counts: bool = True,
    ) -> None:  # fmt: skip
        self.after, self.server, self.counts = after, server, counts
        super().__init__(what, where=where, why=why, fix=fix)


class Refused(PathwayError):
    """It will never arrive as it is: a person has to look."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It arrived: under which id, in which version, where the other side says so.

    `written` replaces what was noted by `Outbox.remember`, where it is given. `warning` is what went wrong beside it.
    Not `asked`: there was nothing to send, so nothing is known of the other side.
    """

    remote_id: str = ""
    etag: str = ""
    written: tuple[Mapping[str, Any], ...] | None = field(default=None, repr=False)
    warning: str = ""
    asked: bool = True


class Sender(Protocol):
    """Sends the rows of one channel."""

    def send(self, row: Claimed) -> Sent:
        """Send one row within `SEND`, so that sending it again does no harm. TryLater or Refused if it does not go."""
        ...


@dataclass(frozen=True, slots=True)
class Drained:
    """How many rows were sent, put off and parked, and for how many there was nothing to send any more."""

    sent: int = 0
    failed: int = 0
    parked: int = 0
    unneeded: int = 0

    def __add__(self, other: Drained) -> Drained:
        return Drained(
            self.sent + other.sent, self.failed + other.failed, self.parked + other.parked,
            self.unneeded + other.unneeded,
        )  # fmt: skip

    @property
    def rows(self) -> int:
        """How many rows were taken up."""
        return self.sent + self.failed + self.parked + self.unneeded


def drain(
    house: House, channels: tuple[str, ...] = (), limit: int = 100, stop: Callable[[], bool] = lambda: False,
    by: Mapping[str, Sender] | None = None,
) -> Drained:  # fmt: skip
    """Send what is due, of all channels or of some, up to so many rows; stops between two rows when `stop` says so."""
    from adapters.out import senders

    total = Drained()
    for channel, sender in (senders(house) if by is None else by).items():
        if channels and channel not in channels:
            continue
        while total.rows < limit and not stop():
            one = _next(house, channel, sender)
            if one is None:
                break
            total += one
    return total


def _next(house: House, channel: str, sender: Sender) -> Drained | None:
    """Send the row of a channel that waits longest; None if nothing is due."""
    with house.store.outbox(write=True) as outbox:
        row = outbox.claim(channel, house.clock.now(), LEASE, secrets.token_hex(16), longest(channel))
    if row is None:
        return None
    most = house.settings.outbox_attempts
    if row.attempts > most:  # whoever had it before never came to an end
        return _parked(
            house, row, PathwayError(f"given up after {most} attempts", why="the last of them never came to an end")
        )
    try:
        sent = sender.send(row)
    except TryLater as error:
        return _put_off(house, row, error)
    except PathwayError as error:  # Refused, or something that it is about is not there
        return _parked(house, row, error)
    except Exception as error:  # its text may hold a value: kind and places only
        kind = type(error).__name__
        _LOG.error("outbox-failed", key=row.key, channel=channel, error=kind, places=places_of(error))
        return _put_off(house, row, TryLater(_UNEXPECTED, why=kind, server=False))
    return _settled(house, row, sent)


def _settled(house: House, row: Claimed, sent: Sent) -> Drained:
    now = house.clock.now()
    with house.store.outbox(write=True) as outbox:
        if sent.asked:
            ours = outbox.settle(row, sent.remote_id, sent.etag, now, sent.written, sent.warning)
            outbox.healed(row.channel, now)
        else:
            ours = outbox.drop(row)
            outbox.pass_on(row, now)
    _LOG.debug("outbox-sent" if ours else "outbox-lease-lost", key=row.key, channel=row.channel, asked=sent.asked)
    return Drained(sent=1) if sent.asked else Drained(unneeded=1)


def _put_off(house: House, row: Claimed, error: TryLater) -> Drained:
    """Try again later, unless it was tried often enough; leave the server alone if that is where it failed."""
    now, sentence = house.clock.now(), PathwayError(error.what, why=error.why, fix=error.fix).sentence()
    over = error.counts and row.attempts >= house.settings.outbox_attempts
    with house.store.outbox(write=True) as outbox:
        if over:
            outbox.park(row, f"given up after {row.attempts} attempts: {sentence}")
        else:
            outbox.put_off(row, sentence, next_try(row, error.after, now), counts=error.counts)
        if error.server:
            rest = pause(row.channel, outbox.failures(row.channel) + 1, error.after)
            outbox.failed(row.channel, now, None if rest is None else now + rest, sentence)
        else:
            outbox.pass_on(row, now)
    _LOG.warning("outbox-parked" if over else "outbox-put-off", key=row.key, channel=row.channel, what=error.what)
    return Drained(parked=1) if over else Drained(failed=1)


def _parked(house: House, row: Claimed, error: PathwayError) -> Drained:
    now, sentence = house.clock.now(), PathwayError(error.what, why=error.why, fix=error.fix).sentence()
    with house.store.outbox(write=True) as outbox:
        outbox.park(row, sentence)
        if isinstance(error, Refused):  # it answered
            outbox.healed(row.channel, now)
        else:
            outbox.pass_on(row, now)
    _LOG.warning("outbox-parked", key=row.key, channel=row.channel, what=error.what)
    return Drained(parked=1)


def next_try(row: Claimed, asked: timedelta | None, now: datetime) -> datetime:
    """When a row is tried again: after a pause that doubles with each attempt and is spread, so that rows that failed
    together do not come back together. A pause that was asked for is the least.
    """
    most = longest(row.channel)
    spread = random.Random(f"{row.key}/{row.attempts}").uniform(0.5, 1.0)
    return now + max(min(FIRST * 2 ** min(row.attempts - 1, 20), most) * spread, min(asked or timedelta(), most))
