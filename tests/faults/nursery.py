"""A nursery: one process has the program and the rules in place, and the parts of a town are forked from it.

So a part that is killed is back in half a second instead of three. It asks and answers in lines of JSON; when nobody
asks any more, it kills whatever it bore.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.world import ROOT

# Not `adapters.worker.app`: what says "stop" to a worker's processes would be one byte for all workers.
_PROGRAM: Final = (
    "adapters.http.app", "adapters.http.serving", "adapters.out.writer", "celery.apps.worker", "celery.worker.consumer",
    "celery.concurrency.prefork", "celery.bin.worker", "kombu.transport.sqlalchemy", "kombu.transport.pyamqp",
    "kombu.transport.redis", "psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite",
    "tests.faults.mortal",
)  # fmt: skip


class Child:
    """A process of a nursery, used as one of `subprocess`."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid, self._nursery = pid, nursery
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, as `subprocess` says it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


class Nursery:
    """The asking side."""

    def __init__(self, policies: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", policies], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def ask(self, question: dict[str, Any]) -> int | None:
        """One question; its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def bear(self, point: str, count: int, command: list[str], log: Path, environment: dict[str, str]) -> Child:
        """`pathway COMMAND` in a process group of its own, to die at a point."""
        born = {"point": point, "count": count, "command": command, "log": str(log), "environment": environment}
        pid = self.ask(born)
        assert pid is not None
        return Child(self, pid)

    def close(self) -> None:
        """End it, and all of its children."""
        with self._process:  # closes what it is asked by, and waits
            pass


def keep(policies: str) -> None:
    """Be a nursery, until nobody asks any more."""
    for name in _PROGRAM:
        importlib.import_module(name)
    bootstrap: Any = importlib.import_module("adapters.bootstrap")
    settings = importlib.import_module("adapters.settings").Settings(policies=policies, rules_from="working")
    bootstrap.load = cache(bootstrap.load)  # the rules' files do not change while a town lives
    bootstrap.rules_in_force(settings)
    alive: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _poll(asked["poll"], alive) if "poll" in asked else _bear(asked, alive)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in alive:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _poll(pid: int, alive: set[int]) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    alive.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _bear(asked: dict[str, Any], alive: set[int]) -> int:
    pid = os.fork()
    if not pid:
        _live(asked)
    with suppress(PermissionError, ProcessLookupError):  # who comes first, mother or child
        os.setpgid(pid, pid)
    alive.add(pid)
    return pid


def _live(asked: dict[str, Any]) -> None:
    """In the child: be that part, and never come back."""
    with suppress(PermissionError):
        os.setpgid(0, 0)
    with Path(asked["log"]).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.clear()
    os.environ.update(asked["environment"])
    random.seed()
    code = 1
    try:
        importlib.import_module("tests.faults.mortal").live(asked["point"], asked["count"], asked["command"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    keep(sys.argv[1])
