"""What every page shares: the blueprint, its static files, the doors in its header, and how instants are written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from adapters.db.errors import StoreUnavailableError
from adapters.db.outbox import PARKED
from adapters.http import auth
from adapters.http.pages.assets import FOR_EVER, asset, served
from adapters.http.rooms import house
from pathway.canonical import parse_instant
from pathway.history import TaskEvent
from pathway.people import Person

FOLDER: Final = Path(__file__).parent
_DID: Final = {
    "claim": "claimed it", "release": "released it", "assign": "gave it", "unassign": "took it back",
    "snooze": "put it off", "resume": "took it up again", "attempt": "tried to reach the patient",
    "acknowledge": "acknowledged it", "complete": "ended it", "decline": "declined it", "comment": "wrote",
    "reopen": "opened it again", "ask": "asked for it", "close": "settled it", "withdraw": "withdrew it",
    "start": "began it", "return": "brought it back", "escalate": "escalated it", "expire": "ended it",
    "merge": "moved it",
}  # fmt: skip
blueprint = auth.protect(Blueprint("pages", __name__, root_path=str(FOLDER), template_folder="templates"))


END_OF_DAY: Final = time(23, 59, 59)
MANY: Final = 100
"""What is counted on every page is counted up to here."""
DOORS: Final = (
    ("pages.worklist", "Work list", auth.Area.WORK_LIST),
    ("pages.decisions", "Decisions", auth.Area.DECISION),
    ("pages.rule_sets", "Rule sets", auth.Area.RULE_SETS),
    ("pages.measures", "Measures", auth.Area.MEASURES),
    ("pages.cohort", "Before we began", auth.Area.COHORT),
    ("pages.unread", "Unread", auth.Area.UNREAD),
    ("pages.outbox", "Not sent", auth.Area.OUTBOX),
    ("auth.accounts", "Accounts", auth.Area.ACCOUNTS),
)


@dataclass(frozen=True, slots=True)
class Door:
    """One place that the header leads to; `here` says that this page is it."""

    endpoint: str
    name: str
    here: bool


@blueprint.get("/static/<filename>")
@auth.public
def static(filename: str) -> Response:
    """A stylesheet, script or picture. Its name holds its hash, so it may be kept; a plain name is asked for anew."""
    if filename in served():
        body, kind = served()[filename]
        return Response(body, mimetype=kind, headers={"Cache-Control": FOR_EVER})
    try:
        body, kind = served()[asset(filename)]
    except KeyError:
        raise NotFound from None
    return Response(body, mimetype=kind)


@blueprint.app_context_processor
def _shared() -> dict[str, Any]:
    return {
        "asset": asset,
        "zone_name": house().settings.time_zone,
        "doors": _doors(),
        "drafts": _drafts(),
        "unsent": _unsent,
        "most_unsent": MANY,
    }


def _drafts() -> bool:
    """Whether any rule set that decides today is a draft, or none decides: the banner of every page."""
    deciding = house().book.sets.values()
    return not deciding or any(rule_set.status == "draft" for rule_set in deciding)


def _unsent() -> int:
    """How much could not be sent, at most `MANY`, for who can do something about it: a banner, not a secret."""
    person = auth.signed_in()
    if person is None or not auth.may(person.role, auth.Area.OUTBOX):
        return 0
    with suppress(StoreUnavailableError), house().store.outbox(write=False) as outbox:
        return len(outbox.rows(PARKED, limit=MANY))
    return 0


def _doors() -> tuple[Door, ...]:
    person = auth.signed_in()
    if person is None:
        return ()
    closed = "" if house().settings.go_live else "pages.cohort"
    open_to = (door for door in DOORS if door[0] != closed and auth.may(person.role, door[2]))
    return tuple(Door(endpoint, name, endpoint == request.endpoint) for endpoint, name, _ in open_to)


@blueprint.app_template_filter()
def instant(at: datetime | str) -> str:
    """An instant in the facility's zone, to the minute."""
    return _local(at).strftime("%Y-%m-%d %H:%M")


@blueprint.app_template_filter()
def due(at: datetime) -> str:
    """When something is due: only the day where it has until the end of it."""
    local = _local(at)
    return local.strftime("%Y-%m-%d" if local.time() == END_OF_DAY else "%Y-%m-%d %H:%M")


@blueprint.app_template_filter()
def day(at: datetime | str) -> str:
    """The day of an instant in the facility's zone."""
    return _local(at).strftime("%Y-%m-%d")


@blueprint.app_template_filter()
def words(code: str) -> str:
    """A code as words: `needs-specialist-review` with blanks."""
    return code.replace("-", " ")


@blueprint.app_template_filter()
def told(event: TaskEvent) -> str:
    """Who did what to a task: `Cora (coordinator) claimed it`."""
    who = f"{event.display} ({event.role})" if event.by_person else event.display
    return f"{who} {_DID[event.act]}"


def zone() -> ZoneInfo:
    """The facility's zone."""
    return ZoneInfo(house().settings.time_zone)


def reader() -> Person:
    """Whoever is signed in; views that need a role are not reached otherwise."""
    person = auth.signed_in()
    assert person is not None, "the view says with `needs` whom it is for"
    return person


def is_part() -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def _local(at: datetime | str) -> datetime:
    return (parse_instant(at) if isinstance(at, str) else at).astimezone(zone())
