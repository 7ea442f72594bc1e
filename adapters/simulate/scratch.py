"""A house to try things in: the same rules and settings, a clock that is set by hand, and nothing that leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Connection, insert, select

from adapters.bootstrap import House, open_house
from adapters.db import tables
from adapters.db.engine import make_engine, transaction
from adapters.db.merges import Merges
from adapters.settings import Settings
from pathway.errors import NotFoundError

_BATCH: Final = 200
_BY_HASH: Final = (tables.payload, tables.release)
_OWN: Final = (
    tables.patient_head, tables.resource_version, tables.episode, tables.decision, tables.task, tables.care_word,
    tables.merge,
)  # fmt: skip
_OUTWARD: Final = ("fhir_write_base", "alert_webhook", "alert_smtp", "broker_url")
"""The settings that would let something out."""
assert set(_OUTWARD) <= Settings.model_fields.keys(), "what is not emptied could let something out"


@dataclass(slots=True)
class HandClock:
    """A clock that stands until somebody moves it."""

    at: datetime

    def now(self) -> datetime:
        """The instant it was set to."""
        return self.at


@contextmanager
def scratch(settings: Settings, at: datetime) -> Iterator[tuple[House, HandClock]]:
    """A house over an empty database in a temporary folder, and its clock; both are gone afterwards."""
    clock = HandClock(at)
    with TemporaryDirectory(prefix="pathway-simulate-") as folder:
        silent = dict.fromkeys(_OUTWARD, "")
        url = f"sqlite:///{Path(folder) / 'scratch.sqlite3'}"
        house = open_house(settings.model_copy(update={**silent, "database_url": url}), clock)
        try:
            yield house, clock
        finally:
            house.close()


def copy_patient(source_url: str, target_url: str, patient: str) -> str:
    """One person with everything about them: charts, episodes, decisions, tasks and their history, ends of care.

    The key under which they go on: another, if two charts turned out to be of one person. NotFoundError if nothing is
    stored of this patient.
    """
    source, target = make_engine(source_url), make_engine(target_url)
    try:
        with transaction(source, write=False) as here, transaction(target, write=True) as there:
            head = tables.patient_head.c.patient
            if here.scalar(select(head).where(head == patient)) is None:
                raise NotFoundError("nothing is stored of this patient", where=patient, fix="See `pathway assess`")
            survivor = Merges(here).survivor(patient)
            _copy(here, there, Merges(here).keys_of(survivor))
            return survivor
    finally:
        source.dispose()
        target.dispose()


def _copy(here: Connection, there: Connection, patients: Sequence[str]) -> None:
    keys = select(tables.task.c.key).where(tables.task.c.patient.in_(patients))
    own = select(tables.resource_version.c.sha256).where(tables.resource_version.c.patient.in_(patients))
    inputs = select(tables.decision.c.input_sha256).where(tables.decision.c.patient.in_(patients))
    wanted = {
        tables.payload: select(tables.payload).where(tables.payload.c.sha256.in_(own.union(inputs))),
        tables.release: select(tables.release),
        **{table: select(table).where(table.c.patient.in_(patients)) for table in _OWN},
        tables.task_event: select(tables.task_event).where(tables.task_event.c.task.in_(keys)),
    }
    for table, query in wanted.items():
        held = set(there.scalars(select(table.c.sha256))) if table in _BY_HASH else set()
        rows = [dict(row) for row in here.execute(query).mappings() if row.get("sha256") not in held]
        for begin in range(0, len(rows), _BATCH):
            there.execute(insert(table), rows[begin : begin + _BATCH])
