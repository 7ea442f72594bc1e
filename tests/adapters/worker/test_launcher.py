"""The launcher: says what died, starts it again, stops all together, and signals the main processes alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e  # processes of their own

ROOT = Path(__file__).parents[3]
PROGRAM = textwrap.dedent("""
    import sys
    from adapters.worker import launcher
    launcher.DRAIN_SECONDS = 3
    parts = [launcher.Part(f"p{n}", (sys.executable, "-c", code)) for n, code in enumerate(sys.argv[1:])]
    sys.exit(launcher.Launcher(parts, lambda line: print(line, flush=True)).run())
""")
# A part with a child, both of which say what they hear.
FAMILY = textwrap.dedent("""
    import os, signal, sys, time
    def say(*words):
        os.write(1, (" ".join(words) + "\\n").encode())  # in one piece, also where PYTHONUNBUFFERED is set
    def hear(who):
        def heard(number, frame):
            say(who, "heard")
            sys.exit(0)
        signal.signal(signal.SIGTERM, heard)
        say(who, str(os.getpid()))
    child = os.fork()
    hear("child" if child == 0 else "main")
    time.sleep(60)
""")
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Running:
    """A launcher in a process of its own; what it and its parts say goes to a file."""

    def __init__(self, said: Path, *codes: str) -> None:
        self.said = said
        with said.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *codes], cwd=ROOT, stdout=file, stderr=file, start_new_session=True
            )

    def lines(self) -> list[str]:
        return self.said.read_text().splitlines()

    def wait_for(self, word: str, times: int = 1) -> list[str]:
        """The lines with a word, once there are so many."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            found = [line for line in self.lines() if word in line]
            if len(found) >= times:
                return found
            time.sleep(0.02)
        raise AssertionError(self.lines())

    def pid(self, who: str) -> int:
        return int(next(line.split()[1] for line in reversed(self.lines()) if line.startswith(f"{who} ")))


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Running] = []

    def start(*codes: str) -> Running:
        made.append(Running(tmp_path / f"said-{len(made)}", *codes))
        return made[-1]

    yield start
    for running in made:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_tells_the_main_process_alone(start: Start, number: int) -> None:
    running = start(FAMILY)
    running.wait_for("child")
    running.wait_for("main")
    child = running.pid("child")
    running.process.send_signal(number)
    assert running.process.wait(10) == 0
    assert running.wait_for("main heard")
    assert "child heard" not in running.lines()
    os.kill(child, signal.SIGKILL)


def test_what_does_not_end_is_killed_and_said(start: Start) -> None:
    running = start(DEAF)
    running.wait_for("deaf")
    began = time.monotonic()
    running.process.terminate()
    assert running.process.wait(10) == 1
    assert 2.5 < time.monotonic() - began < 6
    assert running.lines()[-1] == "p0 had not ended after 3 s and had to be killed."


def test_what_was_killed_is_named_cleared_away_and_started_again(start: Start) -> None:
    running = start(FAMILY)
    running.wait_for("child")
    running.wait_for("main")
    main, child = running.pid("main"), running.pid("child")
    os.kill(main, signal.SIGKILL)
    (said,) = running.wait_for("p0 was killed")
    assert said.startswith("p0 was killed by SIGKILL; starting it again.")
    running.wait_for("main ", times=2)
    assert running.pid("main") != main
    time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]


def test_what_keeps_dying_stops_everything(start: Start) -> None:
    running = start("raise SystemExit(7)", FAMILY)
    assert running.process.wait(20) == 7
    assert "p0 ended with exit code 7 again and again; stopping everything." in running.lines()
    assert "main heard" in running.lines()


def test_what_was_given_something_unusable_is_not_tried_again(start: Start) -> None:
    running = start("raise SystemExit(2)")
    assert running.process.wait(20) == 2
    assert running.lines() == ["p0 ended with exit code 2; stopping everything."]


def test_a_launcher_that_is_killed_takes_its_parts_along(start: Start) -> None:
    running = start(FAMILY)
    running.wait_for("main")
    running.process.kill()
    assert running.wait_for("main heard")
