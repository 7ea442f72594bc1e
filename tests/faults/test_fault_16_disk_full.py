"""Fault 16: the disk of the database is full while writes go out. What the server took meanwhile is not there twice.

That the door says so, and what becomes of a full PostgreSQL, stands in `test_file.py` and `test_server.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from adapters.db.store import open_store
from tests.faults.cluster import small_disk
from tests.faults.kills import HEADERS, check_nothing_lost, deliveries, introduce, wait_until_empty
from tests.faults.town import town
from tests.servers import sekmet

pytestmark = pytest.mark.e2e
BLOCK = 64 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 12 * 1024 * 1024):
        yield folder


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * BLOCK)
        except OSError:
            pass
    return ballast


def test_what_went_out_while_the_disk_was_full_is_at_the_server_once(disk: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{disk / 'pathway.sqlite3'}"
    broker = f"sqla+sqlite:///{tmp_path / 'broker.sqlite3'}"
    records = deliveries(12, seed=16)
    with (
        sekmet() as server,
        town(tmp_path, database_url=url, broker_url=broker, fhir_write_base=server.base) as ours,
    ):
        introduce(server, records)
        ours.start("web")
        ours.wait_until_it_answers()
        statuses = [post(ours.base, record) for record in records]
        assert set(statuses) == {200}
        ours.start("worker")
        ours.start("beat")
        ballast: Path | None = None
        until = time.monotonic() + 60
        while not server.search("Task") and time.monotonic() < until:
            time.sleep(0.05)
        ballast = fill(disk)  # in the middle of sending
        refused = [post(ours.base, {**record, "id": "again"}) for record in records]
        assert set(refused) <= {200, 503}
        assert 503 in refused
        time.sleep(3)
        ballast.unlink()
        assert post(ours.base, records[0]) == 200
        wait_until_empty(ours, 120)
        store = open_store(url)
        assert check_nothing_lost(store, records, server) > 0
        store.close()


def post(base: str, record: object) -> int:
    return requests.post(f"{base}/fhir", data=json.dumps(record), headers=HEADERS, timeout=60).status_code
