"""What the tests of faults share: a quiet log, and a service at its HTTP door."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapters.bootstrap import House
from adapters.http.app import create_app
from tests.adapters.ingesting import Part, parts
from tests.faults.writing import KINDS, Desk, Office, office
from tests.world import FixedClock, log_as_it_was, make_house, silence_logs


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    silence_logs()


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A command that a test runs in its own process leaves no log behind."""
    with log_as_it_was():
        yield


def is_clear_503(answer: TestResponse) -> bool:
    """Whether it says, in FHIR's form, that the database is away, and when to come again."""
    body = answer.get_json()
    return (
        answer.status_code == 503
        and int(answer.headers["Retry-After"]) > 0
        and body["resourceType"] == "OperationOutcome"
        and body["issue"][0]["code"] == "transient"
        and bool(body["issue"][0]["diagnostics"])
    )


@dataclass
class Senders:
    """Threads that post parts of records, each again until it is taken; what was answered meanwhile."""

    app: Flask
    queue: list[Part]
    taken: list[Part] = field(default_factory=list[Part])
    refused: int = 0
    strange: list[str] = field(default_factory=list[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def at_work(self, threads: int = 4, enough: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Post while the body runs, and then until everything is taken."""
        with ThreadPoolExecutor(threads) as pool:
            running: list[Future[None]] = [pool.submit(self._post_all) for _ in range(threads)]
            yield
            for each in running:
                each.result(180)

    def wait_for(self, taken: int) -> None:
        """Wait until so many more are taken."""
        goal = len(self.taken) + taken
        while len(self.taken) < goal and self.queue:
            time.sleep(0.01)

    def _post_all(self) -> None:
        client = self.app.test_client()
        while True:
            with self._lock:
                if not self.queue:
                    return
                part = self.queue.pop()
            self._post_until_taken(client, part)

    def _post_until_taken(self, client: FlaskClient, part: Part) -> None:
        until = time.monotonic() + 150
        while time.monotonic() < until:
            answer = client.post("/fhir", data=json.dumps(part), content_type="application/fhir+json")
            if answer.status_code == 200:
                self.taken.append(part)
                return
            if not is_clear_503(answer):
                self.strange.append(f"{answer.status_code} {answer.get_data(as_text=True)[:300]}")
                return
            self.refused += 1
            time.sleep(0.05)
        self.strange.append("never taken")


def work(patients: int, rounds: int = 1, seed: int = 1) -> list[Part]:
    """Parts of the records of so many patients, in a chance order that a seed fixes."""
    found = [part for n in range(patients) for part in parts(f"p{n}", 3)] * rounds
    random.Random(seed).shuffle(found)
    return found


def check_whole(house: House, taken: list[Part], *, exact: bool = True) -> None:
    """Every delivery that was acknowledged is there as a whole, and nothing is there by halves.

    `exact`: nothing was sent in more than one version, so that a chart has moved once for each of its resources.
    """
    wanted: dict[str, set[str]] = {}
    for part in taken:
        refs = [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in part["entry"]]
        wanted.setdefault(f"local|{part['entry'][0]['resource']['id']}", set()).update(refs)
    with house.store.read() as ledger:
        for patient, refs in wanted.items():
            chart = {resource.reference for resource in ledger.chart(patient)}
            assert refs <= chart
            assert ledger.chart_version(patient) == len(chart) or not exact
            decisions = ledger.decisions(patient, limit=100_000)
            sent = sum(part["entry"][0]["resource"]["id"] == patient.partition("|")[2] for part in taken)
            assert len(decisions) >= sent
            tasks = ledger.tasks(patient)
            assert len({task.key for task in tasks}) == len(tasks)
            assert {task.decision for task in tasks} <= {decision.id for decision in decisions}
        newest = [ledger.decisions(patient)[0].id for patient in sorted(wanted)[:2]]
    for id in newest:
        assert house.service.replay(id).id == id


@pytest.fixture
def open_service(tmp_path: Path) -> Iterator[Callable[[str], tuple[House, Flask]]]:
    """Opens a house and its app on a database; closed at the end."""
    houses: list[House] = []

    def open_on(url: str) -> tuple[House, Flask]:
        house = make_house(tmp_path, FixedClock(), database_url=url)
        houses.append(house)
        return house, create_app(house)

    yield open_on
    for house in houses:
        house.close()


@pytest.fixture(params=KINDS, scope="module")
def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office in front of each server, kept for a module."""
    with office(request.param, tmp_path_factory.mktemp("office")) as one:
        yield one


@pytest.fixture
def desk(rooms: Office) -> Iterator[Desk]:
    """A new patient, at a server that answers as it should afterwards."""
    one = rooms.desk()
    yield one
    rooms.proxy.clear()
