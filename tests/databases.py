"""Real databases for tests: a file of SQLite, and fresh databases on the PostgreSQL server of this machine.

`PATHWAY_TEST_POSTGRES` names the server (and a database on it to connect to) by a URL of a role that may make others.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from adapters.db import upgrade
from adapters.db.migrate import _heads
from adapters.db.tables import metadata

SERVER = os.environ.get("PATHWAY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
BACKENDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.service))
ON_SQLITE = pytest.mark.parametrize("backend", BACKENDS[:1])
ON_POSTGRESQL = pytest.mark.parametrize("backend", BACKENDS[1:])
_NUMBER = count()
_CREATED: list[str] = []
_BARE: list[str] = []
_MADE: list[str] = []


@cache
def _why_not() -> str:
    """Why there is no server to test on; empty if there is one."""
    try:
        psycopg.connect(SERVER, connect_timeout=5, autocommit=True).close()
    except psycopg.Error as error:
        return f"no PostgreSQL at PATHWAY_TEST_POSTGRES ({type(error).__name__})"
    return ""


def on_server(statement: sql.Composed) -> None:
    """Run one statement as the role that may make databases."""
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(statement)


def _url(name: str) -> str:
    return make_url(SERVER).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)


def _create(*options: sql.SQL) -> str:
    """A new database; dropped when the process ends."""
    if why := _why_not():
        pytest.skip(why)
    name = f"pathway_test_{os.getpid()}_{next(_NUMBER)}"
    on_server(sql.Composed([sql.SQL("CREATE DATABASE {} TEMPLATE template0 ").format(sql.Identifier(name)), *options]))
    _CREATED.append(name)
    return name


@atexit.register
def _drop_all() -> None:
    while _CREATED:
        on_server(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_CREATED.pop())))


@contextmanager
def fresh_postgres(*options: sql.SQL) -> Iterator[str]:
    """The URL of a database without tables on the real server; skips where there is no server."""
    with _lent(_BARE, _create, _undress, *options) as url:
        yield url


@contextmanager
def made_postgres() -> Iterator[str]:
    """The same, with the tables and no rows."""
    with _lent(_MADE, _made, _empty) as url:
        yield url


@contextmanager
def _lent(pool: list[str], make: Callable[..., str], clean: Callable[[str], None], *options: sql.SQL) -> Iterator[str]:
    """A database of a pool, cleaned afterwards: making and dropping one each time costs the server a checkpoint."""
    name = pool.pop() if pool and not options else make(*options)
    yield _url(name)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()"
    on_server(sql.SQL(end).format(sql.Literal(name)))
    clean(_url(name))
    if not options:
        pool.append(name)


def _made() -> str:
    name = _create()
    upgrade(_url(name))
    return name


def _undress(url: str) -> None:
    plainly(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")


def _empty(url: str) -> None:
    """As it was made, whatever a test did to its rows, its triggers and its revision."""
    logged = ("decision", "release", "task_event", "card_feedback", "letter")
    steps = ["SET LOCAL session_replication_role = replica"]
    steps += [f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only" for table in logged]
    steps += [f'DELETE FROM "{table}"' for table in metadata.tables]
    steps += [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only" for table in logged]
    steps += ["SELECT setval('decision_sequence_seq', 1, false)"]
    (head,) = _heads()
    steps += [f"UPDATE alembic_version SET version_num = '{head}'"]
    plainly(url, f"BEGIN; {'; '.join(steps)}; COMMIT")


@contextmanager
def fresh(backend: str, folder: Path) -> Iterator[str]:
    """The URL of a database that is not made yet: no file, or no tables."""
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'store' / 'pathway.db'}"
        return
    with fresh_postgres() as url:
        yield url


@contextmanager
def made_empty(backend: str, folder: Path) -> Iterator[str]:
    """A database with its tables and no rows."""
    if backend == "postgresql":
        with made_postgres() as url:
            yield url
        return
    path = folder / "store" / "pathway.db"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(_made_file(), path)
    yield f"sqlite:///{path}"


@cache
def _made_file() -> Path:
    """A file that is made and empty, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="pathway-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    upgrade(f"sqlite:///{folder}/pathway.db")
    return folder / "pathway.db"


def plainly(url: str, *statements: str) -> list[Any]:
    """Run statements as a stranger with no rules of ours, each committed; the rows of the last one."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as connection:
            return [connection.execute(s).fetchall() for s in statements][-1]
    with psycopg.connect(parsed.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        cursors = [connection.execute(s.encode()) for s in statements]
        return cursors[-1].fetchall() if cursors[-1].description else []


def counts(url: str) -> dict[str, int]:
    """How many rows each table holds."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    if not url.startswith("sqlite"):
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    return {name: plainly(url, f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in plainly(url, names)}
