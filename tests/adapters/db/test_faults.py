"""A database that is missing, locked, full, damaged or of another version: one clear error, nothing half written."""

import os
import socket
import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event

from adapters.db import SqlStore, StoreUnavailableError, faults, open_store, sqlite, upgrade
from adapters.db.engine import transaction
from pathway.errors import PathwayError
from tests.adapters.db.builders import PATIENT, body, file_size_limit, ingest, keep_decision, opened, put, record
from tests.databases import ON_POSTGRESQL, ON_SQLITE, counts, plainly

CANARY = "Quaresma"


@pytest.fixture
def impatient(url: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlStore]:
    """A store that does not wait for a lock."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    with opened(url if backend == "sqlite" else f"{url}?options=-c%20lock_timeout%3D1") as store:
        yield store


def test_an_error_inside_undoes_the_whole_transaction(store: SqlStore, url: str) -> None:
    before = counts(url)
    with suppress(KeyboardInterrupt), store.write() as ledger:
        ingest(ledger, "undone", tasks=5)
        raise KeyboardInterrupt
    assert counts(url) == before
    with store.write() as ledger:
        ingest(ledger, "kept")
    assert counts(url) != before


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
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "postgresql://localhost",
        "nonsense",
        "",
        "postgresql+psycopg2://u:hush@localhost/x",
        "mysql://u:hush@localhost/x",
        "postgresql://u:hush@h:port/x",
    ],
)
def test_a_url_of_another_database_is_refused(url: str) -> None:
    for use in (open_store, upgrade):
        with pytest.raises(StoreUnavailableError, match="sqlite:///") as caught:
            use(url)
        assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_a_lock_held_too_long_is_said(store: SqlStore, impatient: SqlStore) -> None:
    with store.write() as ledger:
        put(ledger, body())
        with pytest.raises(StoreUnavailableError, match="locked"), impatient.write() as other:
            put(other, body())
        with impatient.read() as other:  # a reader does not wait
            assert other.patients() == ()


def test_a_writer_waits_for_the_one_before_it(store: SqlStore) -> None:
    """Also for a patient of whom nothing is stored yet; and then it sees all that the first one did."""
    inside, seen = threading.Event(), list[int]()

    def second() -> None:
        inside.wait()
        with store.write() as ledger:
            ledger.hold(PATIENT)
            seen.append(ledger.chart_version(PATIENT))

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(second)
        with store.write() as ledger:
            ingest(ledger, "first")
            inside.set()
            time.sleep(0.2)
            assert not seen
        waiting.result()
    assert seen == [3]


@ON_POSTGRESQL
def test_writers_of_other_patients_do_not_wait(store: SqlStore, impatient: SqlStore) -> None:
    with store.write() as ledger:
        ingest(ledger, "one", PATIENT)
        with impatient.write() as other:
            put(other, body("other"), "clinic|p2")
            other.mark_decided("clinic|p2", 1)
    with store.read() as ledger:
        assert ledger.patients() == (PATIENT, "clinic|p2")


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


@ON_SQLITE
def test_a_full_database_keeps_nothing_of_the_transaction(store: SqlStore, engine: Engine, url: str) -> None:
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 60"))
    before = counts(url)
    with pytest.raises(StoreUnavailableError, match="Make room"):
        write_much(store)
    assert counts(url) == before
    with store.write() as ledger:  # and what fits is stored again
        ingest(ledger, "small")


@ON_SQLITE
def test_a_disk_that_fails_at_commit_keeps_nothing_of_the_transaction(store: SqlStore, url: str) -> None:
    before = counts(url)
    with file_size_limit(200_000), pytest.raises(StoreUnavailableError, match="disk"):
        write_much(store)
    assert counts(url) == before
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
        with store.write() as first, impatient.write() as ledger:
            first.hold(CANARY)
            ledger.hold(CANARY)

    for fault in (again, read_only, locked):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whichever it is, its text is what counts
            fault()
        assert isinstance(caught.value, PathwayError)
        assert CANARY not in str(caught.value)


def test_a_payload_that_something_needs_cannot_be_deleted(store: SqlStore, url: str) -> None:
    with store.write() as ledger:
        ingest(ledger, "kept")
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        plainly(url, "PRAGMA foreign_keys = ON" if "sqlite" in url else "SELECT 1", "DELETE FROM payload")


def test_text_with_a_nul_is_refused_before_the_database(store: SqlStore) -> None:
    for act in (
        lambda ledger: keep_decision(ledger, record(actor="a\0b")),
        lambda ledger: put(ledger, body(), "clinic|p\0"),
        lambda ledger: ledger.decision("d\0"),
    ):
        with pytest.raises(ValueError, match="NUL"), store.write() as ledger:
            act(ledger)


def test_a_forked_process_opens_its_own_connections(store: SqlStore) -> None:
    with store.write() as ledger:
        ingest(ledger, "parent")
    child = os.fork()
    if child == 0:
        try:
            with store.write() as ledger:
                ingest(ledger, "child", "clinic|p2")
            store.close()
            os._exit(0)
        finally:
            os._exit(1)
    for number in range(20):
        with store.write() as ledger:
            ingest(ledger, f"parent-{number}")
    assert os.waitpid(child, 0)[1] == 0
    with store.read() as ledger:
        assert ledger.patients() == (PATIENT, "clinic|p2")
        assert len(ledger.decisions(PATIENT)) == 21


@ON_POSTGRESQL
def test_a_server_that_is_not_there_is_said(store: SqlStore) -> None:
    with opened("postgresql://nobody:hush@127.0.0.1:1/none") as gone:
        for begun in (gone.read(), gone.write()):
            with pytest.raises(StoreUnavailableError, match="cannot be reached") as caught, begun:
                pass
            assert "hush" not in str(caught.value)


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=2"
        with opened(url) as store, pytest.raises(StoreUnavailableError, match="cannot be reached"), store.read():
            pass


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT * FROM no_such_table", "Upgrade"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "cannot be reached"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)", "too long"),
        ("INSERT INTO payload (sha256) VALUES (repeat('x', 65))", "refused a row"),
        ("SELECT 1/0", "refused a row"),
    ],
)
def test_what_the_server_says_is_put_in_words(engine: Engine, statement: str, said: str) -> None:
    with pytest.raises(PathwayError, match=said), transaction(engine, write=True) as connection:
        connection.exec_driver_sql(statement)
    with transaction(engine, write=True) as connection:  # and the next transaction is well
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_no_code_that_the_server_may_give_is_left_without_words() -> None:
    """Each class of errors that a running service can meet; `unknown` is for what nobody foresaw."""
    met = "08006 40001 40P01 25006 25P03 53100 53200 53300 55P03 57014 57P01 57P02 57P03 58030 XX001 42P01 42501"
    for state in met.split():
        fault = faults.of_postgresql(state, broken=True)
        assert fault.what != "the database failed", state
        assert fault.passes == state.startswith(("08", "40", "57P")), state
