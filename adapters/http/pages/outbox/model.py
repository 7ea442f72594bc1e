"""What the page of failed writes shows: each row that was laid aside, what it is about, and why it did not go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.db.outbox import PARKED, PENDING, Outbox, OutboxRow
from pathway.chart import patient_id

PAGE: Final = 50
_ABOUT: Final = {
    "Task": "Task", "CarePlan": "Care plan", "DocumentReference": "Referral letter",
    "alert": "Alert about an emergency",
}  # fmt: skip
_BY: Final = {"fhir": "to the FHIR server", "webhook": "to the webhook", "email": "by e-mail"}


@dataclass(frozen=True, slots=True)
class Unsent:
    """One row. `task` is the id of the task that it is about, if it is; `patient` is for those who may see it."""

    key: str
    what: str
    task: str
    patient: str
    attempts: int
    error: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was laid aside; the next begins after the key `more`. `waiting` are on their way."""

    rows: tuple[Unsent, ...]
    parked: int
    waiting: int
    more: str


def page_of(outbox: Outbox, after: str) -> Page:
    """The page of rows after a key."""
    found, counts = outbox.rows(PARKED, after, PAGE + 1), outbox.counts()
    more = found[PAGE - 1].key if len(found) > PAGE else ""
    return Page(tuple(map(_unsent, found[:PAGE])), counts.get(PARKED, 0), counts.get(PENDING, 0), more)


def _unsent(row: OutboxRow) -> Unsent:
    kind, _, rest = row.key.partition("/")
    what = f"{_ABOUT.get(kind, kind)} {_BY.get(row.channel, row.channel)}"
    task = rest.partition("/")[0] if kind in ("Task", "alert") else ""
    return Unsent(row.key, what, task, patient_id(row.patient), row.attempts, row.last_error, row.posted_at)
