"""Episodes and tasks: what may change, under a version that a writer must know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, select, text, update

from adapters.db import tables
from adapters.db.rows import Rows
from pathway.canonical import instant, parse_instant
from pathway.episodes import Episode
from pathway.errors import ChartMovedError, NotFoundError
from pathway.obligations import Item
from pathway.ports import DueTask
from pathway.tasks import Attempt, Note, Task

_EPISODE = tables.episode.c
_TASK = tables.task.c
_COLUMNS: Final = ("key", "patient", "episode", "decision", "status", "due_at", "version")
_INSTANTS: Final = (
    "authored_at", "modified_at", "held_at", "ended_at", "start_at", "expires_at", "returns_at", "escalate_at",
    "acknowledged_at",
)  # fmt: skip
_LISTS: Final = ("levels", "why", "sources", "evidence", "disputed")
_KNOWN: Final = {kind: frozenset(field.name for field in fields(kind)) for kind in (Task, Item)}
_EMERGENCY: Final = text("emergency"), text("NOT emergency")  # as the index on the first has it, on both databases


class Board(Rows):
    """The episode and task part of a ledger (`pathway.ports.Ledger`)."""

    def episodes(self, patient: str) -> tuple[Episode, ...]:
        """The stored episodes, ordered by id."""
        query = select(_EPISODE.body).where(_EPISODE.patient == patient).order_by(_EPISODE.id)
        return tuple(Episode.from_json(body) for body in self._connection.scalars(query))

    def save_episodes(self, patient: str, episodes: Iterable[Episode]) -> None:
        """Insert or update episodes by id; the patient must be known when the transaction commits."""
        self.hold(patient)
        for episode in episodes:
            body = episode.to_json()
            self._put(tables.episode, {"patient": patient, "id": episode.id, "body": body}, body=body)

    def tasks(self, patient: str) -> tuple[Task, ...]:
        """All tasks of a patient, ended ones too, ordered by key."""
        return self._tasks(select(tables.task).where(_TASK.patient == patient).order_by(_TASK.key))

    def find_tasks(
        self, *, patient: str = "", statuses: Sequence[str] = (), id: str = "", limit: int = 1000, offset: int = 0
    ) -> tuple[Task, ...]:
        """Tasks by patient, status or FHIR id, ordered by due date, then key. What is empty does not narrow."""
        query = select(tables.task).order_by(_TASK.due_at, _TASK.key).limit(limit).offset(offset)
        if patient:
            query = query.where(_TASK.patient == patient)
        if statuses:
            query = query.where(_TASK.status.in_(statuses))
        if id:
            query = query.where(_TASK.id == id)
        return self._tasks(query)

    def find_task(self, id: str) -> Task:
        """The task with that FHIR id; NotFoundError if there is none."""
        found = self._tasks(select(tables.task).where(_TASK.id == id))
        if not found:
            raise NotFoundError("there is no such task", where=f"Task/{id}")
        return found[0]

    def due_tasks(self, now: datetime, limit: int) -> tuple[DueTask, ...]:
        """The tasks for which the clock has something to do by an instant: emergencies, then the longest waiting."""
        query = select(_TASK.id, _TASK.patient, _TASK.version).where(_TASK.wake_at.is_not(None), _TASK.wake_at <= now)
        query = query.order_by(_TASK.wake_at, _TASK.key)
        found: list[DueTask] = []
        for kind in _EMERGENCY:
            if len(found) < limit:
                rows = self._connection.execute(query.where(kind).limit(limit - len(found)))
                found += [DueTask(row.id, row.patient, row.version) for row in rows]
        return tuple(found)

    def rest_task(self, task: DueTask, until: datetime) -> None:
        """Let a task wait that the clock could not move: its row alone says so, until the task is next stored.

        What was stored since it was found says itself when it is next due.
        """
        as_found = update(tables.task).where(_TASK.id == task.id, _TASK.version == task.version)
        self._connection.execute(as_found.values(wake_at=until))

    def save_task(self, task: Task, expect_version: int) -> None:
        """Insert (expect 0) or update a task; ChartMovedError if its stored version is not the expected one.

        ValueError if the task does not carry the next version: saved so, a second writer would not notice the first.
        """
        if task.version != expect_version + 1:
            raise ValueError("a saved task carries the version after the expected one")
        self.hold(task.patient)
        row = _to_row(task)
        if expect_version == 0:
            saved = self._insert_new(tables.task, row)
        else:
            known = update(tables.task).where(_TASK.key == task.key, _TASK.version == expect_version)
            saved = self._connection.execute(known.values(**row)).rowcount == 1
        if not saved:
            raise ChartMovedError("the task changed since it was read", where=f"Task/{task.id}", fix="Read it again")

    def _tasks(self, query: Select[Any]) -> tuple[Task, ...]:
        return tuple(_to_task(row) for row in self._connection.execute(query))


def _to_row(task: Task) -> dict[str, Any]:
    """Columns for what is searched, one JSON body for the rest."""
    body = asdict(task)
    columns = {name: body.pop(name) for name in _COLUMNS}
    body.update((name, body[name] and instant(body[name])) for name in _INSTANTS)
    body["notes"] = [note | {"at": instant(note["at"])} for note in body["notes"]]
    body["attempts"] = [_attempt_to_row(attempt) for attempt in body["attempts"]]
    return {**columns, "id": task.id, "wake_at": task.wake_at, "emergency": task.emergency, "body": body}


def _attempt_to_row(attempt: dict[str, Any]) -> dict[str, Any]:
    return attempt | {"at": instant(attempt["at"]), "next_at": attempt["next_at"] and instant(attempt["next_at"])}


def _to_attempt(row: dict[str, Any]) -> Attempt:
    next_at = row["next_at"] and parse_instant(row["next_at"])
    return Attempt(parse_instant(row["at"]), row["author"], row["channel"], row["outcome"], next_at)


def _to_task(row: Row[Any]) -> Task:
    """What an older version of the service stored lacks what is new; the defaults of Task stand for it.

    What a newer one stored, while both run, says more than this one knows: that is left unread.
    """
    body = dict(row.body)
    body.update((name, parse_instant(body[name])) for name in _INSTANTS if body.get(name))
    body.update((name, tuple(body.get(name, ()))) for name in _LISTS)
    body["notes"] = tuple(Note(parse_instant(n["at"]), n["author"], n["text"]) for n in body.get("notes", ()))
    body["items"] = tuple(Item(**_known(Item, item)) for item in body.get("items", ()))
    body["attempts"] = tuple(_to_attempt(attempt) for attempt in body.get("attempts", ()))
    return Task(**{name: getattr(row, name) for name in _COLUMNS}, **_known(Task, body))


def _known(kind: type[Task | Item], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name in _KNOWN[kind]}
