"""The ground that tasks stand on: what the record says beside the wishes, and what it keeps from being asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from pathway.lifecycle import PRESSING
from pathway.obligations import Obligation
from pathway.tasks import ON_CALL, Task

UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the record says beside the wishes, as far as it bears on tasks.

    `withdrawn` are references of records that no longer hold. `died` is the reference that tells of the patient's
    death, if one does. `before_us` are the episodes from before the service went live, `recent` the records from after:
    without one of these such an episode makes no task but an emergency and what presses (`lifecycle.PRESSING`).
    `resting` are the wishes (`Obligation.key`) that are left out because care has ended: their ground has not gone.
    `lifted` are the tasks (`Task.key`) that an end of care ended, where care goes on now. `same` leads from an episode
    that turned out to be another to that other. `zone` is the facility's.
    """

    withdrawn: frozenset[str] = frozenset()
    died: str = ""
    before_us: frozenset[str] = frozenset()
    recent: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()
    lifted: frozenset[str] = frozenset()
    same: Mapping[str, str] = field(default_factory=dict[str, str])
    zone: ZoneInfo = UTC


NOTHING_MORE: Final = Ground()
"""The record says nothing beside the wishes."""


def withheld(wish: Obligation, ground: Ground) -> bool:
    """What is not asked for: everything but an emergency, of the dead and of what was over before we began."""
    return wish.owner != ON_CALL and silenced(wish, ground)


def silenced(wish: Obligation, ground: Ground) -> bool:
    """Whether a death, or that all of it was over before we began, keeps something from being asked for."""
    if ground.died:
        return True
    news = wish.priority in PRESSING or not ground.recent.isdisjoint(wish.sources)
    return wish.episode in ground.before_us and not news


def outreach(task: Task, ground: Ground) -> bool:
    """Whether a death ends a task, whoever has it: nobody calls the dead. An emergency is left to people."""
    return bool(ground.died) and not task.ended and not task.emergency
