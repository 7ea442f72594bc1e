"""Several processes on one database: killed, writing at once, starting at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.db import SqlStore
from tests.adapters.db.builders import ingest, opened
from tests.databases import fresh

pytestmark = pytest.mark.e2e  # processes of their own

ROOT = Path(__file__).parents[3]


class Writer:
    """A running `writer.py`; what it says goes to a file, where nothing is lost when it is killed."""

    def __init__(self, said: Path, *arguments: str) -> None:
        self.said = said
        with said.open("w") as file:
            command = [sys.executable, "-m", "tests.adapters.db.writer", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)

    def lines(self) -> list[str]:
        """The whole lines it has said."""
        return self.said.read_text().split("\n")[:-1]

    def wait_for_a_line(self) -> None:
        """Wait until it is at work."""
        while not self.lines():
            assert self.process.poll() is None
            time.sleep(0.005)

    def kill(self) -> list[str]:
        """Kill it at once and say what it has said."""
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL
        return self.lines()


Start = Callable[..., Writer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `writer.py`; what still runs at the end of the test is killed."""
    writers: list[Writer] = []

    def start(*arguments: str) -> Writer:
        writers.append(Writer(tmp_path / f"writer-{len(writers)}", *arguments))
        return writers[-1]

    yield start
    for writer in writers:
        writer.process.kill()
        writer.process.wait()


def check_whole(store: SqlStore, name: str) -> list[str]:
    """The decisions of one writer's patient, once each ingest of them is known to be there as a whole."""
    patient = f"clinic|{name}"
    with store.read() as ledger:
        decisions = [decision.id for decision in reversed(ledger.decisions(patient, limit=100_000))]
        assert decisions == [f"d-{name}-{number}" for number in range(len(decisions))]
        assert len(ledger.chart(patient)) == 4 * len(decisions) == ledger.chart_version(patient)
        assert sorted(task.decision for task in ledger.tasks(patient)) == sorted(2 * decisions)
    return decisions


def check_acknowledged(store: SqlStore, name: str, acknowledged: list[str]) -> None:
    """All that a writer saw committed is there, and at most one more: killed before it could say so."""
    stored = check_whole(store, name)
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) - len(acknowledged) <= 1


def test_a_process_killed_inside_a_transaction_leaves_nothing(store: SqlStore, url: str, start: Start) -> None:
    writer = start("hang", url, "w")
    writer.wait_for_a_line()
    assert writer.kill() == ["inside"]
    assert check_whole(store, "w") == []
    with store.write() as ledger:  # its lock died with it
        ingest(ledger, "after")


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_whole_transactions(
    url: str, start: Start, rounds: Callable[[int], int]
) -> None:
    for number in range(rounds(100)):
        writer = start("ingest", url, f"w{number}")
        writer.wait_for_a_line()
        time.sleep(0.0137 * (number % 23))
        acknowledged = writer.kill()
        with opened(url) as store:
            check_acknowledged(store, f"w{number}", acknowledged)


@pytest.mark.slow
def test_four_writers_and_a_reader_lose_nothing_and_meet_no_busy_error(
    store: SqlStore, url: str, start: Start, rounds: Callable[[int], int]
) -> None:
    writers = {name: start("ingest", url, name) for name in ("w0", "w1", "w2", "w3")}
    for writer in writers.values():
        writer.wait_for_a_line()
    deadline = time.monotonic() + rounds(50)
    while time.monotonic() < deadline:
        for name in writers:
            check_whole(store, name)
    acknowledged = {name: writer.kill() for name, writer in writers.items()}  # none had ended by itself
    for name, lines in acknowledged.items():
        check_acknowledged(store, name, lines)


def test_processes_that_start_at_once_make_one_database(tmp_path: Path, start: Start, backend: str) -> None:
    with ExitStack() as stack:
        _start_at_once([stack.enter_context(fresh(backend, tmp_path / str(number))) for number in range(5)], start)


def _start_at_once(urls: list[str], start: Start) -> None:
    starters = [start("upgrade", *urls) for _ in range(3)]
    for starter in starters:
        assert starter.process.wait() == 0, starter.lines()
        assert starter.lines() == ["upgraded"] * len(urls)
    for url in urls:
        with opened(url) as store, store.write() as ledger:
            ingest(ledger, "first")
