"""The list of what could not be read, for a person to work through: tried again, or put away with a reason."""

from __future__ import annotations

import uuid
from contextlib import suppress

import structlog

from adapters.bootstrap import House
from adapters.db.unread import UnreadRow
from adapters.ingest.intake import PASSING, is_known, settle
from adapters.jobs.kinds import Stop
from adapters.places import places_of
from pathway import __version__
from pathway.errors import BadInputError, PathwayError
from pathway.ports import Submission

DOOR = "retry"
_TRIED = "unread/tried"
_AT_ONCE = 50
_LOG = structlog.get_logger("pathway.ingest")


def retry(house: House, id: str, person: str) -> UnreadRow:
    """Read something again, in place of what a person would have to type; says how it stands now.

    A row that is still unreadable stays open with its present reason. NotFoundError if there is no such row,
    BadInputError if it is not open.
    """
    with house.store.unread(write=False) as unread:
        row = unread.find(id)
        data = unread.bytes_of(row.sha256)
    if row.state != "open":
        raise BadInputError("this is not waiting to be read", where=id, why=f"it is {row.state}", code="conflict")
    try:
        _ingest(house, row, data, person)
    except PASSING:
        raise
    except BadInputError as fault:
        return _explained(house, id, fault.code, f"{fault.what} ({fault.why})" if fault.why else fault.what, fault.fix)
    except PathwayError as fault:
        return _explained(house, id, "exception", fault.what, fault.fix)
    except Exception as fault:  # its text may hold a value
        _LOG.error("retry-failed", error=type(fault).__name__, places=places_of(fault))
        what = f"the service failed on it ({type(fault).__name__})"
        return _explained(house, id, "exception", what, "Report it, then retry")
    with house.store.unread(write=True) as unread:
        if unread.hold_row(id).state == "open":
            unread.handle(id, "read", house.clock.now(), person)
        return unread.find(id)


def dismiss(house: House, id: str, person: str, note: str) -> UnreadRow:
    """Put a row away without reading it, with the reason; the same bytes come again will not open it.

    NotFoundError if there is no such row, BadInputError without a reason or if it is not open.
    """
    if not note.strip():
        raise BadInputError("a reason is missing", where=id, fix="Say why this need not be read", code="required")
    with house.store.unread(write=True) as unread:
        row = unread.hold_row(id)
        if row.state != "open":
            raise BadInputError("this is not waiting to be read", where=id, why=f"it is {row.state}", code="conflict")
        unread.handle(id, "dismissed", house.clock.now(), person, note.strip())
        return unread.find(id)


def retry_all(
    house: House, person: str, after: str = "", limit: int = 0, stop: Stop = lambda: False
) -> tuple[int, int, str]:
    """Try every open row again, the oldest first; how many were tried, how many are read now, and the last one's id.

    `stop` is asked before each row.
    """
    tried, good, last = 0, 0, after
    while not limit or tried < limit:
        with house.store.unread(write=False) as unread:
            rows = unread.rows("open", last, min(_AT_ONCE, limit - tried) if limit else _AT_ONCE)
        for row in rows:
            if stop():
                return tried, good, last
            with suppress(BadInputError):  # one before it about the same resource closed it
                good += retry(house, row.id, person).state == "read"
            tried, last = tried + 1, row.id
        if not rows:
            break
    return tried, good, last


def retry_after_upgrade(house: House, stop: Stop = lambda: False) -> int:
    """After the service was changed, try what its former versions could not read, some at a time; says how many.

    Stopped, or held up by what passes, it goes on the next time.
    """
    with house.store.marks(write=False) as marks:
        mark = marks.mark(_TRIED)
    body = mark.body if mark else {}
    if body.get("done") == __version__:
        return 0
    after = str(body.get("after", "")) if body.get("version") == __version__ else ""
    try:
        tried, good, last = retry_all(house, f"pathway {__version__}", after, _AT_ONCE, stop)
    except PASSING as fault:
        _LOG.warning("retry-put-off", error=type(fault).__name__, what=fault.what)
        return 0
    is_left = tried == _AT_ONCE or stop()
    made = {"version": __version__, "after": last} if is_left else {"done": __version__}
    with house.store.marks(write=True) as marks:
        marks.set(_TRIED, house.clock.now(), made)
    if good:
        _LOG.info("unread-read", tried=tried, read=good)
    return tried


def _ingest(house: House, row: UnreadRow, data: bytes, person: str) -> None:
    now = house.clock.now()
    parcel = house.reader(now, row.source).submission(data, row.place)
    bad = [entry for entry in parcel.entries if not entry.accepted]
    if bad:
        raise BadInputError(f"{bad[0].expression} {bad[0].why}", fix=bad[0].fix, code=bad[0].code or "invalid")
    for delivery in parcel.deliveries:
        if not is_known(house, delivery):
            submission = Submission(str(uuid.uuid4()), row.source, DOOR, now, parcel.sha256)
            house.service.ingest(delivery, submission, data, person)
        settle(house, delivery)


def _explained(house: House, id: str, code: str, why: str, fix: str) -> UnreadRow:
    with house.store.unread(write=True) as unread:
        unread.explain(id, code, why, fix)
        return unread.find(id)
