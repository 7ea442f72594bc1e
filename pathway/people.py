"""People and tasks: who may do what, and what it makes of a task.

    PathwayError
    └── ActRefusedError         what, why, fix
        ├── NotYoursError       this role may not do this
        └── OutOfTurnError      the task does not stand so that this can be done

A coordinator or a clinician acts; an auditor and an admin never do. An emergency is a clinician's alone. What somebody
holds, nobody else ends: they release it first, saying why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pathway.errors import PathwayError
from pathway.reconcile import Note, Task

MOST_TEXT: Final = 2000
"""The longest comment or reason, in characters."""
_NO_CONTROL: Final = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*")
"""What a string of FHIR R4 may hold: of the control characters only tab and line ends."""


class Role(StrEnum):
    """What a person is here for."""

    CLINICIAN = "clinician"
    COORDINATOR = "coordinator"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in: `name` is the account's, `display` how people call them."""

    name: str
    role: Role
    display: str


class Act(StrEnum):
    """What a person can do to a task."""

    CLAIM = "claim"
    RELEASE = "release"
    COMPLETE = "complete"
    DECLINE = "decline"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An honest end: its code in the local list `task-outcome`, how people call it, the FHIR R4 status it leads to."""

    code: str
    display: str
    status: str
    needs_text: bool = False


OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType({
    outcome.code: outcome
    for outcome in (
        Outcome("done", "Done", "completed"),
        Outcome("not-needed", "Not needed", "cancelled", needs_text=True),
        Outcome("declined-by-patient", "Declined by the patient", "cancelled"),
        Outcome("unreachable", "Patient not reached", "failed", needs_text=True),
        Outcome("transferred", "Care transferred", "cancelled"),
        Outcome("hospice", "In hospice care", "cancelled"),
        Outcome("died", "Died", "cancelled"),
    )
})  # fmt: skip
"""R4 Task.status: `completed` as planned, `failed` attempted but not completed, `cancelled` not completed."""

ACTORS: Final = frozenset({Role.CLINICIAN, Role.COORDINATOR})
EMERGENCY_ACTS: Final[Mapping[Role, frozenset[Act]]] = MappingProxyType({
    Role.CLINICIAN: frozenset({Act.CLAIM, Act.RELEASE, Act.COMPLETE, Act.COMMENT}),
    Role.COORDINATOR: frozenset({Act.COMMENT}),
})  # fmt: skip


class ActRefusedError(PathwayError):
    """An act that was not done, and nothing was changed."""


class NotYoursError(ActRefusedError):
    """This role may not do this to this task."""


class OutOfTurnError(ActRefusedError):
    """The task does not stand so that this can be done, or somebody else holds it."""


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task: an act of a person, or `ask`, `close`, `withdraw` by the record.

    `sequence` counts from 1 within the task and is given when it is stored. `version` is the task's afterwards.
    """

    task: str
    at: datetime
    actor: str
    role: str
    display: str
    act: str
    before: str
    after: str
    version: int
    text: str = ""
    outcome: str = ""
    sequence: int = 0

    @property
    def by_person(self) -> bool:
        """Whether a person did it."""
        return self.role != ""

    def sentence(self) -> str:
        """Who did what and when, without what they wrote."""
        return f"{self.display} {_PAST[self.act]} it at {self.at:%Y-%m-%d %H:%M} UTC"


def act_event(before: Task, after: Task, act: Act, person: Person, text: str, outcome: str) -> TaskEvent:
    """What a person did, for the history."""
    return TaskEvent(
        task=after.key, at=after.modified_at, actor=person.name, role=person.role, display=person.display, act=act,
        before=before.status, after=after.status, version=after.version, text=_words(text),
        outcome=outcome if after.outcome == outcome else "",
    )  # fmt: skip


def record_event(before: Task | None, after: Task) -> TaskEvent | None:
    """What the record did, for the history: it asked for a task or ended it. None where only reasons or dates moved."""
    if before is not None and before.status == after.status:
        return None
    act = "ask" if before is None else "close" if after.status == "completed" else "withdraw"
    return TaskEvent(
        task=after.key, at=after.modified_at, actor="pathway", role="", display="The record", act=act,
        before=before.status if before else "", after=after.status, version=after.version, text=after.status_reason,
    )  # fmt: skip


def acts_for(role: Role, task: Task) -> frozenset[Act]:
    """What a role may do to a task at all, whoever holds it: the buttons of a page."""
    if role not in ACTORS:
        return frozenset()
    if task.ended:
        return frozenset({Act.COMMENT})
    return EMERGENCY_ACTS[role] if task.emergency else frozenset(Act)


def act(task: Task, act: Act, person: Person, at: datetime, text: str = "", outcome: str = "") -> Task:
    """The task after an act, one version on. ActRefusedError for what is not allowed, saying what to do instead."""
    text = _words(text)
    _may(task, act, person)
    changed = _DOES[act](task, person, at, text, outcome)
    if text:
        author = f"{person.display} ({person.role})"
        changed = replace(changed, notes=(*changed.notes, Note(at, author, text)))
    return replace(changed, modified_at=at, version=task.version + 1)


