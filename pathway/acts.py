"""Acts: what a person may do to a task, and what it makes of it.

Who may do what, and where it leads, is `lifecycle`'s; an act that is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pathway import hands, progress
from pathway.clockwork import PACE, Pace
from pathway.history import PAST
from pathway.lifecycle import ACTORS, Act, Role, leads, may
from pathway.people import NotYoursError, OutOfTurnError, Person, Said, words
from pathway.tasks import Note, Task

SILENT: Final = Said()
"""Nothing said with an act."""


def acts_for(role: Role, task: Task) -> frozenset[Act]:
    """What a role may do to a task as it stands, whoever holds it."""
    return frozenset(what for what in Act if leads(what, task.status) and role in may(what, task))


def acts_now(task: Task, person: Person) -> frozenset[Act]:
    """What somebody may do to a task as it stands: the buttons of a page."""
    acts = acts_for(person.role, task)
    if task.acknowledged_at is not None:
        acts -= {Act.ACKNOWLEDGE}
    if task.ended:
        return acts
    if not task.holder:
        return acts - {Act.RELEASE, Act.UNASSIGN}
    if task.holder == person.name:
        return acts - {Act.CLAIM, Act.UNASSIGN}
    return acts & {Act.ASSIGN, Act.UNASSIGN, Act.COMMENT}


def act(task: Task, act: Act, person: Person, at: datetime, said: Said = SILENT, pace: Pace = PACE) -> Task:
    """The task after an act, one version on. ActRefusedError for what is not allowed, saying what to do instead."""
    said = replace(said, text=words(said.text))
    _check(task, act, person)
    changed = _DOES[act](task, person, at, said, pace)
    if changed.status not in leads(act, task.status):
        raise OutOfTurnError(f"a task that is {task.status} cannot be {PAST[act]}", fix="Look at it again")
    return _noted(task, changed, person, at, said)


def with_care(task: Task, person: Person, at: datetime, said: Said) -> Task:
    """A task as it ends when all care of a patient or an episode does, whoever holds it; never an emergency."""
    return _noted(task, progress.ended_with(task, person, at, said), person, at, said)


def _noted(before: Task, after: Task, person: Person, at: datetime, said: Said) -> Task:
    """The next version, with what was written on it."""
    notes = (*after.notes, Note(at, person.author, said.text)) if said.text else after.notes
    return replace(after, notes=notes, modified_at=at, version=before.version + 1)


def _check(task: Task, act: Act, person: Person) -> None:
    if person.role not in ACTORS:
        raise NotYoursError(
            f"a task cannot be changed as {person.role}", why="only coordinators and clinicians act on tasks",
            fix="Ask one of them",
        )  # fmt: skip
    if task.ended and not leads(act, task.status):
        raise OutOfTurnError("the task has ended", why=f"it is {task.status}", fix="Write a comment, or reopen it")
    allowed = may(act, task)
    if act is Act.ACKNOWLEDGE and not task.emergency:
        raise OutOfTurnError("this is no emergency", why="only those are acknowledged", fix="Claim it")
    if not allowed:
        raise NotYoursError(
            f"an emergency is not {PAST[act]}", why="somebody has to answer it",
            fix="A clinician completes it with its outcome",
        )  # fmt: skip
    if person.role not in allowed and not task.emergency:
        raise NotYoursError(
            f"this task is not {PAST[act]} by a {person.role}", why="a clinician has to do it at once or soon",
            fix="Ask a clinician; you can write a comment",
        )  # fmt: skip
    if person.role not in allowed:
        raise NotYoursError(
            f"a {person.role} cannot {act} an emergency", why="a clinician answers it",
            fix="Call the clinician on call; you can write a comment",
        )  # fmt: skip


_DOES: Final[Mapping[Act, Callable[[Task, Person, datetime, Said, Pace], Task]]] = MappingProxyType({
    Act.CLAIM: hands.claim,
    Act.RELEASE: hands.release,
    Act.ASSIGN: hands.assign,
    Act.UNASSIGN: hands.unassign,
    Act.SNOOZE: progress.snooze,
    Act.RESUME: progress.resume,
    Act.ATTEMPT: progress.attempt,
    Act.ACKNOWLEDGE: hands.acknowledge,
    Act.COMPLETE: progress.complete,
    Act.DECLINE: progress.decline,
    Act.COMMENT: progress.comment,
    Act.REOPEN: progress.reopen,
})  # fmt: skip
