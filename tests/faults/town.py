"""A whole service in processes of its own: web, worker and beat on one database and one broker, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.faults.nursery import Child, Nursery
from tests.servers import free_port
from tests.world import ROOT

PARTS = ("web", "worker", "beat")
START_SECONDS = 60.0
# The rule sets that make tasks: each start of a process loads its rules.
POLICIES = '["candidacy", "after-cement", "bone-health"]'


@dataclass
class Town:
    """The processes and where they are. `settings` are those of the service, without their prefix, in small letters.

    With a nursery its parts are forked from there, and start fast.
    """

    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes] | Child] = field(default_factory=dict)
    deaths: int = 0
    nursery: Nursery | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The machine's, without settings of ours but these."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PATHWAY_")}
        given = {"policies": POLICIES, "rules_from": "working", "log_level": "warning"} | self.settings
        return {**kept, **{f"PATHWAY_{name.upper()}": value for name, value in given.items()}}

    def start(self, part: str, point: str = "never", count: int = 1) -> None:
        """Start a part, to die at a point."""
        serving = {"web": "serve", "up": "up"}
        command = [serving[part], "--port", str(self.port)] if part in serving else [part]
        if self.nursery is not None:
            log = self.folder / f"{part}.log"
            self.processes[part] = self.nursery.bear(point, count, command, log, self.environment())
            return
        with (self.folder / f"{part}.log").open("ab") as log:
            self.processes[part] = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.mortal", point, str(count), *command], cwd=ROOT, stdout=log,
                stderr=log, env=self.environment(), start_new_session=True,
            )  # fmt: skip

    def kill(self, part: str, *, main_only: bool = False) -> None:
        """Kill a part with all its processes, or its main process, whose children are killed a moment later."""
        process = self.processes[part]
        if main_only:
            process.kill()
            time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        self.deaths += 1

    def has_died(self, part: str) -> bool:
        """Whether a part is gone, by its own hand; then it counts, and no process of it is left."""
        process = self.processes[part]
        if process.poll() is None:
            return False
        assert process.returncode == -signal.SIGKILL, f"{part} ended with {process.returncode}: {self.said(part)}"
        self.kill(part)
        return True

    def said(self, part: str) -> str:
        log = self.folder / f"{part}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def wait_until_it_answers(self, part: str = "web") -> None:
        """Wait until the web answers, which that part is or starts."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.processes[part].poll() is None, self.said(part)
            with suppress(requests.RequestException):
                if requests.get(f"{self.base}/livez", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the web did not answer: {self.said(part)}")

    def terminate(self, part: str, seconds: float = 15) -> float:
        """SIGTERM to its main process; how long it took to end. Fails if it takes longer or leaves a child."""
        process, began = self.processes.pop(part), time.monotonic()
        process.terminate()
        assert process.wait(seconds) == 0, self.said(part)
        took = time.monotonic() - began
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{part} left a child behind")
        return took


@contextmanager
def town(folder: Path, **settings: Any) -> Iterator[Town]:
    """A town with nothing started yet; whatever runs at the end is killed."""
    made = Town(folder, {name: str(value) for name, value in settings.items()})
    try:
        yield made
    finally:
        for part in made.processes:
            made.kill(part)
        if made.nursery is not None:
            made.nursery.close()
