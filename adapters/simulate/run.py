"""Going through the time: what arrives, what people do and what the clock does, each at its instant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.simulate.scratch import HandClock
from pathway.calendar import start_of_day
from pathway.errors import BadInputError
from pathway.history import TaskEvent
from pathway.lifecycle import Act, Role
from pathway.people import Person, Said
from pathway.ports import Submission
from pathway.tasks import Task

DOOR: Final = "simulation"
_ROUNDS: Final = 100  # of the sweep at one instant; more means that the clock does not come to rest


@dataclass(frozen=True, slots=True)
class Arrival:
    """A Bundle of one patient that arrives at an instant."""

    at: datetime
    bundle: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does at an instant to the open task of a rule: act, who (role), and what the act needs."""

    at: datetime
    rule: str
    act: str
    role: str = "coordinator"
    said: Mapping[str, Any] = field(default_factory=dict)


Happening = Arrival | Deed


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant at which something happened: what, and what it made of the tasks."""

    at: datetime
    happening: Happening | None
    events: tuple[tuple[Task, TaskEvent], ...]


def go_through(
    house: House, clock: HandClock, patient: str, happenings: Sequence[Happening], until: datetime
) -> Iterator[Moment]:
    """The moments from the clock's present to `until`, in order; those in which nothing came of it are left out.

    BadInputError for a happening that cannot be, saying which.
    """
    seen = {key: len(events) for key, (_, events) in _history(house, patient).items()}
    waiting = sorted(happenings, key=lambda one: one.at)
    while True:
        ahead = [one.at for one in waiting[:1]]
        woken = house.store.next_instant()
        at = min([*ahead, *([woken] if woken else ())], default=None)
        if at is None or at > until:
            return
        clock.at = max(at, clock.at)
        happening = waiting.pop(0) if ahead == [at] else None
        if happening is not None:
            _let_happen(house, patient, happening)
        _sweep(house)
        events = _since(house, patient, seen)
        if events or happening is not None:
            yield Moment(clock.at, happening, events)


def _let_happen(house: House, patient: str, happening: Happening) -> None:
    if isinstance(happening, Deed):
        _act(house, patient, happening)
        return
    data, now = strict_json.dumps(happening.bundle), house.clock.now()
    parcel = house.reader(now).submission(data, DOOR)
    submission = Submission(str(uuid.uuid4()), house.settings.source, DOOR, now, parcel.sha256)
    for delivery in parcel.deliveries:
        house.service.ingest(delivery, submission, data, actor=DOOR)


def _act(house: House, patient: str, deed: Deed) -> None:
    """On the open task of the rule; where none is open, on the last that ended."""
    with house.store.read() as ledger:
        own = [task for task in ledger.tasks(patient) if task.rule == deed.rule]
    if not own:
        fix = "Name a rule that has asked for something by then"
        raise BadInputError(f"no task of {deed.rule} is there at {deed.at}", where="task", fix=fix)
    task = max(own, key=lambda one: (not one.ended, one.occurrence, one.key))
    person = Person(deed.role, Role(deed.role), deed.role.capitalize())
    house.service.desk.act(
        task.id, Act(deed.act), person, task.version, _said(deed.said, ZoneInfo(house.settings.time_zone))
    )


def _said(given: Mapping[str, str], zone: ZoneInfo) -> Said:
    until = start_of_day(date.fromisoformat(given["until"]), zone) if "until" in given else None
    return Said(given.get("text", ""), given.get("outcome", ""), given.get("channel", ""), until)


def _history(house: House, patient: str) -> dict[str, tuple[Task, tuple[TaskEvent, ...]]]:
    with house.store.read() as ledger:
        return {task.key: (task, ledger.task_events(task.key)) for task in ledger.tasks(patient)}


def _since(house: House, patient: str, seen: dict[str, int]) -> tuple[tuple[Task, TaskEvent], ...]:
    """What happened since the last look, in order; `seen` counts what was looked at, by task."""
    new: list[tuple[Task, TaskEvent]] = []
    for key, (task, events) in _history(house, patient).items():
        new += [(task, event) for event in events[seen.get(key, 0) :]]
        seen[key] = len(events)
    return tuple(sorted(new, key=lambda one: (one[1].at, one[0].key, one[1].sequence)))


def _sweep(house: House) -> None:
    for _ in range(_ROUNDS):
        if house.service.wake() + house.service.catch_up() == 0:
            return
    raise BadInputError("the clock does not come to rest", where="simulate", fix="Report it: this is a fault of ours")
