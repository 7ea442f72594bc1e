"""A database file whose disk fills up, turns read only or goes away while deliveries come in at the HTTP door."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from adapters.bootstrap import House
from adapters.db import upgrade
from tests.databases import counts
from tests.faults.cluster import small_disk
from tests.faults.conftest import Senders, check_whole, is_clear_503, work
from tests.faults.test_server import HEADERS, big, check_counts

Open = Callable[[str], tuple[House, Flask]]
pytestmark = pytest.mark.e2e


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 9 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 9 * 1024 * 1024):
        yield folder


def post(app: Flask, part: object) -> int:
    """The status of a delivery; what is not taken must be refused as a disk that is away is."""
    answer = app.test_client().post("/fhir", data=json.dumps(part), headers=HEADERS)
    assert answer.status_code == 200 or is_clear_503(answer), answer.get_data(as_text=True)[:300]
    return answer.status_code


def test_a_full_disk_says_so_and_goes_on_once_there_is_room(disk: Path, open_service: Open) -> None:
    url = f"sqlite:///{disk / 'pathway.db'}"
    house, app = open_service(url)
    first, second, third = work(patients=3)[:3]
    assert post(app, first) == 200
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * 2_000_000)
    statuses = [post(app, json.loads(data)) for data in big(second, 12)]
    assert statuses[-1] == 503
    check_counts(url, 1 + statuses.count(200))
    assert counts(url)["decision"] == 1 + statuses.count(200)
    assert app.test_client().get("/fhir/Task").status_code == 200  # what is stored can still be read
    ballast.unlink()
    assert post(app, third) == 200
    check_whole(house, [first, third], exact=False)


def test_a_database_at_its_page_limit_says_so_and_goes_on_once_it_is_lifted(tmp_path: Path, open_service: Open) -> None:
    """The same without a disk of its own, for machines where none can be mounted."""
    url = f"sqlite:///{tmp_path / 'pathway.db'}"
    upgrade(url)
    house, app = open_service(url)
    engine, pages = house.store._engine, [1150]
    engine.dispose()
    limit = lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {pages[0]}")  # noqa: E731
    event.listen(engine, "checkout", limit)
    first, second, third = work(patients=3)[:3]
    assert post(app, first) == 200
    statuses = [post(app, json.loads(data)) for data in big(second, 4)]
    assert statuses[-1] == 503
    check_counts(url, 1)
    pages[0] = 100_000
    assert post(app, third) == 200
    check_whole(house, [first, third], exact=False)


def test_a_disk_that_turns_read_only_says_so_and_goes_on_afterwards(disk: Path, open_service: Open) -> None:
    if os.getuid() != 0:
        pytest.skip("remounting a disk needs root")
    house, app = open_service(f"sqlite:///{disk / 'pathway.db'}")
    first, second = work(patients=2)[:2]
    assert post(app, first) == 200
    house.store.close()  # a file that is open for writing keeps a disk from turning read only
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        assert post(app, second) == 503
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert post(app, second) == 200
    check_whole(house, [first, second])


def test_a_file_that_goes_away_is_missed_at_once_and_nothing_is_taken_into_the_void(
    tmp_path: Path, open_service: Open
) -> None:
    """An open file outlives its name: a service that kept writing to it would acknowledge what nobody finds again."""
    folder, aside = tmp_path / "store", tmp_path / "aside"
    url = f"sqlite:///{folder / 'pathway.db'}"
    house, app = open_service(url)
    first, second = work(patients=2)[:2]
    assert post(app, first) == 200
    folder.rename(aside)
    assert post(app, second) == 503
    assert app.test_client().get("/readyz").status_code == 503
    assert app.test_client().get("/fhir/Task").status_code == 503
    assert not folder.exists()
    aside.rename(folder)
    assert post(app, second) == 200
    check_whole(house, [first, second])


def test_a_file_that_is_replaced_is_the_one_that_is_written_to(tmp_path: Path, open_service: Open) -> None:
    folder = tmp_path / "store"
    url = f"sqlite:///{folder / 'pathway.db'}"
    _, app = open_service(url)
    first, second = work(patients=2)[:2]
    assert post(app, first) == 200
    folder.rename(tmp_path / "old")
    upgrade(url)
    assert post(app, second) == 200
    assert counts(url)["decision"] == 1


def test_threads_at_the_door_of_one_file_lose_nothing(tmp_path: Path, open_service: Open) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.db'}"
    house, app = open_service(url)
    senders = Senders(app, work(patients=3, rounds=2))
    total = len(senders.queue)
    with senders.at_work(8):
        pass
    assert senders.strange == []
    assert senders.refused == 0
    check_whole(house, senders.taken)
    check_counts(url, total)
