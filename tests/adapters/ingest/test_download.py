"""Files of a server that take long or never end: no round waits for them, and what has come is not fetched twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.ingest.download import download
from adapters.ingest.server import Source
from adapters.jobs import progress, start, work
from adapters.worker import ending, tasks
from tests.world import FixedClock, make_house

LINE = b'{"resourceType":"Location","id":"a"}\n'
LIMIT = 20.0  # seconds, on a busy machine; a round that waited for the end of a file would take for ever


@dataclass
class Files:
    """A server of one file that comes slowly. `size` None: it has no end. `ranges`: it goes on in the middle."""

    size: int | None = None
    ranges: bool = True
    base: str = ""
    asked: list[str] = field(default_factory=list[str])


@contextmanager
def serving(files: Files) -> Iterator[Files]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            files.asked.append(asked)
            at = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and files.ranges else 0
            self.send_response(206 if at else 200)
            self.end_headers()
            try:
                while files.size is None or at < files.size:
                    piece = (LINE * 50)[: None if files.size is None else files.size - at]
                    self.wfile.write(piece)
                    at += len(piece)
                    time.sleep(0.01)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    files.base = f"http://127.0.0.1:{server.server_port}/fhir"
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ended() -> Iterator[None]:
    """This process is told to stop, for one test."""
    yield
    ending._ENDING[0] = 0


def house_of(files: Files, folder: Path) -> House:
    return make_house(
        folder, FixedClock(), fhir_servers=[files.base], export_folder=folder / "exports", policies=("bone-health",),
        acting_policy="",
    )  # fmt: skip


def three_files(house: House, files: Files) -> str:
    parts = [(0, {"step": "fetch", "url": f"{files.base}/f{n}", "name": f"{n:05d}.ndjson"}) for n in range(3)]
    return start(house, "export", parts, {"base": files.base, "since": "", "group": ""})


def test_files_without_an_end_hold_no_round_and_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SECONDS", 0.5)
    with serving(Files()) as files:
        house = house_of(files, tmp_path)
        job = three_files(house, files)
        house.clock.forward(seconds=1)  # type: ignore[attr-defined]
        other = start(house, "unheard of", [(1, {})])
        house.clock.forward(seconds=1)  # type: ignore[attr-defined]
        for _ in range(2):
            began = time.monotonic()
            rounds = [threading.Thread(target=tasks.run, args=(house, "work"), daemon=True) for _ in range(2)]
            for one in rounds:
                one.start()
            for one in rounds:
                one.join(LIMIT)
            assert time.monotonic() - began < LIMIT
            house.clock.forward(seconds=1)  # type: ignore[attr-defined]
        assert progress(house, other).ended  # parked, for nobody knows its kind: it had its turn
        seen = progress(house, job)
        assert (seen.job.state, seen.parked, seen.done) == ("open", 0, 0)
        with house.store.jobs(write=True) as jobs:
            claimed = jobs.claim(house.clock.now(), timedelta(seconds=60), "t")
        assert claimed is not None
        assert claimed[1].attempts == 1  # none of it was counted
        assert any(asked for asked in files.asked)  # and it went on where it was
        house.close()


def test_a_file_comes_whole_in_several_rounds_and_nothing_is_fetched_twice(tmp_path: Path) -> None:
    with serving(Files(size=40_000)) as files:
        path, server = tmp_path / "f", Source(files.base, float("inf"))
        tries = 1
        while not download(server, f"{files.base}/f", path, lambda: True):
            tries += 1
        assert path.read_bytes() == (LINE * 2000)[:40_000]
        assert tries > 3
        assert len(set(files.asked)) == tries


def test_a_server_that_goes_on_nowhere_is_read_further_each_time_until_the_end(tmp_path: Path) -> None:
    with serving(Files(size=40_000, ranges=False)) as files:
        path, server = tmp_path / "f", Source(files.base, float("inf"))
        sizes = [0]
        while not download(server, f"{files.base}/f", path, lambda: True):
            sizes.append(path.stat().st_size)
            assert sizes[-1] > 2 * sizes[-2]
        assert path.stat().st_size == 40_000


@pytest.mark.parametrize("ranges", [True, False], ids=["goes-on", "begins-anew"])
def test_the_end_of_the_process_waits_for_no_file(tmp_path: Path, ranges: bool, ended: None) -> None:
    with serving(Files(ranges=ranges)) as files:
        house = house_of(files, tmp_path)
        job = three_files(house, files)
        telling = threading.Timer(0.5, ending.begin)
        telling.start()
        began = time.monotonic()
        work(house, limit=1, job=job, stop=lambda: False)
        assert time.monotonic() - began < LIMIT
        assert not progress(house, job).ended
        house.close()
