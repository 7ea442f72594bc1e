"""A whole hook call against parsing its body, and against a Flask view that only echoes, on the same server.

In one process through WSGI for where the time goes, then over loopback through waitress for what a client waits.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
import requests
import structlog
from flask import Flask, Response, request
from waitress import wasyncore
from waitress.server import create_server

from adapters.bootstrap import House, open_house
from adapters.http.app import create_app
from adapters.http.serving import THREADS
from adapters.settings import Settings
from bench.charts import NOW, STATE, call, chart
from bench.measure import Candidate, Pace, in_turns, shown
from bench.report import Table

SIZES: Final = (20, 100, 200)
STAGES: Final = ("parse", "gather", "read", "decide", "log", "card")
_ADDRESS: Final = "/cds-services/candidacy"
_JSON: Final = {"Content-Type": "application/json"}


class _Noon:
    """A clock that stands: facts do not age during a run."""

    def now(self) -> Any:
        return NOW


def tables(*, rounds: int = 5, calls: int = 20, sizes: tuple[int, ...] = SIZES) -> list[Table]:
    """What it costs, and where."""
    with opened() as house:
        app, echo = create_app(house), echoing()
        bodies = {size: [orjson.dumps(call(chart(f"p{n}", size, n))) for n in range(calls)] for size in sizes}
        cost = _cost(app, echo, bodies, rounds, calls)
        with served(app) as ours, served(echo) as theirs:
            waited = _waited(ours, theirs, bodies, rounds, calls)
        return [cost, waited, _by_stage(app, bodies, rounds)]


@contextmanager
def opened(url: str = "") -> Iterator[House]:
    """A house on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        where = url or f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        settings = Settings(_env_file=None, database_url=where, rules_from="working", place_state=STATE)  # type: ignore[call-arg]
        house = open_house(settings, _Noon())
        try:
            yield house
        finally:
            house.close()


def echoing() -> Flask:
    """The least that a Flask view can do with a body."""
    app = Flask("echo", static_folder=None)
    app.post(_ADDRESS, endpoint="echo")(lambda: Response(request.get_data(), mimetype="application/json"))
    return app


def _cost(app: Flask, echo: Flask, bodies: dict[int, list[bytes]], rounds: int, calls: int) -> Table:
    rows: list[tuple[str, ...]] = []
    ours, theirs = app.test_client(), echo.test_client()
    for size, sent in bodies.items():
        paces = in_turns(
            {
                "parse": lambda n, sent=sent: orjson.loads(sent[n]),
                "echo": _posting(theirs.post, sent),
                "call": _posting(ours.post, sent),
            },
            rounds=rounds, calls=calls,
        )  # fmt: skip
        rows.append((f"{size}", f"{len(sent[0]) / 1024:.0f} KiB", *_compared(paces)))
    head = ("resources", "body", "`orjson.loads`", "bare echo", "hook call", "call / parse", "call / echo", "CPU")
    note = "In one process, without a socket: p50. A call reads the chart, decides, logs the decision and answers."
    return Table("A hook call, through WSGI", head, rows, (note,))


def _compared(paces: dict[str, Pace]) -> tuple[str, ...]:
    parse, echo, whole = (paces[name] for name in ("parse", "echo", "call"))
    ratios = (f"{whole.p50 / parse.p50:.0f}", f"{whole.p50 / echo.p50:.0f}")
    return shown(parse.p50), shown(echo.p50), shown(whole.p50), *ratios, shown(whole.cpu)


def _posting(post: Callable[..., Any], bodies: list[bytes]) -> Candidate:
    def send(number: int) -> None:
        answer = post(_ADDRESS, data=bodies[number], headers=_JSON)
        if answer.status_code != 200:
            raise SystemExit(f"a call was answered with {answer.status_code}: nothing is timed")

    return send


def _waited(ours: str, theirs: str, bodies: dict[int, list[bytes]], rounds: int, calls: int) -> Table:
    rows: list[tuple[str, ...]] = []
    with requests.Session() as session:
        session.trust_env = False
        for size, sent in bodies.items():
            paces = in_turns(
                {
                    "echo": _posting(lambda path, **given: session.post(theirs + path, **given), sent),
                    "call": _posting(lambda path, **given: session.post(ours + path, **given), sent),
                },
                rounds=rounds, calls=calls,
            )  # fmt: skip
            echo, whole = paces["echo"], paces["call"]
            times = [shown(one) for one in (echo.p50, echo.p99, whole.p50, whole.p99)]
            rows.append((f"{size}", *times, whole.spread(), f"{whole.p50 / echo.p50:.0f}"))
    head = ("resources", "echo p50", "echo p99", "call p50", "call p99", "call, rounds", "call / echo, p50")
    note = f"One client, one connection that is kept, waitress with {THREADS} threads, all in one process."
    return Table("A hook call, over loopback", head, rows, (note,))


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The app on waitress, in a thread of this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    server: Any = create_server(app, sockets=[listener], threads=THREADS)
    stop, sockets = threading.Event(), server._map

    def run() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.05, map=sockets, count=1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)


def _by_stage(app: Flask, bodies: dict[int, list[bytes]], rounds: int) -> Table:
    """From the notes that every call leaves on its line of the log, which are the stages that an operator sees."""
    rows: list[tuple[str, ...]] = []
    client = app.test_client()
    for size, sent in bodies.items():
        lines: list[dict[str, Any]] = []
        with structlog.testing.capture_logs() as log:
            for _ in range(rounds):
                for body in sent:
                    client.post(_ADDRESS, data=body, headers=_JSON)
            lines += [dict(line) for line in log if line["event"] == "request"]
        rest = median(line["ms"] - sum(line[f"{stage}_ms"] for stage in STAGES) for line in lines)
        typical = [median(line[f"{stage}_ms"] for line in lines) for stage in STAGES]
        rows.append((f"{size}", *(f"{one:.1f} ms" for one in (*typical, rest))))
    note = (
        "`parse`: the body, strictly, and against the contract. `read`: checks of R4 and plausibility. `decide`: the "
        "stored chart, facts from the chart, and `decide()`. `log`: the decision and its input, to the disk. "
        "Medians of the log lines."
    )
    return Table("A hook call, by stage", ("resources", *STAGES, "rest"), rows, (note,))
