"""Reconcile: the desired state against the tasks that exist.

Level-triggered: run twice, late or after a crash, it comes to the same end.

People win. A task that a person completed, declined, reassigned or commented on is never undone here, and what a
person ended is not asked for again until its ground has gone and come back, or a record contradicts it (`reopening`).
An emergency is ended by people alone, and a new sign opens it anew: one of which none of its tasks ever told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pathway import calendar
from pathway.canonical import instant
from pathway.care import DIED
from pathway.episodes import person_episode_id
from pathway.ground import NOTHING_MORE, Ground, outreach, silenced, withheld
from pathway.levels import UNSPECIFIED
from pathway.lifecycle import first_status, reopened
from pathway.obligations import Obligation, State
from pathway.reopening import reason_to_reopen
from pathway.settled import latest, settled
from pathway.tasks import EXPIRED, ON_CALL, Task

UNASKED: Final = "the record no longer asks for this: whoever has it ends it"
DOUBLE: Final = "asked for twice, by records that are of one thing: whoever has it ends it"
_ALARM_UNASKED: Final = "the record no longer asks for this: a clinician closes it with an outcome"
_ALARM_ANSWERED: Final = "the record speaks against it now: a clinician closes it with an outcome"
_OURS: Final = frozenset({UNASKED, DOUBLE, _ALARM_UNASKED, _ALARM_ANSWERED})
"""The reasons that stand on open tasks for as long as they hold; any other was said by people, or by a reopening."""
AT_LEAST: Final = timedelta(hours=1)
"""How long whoever is asked for a thing that is due within hours has at least, when the record of it comes late.

A project default of 2026-11-23, awaiting a clinician's sign-off.
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to store: tasks made anew and tasks changed. Empty when the state is already as desired."""

    created: tuple[Task, ...] = ()
    updated: tuple[Task, ...] = ()


def reconcile(
    patient: str, wishes: Sequence[Obligation], tasks: Iterable[Task], decision: str, now: datetime,
    ground: Ground = NOTHING_MORE,
) -> Changes:  # fmt: skip
    """The changes that bring the tasks of one patient to the desired state.

    Running it again on its own result changes nothing.
    """
    was: dict[str, Task] = {}
    after: dict[str, Task] = {}
    groups: dict[str, list[Task]] = {}
    for task in sorted(tasks, key=lambda t: (t.authored_at, t.occurrence, t.key)):
        task = was[task.key] = replace(task, lapsed=True) if task.key in ground.lifted else task
        # First of all, for of what is left something else may count: nobody calls the dead.
        task = after[task.key] = _dead(task, ground) if outreach(task, ground) else task
        groups.setdefault(f"{ground.same.get(task.episode, task.episode)}/{task.rule}", []).append(task)
    created: list[Task] = []
    for wish in wishes:
        own = groups.pop(wish.key, [])
        task, others = settled(own)
        after |= {other.key: _beside(other, task, wish, ground) for other in others}
        if task is None or _may_ask_again(task, own, wish, ground):
            if wish.state is State.OPEN and not withheld(wish, ground):
                number = 1 + max((t.occurrence for t in own if t.episode == wish.episode), default=0)
                created.append(_new(patient, wish, number, decision, now, ground.zone))
            continue
        after[task.key] = _followed(task, wish, ground, now)
    for key, own in groups.items():
        after |= {task.key: _unwished(task, key, ground) for task in latest(own)}
    changed = ((was[key], task) for key, task in after.items() if task != was[key])
    return Changes(tuple(created), tuple(_next(before, task, decision, now) for before, task in changed))


def _next(task: Task, changed: Task, decision: str, now: datetime) -> Task:
    """The next version of a task, and when it ended, if it just did."""
    ended_at = now if changed.ended and not task.ended else changed.ended_at
    return replace(changed, modified_at=now, decision=decision, version=task.version + 1, ended_at=ended_at)


def _may_ask_again(task: Task, own: Iterable[Task], wish: Obligation, ground: Ground) -> bool:
    """What evidence ended may come back; what a person or the clock ended only after a lapse.

    An emergency comes back for a new sign, a task of the whole person for another vertebra; what a record contradicts
    opens as the task that it was.
    """
    if not task.ended or wish.state is not State.OPEN or reason_to_reopen(task, wish, ground.withdrawn):
        return False
    told = tuple(own)
    new_sign = task.emergency and bool(_signs(wish.sources) - {source for one in told for source in one.sources})
    new_sign = new_sign or (not task.emergency and _another_vertebra(wish, told))
    return task.lapsed or new_sign or not (task.by_person or task.outcome == EXPIRED)


def _another_vertebra(wish: Obligation, told: Sequence[Task]) -> bool:
    """Whether a task of the whole person is wanted for a vertebra of which none of them ever told.

    What a person ended was said of the fractures of then. A vertebra that is only named at last is no other one.
    """
    if wish.episode != person_episode_id(told[0].patient):
        return False
    known = {level for one in told for level in one.levels}
    return UNSPECIFIED not in known and not set(wish.levels) <= {*known, UNSPECIFIED}


def _signs(sources: Iterable[str]) -> set[str]:
    """The records that may tell of danger: that a patient goes by another name now does not."""
    return {source for source in sources if not source.startswith("Patient/")}


def _followed(task: Task, wish: Obligation, ground: Ground, now: datetime) -> Task:
    """A task as its wish would have it."""
    if wish.state is State.CLOSED:
        return _lapsed(task, ground) if task.ended else _ended(task, wish, ground.zone)
    reason = reason_to_reopen(task, wish, ground.withdrawn) if task.ended and not silenced(wish, ground) else ""
    if reason:
        return _again(task, wish, reason, ground.zone, now)
    return _refreshed(task, wish, ground.zone)


def _dead(task: Task, ground: Ground) -> Task:
    """What a death settles was not done."""
    reason = f"the patient died: {ground.died}"
    return replace(
        task, status="cancelled", outcome=DIED, status_reason=reason, evidence=(ground.died,), by_person=False
    )


def _lapsed(task: Task, ground: Ground) -> Task:
    """An ended task whose ground has gone; that its patient died is no such sign, for it may be taken back."""
    return task if ground.died else replace(task, lapsed=True)


def _unwished(task: Task, key: str, ground: Ground) -> Task:
    """A task of which no wish tells: its ground has gone, unless the patient died, or care ended."""
    if task.ended:
        return task if key in ground.resting else _lapsed(task, ground)
    return _unasked(task)


def _unasked(task: Task) -> Task:
    """An open task that nothing asks for any more: withdrawn, unless people hold or alone may end it."""
    if task.emergency:
        return replace(task, status_reason=_ALARM_UNASKED)
    if task.by_person:
        return replace(task, status_reason=UNASKED)
    return replace(
        task, status="cancelled", status_reason="no longer needed: what asked for it has changed", lapsed=True
    )


def _beside(other: Task, task: Task | None, wish: Obligation, ground: Ground) -> Task:
    """What becomes of a task for a thing for which another counts."""
    if other.ended:
        return _lapsed(other, ground) if wish.state is State.CLOSED else other
    return _joined(other, task)


def _joined(double: Task, task: Task | None) -> Task:
    """A second task for the same thing: ended for the first, unless somebody has it."""
    if double.emergency or double.by_person or task is None:
        return replace(double, status_reason=DOUBLE)
    return replace(double, status="cancelled", status_reason=f"one and the same as Task/{task.id}", lapsed=True)


def _new(patient: str, wish: Obligation, occurrence: int, decision: str, now: datetime, zone: ZoneInfo) -> Task:
    start, due, expires = _period(wish, zone)
    due, why = _in_time(wish, due, now)
    return Task(
        key=f"{wish.key}/{occurrence}", patient=patient, episode=wish.episode, rule=wish.rule,
        occurrence=occurrence, code=wish.code, title=wish.title, status=first_status(start, now),
        priority=wish.priority, owner=wish.owner, due_at=due, anchor=wish.anchor, focus=wish.focus,
        release=wish.release, decision=decision, authored_at=now, modified_at=now, levels=wish.levels, why=why,
        sources=wish.sources, emergency=wish.owner == ON_CALL, items=wish.items, start_at=start, expires_at=expires,
    )  # fmt: skip


def _period(wish: Obligation, zone: ZoneInfo) -> tuple[datetime | None, datetime, datetime | None]:
    """When a task begins, is due and expires: instants, or where it is counted in days the facility's days."""
    if not wish.by_day:
        return wish.start_at, wish.due_at, wish.expires_at
    start = wish.start_at and calendar.begin_of(wish.anchor_at, wish.start_at, zone)
    expires = wish.expires_at and calendar.end_of(wish.anchor_at, wish.expires_at, zone)
    return start, calendar.end_of(wish.anchor_at, wish.due_at, zone), expires


