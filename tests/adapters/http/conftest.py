"""A real app over a real house: SQLite in a temporary directory, the shipped rules, a clock that stands still."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from adapters.bootstrap import House, open_house
from adapters.db import open_store
from adapters.fhir import strict_json
from adapters.http.app import create_app
from adapters.http.auth import passwords
from adapters.settings import Settings
from tests.contract.answers import Held
from tests.world import silence_logs

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MakeHouse = Callable[..., House]


@dataclass(frozen=True)
class StandingClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    silence_logs()


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer in these tests is one that openapi.yaml promises."""
    monkeypatch.setattr(Flask, "test_client_class", Held)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords hashed as weakly as argon2 lets: a real hash takes a core for a good while, as it should."""
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", weak)
    passwords._nobodys.cache_clear()


@contextmanager
def opened_house(path: Path, **settings: Any) -> Iterator[House]:
    """The shipped rules over an empty database of SQLite at a path; settings by name."""
    house = open_house(Settings(_env_file=None, database_url=f"sqlite:///{path}", **settings), StandingClock())
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The shipped rules compiled once, over an empty database that no test writes to."""
    with opened_house(tmp_path_factory.mktemp("house") / "empty.db") as house:
        yield house


@pytest.fixture
def make_house(opened: House, tmp_path: Path) -> Iterator[MakeHouse]:
    """A house with a database of its own; settings by name, and the clock's instant as `at`."""
    made: list[House] = []

    def make(at: datetime = NOW, **settings: Any) -> House:
        path = tmp_path / f"{len(made)}.db"
        shutil.copy(opened.settings.database_url.removeprefix("sqlite:///"), path)
        chosen = opened.settings.model_copy(update={"database_url": f"sqlite:///{path}", **settings})
        store, clock = open_store(chosen.database_url), StandingClock(at)
        service = replace(opened.service, store=store, clock=clock, zone=ZoneInfo(chosen.time_zone))
        made.append(replace(opened, settings=chosen, clock=clock, store=store, service=service))
        return made[-1]

    yield make
    for house in made:
        house.close()


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    """An empty house."""
    return make_house()


@pytest.fixture
def client(house: House) -> FlaskClient:
    """A client of an app over `house`."""
    return create_app(house).test_client()


@pytest.fixture
def send(client: FlaskClient) -> Callable[..., Any]:
    """Post a Bundle to the FHIR API; the answer's JSON, after its status was held against `status`."""

    def post(bundle: Any, status: int = 200) -> Any:
        answer = client.post("/fhir", data=strict_json.dumps(bundle), content_type="application/fhir+json")
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    return post
