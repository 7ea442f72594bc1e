"""Starts the parts of the service on one machine, says which one died, and stops them so that begun work ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

DRAIN_SECONDS: Final = 15
"""How long begun work may take once we are told to stop."""
UNUSABLE: Final = 2
"""The exit code of a part that was given something it cannot use, such as a port that is taken."""
_PAUSE: Final = 0.2
_OFTEN: Final = 5
_WITHIN_SECONDS: Final = 60
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG


@dataclass
class Part:
    """One process: its name for people, and its command."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_OFTEN))

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C at the terminal reaches us alone, and we pass it on."""
        mother = os.getpid()
        self.process = subprocess.Popen(
            self.command, start_new_session=True, preexec_fn=lambda: _end_with(mother), stdin=subprocess.DEVNULL
        )

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        """Ask its main process to end."""
        if self.process is not None:
            self.process.terminate()

    def clear(self) -> None:
        """Kill it with its children, or those that it left behind."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def code(self) -> int | None:
        """Its exit code once it has ended."""
        return None if self.process is None else self.process.poll()

    def died_often(self, now: float) -> bool:
        """Note a death; whether there were too many of late."""
        self.deaths.append(now)
        return len(self.deaths) == _OFTEN and now - self.deaths[0] < _WITHIN_SECONDS


class Launcher:
    """Runs parts until it is told to stop. Only in the main thread."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        self._parts, self._say = parts, say
        self._stopping = False

    def run(self) -> int:
        """The exit code: 0 if told to stop and all work ended, 1 if something had to be killed or kept dying."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for part in self._parts:
            part.start()
        lasting = 0
        while not self._stopping and not lasting:
            time.sleep(_PAUSE)
            lasting = next((code for part in self._parts if (code := self._looked_after(part))), 0)
        return max(self._end(), lasting)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _looked_after(self, part: Part) -> int:
        """Start a part again if it died, and say so; the code to end with where that would not help."""
        code = part.code()
        if code is None or self._stopping:
            return 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if code == UNUSABLE or part.died_often(time.monotonic()):
            again = "" if code == UNUSABLE else " again and again"
            self._say(f"{part.name} {how}{again}; stopping everything.")
            return code if code > 0 else 1
        self._say(f"{part.name} {how}; starting it again. What it had begun is found in the database.")
        part.clear()
        part.start()
        return 0

    def _end(self) -> int:
        """Tell each main process to end; wait; kill with its children what has not ended. 0 if nothing was killed."""
        running = [part for part in self._parts if part.is_running()]
        for part in running:
            part.terminate()  # the main process alone: told all at once, a worker's children drop their work
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and any(part.is_running() for part in running):
            time.sleep(_PAUSE / 4)
        late = [part for part in running if part.is_running()]
        for part in late:
            part.clear()
            self._say(f"{part.name} had not ended after {DRAIN_SECONDS} s and had to be killed.")
        return 1 if late else 0


def _end_with(mother: int) -> None:
    """Ask Linux for a SIGTERM when whoever started us is gone, however it went."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    if os.getppid() != mother:
        os._exit(1)
