"""Databases of every released version, with patients in them: brought to this version, nothing of them is lost.

`released/REVISION.sql` is the dump of a file of SQLite that the released code made and filled with its demo patients.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Inspector, insert, inspect

from adapters.bootstrap import House
from adapters.cli.demo import load_demo
from adapters.db import upgrade
from adapters.db.engine import make_engine, transaction
from adapters.db.layout import Layout, layouts
from adapters.db.migrate import migrate, prepared
from tests.databases import BACKENDS, counts, fresh, plainly
from tests.world import FixedClock, make_house

RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"), key=lambda path: path.name)
LOGGED = "decision", "release"


def load(dump: Path, path: Path) -> str:
    """The file of SQLite that was dumped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    return f"sqlite:///{path}"


def shapes(path: Path) -> set[tuple[str, str]]:
    """Everything that a file's tables are made of, by the statements that made it."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))


def as_on_a_server(released: str, revision: str, url: str) -> None:
    """The same rows in PostgreSQL's tables of the same revision."""
    here, there = make_engine(released), make_engine(url)
    with transaction(here, write=False) as source, transaction(there, write=True) as target:
        migrate(target, revision)
        for layout in layouts():
            if layout.name in inspect(source).get_table_names():
                layout = _as_it_was(layout, inspect(source))
                with layout.lines(source) as lines:
                    rows = [row for _, row in lines]
                if rows:
                    target.execute(insert(layout.table), rows)
    here.dispose()
    there.dispose()
    plainly(url, "SELECT setval('decision_sequence_seq', max(sequence)) FROM decision")


def _as_it_was(layout: Layout, found: Inspector) -> Layout:
    """The layout without the columns that came later."""
    there = {column["name"] for column in found.get_columns(layout.name)}
    return replace(layout, columns=tuple(one for one in layout.columns if one[0] in there))


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def dump(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(params=BACKENDS)
def old(dump: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of a released version with its patients."""
    path = tmp_path / "old" / "pathway.db"
    with fresh(request.param, tmp_path / "old") as url:
        load(dump, path)
        if request.param != "sqlite":
            as_on_a_server(f"sqlite:///{path}", dump.stem, url)
            yield url
        else:
            yield f"sqlite:///{path}"


@pytest.fixture
def house(old: str, tmp_path: Path) -> Iterator[House]:
    """This version of the service on that database."""
    made = make_house(tmp_path, FixedClock(), database_url=old)
    yield made
    made.close()


def test_a_released_migration_still_makes_what_it_made(dump: Path, tmp_path: Path) -> None:
    load(dump, tmp_path / "old.db")
    with prepared(f"sqlite:///{tmp_path}/now.db") as engine, transaction(engine, write=True) as connection:
        migrate(connection, dump.stem)
    assert shapes(tmp_path / "now.db") == shapes(tmp_path / "old.db")


def test_an_upgrade_keeps_every_row(old: str) -> None:
    before = counts(old)
    assert before["decision"] >= 12
    upgrade(old)
    after = counts(old)
    assert {name: after[name] for name in before} == before


def test_every_decision_of_a_released_version_is_made_again(house: House) -> None:
    ids = [row[0] for row in plainly(house.settings.database_url, "SELECT id FROM decision")]
    assert len(ids) >= 12
    for id in ids:
        assert house.service.replay(id).service_version


def test_charts_and_tasks_of_a_released_version_are_there_and_go_on(house: House) -> None:
    with house.store.read() as ledger:
        patients = ledger.patients()
        assert len(patients) == 12
        assert all(ledger.chart(patient) for patient in patients)
        tasks = ledger.find_tasks()
        assert tasks
        assert {task.patient for task in tasks} <= set(patients)
        last = max(ledger.decisions(patient)[0].sequence for patient in patients)
    (*_, record) = load_demo(house)
    with house.store.read() as ledger:
        assert ledger.decision(record.id).sequence > last
        assert {task.key for task in tasks} <= {task.key for task in ledger.find_tasks()}


@pytest.mark.parametrize("table", LOGGED)
def test_what_a_released_version_logged_stays_guarded(old: str, table: str) -> None:
    upgrade(old)
    for attack in (f"UPDATE {table} SET body = ''", f"DELETE FROM {table}"):
        with pytest.raises((sqlite3.Error, psycopg.Error), match="append-only"):
            plainly(old, attack)
    assert counts(old)[table] > 0
