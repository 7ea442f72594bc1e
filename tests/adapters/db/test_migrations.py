"""How the database is made: rights, journal, tables as declared, all or nothing."""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Engine, make_url

from adapters.db import SqlStore, StoreUnavailableError, upgrade
from adapters.db.engine import make_engine, transaction
from adapters.db.migrate import alembic_config
from adapters.db.tables import metadata
from tests.adapters.db.builders import AT, file_size_limit, ingest, opened
from tests.databases import ON_POSTGRESQL, ON_SQLITE, counts, fresh_postgres, plainly


def one(url: str, query: str) -> object:
    return plainly(url, query)[0][0]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A process that would give every right on what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_may_read_the_database(path: Path) -> None:
    upgrade(f"sqlite:///{path}")
    with opened(f"sqlite:///{path}") as store, store.write() as ledger:
        ingest(ledger, "one")
        rights = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert rights == {"pathway.db": 0o600, "pathway.db-wal": 0o600, "pathway.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_directory_that_is_there_keeps_its_rights(path: Path) -> None:
    path.parent.mkdir(mode=0o750)
    upgrade(f"sqlite:///{path}")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


@pytest.mark.parametrize("name", ["a b", "100%", "%25", "#1", "é&=", "x:y", "why?"])
def test_a_path_may_hold_any_character_quoted_as_in_urls(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.db"
    url = f"sqlite:///{quote(str(path))}"
    upgrade(url)
    with opened(url) as store, store.read() as ledger:
        assert ledger.patients() == ()
    assert path.exists()


def test_a_relative_path_starts_where_the_process_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    upgrade("sqlite:///var/pathway.db")
    with opened("sqlite:///var/pathway.db") as store:
        monkeypatch.chdir("/")
        with store.read() as ledger:
            assert ledger.patients() == ()
    assert (tmp_path / "var" / "pathway.db").exists()


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        upgrade(f"sqlite:///{tmp_path}/file/pathway.db")


def test_an_upgrade_waits_for_whoever_uses_the_file_as_it_is_switched_to_wal(path: Path) -> None:
    path.parent.mkdir()
    url = f"sqlite:///{path}"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, other.execute, ["COMMIT"])
        done.start()
        upgrade(url)
        done.join()
    assert one(url, "PRAGMA journal_mode") == "wal"


def test_an_upgrade_does_not_wait_for_a_disk_that_fails(path: Path) -> None:
    begun = time.monotonic()
    with file_size_limit(0), pytest.raises(StoreUnavailableError, match="disk"):
        upgrade(f"sqlite:///{path}")
    assert time.monotonic() - begun < 10


@ON_SQLITE
def test_the_journal_is_wal_and_a_connection_is_strict(engine: Engine, url: str) -> None:
    assert one(url, "PRAGMA journal_mode") == "wal"
    wanted = {"synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1, "busy_timeout": 30_000}
    for write in (True, False):
        with transaction(engine, write=write) as connection:
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
            assert found == wanted
            assert connection.exec_driver_sql("PRAGMA query_only").scalar() == (0 if write else 1)


@ON_POSTGRESQL
def test_a_connection_waits_for_nothing_for_ever_and_a_site_may_say_how_long(url: str) -> None:
    def settings(url: str) -> tuple[str, ...]:
        engine = make_engine(url)
        names = "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone"
        with transaction(engine, write=False) as connection:
            found = tuple(str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in names)
            assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        with transaction(engine, write=True) as connection:
            assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        engine.dispose()
        return found

    assert settings(url) == ("30s", "1min", "1min", "UTC")
    assert settings(f"{url}?options=-c%20statement_timeout%3D5s")[1] == "5s"


def test_migrations_make_the_tables_that_are_declared(engine: Engine) -> None:
    with transaction(engine, write=False) as connection:
        strict = {"compare_type": True, "compare_server_default": False}
        assert compare_metadata(MigrationContext.configure(connection, opts=strict), metadata) == []


@ON_POSTGRESQL
def test_all_text_is_ordered_by_its_bytes(url: str) -> None:
    query = "SELECT table_name, column_name, collation_name FROM information_schema.columns"
    rows = plainly(url, f"{query} WHERE table_schema = 'public' AND data_type = 'character varying'")
    assert len(rows) > 30
    assert {row for row in rows if row[2] != "C"} == {("alembic_version", "version_num", None)}


def test_patients_are_ordered_alike_on_both(store: SqlStore) -> None:
    names = ["clinic|B", "clinic|a", "clinic|É", "clinic|e", "clinic|_", "clinic|10", "clinic|9", "clinic|\U0001f600"]
    with store.write() as ledger:
        for name in names:
            ledger.mark_decided(name, 0)
    with store.read() as ledger:
        assert ledger.patients() == tuple(sorted(names))


@pytest.mark.service
def test_a_database_that_cannot_hold_every_character_is_refused() -> None:
    latin = sql.SQL("ENCODING 'LATIN1' LOCALE 'C'")
    with fresh_postgres(latin) as url, pytest.raises(StoreUnavailableError, match="UTF8"):
        upgrade(url)


@pytest.mark.service
def test_a_server_that_writes_dates_its_own_way_is_read_all_the_same() -> None:
    with fresh_postgres(sql.SQL("ENCODING 'UTF8'")) as url:
        name = make_url(url).database
        for setting in ("datestyle = 'German, DMY'", "timezone = 'Asia/Kolkata'", "standard_conforming_strings = off"):
            plainly(url, f'ALTER DATABASE "{name}" SET {setting}')
        upgrade(url)
        with opened(url) as store:
            with store.write() as ledger:
                ingest(ledger, "a")
            with store.read() as ledger:
                assert [record.decided_at for record in ledger.latest_decisions(9)] == [AT]


def test_a_second_upgrade_changes_nothing(url: str, store: SqlStore, backend: str) -> None:
    with store.write() as ledger:
        ingest(ledger, "one")
    query = "PRAGMA schema_version" if backend == "sqlite" else "SELECT max(oid::bigint) FROM pg_class"
    before = one(url, query)
    upgrade(url)
    assert one(url, query) == before
    with store.read() as ledger:
        assert ledger.decision("d-one").id == "d-one"


def test_an_upgrade_that_fails_half_way_leaves_nothing(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_statement: str) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr(op, "execute", fail)
    with pytest.raises(RuntimeError, match="half way"):
        upgrade(bare)
    monkeypatch.undo()
    assert counts(bare) == {}
    upgrade(bare)
    assert counts(bare)["decision"] == 0


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    plainly(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailableError, match="newer"):
        upgrade(url)


def test_the_template_writes_a_migration_that_runs(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine, write=True) as connection:
        config = alembic_config(connection)
        config.set_main_option("version_locations", f"{tmp_path}\nadapters.db:migrations/versions")
        made = command.revision(config, "Add nothing", rev_id="next", version_path=str(tmp_path))
        assert made is not None
        command.upgrade(config, "head")
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "next"
