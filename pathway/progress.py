"""How a task gets on: put off, taken up, tried, ended with an outcome, reopened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pathway.clockwork import Pace, tries, wound
from pathway.hands import answered, held, not_anothers, taken_up
from pathway.lifecycle import reopened, resting
from pathway.people import CHANNELS, OUTCOMES, TRIED, OutOfTurnError, Person, Said
from pathway.tasks import Attempt, Task

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def snooze(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Put off to a day, with a reason; it comes back by itself."""
    not_anothers(task, person)
    if not said.text:
        raise OutOfTurnError("a task is put off with a reason", fix="Say why in a few words")
    if said.until is None or said.until <= at:
        raise OutOfTurnError("a task is put off to a day to come", fix="Choose when it is to come back")
    if said.until > at + pace.furthest(task):
        raise OutOfTurnError(
            f"this task is put off for {_span(task, pace)} at most", fix="Choose an earlier day, or end it"
        )
    return wound(replace(task, status="on-hold", returns_at=said.until, stage=0, by_person=True), pace, at)


def resume(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Taken up before its day."""
    not_anothers(task, person)
    if task.status != "on-hold":
        raise OutOfTurnError("this task is not put off", fix="Nothing is to do")
    return taken_up(replace(task, status=resting(task, at)), pace, at)


def attempt(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Whoever tries has it. After so many in vain it escalates at once, past whoever tried."""
    not_anothers(task, person)
    if said.channel not in CHANNELS:
        raise OutOfTurnError("an attempt says how it was made", fix=f"Choose one of: {', '.join(CHANNELS)}")
    if said.outcome not in TRIED:
        raise OutOfTurnError("an attempt says what came of it", fix=f"Choose one of: {', '.join(TRIED)}")
    if said.until is not None and said.until <= at:
        raise OutOfTurnError("the next try lies in the past", fix="Choose a day to come, or none")
    if said.until is not None and said.until > at + pace.furthest(task):
        raise OutOfTurnError(
            f"the next try is {_span(task, pace)} away at most", fix="Choose an earlier day, or end the task"
        )
    attempts = (*task.attempts, Attempt(at, person.author, said.channel, said.outcome, said.until))
    going = taken_up(
        replace(held(answered(task, person, at), person, at), status="in-progress", attempts=attempts), pace, at
    )
    in_vain = tries(attempts)
    if in_vain and in_vain % pace.attempts == 0:
        return replace(going, stage=max(1, task.stage), escalate_at=at)
    return going


def complete(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Ended with an outcome, and with a reason where the outcome does not speak for itself."""
    not_anothers(task, person)
    if said.outcome not in OUTCOMES:
        raise OutOfTurnError(
            "a task is completed with its outcome", why=f"{'an unknown' if said.outcome else 'no'} outcome was given",
            fix=f"Choose one of: {', '.join(OUTCOMES)}",
        )  # fmt: skip
    end = OUTCOMES[said.outcome]
    if not said.text and (end.needs_text or (task.emergency and end.status != "completed")):
        raise OutOfTurnError(f"the outcome {end.display!r} needs a reason", fix="Say why in a few words")
    if end.code == "unreachable" and tries(task.attempts) < pace.attempts:
        raise OutOfTurnError(
            f"{end.display!r} takes {pace.attempts} attempts", why=f"{tries(task.attempts)} are recorded",
            fix="Record each attempt with its outcome",
        )  # fmt: skip
    return ended_with(task, person, at, said)


def ended_with(task: Task, person: Person, at: datetime, said: Said) -> Task:
    """Ended with an outcome, whoever holds it and whatever stands on it."""
    end = OUTCOMES[said.outcome]
    reason = f"{end.display}: {said.text}" if said.text else end.display
    return _ended(replace(task, status=end.status, outcome=end.code, status_reason=reason), person, at)


def decline(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Whoever was asked will not do it, and says why."""
    not_anothers(task, person)
    if not said.text:
        raise OutOfTurnError("a task is declined with a reason", fix="Say why in a few words")
    return _ended(replace(task, status="rejected", status_reason=said.text), person, at)


def comment(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Words change no end: what evidence ended stays ended by evidence."""
    if not said.text:
        raise OutOfTurnError("the comment is empty", fix="Write something")
    return task if task.ended else replace(task, by_person=True)


def reopen(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Open again by a person's word; the records that had closed it do not close it again."""
    if not task.ended:
        raise OutOfTurnError("this task is open", fix="Nothing is to do")
    if not said.text:
        raise OutOfTurnError("a task is reopened with a reason", fix="Say why in a few words")
    disputed = tuple(sorted({*task.disputed, *task.evidence}))
    again = replace(reopened(task, at, f"reopened: {said.text}"), by_person=True, disputed=disputed)
    return wound(again, pace, at, anew=True)


def _span(task: Task, pace: Pace) -> str:
    """How far a task may be put off, in words; in hours too where that is short, for a day ends later than in 24."""
    span = pace.furthest(task)
    days = "a day" if span.days == 1 else f"{span.days} days"
    return f"{days} ({span // _HOUR} hours)" if span <= 3 * _DAY else days


def _ended(task: Task, person: Person, at: datetime) -> Task:
    done = replace(task, ended_at=at, by_person=True, returns_at=None, escalate_at=None)
    return held(done, person, at)
