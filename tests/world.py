"""What tests share: the real rule book and code tables, decisions on synthetic charts, a house on a file database."""

from __future__ import annotations

import json
import logging
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from adapters.bootstrap import House, open_house
from adapters.demo.record import Record
from adapters.fhir.deliver import Parcel, Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings
from pathway.case import Case
from pathway.decide import decide
from pathway.ports import Submission
from pathway.rulebook import RuleBook, load
from pathway.service import Ingested
from pathway.strata import Machine

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FixedClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@cache
def book() -> RuleBook:
    return load(ROOT / "rules")


@cache
def terms() -> Terminology:
    return Terminology.load()


@cache
def machines() -> tuple[Machine, ...]:
    return tuple(Machine(rule_set) for rule_set in book().choose(Settings().policies))


def reader(at: datetime = NOW) -> Reader:
    return Reader("test", at, terms(), book().vocabulary)


def read(record: Record | Mapping[str, Any], at: datetime = NOW) -> Parcel:
    bundle = record.bundle() if isinstance(record, Record) else record
    return reader(at).submission(json.dumps(bundle).encode(), "bundle.json")


def case_of(record: Record, as_of: datetime = NOW) -> Case:
    (delivery,) = read(record, max(as_of, NOW)).deliveries
    chart = [resource for resource, _ in delivery.resources]
    return ChartReader(book().vocabulary, terms()).build(delivery.patient, chart, as_of, aside=delivery.set_aside)


def decision_on(record: Record, as_of: datetime = NOW) -> Mapping[str, Any]:
    return decide(case_of(record, as_of), machines()).body


def outcomes(body: Mapping[str, Any]) -> dict[str, str]:
    """By level, under the clinical policy that acts."""
    return {row["level"]: row["outcome"] for row in body["levels"] if row["policy"] == "candidacy"}


def missing(body: Mapping[str, Any], level: str) -> dict[str, str]:
    (row,) = (row for row in body["levels"] if row["level"] == level and row["policy"] == "candidacy")
    return {item["datum"]: item["reason"] for item in row["missing"]}


def wishes(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {o["code"]: o for o in body["obligations"] if o["state"] == "open"}


def person(id: str = "p1", **about: Any) -> Record:
    return Record(id, NOW, **about)


def settled(level: str = "L1", onset: float = 30) -> Record:
    """A fresh, tender fracture with every gate answered; pain and care are left to the test."""
    record = person().encounter("AMB", 2, ended=1.9).fracture(level, onset)
    return record.tender(level, True, 2).oedema(level, True, min(3, onset)).well(2)


def candidate(level: str = "L1") -> Record:
    return settled(level).care(28).pain(8, 26).pain(7, 1)


def make_house(folder: Path, clock: FixedClock | None = None, **settings: Any) -> House:
    """A house on a file in a folder, or on the database that `database_url` names."""
    place = {"database_url": f"sqlite:///{folder / 'test.sqlite3'}"}
    return open_house(Settings(**place | settings), clock or FixedClock())


def ingest(house: House, record: Record) -> Ingested:
    """A record through the door, at the house's present instant."""
    data = json.dumps(record.bundle()).encode()
    now = house.clock.now()
    parcel = house.reader(now).submission(data, "test")
    (delivery,) = parcel.deliveries
    submission = Submission(str(uuid.uuid4()), "local", "test", now, parcel.sha256)
    return house.service.ingest(delivery, submission, data, "tester")


def silence_logs() -> None:
    """The log goes nowhere, unless a test captures it."""
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])


@contextmanager
def log_as_it_was() -> Iterator[None]:
    """Whatever a command configures inside, the log is afterwards as it was before."""
    root, was, shown = logging.getLogger(), structlog.get_config(), warnings.showwarning
    configured, handlers = structlog.is_configured(), list(root.handlers)
    yield
    structlog.reset_defaults()
    if configured:
        structlog.configure(**was)
    root.handlers[:] = handlers
    warnings.showwarning = shown
