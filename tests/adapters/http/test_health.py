"""Alive, ready, and why not: each fault of the database or of the rules by its name, with what to do."""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.http.app import create_app
from adapters.settings import Settings
from adapters.worker.tasks import SWEPT
from tests.adapters.http.conftest import opened_house
from tests.world import FixedClock, make_house


def checks(client: FlaskClient, status: int) -> dict[str, dict[str, object]]:
    answer = client.get("/readyz")
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.json["ready"] is (status == 200)
    assert answer.headers.get("Retry-After") == (None if status == 200 else "5")
    return {check["name"]: check for check in answer.json["checks"]}


def failing(client: FlaskClient) -> set[str]:
    found = checks(client, 503)
    assert all(check["ok"] or (check["what"] and check["fix"]) for check in found.values())
    return {name for name, check in found.items() if not check["ok"]}


def file_of(house: House) -> Path:
    return Path(house.settings.database_url.removeprefix("sqlite:///"))


def test_livez_answers(client: FlaskClient) -> None:
    assert client.get("/livez").get_data() == b"ok"


def test_a_house_in_order_is_ready(client: FlaskClient) -> None:
    names = ("database", "migrations", "rules", "sweep")
    assert checks(client, 200) == {name: {"name": name, "ok": True} for name in names}


@pytest.mark.parametrize(("swept", "ready"), [(None, False), (61, False), (60, True), (-60, True), (-61, False)])
def test_a_follow_up_that_stands_still_makes_unready_after_a_minute(
    tmp_path: Path, swept: float | None, ready: bool
) -> None:
    """A sweep that lies more than a minute ahead was noted under a clock that was wrong: it tells nothing."""
    clock = FixedClock()
    house = make_house(tmp_path, clock)
    try:
        client = create_app(house).test_client()
        clock.forward(minutes=1)
        checks(client, 200)  # it was just started
        clock.forward(minutes=5)
        if swept is not None:
            with house.store.marks(write=True) as marks:
                marks.set(SWEPT, clock.now() - timedelta(seconds=swept))
        if ready:
            checks(client, 200)
        else:
            assert failing(client) == {"sweep"}
    finally:
        house.close()


def test_without_its_database_the_service_lives_and_is_not_ready(house: House, client: FlaskClient) -> None:
    house.store.close()
    file_of(house).unlink()
    assert failing(client) == {"database", "migrations", "sweep"}
    assert client.get("/livez").status_code == 200


def test_it_is_ready_again_once_the_database_is_back(house: House, client: FlaskClient) -> None:
    house.store.close()
    path = file_of(house)
    path.rename(path.with_suffix(".away"))
    assert failing(client) == {"database", "migrations", "sweep"}
    path.with_suffix(".away").rename(path)
    checks(client, 200)


@pytest.mark.parametrize("revision", ["0000", "ffff"])
def test_a_database_of_another_version_is_not_ready(house: House, client: FlaskClient, revision: str) -> None:
    with sqlite3.connect(file_of(house)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()
    assert failing(client) == {"migrations"}


def test_a_table_that_somebody_removed_makes_unready_and_is_named(house: House, client: FlaskClient) -> None:
    with sqlite3.connect(file_of(house)) as connection:
        connection.execute("DROP TABLE sign_in_attempt")
    connection.close()
    assert failing(client) == {"migrations"}
    assert "sign_in_attempt" in str(checks(client, 503)["migrations"]["what"])


def test_a_database_that_was_never_made_is_not_ready(house: House, client: FlaskClient) -> None:
    with sqlite3.connect(file_of(house)) as connection:
        connection.execute("DROP TABLE alembic_version")
    connection.close()
    assert failing(client) == {"migrations"}


def test_a_release_that_was_tampered_with_makes_unready_and_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(Settings(_env_file=None).rules, rules)
    release = max((rules / "releases").glob("candidacy-*.json"))  # the one in force
    release.write_bytes(release.read_bytes().replace(b"draft", b"daft!", 1))
    with opened_house(tmp_path / "x.db", rules=rules, rules_from="releases") as house:
        client = create_app(house).test_client()
        assert failing(client) == {"rules"}
        assert "candidacy" in str(checks(client, 503)["rules"]["what"])
