"""Decisions and releases: appended, read, and refused to everyone who would change them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.db import SqlStore, StoreRefusedError
from pathway.canonical import sha256
from pathway.errors import NotFoundError
from tests.adapters.db.builders import AT, PATIENT, keep_decision, record


def test_a_decision_comes_back_as_it_was_appended_with_its_number(store: SqlStore) -> None:
    decided = record("d1", hook_instance="h1", body=b"\x00{}")
    with store.write() as ledger:
        number = keep_decision(ledger, decided)
    with store.read() as ledger:
        assert ledger.decision("d1") == replace(decided, sequence=number)


def test_an_unknown_decision_is_not_found(store: SqlStore) -> None:
    with store.read() as ledger, pytest.raises(NotFoundError):
        ledger.decision("d9")


def test_the_latest_decisions_come_first(store: SqlStore) -> None:
    with store.write() as ledger:
        numbers = [keep_decision(ledger, record(id)) for id in ("z", "a", "m")]
        keep_decision(ledger, record("other", "clinic|p2"))
    assert numbers == sorted(set(numbers))
    with store.read() as ledger:
        assert [d.id for d in ledger.decisions(PATIENT)] == ["m", "a", "z"]
        assert [d.id for d in ledger.decisions(PATIENT, limit=2)] == ["m", "a"]
        assert ledger.decisions("clinic|nobody") == ()


def test_a_decision_needs_its_input(store: SqlStore) -> None:
    with pytest.raises(StoreRefusedError), store.write() as ledger:
        ledger.append_decision(record())


def test_a_decision_is_appended_once(store: SqlStore) -> None:
    with store.write() as ledger:
        keep_decision(ledger, record())
    with pytest.raises(StoreRefusedError), store.write() as ledger:
        ledger.append_decision(record(actor="someone else"))
    with store.read() as ledger:
        assert ledger.decision("d1").actor == "system"


@pytest.mark.parametrize("name", ["decided_at", "as_of"])
def test_a_naive_instant_is_refused(store: SqlStore, name: str) -> None:
    naive: dict[str, Any] = {name: AT.replace(tzinfo=None)}
    with pytest.raises(TypeError, match="time zone"), store.write() as ledger:
        keep_decision(ledger, record(**naive))


def test_a_release_is_kept_once_by_its_hash(store: SqlStore) -> None:
    with store.write() as ledger:
        ledger.keep_release("clinical", "1.0.0", sha256(b"rules"), b"rules")
        ledger.keep_release("clinical", "1.0.0", sha256(b"rules"), b"rules")
    with store.read() as ledger:
        assert ledger.release(sha256(b"rules")) == b"rules"
        with pytest.raises(NotFoundError):
            ledger.release(sha256(b"other rules"))


ATTACKS = [
    "UPDATE decision SET actor = 'x'",
    "UPDATE OR REPLACE decision SET sequence = 2 WHERE sequence = 1",
    "UPDATE OR IGNORE decision SET body = x'00'",
    "DELETE FROM decision",
    "DELETE FROM decision WHERE sequence = 2",
    "INSERT OR REPLACE INTO decision SELECT * FROM decision WHERE id = 'd1'",
    "REPLACE INTO decision SELECT 9, 'd1', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "REPLACE INTO decision SELECT 1, 'd9', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "INSERT INTO decision SELECT -1, 'd9', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "INSERT INTO decision SELECT * FROM decision WHERE true ON CONFLICT (id) DO UPDATE SET body = x'00'",
    "UPDATE release SET body = x'00'",
    "DELETE FROM release",
    "INSERT OR REPLACE INTO release SELECT sha256, rule_set, version, x'00' FROM release",
    "INSERT OR REPLACE INTO release (rowid, sha256, rule_set, version, body) VALUES (1, 'h', 'r', 'v', x'00')",
    "INSERT INTO release SELECT * FROM release WHERE true ON CONFLICT (sha256) DO UPDATE SET body = x'00'",
]  # fmt: skip
LOGGED = "SELECT * FROM decision", "SELECT * FROM release"


@pytest.fixture
def filled(store: SqlStore, path: Path) -> Path:
    """A database with two decisions and a release."""
    with store.write() as ledger:
        keep_decision(ledger, record("d1"))
        keep_decision(ledger, record("d2"))
        ledger.keep_release("clinical", "1.0.0", sha256(b"rules"), b"rules")
    return path


@pytest.fixture(params=["ON", "OFF"])
def foreign(filled: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A connection that is not ours, with recursive_triggers as we set it and as SQLite leaves it."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA recursive_triggers = {request.param}")
        yield connection


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_logged_cannot_be_changed(foreign: sqlite3.Connection, attack: str) -> None:
    before = [foreign.execute(query).fetchall() for query in LOGGED]
    assert all(before)
    with pytest.raises(sqlite3.Error):
        foreign.execute(attack)
    assert [foreign.execute(query).fetchall() for query in LOGGED] == before


def test_a_sequence_number_is_never_given_twice(store: SqlStore, filled: Path) -> None:
    """Not even after someone who owns the file has removed the last row: the gap shows."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER decision_no_delete")
        connection.execute("DELETE FROM decision WHERE sequence = 2")
    with store.write() as ledger:
        assert keep_decision(ledger, record("d3")) == 3
