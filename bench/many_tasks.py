"""Databases with very many open tasks: one real patient, taken in through the door, multiplied by the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, text

from adapters.bootstrap import House
from adapters.db import tables
from adapters.db.engine import make_engine, transaction
from adapters.fhir import strict_json
from bench.charts import NOW, chart
from pathway.episodes import Episode, EpisodeKind
from pathway.ports import Submission
from pathway.tasks import Task

EACH: Final = 5
"""Open tasks of one patient."""
_DAYS: Final = 100  # the sleepers wake over so many days, none of them within the bench
_FAR: Final = timedelta(days=400)
_SERIES: Final = {
    "postgresql": "generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS s(n)",
    "sqlite": "(WITH RECURSIVE r(n) AS (VALUES (:first) UNION ALL SELECT n + 1 FROM r WHERE n < :last)"
    " SELECT n FROM r) s",
}


def fill(house: House, count: int) -> None:
    """So many sleeping tasks, `EACH` to a patient, and patients who are decided on again in a year or later."""
    task = _template(house)
    for day in range(_DAYS):
        numbers = range(count * day // _DAYS, count * (day + 1) // _DAYS)
        with _connected(house) as connection:
            _sleepers(connection, task, numbers, NOW + _FAR + timedelta(days=day))
    with _connected(house) as connection:
        connection.execute(text("ANALYZE"))


def due(house: House, at: datetime, count: int, name: str) -> None:
    """So many tasks that wake at an instant: what a sweep at that instant has to do."""
    model = _template(house)
    with house.store.write() as ledger:
        for number in range(count):
            patient = f"bench|{name}-{number}"
            episode = Episode(f"{name}-{number}", EpisodeKind.FRACTURE, ("L1",), at, at, ())
            ledger.mark_decided(patient, 0)
            ledger.save_episodes(patient, [episode])
            key = f"{patient}/{episode.id}/{model.rule}/1"
            about: dict[str, Any] = {"key": key, "patient": patient, "episode": episode.id, "version": 1}
            ledger.save_task(replace(model, **about, **_asleep_until(at)), expect_version=0)


def _asleep_until(at: datetime) -> dict[str, Any]:
    """A task whose period begins then; its due date lies behind it."""
    return {"status": "requested", "start_at": at, "due_at": at + timedelta(days=14), "escalate_at": None}


def _template(house: House) -> Task:
    """A task as the service makes one."""
    patient = "bench|template"
    with house.store.read() as ledger:
        if not ledger.tasks(patient):
            _take_in(house)
    with house.store.read() as ledger:
        return next(task for task in ledger.tasks(patient) if not task.emergency)


def _take_in(house: House) -> None:
    data = strict_json.dumps(chart("template", 30).bundle())
    now = house.clock.now()
    parcel = house.reader(now, "bench").submission(data, "template")
    submission = Submission(str(uuid.uuid4()), "bench", "bench", now, parcel.sha256)
    (delivery,) = parcel.deliveries
    house.service.ingest(delivery, submission, data, "bench")


def _sleepers(connection: Connection, model: Task, numbers: range, at: datetime) -> None:
    """Tasks by their numbers, with their patients and episodes, all of which wake at one instant."""
    of = f"s.n / {EACH}"
    people = range(-(-numbers.start // EACH), -(-numbers.stop // EACH))
    patient = f"'bench|sleeper-' || ({of})"
    one = {"patient": "'bench|sleeper-' || s.n", "recheck_at": ":at"}
    _multiply(connection, tables.patient_head, {"patient": model.patient}, one, people, at)
    of_one = {"patient": one["patient"], "id": "'sleeper-' || s.n"}
    _multiply(connection, tables.episode, {"patient": model.patient, "id": model.episode}, of_one, people, at)
    task = {
        "key": "'sleeper-' || s.n", "id": "'sleeper-' || s.n", "patient": patient, "episode": f"'sleeper-' || ({of})",
        "status": "'requested'", "due_at": ":at", "wake_at": ":at",
    }  # fmt: skip
    _multiply(connection, tables.task, {"key": model.key}, task, numbers, at)


def _multiply(
    connection: Connection, table: Table, row: dict[str, str], changed: dict[str, str], numbers: range, at: datetime
) -> None:
    """Copies of one row under numbers, with some columns as expressions over `s.n` and the instant `:at`."""
    names = [column.name for column in table.columns]
    given = ", ".join(changed.get(name, f't."{name}"') for name in names)
    into = ", ".join(f'"{name}"' for name in names)
    wanted = " AND ".join(f't."{name}" = :of_{name}' for name in row)
    series = _SERIES[connection.dialect.name]
    statement = text(f"INSERT INTO {table.name} ({into}) SELECT {given} FROM {table.name} t, {series} WHERE {wanted}")
    binds = {"first": numbers.start, "last": numbers.stop - 1} | {f"of_{name}": value for name, value in row.items()}
    if ":at" in given:
        statement = statement.bindparams(bindparam("at", at, tables.Instant()))
    if numbers:
        connection.execute(statement, binds)


@contextmanager
def _connected(house: House) -> Iterator[Connection]:
    engine = make_engine(house.settings.database_url)
    try:
        with transaction(engine, write=True) as connection:
            yield connection
    finally:
        engine.dispose()
