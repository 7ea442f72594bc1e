"""The life of a task, as data: which act leads from which status to which, and who may do it.

The statuses are those of FHIR R4 Task. `docs/task-lifecycle.md` is made from these tables, and `acts` and `clockwork`
are held to them: what is not listed here does not happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pathway.tasks import Task


class Role(StrEnum):
    """What a person is here for."""

    CLINICIAN = "clinician"
    COORDINATOR = "coordinator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Act(StrEnum):
    """What a person can do to a task."""

    CLAIM = "claim"
    RELEASE = "release"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    SNOOZE = "snooze"
    RESUME = "resume"
    ATTEMPT = "attempt"
    ACKNOWLEDGE = "acknowledge"
    COMPLETE = "complete"
    DECLINE = "decline"
    COMMENT = "comment"
    REOPEN = "reopen"


class Tick(StrEnum):
    """What the clock can do to a task."""

    START = "start"
    RETURN = "return"
    ESCALATE = "escalate"
    EXPIRE = "expire"


class Word(StrEnum):
    """What the record can do to a task."""

    ASK = "ask"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"
    MERGE = "merge"


NONE: Final = ""
"""The status of a task that is not made yet."""
OPEN: Final = ("requested", "ready", "accepted", "in-progress", "on-hold")
ENDS: Final = ("completed", "cancelled", "failed", "rejected")
_WAITING: Final = ("requested", "ready")
_AWAKE: Final = ("requested", "ready", "accepted", "in-progress")
_TAKEN: Final = ("accepted", "in-progress")


@dataclass(frozen=True, slots=True)
class Move:
    """One kind of move: from any of some statuses to one of others. Without `to`, the status stays as it was."""

    by: Act | Tick | Word
    sources: tuple[str, ...]
    to: tuple[str, ...]
    means: str


MOVES: Final = (
    Move(Word.ASK, (NONE,), _WAITING, "The record asks for it: ready at once, or requested until its period begins"),
    Move(Tick.START, ("requested",), ("ready",), "Its period begins"),
    Move(Act.CLAIM, (*_WAITING, "on-hold"), ("accepted",), "Somebody takes it in hand; a snooze ends"),
    Move(Act.ASSIGN, _AWAKE, ("accepted",), "Somebody is given it"),
    Move(Act.ASSIGN, ("on-hold",), (), "Somebody is given it for when it comes back"),
    Move(Act.ACKNOWLEDGE, _AWAKE, ("in-progress",), "A clinician answers an emergency: its timer stops"),
    Move(Act.ATTEMPT, OPEN, ("in-progress",), "Somebody tries to reach the patient"),
    Move(Act.RELEASE, _TAKEN, _WAITING, "Whoever has it gives it back"),
    Move(Act.RELEASE, ("on-hold",), (), "Whoever has it gives it back; it comes back on its day"),
    Move(Act.UNASSIGN, _TAKEN, _WAITING, "It is taken from whoever has it, with a reason"),
    Move(Act.UNASSIGN, ("on-hold",), (), "It is taken from whoever has it; it comes back on its day"),
    Move(Act.SNOOZE, OPEN, ("on-hold",), "Put off to a day, with a reason"),
    Move(Act.RESUME, ("on-hold",), _AWAKE, "Taken up before its day"),
    Move(Tick.RETURN, ("on-hold",), _AWAKE, "Its day has come: as it stood before it was put off"),
    Move(Tick.ESCALATE, _AWAKE, (), "Late or unanswered: the holder, then the role, then the supervisor are told"),
    Move(Act.COMMENT, (*OPEN, *ENDS), (), "Somebody writes on it"),
    Move(Act.COMPLETE, OPEN, ("completed", "cancelled", "failed"), "A person ends it with an outcome"),
    Move(Act.DECLINE, OPEN, ("rejected",), "Whoever was asked says no, with a reason"),
    Move(Word.CLOSE, OPEN, ("completed",), "The record shows that it was done"),
    Move(Word.WITHDRAW, OPEN, ("cancelled",), "What asked for it has gone"),
    Move(Tick.EXPIRE, _WAITING, ("cancelled", "failed"), "Its period has passed, and nobody has it"),
    Move(Act.REOPEN, ENDS, _WAITING, "A person opens it again, with a reason"),
    Move(Word.REOPEN, ENDS, _WAITING, "The record that ended it is withdrawn, or contradicted by another"),
)
"""All that can happen to a task."""


PRESSING: Final = frozenset({"stat", "asap"})
"""The priorities of what cannot wait for days: no end of care but death, and no day of go-live, keeps it from being
asked for.

