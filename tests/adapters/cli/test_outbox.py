"""`pathway outbox` and `pathway key`: what waits to leave is seen and sent again by hand, and names nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.db import open_store, upgrade
from adapters.db.outbox import Claimed

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two parked rows and one that waits."""
    url = f"sqlite:///{tmp_path}/x.db"
    monkeypatch.setenv("PATHWAY_DATABASE_URL", url)
    upgrade(url)
    store = open_store(url)
    with store.write() as ledger:
        for key in ("Task/1", "Task/2", "Task/3"):
            ledger.post(key, "fhir", "local|Miller", AT)
    with store.outbox(write=True) as box:
        for _ in range(2):
            row = box.claim("fhir", AT, AT - AT.replace(hour=7), "token")
            assert isinstance(row, Claimed)
            box.park(row, "the server answered 422")
    store.close()
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_parked_rows_are_listed_with_why_and_without_the_patient() -> None:
    said = run("outbox", "list")
    assert said.exit_code == 0
    assert said.output.splitlines() == [
        "Task/2 (fhir, 1 attempts, posted 2026-11-23 08:00 UTC): the server answered 422",
        "Task/3 (fhir, 1 attempts, posted 2026-11-23 08:00 UTC): the server answered 422",
        "2 parked, 1 pending",
    ]
    assert "Miller" not in said.output


def test_rows_are_requeued_by_name_or_all() -> None:
    assert run("outbox", "requeue", "Task/2").output == "1 rows are tried again\n"
    assert run("outbox", "requeue", "--all").output == "1 rows are tried again\n"
    assert run("outbox", "list").output == "3 pending\n"


@pytest.mark.parametrize("arguments", [(), ("Task/1",), ("Task/2", "Task/9"), ("Task/2", "--all")])
def test_what_cannot_be_requeued_changes_nothing(arguments: tuple[str, ...]) -> None:
    said = run("outbox", "requeue", *arguments)
    assert said.exit_code == 2
    assert said.output.startswith("Error: ")
    assert run("outbox", "list").output.endswith("2 parked, 1 pending\n")


@pytest.mark.e2e
def test_nothing_is_sent_where_no_server_is_set_up() -> None:
    assert run("outbox", "drain").output == "0 sent, 0 put off, 0 parked\n"


def test_a_key_is_made_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["key", "make", str(tmp_path / "key.pem")])
    assert made.exit_code == 0
    shown = json.loads(run("key", "show", str(tmp_path / "key.pem")).output)
    assert shown == json.loads(made.stdout)
    assert "d" not in shown["keys"][0]
    assert "PRIVATE" not in made.output
