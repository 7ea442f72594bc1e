"""Acts on tasks as a form sends them: what was said in it, who can be given a task, and how a refusal is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from adapters.http.pages.frame import zone
from adapters.http.rooms import house
from pathway.calendar import end_of_day, start_of_day
from pathway.errors import PathwayError
from pathway.lifecycle import ACTORS, Act
from pathway.people import CHANNELS, OUTCOMES, TRIED, OutOfTurnError, Person, Said

DONE: Final[Mapping[Act, str]] = {
    Act.CLAIM: "You hold it now",
    Act.RELEASE: "Released",
    Act.ASSIGN: "Given on",
    Act.UNASSIGN: "Taken back",
    Act.ACKNOWLEDGE: "Acknowledged: it is yours now",
    Act.ATTEMPT: "Attempt kept",
    Act.SNOOZE: "Put off",
    Act.RESUME: "Taken up again",
    Act.COMPLETE: "Ended",
    Act.DECLINE: "Declined",
    Act.COMMENT: "Comment kept",
    Act.REOPEN: "Open again",
}
ENDING: Final = frozenset({Act.COMPLETE, Act.DECLINE})
STAYS_OPEN: Final = frozenset({Act.COMMENT, Act.ATTEMPT, Act.ACKNOWLEDGE})
"""After these the row stays unfolded: there is something to read, or more to do."""


def choices() -> Mapping[str, object]:
    """What the forms of acts offer."""
    return {
        "outcomes": OUTCOMES.values(), "channels": CHANNELS, "tried": TRIED, "colleagues": colleagues(),
    }  # fmt: skip


def colleagues() -> tuple[Person, ...]:
    """Everybody who can be given a task, by how people call them."""
    with house().store.accounts(write=False) as accounts:
        found = [account.person for account in accounts.all() if account.enabled and account.person.role in ACTORS]
    return tuple(sorted(found, key=lambda person: (person.display, person.name)))


def said_in(form: Mapping[str, str], act: Act) -> Said:
    """What a form says that was held against the contract. OutOfTurnError if nobody has the account that it names."""
    attempt = act is Act.ATTEMPT
    until = form.get("again" if attempt else "until", "")
    return Said(
        text=form.get("text", ""), outcome=form.get("reached" if attempt else "outcome", ""),
        channel=form.get("channel", "") if attempt else "", until=_instant(until, attempt) if until else None,
        to=_colleague(form.get("to", "")) if act is Act.ASSIGN else None,
    )  # fmt: skip


def refusal(error: PathwayError) -> str:
    """Why nothing was done, in sentences."""
    return " ".join(_sentence(part) for part in (error.what, error.why, error.fix) if part)


def _instant(day: str, attempt: bool) -> datetime:
    """When a day of the facility begins, on which a task comes back; or ends, by which the patient is tried again.

    OutOfTurnError for a day of which that cannot be said.
    """
    try:
        return (end_of_day if attempt else start_of_day)(date.fromisoformat(day), zone())
    except OverflowError:  # the first and the last day that a date can be, whose midnights lie beyond
        raise OutOfTurnError("there is no such day here", fix="Choose a day that is near") from None


def _colleague(name: str) -> Person | None:
    if not name:
        return None
    found = next((person for person in colleagues() if person.name == name), None)
    if found is None:
        raise OutOfTurnError("nobody here has this account", fix="Choose who is to have it")
    return found


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
