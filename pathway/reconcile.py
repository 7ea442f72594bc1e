"""Reconcile: the desired state against the tasks that exist.

Level-triggered: run twice, late or after a crash, it comes to the same end.

People win. A task that a person completed, declined, reassigned or commented on is never undone here, and what a
person ended is not asked for again until its ground has gone and come back. An emergency is ended by people alone, and
a new sign opens it anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pathway.obligations import Item, Obligation, State

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pathway.example/fhir/Task")
ON_CALL: Final = "on-call"
"""A task asked of this role is an emergency: neither evidence nor the clock ends it, whoever claims it."""

ENDED: Final = frozenset({"completed", "cancelled", "rejected", "failed", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote on a task; `author` is their name and role."""

    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """One task as it stands. `status` is a FHIR R4 task status; `lapsed` says that what asked for it has been gone
    since it ended.

    `owner` is the role that it is for; `holder` the account of who claimed or ended it. `by_person` says that a
    person's word stands on it: they hold it, wrote on it or ended it. `outcome` is how a person ended it
    (`pathway.people.OUTCOMES`). `items` is its checklist, as the record stood at the last decision.

    `key` is episode, rule and occurrence and never holds a rule version: an upgrade of rules re-creates nothing.
    """

    key: str
    patient: str
    episode: str
    rule: str
    occurrence: int
    code: str
    title: str
    status: str
    priority: str
    owner: str
    due_at: datetime
    anchor: str
    focus: str
    release: str
    decision: str
    authored_at: datetime
    modified_at: datetime
    levels: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    status_reason: str = ""
    by_person: bool = False
    lapsed: bool = False
    emergency: bool = False
    version: int = 1
    holder: str = ""
    holder_display: str = ""
    held_at: datetime | None = None
    outcome: str = ""
    notes: tuple[Note, ...] = ()
    ended_at: datetime | None = None
    items: tuple[Item, ...] = ()

    @property
    def id(self) -> str:
        """The FHIR id, the same for the same key on every machine."""
        return str(uuid.uuid5(NAMESPACE, self.key))

    @property
    def ended(self) -> bool:
        """Whether the task has reached an end of the state machine."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Changes:
    """What to store: tasks made anew and tasks changed. Empty when the state is already as desired."""

    created: tuple[Task, ...] = ()
    updated: tuple[Task, ...] = ()


def reconcile(
    patient: str, wishes: Sequence[Obligation], tasks: Iterable[Task], decision: str, now: datetime
) -> Changes:
    """The changes that bring the tasks of one patient to the desired state.

    Running it again on its own result changes nothing.
    """
    latest: dict[str, Task] = {}
    for task in sorted(tasks, key=lambda t: t.occurrence):
        latest[f"{task.episode}/{task.rule}"] = task
    created: list[Task] = []
    updated: list[Task] = []
    for wish in wishes:
        task = latest.pop(wish.key, None)
        if task is None or _may_ask_again(task, wish):
            if wish.state is State.OPEN:
                created.append(_new(patient, wish, 1 if task is None else task.occurrence + 1, decision, now))
            continue
        changed = _ended(task, wish) if wish.state is State.CLOSED else _refreshed(task, wish)
        if changed != task:
            updated.append(_next(task, changed, decision, now))
    for task in latest.values():
        changed = _unasked(task)
        if changed != task:
            updated.append(_next(task, changed, decision, now))
    return Changes(tuple(created), tuple(updated))


def _next(task: Task, changed: Task, decision: str, now: datetime) -> Task:
    """The next version of a task, and when it ended, if it just did."""
    ended_at = now if changed.ended and not task.ended else task.ended_at
    return replace(changed, modified_at=now, decision=decision, version=task.version + 1, ended_at=ended_at)


def _may_ask_again(task: Task, wish: Obligation) -> bool:
    """What evidence ended may come back; what a person ended only after a lapse, an emergency also for a new sign."""
    new_sign = task.emergency and bool(set(wish.sources) - set(task.sources))
    return task.ended and wish.state is State.OPEN and (not task.by_person or task.lapsed or new_sign)


def _unasked(task: Task) -> Task:
    """A task that nothing asks for any more: withdrawn, unless people hold or alone may end it."""
    if task.ended:
        return replace(task, lapsed=True)
    if task.emergency:
        return replace(task, status_reason="the record no longer asks for this: a clinician closes it with an outcome")
    if task.by_person:
        return replace(task, status_reason="the record no longer asks for this: whoever has it ends it")
    return replace(
        task, status="cancelled", status_reason="no longer needed: what asked for it has changed", lapsed=True
    )


def _new(patient: str, wish: Obligation, occurrence: int, decision: str, now: datetime) -> Task:
    return Task(
        key=f"{wish.key}/{occurrence}", patient=patient, episode=wish.episode, rule=wish.rule,
        occurrence=occurrence, code=wish.code, title=wish.title, status="requested", priority=wish.priority,
        owner=wish.owner, due_at=wish.due_at, anchor=wish.anchor, focus=wish.focus, release=wish.release,
        decision=decision, authored_at=now, modified_at=now, levels=wish.levels, why=wish.why, sources=wish.sources,
        emergency=wish.owner == ON_CALL, items=wish.items,
    )  # fmt: skip


def _ended(task: Task, wish: Obligation) -> Task:
    """Evidence completes an open task, but no emergency; what has ended stays as it ended."""
    if task.ended:
        return replace(task, lapsed=True)
    if task.emergency:
        return replace(task, status_reason="the record speaks against it now: a clinician closes it with an outcome")
    return replace(
        task, status="completed", evidence=wish.evidence, status_reason="closed by evidence", lapsed=True,
        by_person=False, items=wish.items,
    )  # fmt: skip


def _refreshed(task: Task, wish: Obligation) -> Task:
    """Reasons, levels and checklist follow the facts; owner, status and notes are people's; an asked-for date stays."""
    if task.ended:
        return task
    due = task.due_at if wish.anchor == "asked" else wish.due_at
    return replace(
        task, title=wish.title, priority=wish.priority, due_at=due, levels=wish.levels, why=wish.why,
        sources=wish.sources, focus=wish.focus, status_reason="", items=wish.items,
    )  # fmt: skip
