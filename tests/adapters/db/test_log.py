"""Decisions and releases: appended, read, and refused to everyone who would change them."""

import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from adapters.db import SqlStore, StoreRefusedError
from pathway.canonical import sha256
from pathway.errors import NotFoundError
from tests.adapters.db.builders import AT, PATIENT, keep_decision, record
from tests.databases import ON_POSTGRESQL, ON_SQLITE, plainly


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
    "DELETE FROM decision",
    "DELETE FROM decision WHERE sequence = 2",
    "INSERT INTO decision SELECT * FROM decision WHERE true ON CONFLICT (id) DO UPDATE SET body = 'x'",
    "INSERT INTO decision SELECT -1, 'd9', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "UPDATE release SET body = 'x'",
    "DELETE FROM release",
    "INSERT INTO release SELECT * FROM release WHERE true ON CONFLICT (sha256) DO UPDATE SET body = 'x'",
]  # fmt: skip
SQLITES = [
    "UPDATE OR REPLACE decision SET sequence = 2 WHERE sequence = 1",
    "UPDATE OR IGNORE decision SET body = x'00'",
    "INSERT OR REPLACE INTO decision SELECT * FROM decision WHERE id = 'd1'",
    "REPLACE INTO decision SELECT 9, 'd1', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "REPLACE INTO decision SELECT 1, 'd9', decided_at, patient, as_of, \"trigger\", 'x', service_version,"
    " input_sha256, body_sha256, body, hook_instance FROM decision WHERE id = 'd1'",
    "INSERT OR REPLACE INTO release SELECT sha256, rule_set, version, x'00' FROM release",
    "INSERT OR REPLACE INTO release (rowid, sha256, rule_set, version, body) VALUES (1, 'h', 'r', 'v', x'00')",
]  # fmt: skip
POSTGRESQLS = [
    "TRUNCATE decision CASCADE",
    "TRUNCATE release",
    "SET session_replication_role = replica; DELETE FROM decision",
    "SET session_replication_role = replica; TRUNCATE release",
    "MERGE INTO release r USING decision d ON true WHEN MATCHED THEN DELETE",
    "UPDATE decision SET actor = 'x' WHERE false",
    "WITH gone AS (DELETE FROM decision RETURNING id) SELECT count(*) FROM gone",
]
LOGGED = "SELECT * FROM decision ORDER BY id", "SELECT * FROM release ORDER BY sha256"


@pytest.fixture
def filled(store: SqlStore, url: str) -> str:
    """A database with two decisions and a release."""
    with store.write() as ledger:
        keep_decision(ledger, record("d1"))
        keep_decision(ledger, record("d2"))
        ledger.keep_release("clinical", "1.0.0", sha256(b"rules"), b"rules")
    return url


def check_refused(filled: str, *attack: str) -> None:
    """The owner of the database, on a connection that is not ours, cannot do it."""
    before = [plainly(filled, query) for query in LOGGED]
    assert all(before)
    with pytest.raises((sqlite3.Error, psycopg.Error), match=r"append-only|CHECK|check|cannot|rowid"):
        plainly(filled, *attack)
    assert [plainly(filled, query) for query in LOGGED] == before


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_logged_cannot_be_changed(filled: str, attack: str) -> None:
    check_refused(filled, attack)


@ON_SQLITE
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("attack", ATTACKS + SQLITES)
def test_sqlite_cannot_change_it_however_its_triggers_are_set(filled: str, attack: str, recursive: str) -> None:
    check_refused(filled, f"PRAGMA recursive_triggers = {recursive}", attack)


@ON_POSTGRESQL
@pytest.mark.parametrize("attack", POSTGRESQLS)
def test_postgresql_cannot_change_it_in_its_own_ways(filled: str, attack: str) -> None:
    check_refused(filled, attack)


def test_a_sequence_number_is_never_given_twice(store: SqlStore, filled: str, backend: str) -> None:
    """Not even after someone who owns the database has removed the last row: the gap shows."""
    disarm = "DROP TRIGGER decision_no_delete"
    if backend == "postgresql":
        disarm = "ALTER TABLE decision DISABLE TRIGGER decision_append_only"
    plainly(filled, disarm, "DELETE FROM decision WHERE sequence = 2")
    with store.write() as ledger:
        assert keep_decision(ledger, record("d3")) == 3


@ON_POSTGRESQL
def test_an_append_that_is_undone_costs_a_number_but_never_gives_one_twice(store: SqlStore) -> None:
    with suppress(RuntimeError), store.write() as ledger:
        undone = keep_decision(ledger, record("undone"))
        raise RuntimeError
    with store.write() as ledger:
        assert keep_decision(ledger, record("d1")) > undone
