"""The clock of tasks: a task starts, comes back from a snooze, is escalated and expires without anybody asking.

Pure: a task and an instant in, the task as the clock leaves it out. When that is, `Task.wake_at` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pathway.lifecycle import PRESSING, Tick, resting
from pathway.tasks import EXPIRED, Attempt, Task

STAGES: Final = ("", "holder", "role", "supervisor")
"""Who has been told of a task that is late, by its stage: nobody yet, who has it, the role it is for, who stands behind
the role. Stages beyond are the supervisor's again."""
ROLE: Final = STAGES.index("role")
SUPERVISOR: Final = STAGES.index("supervisor")
_DOUBLINGS: Final = 10
_A_DAY: Final = timedelta(days=1)
SPOKEN: Final = frozenset({"reached", "refused"})
"""The outcomes of an attempt after which the patient has been spoken to."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a task may rest before somebody else hears of it.

    Project defaults of 2026-11-23, awaiting a clinician's sign-off: no source fixes them.
    """

    answer: timedelta = timedelta(minutes=15)
    """An emergency that nobody has acknowledged goes to the next stage after this time, and again."""
    again: timedelta = timedelta(hours=1)
    """The supervisor is told of it again after this time, then after twice as long each time, a day at most."""
    grace: timedelta = timedelta(hours=24)
    """A late task goes to the next stage after this time, and again; so does an emergency that somebody answered."""
    grace_asap: timedelta = timedelta(hours=4)
    """The same for what is asked for as soon as possible."""
    grace_stat: timedelta = timedelta(hours=1)
    """The same for what is asked for at once."""
    late_again: timedelta = timedelta(days=7)
    """The supervisor is told again of what is still late after each such time."""
    pressing_again: timedelta = timedelta(days=1)
    """The same for what is asked for at once or as soon as possible, and for an emergency that somebody answered."""
    attempts: int = 3
    """So many attempts without reaching the patient escalate the task, and allow the end `unreachable`."""
    longest_snooze: timedelta = timedelta(days=180)
    """A task is put off, and the next try planned, no further away than this."""
    longest_snooze_urgent: timedelta = timedelta(days=30)
    """The same for what is urgent."""
    longest_snooze_asap: timedelta = timedelta(days=3)
    """The same for what is asked for as soon as possible."""
    longest_snooze_stat: timedelta = timedelta(days=2)
    """The same for what is asked for at once: until the end of tomorrow, whatever the hour."""

    def grace_of(self, task: Task) -> timedelta:
        """How long a task may be late before the next hears of it."""
        by_priority = {"asap": self.grace_asap, "stat": self.grace_stat}
        return self.grace if task.emergency else min(self.grace, by_priority.get(task.priority, self.grace))

    def again_of(self, task: Task) -> timedelta:
        """How long until the supervisor hears of a late task again."""
        return self.pressing_again if task.emergency or task.priority in PRESSING else self.late_again

    def furthest(self, task: Task) -> timedelta:
        """How far away a task may be put off, or tried again."""
        by_priority = {
            "urgent": self.longest_snooze_urgent, "asap": self.longest_snooze_asap, "stat": self.longest_snooze_stat,
        }  # fmt: skip
        longest = by_priority.get(task.priority, self.longest_snooze)
        return min(self.longest_snooze, longest)


PACE: Final = Pace()


def told(stage: int) -> str:
    """Who is told at a stage: `holder`, `role`, `supervisor`, or nobody."""
    return STAGES[min(stage, SUPERVISOR)]


