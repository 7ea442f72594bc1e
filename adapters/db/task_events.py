"""The history of tasks: appended, read, and never changed. The database's triggers refuse anything else."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import func, insert, select

from adapters.db import tables
from adapters.db.rows import Rows
from pathway.history import TaskEvent

_EVENT = tables.task_event.c


class TaskEvents(Rows):
    """The part of a ledger that keeps what happened to tasks (`pathway.ports.Ledger`)."""

    def append_task_event(self, event: TaskEvent) -> int:
        """Append to a task's history and say the event's number in it; the number the event carries is not read.

        In the transaction that saved the task: its version keeps two writers from giving one number.
        """
        last = self._connection.scalar(select(func.max(_EVENT.sequence)).where(_EVENT.task == event.task))
        row = asdict(event) | {"act": str(event.act), "role": str(event.role), "sequence": (last or 0) + 1}
        self._connection.execute(insert(tables.task_event), row)
        return row["sequence"]

    def task_events(self, key: str) -> tuple[TaskEvent, ...]:
        """What happened to the task with that key, in order."""
        query = select(tables.task_event).where(_EVENT.task == key).order_by(_EVENT.sequence)
        return tuple(TaskEvent(**row._mapping) for row in self._connection.execute(query))
