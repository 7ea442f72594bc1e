"""How far a type was read, as a mark: an instant of the server, never of ours, and where a reading goes on.

A reading that has no time for everything goes on in the next round just where it stopped, without the overlap: with it
a busy server would be read backwards. The overlap is counted once, from the instant at which the reading began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.bootstrap import House
from adapters.fhir.known_chart import READ
from pathway.canonical import instant, parse_instant

DOOR: Final = "poll"
_ALL: Final = f"{DOOR}/*"


@dataclass(frozen=True, slots=True)
class Reach:
    """All before `at` was read, what is asked for begins at `since`. `began` is when, by the server's clock, a reading
    began that did not come to its end. `version` is of the mark, 0 for none.
    """

    at: datetime
    since: datetime
    began: datetime | None
    version: int


def reach(house: House, kind: str) -> Reach:
    """How far a type was read."""
    with house.store.marks(write=False) as marks:
        own = marks.mark(f"{DOOR}/{kind}")
        mark = own or marks.mark(_ALL)
    at, body = (mark.at, mark.body) if mark else (house.clock.now(), {})
    onward, began = (parse_instant(str(body[name])) if body.get(name) else None for name in ("from", "began"))
    overlap = timedelta(seconds=house.settings.poll_overlap_seconds)
    return Reach(at, onward or at - overlap, began, own.version if own else 0)


def is_begun(house: House) -> bool:
    """Whether it is known from where on to read."""
    with house.store.marks(write=False) as marks:
        return marks.mark(_ALL) is not None


def begin_at(house: House, at: datetime) -> None:
    """Let every type be read from an instant of the server on: that of an export."""
    with house.store.marks(write=True) as marks:
        for name in (_ALL, *(f"{DOOR}/{kind}" for kind in sorted(READ))):
            known = marks.mark(name)
            if known is None or known.at < at:
                marks.set(name, at)


def ended(house: House, kind: str, was: Reach, began: datetime) -> None:
    """Everything was read that the server had when the reading began."""
    _move(house, kind, was, began, {})


def stopped(house: House, kind: str, was: Reach, latest: datetime, began: datetime | None) -> None:
    """All until `latest` was read, and the next round goes on there."""
    body = {"from": instant(latest)} | ({"began": instant(began)} if began else {})
    _move(house, kind, was, max(was.at, min(latest, began or latest)), body)


def in_turn(house: House, name: str, all: Sequence[str]) -> Sequence[str]:
    """All of them, from the one after the last whose turn it was: a slow server lets no other wait for ever."""
    with house.store.marks(write=False) as marks:
        mark = marks.mark(name)
    last = str(mark.body.get("last", "")) if mark else ""
    first = all.index(last) + 1 if last in all else 0
    return [*all[first:], *all[:first]]


def turned(house: House, name: str, last: str) -> None:
    """Note whose turn it was."""
    with house.store.marks(write=True) as marks:
        marks.set(name, house.clock.now(), {"last": last})


def _move(house: House, kind: str, was: Reach, at: datetime, body: dict[str, str]) -> None:
    """Another who polled at the same time may have moved it: both have read all from where they began."""
    with house.store.marks(write=True) as marks:
        marks.move(f"{DOOR}/{kind}", at, body, was.version)
