"""Polling: what changed at a FHIR server since the last time, by `_lastUpdated`, with an overlap.

How far a type was read is told by the server's clock and never by ours. The overlap is for what a server commits late
under an earlier instant; what it brings again is told by its hash, and costs no decision. Of a patient of whom nothing
is stored the whole chart is fetched: what changed today says little without what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from adapters.bootstrap import House
from adapters.db.jobs import Piece
from adapters.db.unread import Unreadable
from adapters.fhir.client import MAX_BYTES, NotRetrievedError
from adapters.fhir.known_chart import READ
from adapters.ingest import export, queue
from adapters.ingest.intake import list_once
from adapters.ingest.pages import Refused
from adapters.ingest.reach import DOOR, begin_at, ended, in_turn, is_begun, reach, stopped, turned
from adapters.ingest.referred import Resource, refer, references
from adapters.ingest.server import GIANT_BYTES, Page, Source, TooLongError, known_base, not_taken, source
from adapters.ingest.silence import look_after_subscriptions, noticed, updated
from adapters.ingest.unread import retry_after_upgrade
from adapters.jobs.kinds import Stop
from adapters.worker import doorbell
from pathway.canonical import instant
from pathway.chart import patient_key

LAST: Final = "poll/last"
ASKED: Final = "poll/asked"
_TURN: Final = "poll/turn"
KEPT: Final = timedelta(days=30)
"""How long what ended jobs found is kept; what they brought is in the charts."""
_PAGE: Final = 200
_LOG = structlog.get_logger("pathway.ingest")


def poll(house: House, stop: Stop = lambda: False, *, now: bool = False) -> int:
    """Ask the server that is polled for what changed, if it is time (or `now`); says how many resources came.

    What failed is told to the log and asked for again the next time: nothing is passed over. BadInputError for a base
    that cannot be used.
    """
    retry_after_upgrade(house, stop)
    _forget(house)
    if not house.settings.poll_base or not (now or _is_time(house)):
        return 0
    try:
        server = source(house, known_base(house, house.settings.poll_base))
        _begun(house, server)
    except NotRetrievedError as fault:
        _LOG.warning("poll-failed", what=fault.what)
        return 0
    look_after_subscriptions(house, server, stop)  # first: at the end there may never be time
    came, failed, seen = 0, 0, _Round()
    for kind in in_turn(house, _TURN, sorted(READ)):
        if stop():
            _ask_again(house)
            break
        try:
            came += _poll_type(house, server, kind, seen, stop)
        except NotRetrievedError as fault:
            failed += 1
            not_taken(house, server.base, fault.what)
            _LOG.warning("poll-failed", type=kind, what=fault.what)
            if failed > 2:  # it is the server and not the type
                break
        turned(house, _TURN, kind)
    if came:
        doorbell.ring("work")
    return came


def ask_soon(house: House) -> None:
    """Let the next round poll, whenever it was done last."""
    with house.store.marks(write=True) as marks:
        marks.set(ASKED, house.clock.now())
    doorbell.ring("poll")


def _begun(house: House, server: Source) -> None:
    """What is polled for the first time is polled from now on, by the server's clock: ours may be a day off."""
    if is_begun(house):
        return
    begin_at(house, server.ask("GET", f"{server.base}/metadata").at or house.clock.now())


def _is_time(house: House) -> bool:
    with house.store.marks(write=True) as marks:
        asked, last = marks.mark(ASKED), marks.mark(LAST)
        if asked and (last is None or asked.at > last.at):
            marks.set(LAST, max(house.clock.now(), asked.at))
            return True
        return marks.tick(LAST, house.clock.now(), timedelta(seconds=house.settings.poll_seconds))


