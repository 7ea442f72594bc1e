"""Which broker a site gets, what lies in it, and that its file does not grow."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from celery import Celery
from pydantic import SecretStr, ValidationError
from sqlalchemy import event
from sqlalchemy.orm import Session

from adapters.settings import Settings
from adapters.worker import tasks
from adapters.worker.app import PREFIX, make_app, make_queue
from adapters.worker.broker import broker, sweep_file
from pathway.errors import BadInputError

pytestmark = pytest.mark.filterwarnings("default")  # kombu's own, on what SQLAlchemy will drop one day


def settings(folder: Path, **given: object) -> Settings:
    return Settings(_env_file=None, **({"database_url": f"sqlite:///{folder / 'pathway.db'}"} | given))


def test_one_machine_gets_a_file_beside_its_database(tmp_path: Path) -> None:
    assert broker(settings(tmp_path)) == f"sqla+sqlite:///{tmp_path / 'broker.sqlite3'}"


def test_a_database_on_a_server_needs_a_broker_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="PATHWAY_BROKER_URL: no broker is named"):
        broker(settings(tmp_path, database_url="postgresql://pathway@db.example/pathway"))


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:5672//", "rediss://cache.example:6380/1"])
def test_a_named_broker_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    assert broker(settings(tmp_path, broker_url=SecretStr(url))) == url


@pytest.mark.parametrize("url", ["http://x", "amqp://", "redis", "sqla+postgresql://x/y", "memory://", "amqp://h:x"])
def test_what_is_no_broker_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="not a broker such as"):
        settings(tmp_path, broker_url=SecretStr(url))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    made = make_app(settings(tmp_path))
    yield made
    made.close()


def test_a_worker_that_starts_as_another_process_makes_the_queue_finds_it(app: Celery, tmp_path: Path) -> None:
    """The instant between kombu's look and its insert, when the web's first bell made the same queue."""

    def overtake(*_: object) -> None:
        with closing(sqlite3.connect(tmp_path / "broker.sqlite3")) as other, other:
            other.execute("INSERT INTO kombu_queue (name) VALUES ('pathway')")

    event.listen(Session, "before_flush", overtake, once=True)
    make_queue(app)
    with app.connection_for_write() as connection:  # as the worker's consumer does
        app.amqp.queues["pathway"](connection.default_channel).declare()
    assert rows(tmp_path, "SELECT name FROM kombu_queue") == [("pathway",)]


def rows(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "broker.sqlite3")) as connection:
        return connection.execute(statement).fetchall()


def test_a_bell_says_its_name_and_nothing_else_and_its_file_is_its_owners(app: Celery, tmp_path: Path) -> None:
    app.tasks[PREFIX + "drain"].apply_async()
    ((payload,),) = rows(tmp_path, "SELECT payload FROM kombu_message")
    message = json.loads(str(payload))
    assert message["headers"]["task"] == "pathway.drain"
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[], {}]
    assert stat.S_IMODE((tmp_path / "broker.sqlite3").stat().st_mode) == 0o600


def test_every_round_of_work_has_its_task_and_takes_no_argument(app: Celery) -> None:
    ours = {name.removeprefix(PREFIX): task for name, task in app.tasks.items() if name.startswith(PREFIX)}
    assert set(ours) == set(tasks.ROUNDS)
    for task in ours.values():
        with pytest.raises(TypeError):
            task.apply_async(("a patient",))


def test_what_was_heard_and_what_nobody_will_hear_leaves_the_file(app: Celery, tmp_path: Path) -> None:
    app.tasks[PREFIX + "drain"].apply_async()
    insert = "INSERT INTO kombu_message (visible, payload, version, queue_id) VALUES (?, '{}', 1, 1)"
    with closing(sqlite3.connect(tmp_path / "broker.sqlite3", isolation_level=None)) as connection:
        connection.executemany(insert, [(False,)] * 50 + [(True,)] * 1500)
    sweep_file(broker(settings(tmp_path)))
    assert rows(tmp_path, "SELECT visible, count(*) FROM kombu_message GROUP BY 1") == [(1, 1000)]
