"""Which of several tasks for one thing counts, where two episodes, or two patients, turned out to be one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pathway.tasks import Task


def latest(own: Iterable[Task]) -> list[Task]:
    """The last occurrence of each episode, in order of time."""
    return list({task.episode: task for task in sorted(own, key=lambda t: t.occurrence)}.values())


def settled(own: Sequence[Task]) -> tuple[Task | None, list[Task]]:
    """Of the tasks for one thing the one that counts, and the others.

    There are several where two episodes turned out to be one. What a person has or has ended counts before what nobody
    touched, what stands open before what has ended; of an emergency first what stands open, then the latest. Where a
    rule only lately makes it one, the emergency counts before the task that it was.
    """
    of_alarm = any(task.emergency for task in own)
    ranked = sorted(latest(own), key=_rank_of_alarm if of_alarm else _rank)
    return (ranked[0], ranked[1:]) if ranked else (None, [])


def _rank(task: Task) -> tuple[bool, bool, float, str]:
    return not task.by_person or task.lapsed, task.ended, task.authored_at.timestamp(), task.key


def _rank_of_alarm(task: Task) -> tuple[bool, bool, bool, float, str]:
    after = task.lapsed if task.ended else not task.by_person
    return task.ended, not task.emergency, after, -task.authored_at.timestamp(), task.key
