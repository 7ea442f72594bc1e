"""The bands of the work list: what is open, by how soon somebody has to act, in the facility's days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.http.pages.worklist.filters import PRIORITIES
from pathway.tasks import Task

WEEK: Final = timedelta(days=7)
BANDS: Final[Mapping[str, str]] = {
    "emergencies": "Emergencies", "overdue": "Overdue", "today": "Today", "week": "This week", "later": "Later",
    "deferred": "Deferred",
}  # fmt: skip
"""In the order in which they are worked on. An emergency stays one whatever its due date."""
_RANK: Final = {priority: place for place, priority in enumerate(PRIORITIES)}


def band_of(task: Task, now: datetime, zone: ZoneInfo) -> str:
    """The band of an open task; what is put off stands apart until its day, overdue or not."""
    if task.emergency or task.priority == "stat":
        return "emergencies"
    if task.status == "on-hold":
        return "deferred"
    if task.due_at < now:
        return "overdue"
    today, due = now.astimezone(zone).date(), task.due_at.astimezone(zone).date()
    if due == today:
        return "today"
    return "week" if due < today + WEEK else "later"


def pressing(task: Task) -> tuple[int, datetime, str]:
    """By what the tasks of a band are sorted: the most pressing first, then the first that is due."""
    return _RANK[task.priority], task.due_at, task.key


def span(length: timedelta) -> str:
    """A length of time in the largest unit that fits: `2 days`, `1 hour`, `5 minutes`; empty below one minute."""
    for unit, one in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        count = length // one
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return ""
