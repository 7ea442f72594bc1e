"""A database that is missing, locked, full, damaged or of another version: one clear error, nothing half written."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from adapters.db import SqlStore, StoreUnavailableError, open_store, upgrade
from adapters.db import engine as engine_module
from pathway.canonical import sha256
from tests.adapters.db.builders import PATIENT, body, file_size_limit, ingest, keep_decision, opened, put, record

CANARY = "Quaresma"


def counts(path: Path) -> dict[str, int]:
    """How many rows each table holds."""
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


@pytest.fixture
def impatient(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlStore]:
    """A store that does not wait for a lock."""
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0)
    with opened(url) as store:
        yield store


def test_an_error_inside_undoes_the_whole_transaction(store: SqlStore, path: Path) -> None:
    before = counts(path)
    with suppress(KeyboardInterrupt), store.write() as ledger:
        ingest(ledger, "undone", tasks=5)
        raise KeyboardInterrupt
    assert counts(path) == before
    with store.write() as ledger:
        ingest(ledger, "kept")
    assert counts(path) != before


def test_a_missing_file_is_said_and_not_made(path: Path) -> None:
    path.parent.mkdir()
    store = open_store(f"sqlite:///{path}")
    for begun in (store.read(), store.write()):
        with pytest.raises(StoreUnavailableError, match="cannot be opened"), begun:
            pass
    assert not path.exists()


def test_a_file_without_tables_asks_for_an_upgrade(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    refused = pytest.raises(StoreUnavailableError, match="Upgrade")
    with opened(f"sqlite:///{path}") as store, refused, store.read() as ledger:
        ledger.patients()


def test_a_file_that_is_no_database_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to have a header" * 40)
    with pytest.raises(StoreUnavailableError, match="not an SQLite database"):
        upgrade(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "postgresql+psycopg://localhost/x", "nonsense"],
)
def test_a_url_of_another_database_is_refused(url: str) -> None:
    for use in (open_store, upgrade):
        with pytest.raises(StoreUnavailableError, match="sqlite:///"):
            use(url)


def test_a_lock_held_too_long_is_said(impatient: SqlStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked"), impatient.write():
            pass
        with impatient.read() as ledger:  # a reader does not wait
            assert ledger.patients() == ()


def test_a_writer_waits_for_the_one_before_it(store: SqlStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.execute, ["COMMIT"])
        release.start()
        with store.write() as ledger:
            ingest(ledger, "waited")
        release.join()


def test_a_reader_sees_one_state_and_may_not_write(store: SqlStore) -> None:
    with store.read() as ledger:
        assert ledger.patients() == ()
        with store.write() as other:
            put(other, body())
        assert ledger.patients() == ()
    with store.read() as ledger:
        assert ledger.patients() == (PATIENT,)
    with pytest.raises(StoreUnavailableError, match="cannot be written"), store.read() as ledger:
        ledger.keep_bytes(b"x")
    with store.write() as ledger:  # the same pooled connection may write again
        ledger.keep_bytes(b"x")


def test_more_transactions_than_connections_is_said(store: SqlStore, engine: Engine) -> None:
    vars(engine.pool)["_timeout"] = 0
    with ExitStack() as begun:
        for _ in range(15):  # five kept ready and ten more, as SQLAlchemy has it
            begun.enter_context(store.read())
        with pytest.raises(StoreUnavailableError, match="no database connection is free"):
            begun.enter_context(store.read())


def test_a_full_database_keeps_nothing_of_the_transaction(store: SqlStore, engine: Engine, path: Path) -> None:
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 60"))
    before = counts(path)
    with pytest.raises(StoreUnavailableError, match="Make room"):
        write_much(store)
    assert counts(path) == before
    with store.write() as ledger:  # and what fits is stored again
        ingest(ledger, "small")


def test_a_disk_that_fails_at_commit_keeps_nothing_of_the_transaction(store: SqlStore, path: Path) -> None:
    before = counts(path)
    with file_size_limit(200_000), pytest.raises(StoreUnavailableError, match="disk"):
        write_much(store)
    assert counts(path) == before
    write_much(store)


def write_much(store: SqlStore) -> None:
    """One transaction of an ingest and a megabyte."""
    with store.write() as ledger:
        ingest(ledger, "much")
        ledger.keep_bytes(b"x" * 1_000_000)


def test_no_error_carries_a_value(store: SqlStore, impatient: SqlStore) -> None:
    marked = record(CANARY, body=CANARY.encode(), actor=CANARY)
    with store.write() as ledger:
        keep_decision(ledger, marked)
        put(ledger, body(note=CANARY))

    def again() -> None:
        with store.write() as ledger:
            ledger.append_decision(marked)

    def read_only() -> None:
        with store.read() as ledger:
            put(ledger, body(note=CANARY * 2), f"clinic|{CANARY}")

    def locked() -> None:
        with store.write(), impatient.write() as ledger:
            ledger.keep_bytes(CANARY.encode())

    for fault in (again, read_only, locked):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whichever it is, its text is what counts
            fault()
        assert caught.value.__cause__ is not None
        assert CANARY not in f"{caught.value} {caught.value.__cause__}"


def test_a_payload_that_something_needs_cannot_be_deleted(store: SqlStore, engine: Engine) -> None:
    with store.write() as ledger:
        ingest(ledger, "kept")
    with pytest.raises(sqlite3.IntegrityError), closing(engine.raw_connection()) as ours:
        ours.cursor().execute("DELETE FROM payload WHERE sha256 = ?", [sha256(b"input")])
