"""The beat: rings every few seconds, so that a bell that was lost costs seconds and nothing more.

Any number of beats may run: each tick is a row that one of them moves. Where nobody answers the bells for half a
minute, because the broker is down or no worker lives, the beat sweeps and sends itself. What may take long it leaves
to a thread of its own, so that no alert waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from adapters.bootstrap import House
from adapters.worker import tasks
from adapters.worker.room import SHORT
from pathway.errors import PathwayError

TICKS: Final[Mapping[str, timedelta]] = {
    "sweep": timedelta(seconds=5),
    "drain": timedelta(seconds=2),
    "work": timedelta(seconds=5),
    "poll": timedelta(seconds=30),
}
TIDY: Final = timedelta(minutes=1)
UNANSWERED: Final = timedelta(seconds=30)
"""How old the last sweep may be before the beat does it itself."""
PAUSE_SECONDS: Final = 0.5
END_SECONDS: Final = 10.0
"""How long a thread that works is waited for at the end; what it leaves is taken up when its lease has run out."""

_LOG = structlog.get_logger("pathway.beat")


@dataclass
class Beat:
    """One beat. `ring` sends a bell, `tidy` cleans up behind the broker."""

    house: House
    ring: Callable[[str], None]
    tidy: Callable[[], None] = lambda: None
    stopped: threading.Event = field(default_factory=threading.Event)
    _silent: bool = False
    _beside: threading.Thread | None = None

    def run(self) -> None:
        """Tick until stopped."""
        began = self.house.clock.now()
        while not self.stopped.wait(PAUSE_SECONDS):
            try:
                self.once()
                if abs(self.house.clock.now() - began) > UNANSWERED and self.is_unanswered():
                    self.do_it_ourselves()
            except PathwayError as error:  # the database is away; it is asked again in a moment
                self._tell(error)
                continue
            self._silent = False
        if self._beside is not None:
            self._beside.join(END_SECONDS)

    def once(self) -> tuple[str, ...]:
        """Ring whatever is due and nobody else has rung; the names of the bells."""
        with self.house.store.marks(write=True) as marks:
            now = self.house.clock.now()  # after whatever was waited for
            due = tuple(name for name, every in TICKS.items() if marks.tick(f"beat/{name}", now, every))
            tidy = marks.tick("beat/tidy", now, TIDY)
        for name in due:
            self.ring(name)
        if tidy:
            self.tidy()
        return due

    def is_unanswered(self) -> bool:
        """Whether the last sweep that came to its end is too old, or its mark lies ahead: a clock was wrong then."""
        with self.house.store.marks(write=False) as marks:
            mark = marks.mark(tasks.SWEPT)
        return mark is None or abs(self.house.clock.now() - mark.at) > UNANSWERED

    def do_it_ourselves(self) -> None:
        """Sweep and send once, here; let the long rounds be done beside it."""
        _LOG.warning("bells-unanswered", fix="See whether the broker and a worker run")
        if self._beside is None or not self._beside.is_alive():
            long = [name for name in tasks.ROUNDS if name not in SHORT]
            self._beside = threading.Thread(target=self._do, args=(long,), name="beside", daemon=True)
            self._beside.start()
        self._do([name for name in tasks.ROUNDS if name in SHORT])

    def _do(self, names: Iterable[str]) -> None:
        for name in names:
            if not self.stopped.is_set():
                tasks.run(self.house, name, self.stopped.is_set)

    def _tell(self, error: PathwayError) -> None:
        if not self._silent:
            _LOG.warning("beat-failed", error=type(error).__name__, what=error.what)
        self._silent = True
