"""The work list as one file to print: what is open now or falls due soon, with room to write what was done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.http.pages.patient.names import names_of
from adapters.http.pages.worklist.bands import BANDS, band_of, pressing
from adapters.http.pages.worklist.model import open_tasks
from adapters.http.pages.worklist.rows import level_words
from pathway.chart import patient_id
from pathway.ports import Ledger
from pathway.tasks import Task

_PAPER: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One open task as it is printed; `due` is a day and hour of the facility."""

    name: str
    patient: str
    levels: str
    title: str
    due: str
    owner: str
    holder: str
    why: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The paper: bands of lines, the most pressing first, and how many tasks fall due too late to be on it."""

    bands: tuple[tuple[str, tuple[Line, ...]], ...]
    left_out: int
    at: datetime
    zone: ZoneInfo
    until: datetime


def sheet(ledger: Ledger, now: datetime, zone: ZoneInfo, ahead: timedelta) -> Sheet:
    """What is open and due within `ahead`, every emergency, and whatever comes back by then."""
    until, tasks = now + ahead, list(open_tasks(ledger))
    kept = sorted((task for task in tasks if _presses(task, until)), key=pressing)
    names = names_of(ledger, sorted({task.patient for task in kept}))
    rows = [(band_of(task, now, zone), _line(task, names.get(task.patient, ""), zone)) for task in kept]
    bands = ((title, tuple(line for band, line in rows if band == id)) for id, title in BANDS.items())
    return Sheet(tuple(band for band in bands if band[1]), len(tasks) - len(kept), now, zone, until)


def printed(paper: Sheet) -> str:
    """The sheet as one page of HTML that needs nothing else: no network, no script."""
    return _PAPER.get_template("paper.html").render(paper=paper, made=_local(paper.at, paper.zone),
                                                    until=_local(paper.until, paper.zone))  # fmt: skip


def _presses(task: Task, until: datetime) -> bool:
    back = task.returns_at if task.status == "on-hold" and task.returns_at else task.due_at
    return task.emergency or task.priority == "stat" or min(back, task.due_at) <= until


def _line(task: Task, name: str, zone: ZoneInfo) -> Line:
    return Line(
        name=name, patient=patient_id(task.patient), levels=level_words(task.levels), title=task.title,
        due=_local(task.due_at, zone), owner=task.owner, holder=task.holder_display, why=task.why,
        lacking=tuple(_lacking(task)),
    )  # fmt: skip


def _lacking(task: Task) -> Iterable[str]:
    """What its checklist still asks for, each once, without what its reasons say already."""
    asked = dict.fromkeys(item.ask or item.message for item in task.items if not item.done)
    return (text for text in asked if text not in task.why)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %d %b %Y, %H:%M}"
