"""A simulated time as people read it: day by day, what came in and what became of the tasks, then how each ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from textwrap import wrap
from typing import Final

from adapters.simulate.naming import in_words
from adapters.simulate.run import Arrival, Deed, Happening, Moment
from pathway.history import PAST, TaskEvent
from pathway.lifecycle import ENDS, Word
from pathway.tasks import Task

_WIDTH: Final = 110
_INDENT: Final = " " * 9


def told(moments: Iterable[Moment], tasks: Sequence[Task], zone: tzinfo, day_0: datetime | None) -> Iterator[str]:
    """The lines, as wide as a page. Days are the facility's; they are counted from `day_0`, the procedure, if any."""
    for line in _lines(moments, tasks, zone, day_0):
        yield from wrap(line, _WIDTH, subsequent_indent=" " * (_margin(line) + 2)) or [""]


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lines(moments: Iterable[Moment], tasks: Sequence[Task], zone: tzinfo, day_0: datetime | None) -> Iterator[str]:
    for day, group in groupby(moments, key=lambda moment: moment.at.astimezone(zone).date()):
        counted = f"   day {(day - day_0.astimezone(zone).date()).days}" if day_0 else ""
        yield f"{day}{counted}"
        for moment in group:
            yield from _moment(moment, zone)
        yield ""
    yield "How the tasks stand"
    for task in sorted(tasks, key=lambda one: (one.authored_at, one.key)):
        yield from _standing(task, zone)


def _moment(moment: Moment, zone: tzinfo) -> Iterator[str]:
    yield f"  {moment.at.astimezone(zone):%H:%M}  {_what(moment.happening)}"
    for task, event in moment.events:
        yield from _event(task, event, zone)


def _what(happening: Happening | None) -> str:
    match happening:
        case Arrival(bundle=bundle):
            return f"Arrives: {'; '.join(dict.fromkeys(in_words(one['resource']) for one in bundle['entry']))}"
        case Deed(role=role):
            return f"A {role} acts"
        case _:
            return "The clock"


def _event(task: Task, event: TaskEvent, zone: tzinfo) -> Iterator[str]:
    named = f"{task.title}{_of(task)}"
    if event.act == Word.ASK:
        start = f"from {_day(task.start_at, zone)}, " if task.start_at else ""
        yield f"{_INDENT}+ {named}: for the {task.owner}, {task.priority}, {start}due {_day(task.due_at, zone)}"
        yield from (f"{_INDENT}    {sentence}" for sentence in task.why[:1])
        return
    mark = "x" if event.act == Word.CLOSE else "-" if event.after in ENDS else "·"
    said = f": {event.text}" if event.text else ""
    yield f"{_INDENT}{mark} {named}: {event.display} {PAST[event.act]} it{said}"


def _standing(task: Task, zone: tzinfo) -> Iterator[str]:
    yield f"  {task.title}{_of(task)}"
    opened = f"asked for on {_day(task.authored_at, zone)}, due {_day(task.due_at, zone)}"
    if not task.ended:
        late = ", overdue" if task.due_at < task.modified_at else ""
        yield f"    {opened}: {task.status}{late}"
        return
    assert task.ended_at is not None, "a task that has ended says when"
    yield f"    {opened}: {task.status} on {_day(task.ended_at, zone)} ({task.status_reason})"


def _of(task: Task) -> str:
    return f" ({', '.join(task.levels)})" if task.levels else ""


def _day(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