def tries(attempts: tuple[Attempt, ...]) -> int:
    """How often the patient was tried since somebody last spoke to them."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.outcome in SPOKEN:
            break
        count += 1
    return count


def wound(task: Task, pace: Pace, now: datetime, *, anew: bool = False) -> Task:
    """The task with its escalation set from now: from its due date or its next try, whichever is later.

    `anew`: an emergency waits for its first answer, however often it rang before.
    """
    if task.ended or task.status == "on-hold":
        return replace(task, escalate_at=None)
    if task.emergency and task.acknowledged_at is None and anew:
        return replace(task, escalate_at=now + pace.answer)
    return replace(task, escalate_at=_alarm(task, pace, now))


def _alarm(task: Task, pace: Pace, now: datetime) -> datetime:
    if task.emergency and task.acknowledged_at is None:
        return now + (pace.answer if task.stage < SUPERVISOR else _again(task.stage - SUPERVISOR, pace))
    rest = pace.grace_of(task) if task.stage < SUPERVISOR else pace.again_of(task)
    return max(now, task.due_at, _planned(task, pace) or now) + rest


def _planned(task: Task, pace: Pace) -> datetime | None:
    """When the patient is to be tried again, as far as that excuses; of an emergency it excuses nobody."""
    last = task.attempts[-1] if task.attempts else None
    if last is None or last.next_at is None or task.emergency:
        return None
    return min(last.next_at, last.at + pace.furthest(task))


def _again(times: int, pace: Pace) -> timedelta:
    return min(pace.again * 2 ** min(times, _DOUBLINGS), max(pace.again, _A_DAY))


def set_going(before: Task | None, after: Task, pace: Pace, now: datetime) -> Task:
    """A task as the record leaves it, with its clock: set anew where it is new, reopened, due on another day or of
    another priority. What stays late, and an emergency, is not told of later for that.
    """
    if after.ended:
        return replace(after, returns_at=None, escalate_at=None)
    if before is None or before.ended:
        return wound(after, pace, now, anew=True)
    if (before.due_at, before.priority) == (after.due_at, after.priority):
        return after
    if after.due_at > now and not after.emergency:
        return wound(replace(after, stage=0), pace, now)
    return not_later(after, wound(after, pace, now))


def not_later(before: Task, after: Task) -> Task:
    """A task whose clock was set anew, told of no later than it would have been."""
    known = [at for at in (before.escalate_at, after.escalate_at) if at is not None]
    return replace(after, escalate_at=min(known, default=None)) if after.escalate_at is not None else after


def tick(task: Task, pace: Pace, now: datetime) -> tuple[Task, Tick | None] | None:
    """The next thing that the clock does to a task, or None if its time has not come.

    Without a `Tick`, only its escalation was set: it was made before tasks had a clock.
    """
    if task.ended:
        return None
    done = _expired(task, now) or _started(task, now) or _returned(task, pace, now) or _escalated(task, pace, now)
    if done is None and task.escalate_at is None and task.status != "on-hold":
        done = wound(task, pace, now), None
    if done is None:
        return None
    changed, what = done
    return replace(changed, modified_at=now, version=task.version + 1), what


def _expired(task: Task, now: datetime) -> tuple[Task, Tick] | None:
    if task.expires_at is None or task.expires_at > now or not task.may_expire:
        return None
    status = "failed" if task.attempts else "cancelled"
    ended = replace(
        task, status=status, outcome=EXPIRED, status_reason="its period has passed", ended_at=now, returns_at=None,
        escalate_at=None,
    )  # fmt: skip
    return ended, Tick.EXPIRE


def _started(task: Task, now: datetime) -> tuple[Task, Tick] | None:
    if task.status != "requested" or (task.start_at is not None and task.start_at > now):
        return None
    return replace(task, status="ready"), Tick.START


def _returned(task: Task, pace: Pace, now: datetime) -> tuple[Task, Tick] | None:
    if task.returns_at is None or task.returns_at > now:
        return None
    back = replace(task, returns_at=None)
    return wound(replace(back, status=resting(back, now)), pace, now), Tick.RETURN


def _escalated(task: Task, pace: Pace, now: datetime) -> tuple[Task, Tick] | None:
    if task.escalate_at is None or task.escalate_at > now:
        return None
    stage = ROLE if task.stage < ROLE and (task.emergency or not task.holder) else task.stage + 1
    return wound(replace(task, stage=stage), pace, now), Tick.ESCALATE
