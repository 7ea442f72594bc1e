"""Population screening: the decide stage with two workers against one, and the whole command with its memory."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from adapters.demo.population import population
from adapters.fhir import strict_json
from adapters.screen.lines import Index
from adapters.settings import Settings
from bench.charts import NOW
from bench.measure import shown
from bench.report import Table

PATIENTS: Final = 20_000
CASES: Final = 300
WORKERS: Final = 2


def tables(*, rounds: int = 5, cases: int = CASES, patients: int = PATIENTS) -> list[Table]:
    """The stage, then the whole."""
    return [_stage(rounds, cases), _whole(patients)]


def _stage(rounds: int, cases: int) -> Table:
    """All the cases in one process, then halved between two that begin at once; in turns."""
    alone: list[float] = []
    both: list[float] = []
    with _crew(cases) as pipes:
        _decided(pipes)  # what is missing is remembered by its state: the first round fills the memories
        for _ in range(rounds):
            alone.append(_decided(pipes[:1]))
            both.append(_decided(pipes))
    ratio = median(alone) / median(both)
    rows = [
        ("one worker", shown(median(alone) * 1e6), f"{cases / median(alone):.0f}", "1.00"),
        (f"{WORKERS} workers", shown(median(both) * 1e6), f"{cases / median(both):.0f}", f"{ratio:.2f}"),
    ]
    note = (
        f"{cases} invented patients, most without a fracture, under all configured rule sets; facts were read before. "
        f"From the start signal to the last answer, p50 of {rounds} rounds; {os.cpu_count()} cores."
    )
    return Table("Screening: the decide stage", ("workers", "time", "patients/s", "times one worker"), rows, (note,))


@contextmanager
def _crew(cases: int) -> Iterator[list[Connection]]:
    """Processes that have read all the cases and wait to be told which to decide."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(WORKERS)]
    crew = [context.Process(target=_hand, args=(theirs, cases), daemon=True) for _, theirs in pairs]
    for one in crew:
        one.start()
    pipes: list[Connection] = [ours for ours, _ in pairs]
    try:
        for pipe in pipes:
            pipe.recv()
        yield pipes
    finally:
        for pipe in pipes:
            pipe.send(None)
        for one in crew:
            one.join(10)


def _decided(pipes: Sequence[Connection]) -> float:
    """The seconds until all have decided on their share."""
    began = time.perf_counter()
    for place, pipe in enumerate(pipes):
        pipe.send((place, len(pipes)))
    for pipe in pipes:
        pipe.recv()
    return time.perf_counter() - began


def _hand(pipe: Connection, count: int) -> None:
    from bench.deciding import ACTING, cases_of, panel
    from pathway.decide import decide

    made = panel(Settings(_env_file=None).policies)  # type: ignore[call-arg]
    cases = cases_of(population(count, NOW))
    pipe.send("ready")
    while share := pipe.recv():
        place, of = share
        for case in cases[place::of]:
            decide(case, made, acting=ACTING).to_bytes()
        pipe.send("done")


def _whole(patients: int) -> Table:
    """The command, as a user gives it: NDJSON in, decided, summed up, both lists written."""
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "population.ndjson"
        with source.open("wb") as out:
            for record in population(patients, NOW):
                out.writelines(strict_json.dumps(resource) + b"\n" for resource in record.resources)
        began = time.perf_counter()
        Index.of([source])
        looking = time.perf_counter() - began
        for workers in (1, WORKERS):
            rows.append(_commanded(Path(folder), source, workers, patients))
        size = source.stat().st_size / 2**20
    head = ("workers", "whole", "patients/s", "reading", "deciding", "largest process")
    note = (
        f"{patients:,} invented patients, {size:.0f} MiB of NDJSON, on SQLite, by `pathway screen FILE` with both "
        f"lists: start, looking through the file ({looking:.1f} s), parts, summary, lists. Reading is checks of R4 and "
        "of plausibility; deciding is the stored chart, facts and all rule sets. Seconds of all workers together."
    )
    return Table("Screening: the whole", head, rows, (note,))


def _commanded(folder: Path, source: Path, workers: int, patients: int) -> tuple[str, ...]:
    lists = ["--csv", str(folder / "needs.csv"), "--ndjson", str(folder / "needs.ndjson")]
    command = [sys.executable, "-m", "adapters.cli", "screen", str(source), "--workers", str(workers), "--json", *lists]
    own = {"PATHWAY_DATABASE_URL": f"sqlite:///{folder}/{workers}.sqlite3", "PATHWAY_RULES_FROM": "working"}
    with (folder / "said.json").open("w+b") as said:
        began = time.perf_counter()
        one = subprocess.Popen(command, env=os.environ | own, stdout=said, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(one.pid, 0)
        spent = time.perf_counter() - began
        one.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        body: dict[str, Any] = orjson.loads(said.read() or b"{}")
    if one.returncode or body["patients"] != patients:
        raise SystemExit("the screening did not read every patient: nothing is told")
    stages = (f"{body['seconds'][stage]:.0f} s" for stage in ("read", "decide"))
    return str(workers), f"{spent:.0f} s", f"{patients / spent:.0f}", *stages, f"{usage.ru_maxrss / 1024:.0f} MiB"
