"""Those who carry a job out: this process, or several of its own. The service's own workers may help meanwhile."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from adapters.bootstrap import House, open_house
from adapters.http import logs
from adapters.jobs import Progress, progress, work
from adapters.settings import Settings
from pathway.errors import PathwayError

_PAUSE: Final = 0.2  # seconds
_BEAT: Final = 0.5  # seconds between two looks at how far it is
Tell = Callable[[Progress], object]
Stop = Callable[[], bool]


def labour(house: House, job: str, workers: int, tell: Tell, stop: Stop = lambda: False) -> Progress:
    """Carry a job out until it has ended or is to stop, and say how far it is.

    One worker is this process; more are processes of their own; none leaves it to the service's and only looks on.
    `stop` is asked between two parts. PathwayError if all processes died.
    """
    if workers > 1:
        return _many(house, job, workers, tell, stop)
    while not (far := progress(house, job)).ended and not stop():
        tell(far)
        if not workers or not work(house, 1, stop, job):
            time.sleep(_PAUSE if workers else _BEAT)
    tell(far)
    return far


def _many(house: House, job: str, workers: int, tell: Tell, stop: Stop) -> Progress:
    context = multiprocessing.get_context("spawn")  # a fork would share the database's connections
    halt = context.Event()
    crew = [context.Process(target=_hand, args=(house.settings, job, halt), daemon=True) for _ in range(workers)]
    for one in crew:
        one.start()
    try:
        while not (far := progress(house, job)).ended and not stop() and any(one.is_alive() for one in crew):
            tell(far)
            time.sleep(_BEAT)
    finally:
        halt.set()
        for one in crew:
            one.join()
    far = progress(house, job)
    tell(far)
    if not far.ended and not stop():
        raise PathwayError("the workers died", where=f"job {job}", fix=f"Go on with: pathway screen --resume {job}")
    return far


def _hand(settings: Settings, job: str, halt: Any) -> None:
    """A process that works on one job. A terminal's Ctrl-C reaches it too: it is the first process that decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure("warning")
    house = open_house(settings)
    try:
        labour(house, job, 1, lambda _: None, halt.is_set)
    finally:
        house.close()