def _in_time(wish: Obligation, due: datetime, asked_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """When a task is due that was asked at an instant, and why: none that is counted in hours is overdue from birth."""
    if wish.by_day or wish.anchor == "asked" or due >= asked_at + AT_LEAST:
        return due, wish.why
    return asked_at + AT_LEAST, (*wish.why, f"Arrived late: it was due at {instant(due)}")


def _ended(task: Task, wish: Obligation, zone: ZoneInfo) -> Task:
    """Evidence completes an open task, but no emergency.

    Records of which a person said that they do not settle it, settle it only together with a new one.
    """
    if task.emergency:
        return replace(task, status_reason=_ALARM_ANSWERED)
    if task.disputed and not set(wish.evidence) - set(task.disputed):
        return _refreshed(task, wish, zone)
    if wish.overtaken:
        reason = f"overtaken: {wish.overtaken}"
        return replace(
            task, status="cancelled", evidence=wish.evidence, status_reason=reason, lapsed=True, by_person=False
        )
    return replace(
        task, status="completed", evidence=wish.evidence, status_reason="closed by evidence", lapsed=True,
        by_person=False, items=wish.items,
    )  # fmt: skip


def _again(task: Task, wish: Obligation, reason: str, zone: ZoneInfo, now: datetime) -> Task:
    """An ended task, opened again as the facts stand now. Where its clock began with the task, it begins anew."""
    start, due, expires = _period(wish, zone)
    period = {"start_at": start, "due_at": due, "expires_at": expires} if wish.anchor == "asked" else {}
    open_again = reopened(replace(task, by_person=bool(task.notes), **period), now, reason)
    return _refreshed(open_again, wish, zone)


def _refreshed(task: Task, wish: Obligation, zone: ZoneInfo) -> Task:
    """Reasons, levels and checklist follow the facts; owner, status and notes are people's; asked-for dates stay."""
    if task.ended:
        return task
    start, due, expires = _period(wish, zone)
    due, why = _in_time(wish, due, task.authored_at)
    if wish.anchor == "asked":
        start, due, expires = task.start_at, task.due_at, task.expires_at
    return replace(
        task, title=wish.title, priority=wish.priority, start_at=start, due_at=due, expires_at=expires,
        levels=wish.levels, why=why, sources=wish.sources, focus=wish.focus, items=wish.items,
        status_reason="" if task.status_reason in _OURS else task.status_reason,
    )  # fmt: skip
