"""What the work list shows: every open task in its band, the most pressing first; and one task with its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.http.pages.evidence import Why, why
from adapters.http.pages.patient.names import names_of
from adapters.http.pages.worklist.filters import PRIORITIES, Filters
from pathway.chart import patient_id
from pathway.people import Act, Person, TaskEvent, acts_for
from pathway.ports import Ledger
from pathway.reconcile import ENDED, Task
from pathway.rulebook import RuleBook

PAGE: Final = 50
BATCH: Final = 1000
WEEK: Final = timedelta(days=7)
OPEN: Final = tuple(sorted({"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"} - ENDED))
BANDS: Final[Mapping[str, str]] = {
    "emergencies": "Emergencies", "overdue": "Overdue", "today": "Today", "week": "This week", "later": "Later",
}  # fmt: skip
"""In the order in which they are worked on. An emergency stays one whatever its due date."""
_RANK: Final = {priority: place for place, priority in enumerate(PRIORITIES)}


@dataclass(frozen=True, slots=True)
class Row:
    """One open task. `late` says in words how far it is overdue; `mine` that the reader holds it."""

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

    @property
    def id(self) -> str:
        """The task's id."""
        return self.task.id


@dataclass(frozen=True, slots=True)
class Band:
    """A band of the list: how many tasks it has in all, and those that are on this page."""

    id: str
    title: str
    count: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list. `total` counts what the filters leave, `every` all open tasks."""

    bands: tuple[Band, ...]
    number: int
    pages: int
    total: int
    every: int

    @property
    def ids(self) -> frozenset[str]:
        """The tasks on this page."""
        return frozenset(row.id for band in self.bands for row in band.rows)


def work_list(ledger: Ledger, filters: Filters, reader: Person, now: datetime, zone: ZoneInfo) -> Page:
    """The page of the list that the filters name; a page past the end is the last one."""
    every = list(open_tasks(ledger))
    kept = [t for t in every if filters.hold(t, patient_id(t.patient), _mine(t, reader))]
    by_band = {task.key: band_of(task, now, zone) for task in kept}
    order = list(BANDS)
    kept.sort(key=lambda t: (order.index(by_band[t.key]), _RANK[t.priority], t.due_at, t.key))
    pages = max(1, -(-len(kept) // PAGE))
    page = min(filters.page, pages)
    rows = rows_of(ledger, kept[(page - 1) * PAGE : page * PAGE], reader, now, zone)
    bands = tuple(
        Band(id, title, sum(1 for band in by_band.values() if band == id), tuple(r for r in rows if r.band == id))
        for id, title in BANDS.items()
    )
    return Page(bands, page, pages, len(kept), len(every))


def open_tasks(ledger: Ledger) -> Iterable[Task]:
    """Every open task, in batches: an emergency is never beyond a limit."""
    offset = 0
    while True:
        found = ledger.find_tasks(statuses=OPEN, limit=BATCH, offset=offset)
        yield from found
        if len(found) < BATCH:
            return
        offset += BATCH


def rows_of(ledger: Ledger, tasks: Sequence[Task], reader: Person, now: datetime, zone: ZoneInfo) -> list[Row]:
    """Rows for tasks, with the names of their patients asked for once."""
    names = names_of(ledger, sorted({task.patient for task in tasks}))
    return [
        Row(
            task=task, band=band_of(task, now, zone), patient=patient_id(task.patient),
            name=names.get(task.patient, ""), levels=level_words(task.levels), priority=PRIORITIES[task.priority],
            late=_late(now - task.due_at) if task.due_at < now and not task.ended else "",
            holder=task.holder_display, mine=_mine(task, reader), acts=acts_now(task, reader),
        )
        for task in tasks
    ]  # fmt: skip


def band_of(task: Task, now: datetime, zone: ZoneInfo) -> str:
    """The band of an open task; days are the facility's."""
    if task.emergency or task.priority == "stat":
        return "emergencies"
    if task.due_at < now:
        return "overdue"
    today, due = now.astimezone(zone).date(), task.due_at.astimezone(zone).date()
    if due == today:
        return "today"
    return "week" if due < today + WEEK else "later"


def level_words(levels: Iterable[str]) -> str:
    """`L1, L2`; an unnamed vertebra says so."""
    return ", ".join("vertebra not named" if level == "unspecified" else level for level in levels)


def _mine(task: Task, reader: Person) -> bool:
    return task.holder == reader.name


def _late(by: timedelta) -> str:
    """How far past its due date, in the largest unit that fits."""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        count = by // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} overdue"
    return "just overdue"


@dataclass(frozen=True, slots=True)
class Full:
    """One task with everything behind it: its row, why it exists, what happened to it."""

    row: Row
    why: Why
    events: tuple[TaskEvent, ...]


def full(ledger: Ledger, book: RuleBook, task: Task, reader: Person, now: datetime, zone: ZoneInfo) -> Full:
    """A task in full."""
    (row,) = rows_of(ledger, [task], reader, now, zone)
    return Full(row, why(ledger, book, task), ledger.task_events(task.key))


def acts_now(task: Task, reader: Person) -> frozenset[Act]:
    """What the reader may do to a task as it stands: what somebody else holds can be released or commented on."""
    acts = acts_for(reader.role, task)
    if not task.holder:
        return acts - {Act.RELEASE}
    if task.holder == reader.name:
        return acts - {Act.CLAIM}
    return acts & {Act.RELEASE, Act.COMMENT}
