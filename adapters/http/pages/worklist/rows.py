"""The rows of the work list: one task as it is shown, and what its reader may do to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.http.pages.patient.names import names_of
from adapters.http.pages.worklist.bands import band_of, span
from adapters.http.pages.worklist.filters import PRIORITIES
from pathway.acts import acts_now
from pathway.chart import patient_id
from pathway.clockwork import told, tries
from pathway.lifecycle import IN_BULK, Act
from pathway.people import Person
from pathway.ports import Ledger
from pathway.tasks import Task

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One task. `late` says in words how far it is overdue; `mine` that the reader holds it.

    `unanswered` and `left` are for an emergency that nobody has acknowledged, and until it is escalated; `stage` says
    who was told that it is late; `tries` counts attempts since somebody last spoke to the patient.
    """

    task: Task
    band: str
    patient: str
    name: str
    levels: str
    priority: str
    late: str
    holder: str
    mine: bool
    acts: frozenset[Act]
    unanswered: bool
    left: str
    stage: str
    tries: int

    @property
    def id(self) -> str:
        """The task's id."""
        return self.task.id

    @property
    def token(self) -> str:
        """The task as it was seen, to be chosen with others."""
        return f"{self.task.id}:{self.task.version}"

    @property
    def one_of_many(self) -> bool:
        """Whether the reader may choose it together with others."""
        return not self.task.emergency and not self.task.ended and bool(self.acts & IN_BULK)


def rows_of(ledger: Ledger, tasks: Sequence[Task], reader: Person, now: datetime, zone: ZoneInfo) -> list[Row]:
    """Rows for tasks, with the names of their patients asked for once."""
    names = names_of(ledger, sorted({task.patient for task in tasks}))
    return [_row(task, names.get(task.patient, ""), reader, now, zone) for task in tasks]


def _row(task: Task, name: str, reader: Person, now: datetime, zone: ZoneInfo) -> Row:
    unanswered = task.emergency and not task.ended and task.acknowledged_at is None
    return Row(
        task=task, band=band_of(task, now, zone), patient=patient_id(task.patient), name=name,
        levels=level_words(task.levels), priority=PRIORITIES[task.priority], late=_late(task, now),
        holder=task.holder_display, mine=holds(task, reader), acts=acts_now(task, reader), unanswered=unanswered,
        left=_left(task, now) if unanswered else "", stage=_stage(task), tries=tries(task.attempts),
    )  # fmt: skip


def level_words(levels: Iterable[str]) -> str:
    """`L1, L2`; an unnamed vertebra says so."""
    return ", ".join("vertebra not named" if level == "unspecified" else level for level in levels)


def holds(task: Task, reader: Person) -> bool:
    """Whether the reader has the task in hand."""
    return task.holder == reader.name


def _late(task: Task, now: datetime) -> str:
    """How far past its due date, in days or hours."""
    if task.ended or task.due_at >= now:
        return ""
    return f"{span(now - task.due_at)} overdue" if now - task.due_at >= _HOUR else "just overdue"


def _left(task: Task, now: datetime) -> str:
    """How long until an emergency goes further."""
    if task.escalate_at is None:
        return ""
    left = span(task.escalate_at - now)
    return f"{left} left" if left else "goes further now"


def _stage(task: Task) -> str:
    """Who was told that nobody has done it; empty where nobody was, or it does not matter any more."""
    if task.ended or (task.emergency and task.acknowledged_at is not None):
        return ""
    return {"holder": "whoever holds it", "role": task.owner, "supervisor": "the supervisor"}.get(told(task.stage), "")
