"""The kinds of job, and what a part of each does. A module is imported when a part of its kind is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.jobs import Job, Part, Piece
from pathway.errors import PathwayError


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a part, and the parts that it found to be done further; `size` if it turned out to be another."""

    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    more: tuple[Piece, ...] = ()
    size: int | None = None


class NotYetError(PathwayError):
    """What a part waits for is not there yet: it is taken up again after a while, and no attempt is counted."""

    def __init__(self, what: str, after: timedelta) -> None:
        self.after = after
        super().__init__(what)


class TimeOverError(NotYetError):
    """A part that goes on where it was took the time of a round: others come first, then it is taken up again."""

    def __init__(self) -> None:
        super().__init__("it goes on in its turn", timedelta())


Stop = Callable[[], bool]
Run = Callable[[House, Job, Part, Stop], Mapping[str, Any] | Done]
"""Does one part, in about the time of a round: whoever may need longer asks the last argument, and gives back what is
left, as `more` or by TimeOverError. BadInputError: it can never be done, and is parked; any other error: it is tried
again."""


def _screen(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    from adapters.screen.job import run

    return run(house, job, part, stop)


def _load(house: House, job: Job, part: Part, _stop: Stop) -> Mapping[str, Any] | Done:
    from adapters.ingest.bulk import run

    return run(house, job, part)


def _export(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    from adapters.ingest.export import run

    return run(house, job, part, stop)


def _deliver(house: House, job: Job, part: Part, _stop: Stop) -> Mapping[str, Any] | Done:
    from adapters.ingest.queue import run

    return run(house, job, part)


def _measure(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    from adapters.measure.job import run

    return run(house, job, part, stop)


KINDS: Final[dict[str, Run]] = {
    "screen": _screen, "load": _load, "export": _export, "deliver": _deliver, "measure": _measure,
}  # fmt: skip


def _remove_export(house: House, job: Job) -> None:
    from adapters.ingest.export import remove

    remove(house, job.id)


def _add_up_measures(house: House, job: Job) -> None:
    from adapters.measure.job import add_up

    add_up(house, job.id)


OVER: Final[dict[str, Callable[[House, Job], None]]] = {"export": _remove_export, "measure": _add_up_measures}
"""What is done once all of a job's parts are: to add up, to remove what it leaves behind. It may be twice, or never."""