def _words(text: str) -> str:
    """What somebody wrote, without blanks around it; empty if nobody can see any of it (zero width, direction)."""
    text = text.strip()
    if len(text) > MOST_TEXT:
        raise OutOfTurnError(f"the text is longer than {MOST_TEXT} characters", fix="Shorten it")
    if not _NO_CONTROL.fullmatch(text):
        raise OutOfTurnError("the text holds a control character", why="FHIR has no room for it", fix="Write it anew")
    return text if any(unicodedata.category(character)[0] not in "CZ" for character in text) else ""


def _may(task: Task, act: Act, person: Person) -> None:
    if person.role not in ACTORS:
        raise NotYoursError(
            f"a task cannot be changed as {person.role}", why="only coordinators and clinicians act on tasks",
            fix="Ask one of them",
        )  # fmt: skip
    if task.ended and act is not Act.COMMENT:
        raise OutOfTurnError(
            "the task has ended", why=f"it is {task.status}", fix="Write a comment; what is needed again comes back"
        )
    if task.emergency and act is Act.DECLINE:
        raise NotYoursError(
            "an emergency is not declined", why="somebody has to answer it",
            fix="A clinician completes it with its outcome",
        )  # fmt: skip
    if act not in acts_for(person.role, task):
        raise NotYoursError(
            f"a {person.role} cannot {act} an emergency", why="a clinician answers it",
            fix="Call the clinician on call; you can write a comment",
        )  # fmt: skip


def _claim(task: Task, person: Person, at: datetime, text: str, outcome: str) -> Task:
    if task.holder == person.name:
        raise OutOfTurnError("you hold this task already", fix="Nothing is to do")
    _not_anothers(task, person)
    return _held(replace(task, status="accepted", by_person=True), person, at)


def _release(task: Task, person: Person, at: datetime, text: str, outcome: str) -> Task:
    """Given back; as before anybody touched it, unless somebody's words stand on it."""
    if not task.holder:
        raise OutOfTurnError("nobody holds this task", fix="Nothing is to do")
    if task.holder != person.name and not text:
        raise OutOfTurnError(
            "somebody else's task is released with a reason", why=_who(task), fix="Say why, or ask them to release it"
        )
    noted = bool(task.notes or text)
    return replace(task, status="requested", holder="", holder_display="", held_at=None, by_person=noted)


def _complete(task: Task, person: Person, at: datetime, text: str, outcome: str) -> Task:
    _not_anothers(task, person)
    if outcome not in OUTCOMES:
        raise OutOfTurnError(
            "a task is completed with its outcome", why=f"{'an unknown' if outcome else 'no'} outcome was given",
            fix=f"Choose one of: {', '.join(OUTCOMES)}",
        )  # fmt: skip
    end = OUTCOMES[outcome]
    if not text and (end.needs_text or (task.emergency and end.status != "completed")):
        raise OutOfTurnError(f"the outcome {end.display!r} needs a reason", fix="Say why in a few words")
    reason = f"{end.display}: {text}" if text else end.display
    ended = replace(task, status=end.status, outcome=outcome, status_reason=reason, ended_at=at, by_person=True)
    return _held(ended, person, at)


def _decline(task: Task, person: Person, at: datetime, text: str, outcome: str) -> Task:
    _not_anothers(task, person)
    if not text:
        raise OutOfTurnError("a task is declined with a reason", fix="Say why in a few words")
    return _held(replace(task, status="rejected", status_reason=text, ended_at=at, by_person=True), person, at)


def _comment(task: Task, person: Person, at: datetime, text: str, outcome: str) -> Task:
    """Words change no end: what evidence ended stays ended by evidence."""
    if not text:
        raise OutOfTurnError("the comment is empty", fix="Write something")
    return task if task.ended else replace(task, by_person=True)


def _held(task: Task, person: Person, at: datetime) -> Task:
    """In this person's hands, since when they took it."""
    if task.holder == person.name:
        return task
    return replace(task, holder=person.name, holder_display=person.display, held_at=at)


def _not_anothers(task: Task, person: Person) -> None:
    if task.holder not in ("", person.name):
        raise OutOfTurnError(
            "somebody else holds this task", why=_who(task), fix="Ask them, or release it with a reason first"
        )


def _who(task: Task) -> str:
    since = f" since {task.held_at:%Y-%m-%d %H:%M} UTC" if task.held_at else ""
    return f"{task.holder_display} holds it{since}"


_PAST: Final[Mapping[str, str]] = MappingProxyType({
    "claim": "claimed", "release": "released", "complete": "completed", "decline": "declined",
    "comment": "commented on", "ask": "asked for", "close": "closed", "withdraw": "withdrew",
})  # fmt: skip
_DOES: Final[Mapping[Act, Callable[[Task, Person, datetime, str, str], Task]]] = MappingProxyType({
    Act.CLAIM: _claim,
    Act.RELEASE: _release,
    Act.COMPLETE: _complete,
    Act.DECLINE: _decline,
    Act.COMMENT: _comment,
})  # fmt: skip
