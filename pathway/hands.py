"""In whose hands a task is: claimed, acknowledged, given back, given and taken.

What somebody holds, nobody else claims or ends: it is released first, or taken from them with a reason.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pathway.clockwork import Pace, not_later, wound
from pathway.lifecycle import Act, may, resting
from pathway.people import OutOfTurnError, Person, Said, when
from pathway.tasks import Task


def claim(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Somebody takes it in hand."""
    if task.holder == person.name:
        raise OutOfTurnError("you hold this task already", fix="Nothing is to do")
    not_anothers(task, person)
    return taken_up(replace(held(answered(task, person, at), person, at), status="accepted"), pace, at)


def acknowledge(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Whoever answers an emergency has it: its timer stops."""
    not_anothers(task, person)
    if task.acknowledged_at is not None:
        raise OutOfTurnError("this emergency is acknowledged already", fix="Nothing is to do")
    return taken_up(replace(held(answered(task, person, at), person, at), status="in-progress"), pace, at)


def release(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Given back; as before anybody touched it, unless somebody's words or attempts stand on it."""
    if not task.holder:
        raise OutOfTurnError("nobody holds this task", fix="Nothing is to do")
    if task.holder != person.name:
        raise OutOfTurnError("somebody else holds this task", why=_who(task), fix="Take it from them, saying why")
    return _freed(task, at, said, pace)


def unassign(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Taken from whoever has it: nobody is blocked for ever, and nothing is taken silently."""
    if not task.holder:
        raise OutOfTurnError("nobody holds this task", fix="Nothing is to do")
    if task.holder == person.name:
        raise OutOfTurnError("you hold this task yourself", fix="Release it")
    if not said.text:
        raise OutOfTurnError(
            "a task is taken from somebody with a reason", why=_who(task), fix="Say why, or ask them to release it"
        )
    return _freed(task, at, said, pace)


def _freed(task: Task, at: datetime, said: Said, pace: Pace) -> Task:
    """In nobody's hands; an emergency waits for an answer again."""
    said_something = bool(task.notes or task.attempts or said.text)
    free = replace(
        task, holder="", holder_display="", held_at=None, acknowledged_at=None, acknowledged_by="",
        by_person=said_something or task.status == "on-hold",
    )  # fmt: skip
    if free.status == "on-hold":
        return free
    going = wound(replace(free, status=resting(free, at)), pace, at, anew=True)
    return not_later(task, going) if task.emergency else going


def assign(task: Task, person: Person, at: datetime, said: Said, pace: Pace) -> Task:
    """Somebody is given it by another; an emergency goes on ringing until they answer."""
    if said.to is None:
        raise OutOfTurnError("a task is given to somebody", fix="Choose who is to have it")
    if said.to.role not in may(Act.CLAIM, task):
        raise OutOfTurnError(
            f"this task cannot be given to a {said.to.role}", why="they could not act on it",
            fix="Choose a clinician" if task.emergency else "Choose a coordinator or a clinician",
        )  # fmt: skip
    if task.holder == said.to.name:
        raise OutOfTurnError("they hold this task already", fix="Nothing is to do")
    if task.holder not in ("", person.name) and not said.text:
        raise OutOfTurnError("a task is taken from somebody with a reason", why=_who(task), fix="Say why")
    unanswered = replace(task, acknowledged_at=None, acknowledged_by="")
    given = held(answered(unanswered, person, at) if said.to == person else unanswered, said.to, at)
    if task.status == "on-hold":
        return replace(given, by_person=True)
    return taken_up(replace(given, status="accepted"), pace, at)


def taken_up(task: Task, pace: Pace, at: datetime) -> Task:
    """Somebody turned to it: no snooze any more, and its escalation begins anew, unless it is an emergency that waits
    for its answer still.
    """
    stage = task.stage if task.emergency else 0
    going = wound(replace(task, returns_at=None, stage=stage, by_person=True), pace, at, anew=True)
    return not_later(task, going) if task.emergency and task.acknowledged_at is None else going


def answered(task: Task, person: Person, at: datetime) -> Task:
    """An emergency that a clinician takes in hand is acknowledged, once."""
    if not task.emergency or task.acknowledged_at is not None:
        return task
    return replace(task, acknowledged_at=at, acknowledged_by=person.display)


def held(task: Task, person: Person, at: datetime) -> Task:
    """In this person's hands, since when they took it."""
    if task.holder == person.name:
        return task
    return replace(task, holder=person.name, holder_display=person.display, held_at=at)


def not_anothers(task: Task, person: Person) -> None:
    """OutOfTurnError, saying who, if somebody else holds it."""
    if task.holder not in ("", person.name):
        raise OutOfTurnError(
            "somebody else holds this task", why=_who(task), fix="Ask them, or take it from them with a reason first"
        )


def _who(task: Task) -> str:
    since = f" since {when(task.held_at)}" if task.held_at else ""
    return f"{task.holder_display} holds it{since}"
