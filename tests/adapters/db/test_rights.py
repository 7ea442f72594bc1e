"""On PostgreSQL the service need not own its tables: its role may do its work, and not change what is logged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from adapters.cli.demo import load_demo
from adapters.db import StoreUnavailableError, open_store, rights, upgrade
from adapters.db.engine import make_engine, transaction
from adapters.db.migrate import migrate
from adapters.db.tables import metadata
from tests.adapters.db.builders import ingest, opened
from tests.databases import ON_SQLITE, fresh_postgres, on_server, plainly
from tests.world import FixedClock, make_house

ROLE = f'pathway_test_{os.getpid()}"service'


@pytest.fixture
def owned() -> Iterator[str]:
    """A database without tables, and a role that may do nothing there yet."""
    with fresh_postgres() as url:
        on_server(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        try:
            yield url
        finally:
            plainly(url, sql.SQL("DROP OWNED BY {}").format(sql.Identifier(ROLE)).as_string())
            on_server(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


def as_role(url: str) -> str:
    return make_url(url).set(username=ROLE).render_as_string(hide_password=False)


def test_every_table_has_its_rights_and_nothing_that_is_logged_may_change() -> None:
    assert set(rights.RIGHTS) == set(metadata.tables) | {"alembic_version"}
    for table in ("payload", "submission", "decision", "release", "task_event", "card_feedback", "letter"):
        assert rights.RIGHTS[table] == "SELECT, INSERT"


@pytest.mark.service
def test_the_service_works_with_the_rights_it_is_given_and_no_more(owned: str, tmp_path: Path) -> None:
    upgrade(owned, grant_to=ROLE)
    house = make_house(tmp_path, FixedClock(), database_url=as_role(owned))  # which would upgrade, and need not
    try:
        records = load_demo(house)
        load_demo(house)
        assert house.service.replay(records[0].id).id == records[0].id
        assert house.store.is_current()
    finally:
        house.close()
    for attack in (
        "UPDATE decision SET actor = 'x'",
        "DELETE FROM decision",
        "TRUNCATE decision CASCADE",
        "UPDATE payload SET body = ''",
        "DELETE FROM release",
        "DELETE FROM task",
        "UPDATE task_event SET actor = 'x'",
        "ALTER TABLE decision DISABLE TRIGGER ALL",
        "DROP TABLE decision CASCADE",
        "CREATE TABLE mine (id int)",
        "SELECT setval('decision_sequence_seq', 1)",
        "UPDATE alembic_version SET version_num = 'x'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plainly(as_role(owned), attack)


@pytest.mark.service
def test_a_role_that_may_not_upgrade_is_told_who_may(owned: str) -> None:
    engine = make_engine(owned)
    with transaction(engine, write=True) as connection:
        migrate(connection, "0001")
    engine.dispose()
    with pytest.raises(StoreUnavailableError, match="pathway upgrade --grant-to"):
        upgrade(as_role(owned))
    upgrade(owned, grant_to=ROLE)
    upgrade(as_role(owned))
    with opened(as_role(owned)) as store, store.write() as ledger:
        ingest(ledger, "one")


@pytest.mark.service
def test_a_right_that_is_missing_is_said(owned: str) -> None:
    upgrade(owned)
    store = open_store(as_role(owned))
    with pytest.raises(StoreUnavailableError, match="does not allow"), store.read() as ledger:
        ledger.patients()
    store.close()


@pytest.mark.service
def test_rights_that_were_given_by_hand_are_taken_back(owned: str) -> None:
    upgrade(owned, grant_to=ROLE)
    plainly(owned, sql.SQL("GRANT ALL ON decision TO {}").format(sql.Identifier(ROLE)).as_string())
    upgrade(owned, grant_to=ROLE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plainly(as_role(owned), "TRUNCATE decision CASCADE")


@ON_SQLITE
def test_sqlite_has_no_roles_and_says_so(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="no role"):
        upgrade(url, grant_to="service")


@pytest.mark.service
def test_who_does_not_own_the_tables_gives_nothing_and_is_told(owned: str) -> None:
    upgrade(owned)
    plainly(
        owned, sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(ROLE)).as_string()
    )
    with pytest.raises(StoreUnavailableError, match="only the owner of the tables"):
        upgrade(as_role(owned), grant_to=ROLE)


@pytest.mark.service
def test_a_role_that_is_not_there_is_said(owned: str) -> None:
    with pytest.raises(StoreUnavailableError, match="no such role"):
        upgrade(owned, grant_to=f"{ROLE}-nobody")
