"""PostgreSQL against SQLite, on this machine: taking a chart in, reading a work list, logging a hook's decision."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, Final

import orjson
import psycopg
from psycopg import sql

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.http.app import create_app
from bench.charts import call, chart
from bench.hooks import opened
from bench.measure import Candidate, in_turns, shown
from bench.report import Table

SERVER: Final = os.environ.get("PATHWAY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
PATIENTS: Final = 30
SIZE: Final = 50
_JSON: Final = {"Content-Type": "application/json"}
_HEAD: Final = ("work", "SQLite p50", "SQLite p99", "PostgreSQL p50", "PostgreSQL p99", "PostgreSQL / SQLite")


def tables(*, rounds: int = 5, calls: int = 8, patients: int = PATIENTS) -> list[Table]:
    """Both, side by side; SQLite alone where there is no server."""
    with ExitStack() as houses:
        works = {"SQLite": _works(houses.enter_context(opened()), patients)}
        url = houses.enter_context(fresh_database())
        if url:
            works["PostgreSQL"] = _works(houses.enter_context(opened(url)), patients)
        rows = [_row(work, works, rounds, calls) for work in works["SQLite"]]
    notes = ["In one process through WSGI; both with their log flushed to the disk at each commit."]
    if not url:
        notes.append("No PostgreSQL server was found at PATHWAY_TEST_POSTGRES: its columns are empty.")
    return [Table("PostgreSQL against SQLite", _HEAD, rows, notes)]


def _row(work: str, works: dict[str, dict[str, Candidate]], rounds: int, calls: int) -> tuple[str, ...]:
    paces = in_turns({name: of[work] for name, of in works.items()}, rounds=rounds, calls=calls)
    cells = [cell for pace in paces.values() for cell in (shown(pace.p50), shown(pace.p99))]
    ratio = f"{paces['PostgreSQL'].p50 / paces['SQLite'].p50:.1f}" if "PostgreSQL" in paces else "-"
    return (work, *cells, *["-"] * (4 - len(cells)), ratio)


def _works(house: House, patients: int) -> dict[str, Candidate]:
    """What is timed, on a house that holds some patients already."""
    client, fresh = create_app(house).test_client(), count()

    def posted(path: str, body: bytes) -> None:
        answer = client.post(path, data=body, headers=_JSON)
        if answer.status_code != 200:
            raise SystemExit(f"{path} answered {answer.status_code}: nothing is timed")

    for n in range(patients):
        posted("/fhir", strict_json.dumps(chart(f"p{n}", SIZE, n).bundle()))
    calls = [orjson.dumps(call(chart(f"p{n}", SIZE, n))) for n in range(patients)]

    def take_in(_: int) -> None:
        n = next(fresh)
        posted("/fhir", strict_json.dumps(chart(f"new{n}", SIZE, n % patients).bundle()))

    def read(_: int) -> Any:
        return client.get("/fhir/Task?status=ready&_count=50").get_data()

    def look(n: int) -> None:
        posted("/cds-services/candidacy", calls[n % patients])

    return {
        f"a new chart of {SIZE} resources in, decided": take_in,
        "50 open tasks by due date out": read,
        f"a hook call with {SIZE} resources on a stored chart": look,
    }


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of a database of its own, dropped in the end; empty where there is no server."""
    name = f"pathway_bench_{uuid.uuid4().hex[:12]}"
    try:
        _on_server(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
    except psycopg.OperationalError:
        yield ""
        return
    try:
        address = SERVER.partition("://")[2].rpartition("/")[0]
        yield f"postgresql+psycopg://{address}/{name}"
    finally:
        _on_server(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _on_server(statement: sql.Composed) -> None:
    with psycopg.connect(SERVER, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)