def _ask_again(house: House) -> None:
    with house.store.marks(write=True) as marks:
        marks.set(ASKED, house.clock.now() + timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round found. `asked` are those whose whole chart waits to be fetched: all else of them is in it.
    `fetched` is what others refer to, by reference, None where it cannot be had: it is asked for once.
    """

    asked: set[str] = field(default_factory=set[str])
    fetched: dict[str, Resource | None] = field(default_factory=dict[str, Resource | None])


@dataclass(slots=True)
class _Reading:
    """How far a reading is: the latest instant that was seen, whether all was in order, how many resources came."""

    latest: datetime
    began: datetime | None
    in_order: bool = True
    came: int = 0

    def saw(self, page: Page, kind: str) -> None:
        """Note what is on a page."""
        self.began = self.began or page.at
        own = (updated(body) for body in page.resources if body.get("resourceType") == kind)
        times = [at for at in own if at is not None]
        self.in_order = self.in_order and times == sorted([self.latest, *times])[1:]
        self.latest = max([self.latest, *times])


def _poll_type(house: House, server: Source, kind: str, seen: _Round, stop: Stop) -> int:
    """All pages of one type. Where there is no time to read all, and the pages are in order, the next round goes on
    with the last resource that was read.
    """
    was = reach(house, kind)
    reading = _Reading(was.since, was.began)
    for page in _pages(server, kind, reading):
        reading.saw(page, kind)
        reading.came += _keep(house, server, page, kind, seen)
        if stop() and reading.in_order and reading.latest > was.since:
            stopped(house, kind, was, reading.latest, reading.began)
            _ask_again(house)
            return reading.came
    ended(house, kind, was, reading.began or reading.latest)
    return reading.came


def _pages(server: Source, kind: str, reading: _Reading) -> Iterator[Page]:
    """The pages from where a reading is. One that is too long is asked for in smaller ones, down to one resource."""
    count, begin = _PAGE, reading.latest
    while True:
        query = f"{kind}?_lastUpdated=ge{instant(begin)}&_sort=_lastUpdated&_count={count}"
        try:
            yield from server.pages(query, MAX_BYTES if count > 1 else GIANT_BYTES)
        except TooLongError:
            if count == 1:
                raise
            count, begin = count // 2, reading.latest if reading.in_order else begin
        else:
            return


def _keep(house: House, server: Source, page: Page, kind: str, seen: _Round) -> int:
    """Let what is new on a page wait to be taken in; says how many resources were on it."""
    bodies = [body for body in page.resources if body.get("resourceType") == kind]
    _set_apart(house, f"{server.base}/{kind}", page.refused)
    refer(house, server, bodies, DOOR, seen.fetched)
    bundles: list[bytes] = []
    charts: list[tuple[str, bytes]] = []
    news: list[Mapping[str, Any]] = []
    for patient, own in queue.by_patient(bodies):
        whole = [*own, *(body for name in references(own) if (body := seen.fetched.get(name)))]
        if patient and queue.is_new(house, patient):
            if patient not in seen.asked:
                charts.append((patient, queue.bundle(whole)))
        elif queue.is_held(house, patient, whole):
            continue
        else:
            bundles.append(queue.bundle(whole))
        news += own
    noticed(house, news)
    if charts or bundles:
        with house.store.jobs(write=True) as jobs:
            parts: list[Piece] = [queue.whole_chart(jobs, server.base, patient, data) for patient, data in charts]
            parts += [queue.piece(jobs, data, f"{server.base}/{kind}") for data in bundles]
            queue.put(jobs, house, parts, DOOR)
    seen.asked.update(patient for patient, _ in charts)
    return len(bodies)


def _set_apart(house: House, where: str, refused: Sequence[Refused]) -> None:
    """List what no reader could be given."""
    source = house.settings.source
    for one in refused:
        patient = patient_key(source, one.owner.removeprefix("Patient/")) if one.owner else ""
        fix = "Mend it at the server: a later version is read by itself"
        list_once(house, Unreadable(
            source, DOOR, where, one.why, one.data, fix, "structure", patient, one.reference
        ))  # fmt: skip


def _forget(house: House) -> None:
    now = house.clock.now()
    with house.store.jobs(write=True) as jobs:
        if not jobs.marks.tick("jobs/forget", now, timedelta(hours=1)):
            return
        gone = jobs.forget(now - KEPT)
    export.tidy(house, gone)