A project default of 2026-11-23, awaiting a clinician's sign-off.
"""
CLINICAL: Final = frozenset({"clinician", "operator"})
"""The roles of which a clinician has to answer for the time that something takes."""


@dataclass(frozen=True, slots=True)
class May:
    """Who may do an act: to a task, to an emergency, and to what presses on a clinician, if that is another."""

    ordinary: frozenset[Role]
    emergency: frozenset[Role]
    pressing: frozenset[Role] | None = None


ACTORS: Final = frozenset({Role.CLINICIAN, Role.COORDINATOR})
_CLINICIANS: Final = frozenset({Role.CLINICIAN})
_NOBODY: Final[frozenset[Role]] = frozenset()

MAY: Final[Mapping[Act, May]] = MappingProxyType({
    Act.CLAIM: May(ACTORS, _CLINICIANS),
    Act.RELEASE: May(ACTORS, _CLINICIANS),
    Act.ASSIGN: May(ACTORS, _CLINICIANS),
    Act.UNASSIGN: May(ACTORS, _CLINICIANS),
    Act.SNOOZE: May(ACTORS, _NOBODY, pressing=_CLINICIANS),
    Act.RESUME: May(ACTORS, _NOBODY),
    Act.ATTEMPT: May(ACTORS, _CLINICIANS),
    Act.ACKNOWLEDGE: May(_NOBODY, _CLINICIANS),
    Act.COMPLETE: May(ACTORS, _CLINICIANS),
    Act.DECLINE: May(ACTORS, _NOBODY),
    Act.COMMENT: May(ACTORS, ACTORS),
    Act.REOPEN: May(ACTORS, _CLINICIANS),
})  # fmt: skip
IN_BULK: Final = frozenset({Act.CLAIM, Act.ASSIGN, Act.SNOOZE, Act.COMPLETE, Act.DECLINE})
"""What may be done to many tasks at a time; to no emergency."""


def leads(by: Act | Tick | Word, status: str) -> tuple[str, ...]:
    """The statuses to which something leads from a status; none where it cannot happen."""
    return tuple(end for move in _moves(by) if status in move.sources for end in move.to or (status,))


def _moves(by: Act | Tick | Word) -> Iterable[Move]:
    return (move for move in MOVES if move.by is by)


def may(act: Act, task: Task) -> frozenset[Role]:
    """The roles that may do an act to a task."""
    rights = MAY[act]
    if task.emergency:
        return rights.emergency
    return rights.ordinary if rights.pressing is None or not presses(task) else rights.pressing


def presses(task: Task) -> bool:
    """Whether a clinician or the operator has to do it at once or soon."""
    return task.priority in PRESSING and task.owner in CLINICAL


def resting(task: Task, at: datetime) -> str:
    """The open status that a task has at an instant of itself, neither put off nor ended."""
    if task.holder:
        return "in-progress" if task.attempts else "accepted"
    return first_status(task.start_at, at)


def first_status(start_at: datetime | None, at: datetime) -> str:
    """The status of a task that nobody has: requested until its period begins, then ready."""
    return "ready" if start_at is None or start_at <= at else "requested"


def reopened(task: Task, at: datetime, reason: str) -> Task:
    """An ended task as it is opened again, in nobody's hands; its version and history are its keeper's.

    What of its clock has passed does not end it a second time. An emergency rings again: one stage on.
    """
    ahead = task.expires_at if task.expires_at is not None and task.expires_at > at else None
    free = replace(
        task, holder="", holder_display="", held_at=None, outcome="", ended_at=None, evidence=(), lapsed=False,
        status_reason=reason, expires_at=ahead, returns_at=None, escalate_at=None, acknowledged_at=None,
        acknowledged_by="", stage=task.stage + 1 if task.emergency else 0,
    )  # fmt: skip
    return replace(free, status=first_status(free.start_at, at))
