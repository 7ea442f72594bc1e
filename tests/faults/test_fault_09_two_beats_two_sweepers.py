"""Fault 9: two beats and two sweepers at once. No bell doubles, and no task is woken twice."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.bootstrap import House, SystemClock
from adapters.worker.beat import TICKS, Beat
from pathway.tasks import ON_CALL
from tests.adapters.ingesting import deliver
from tests.databases import BACKENDS, made_empty, plainly
from tests.faults.kills import whole_record
from tests.world import NOW, FixedClock, make_house

HOOK = {
    "alert_webhook": "http://127.0.0.1:9/hook",
    "alert_webhook_secret": "sixteen characters",
    "public_url": "http://127.0.0.1:8000",
}
PATIENTS = 8


@contextmanager
def houses(backend: str, folder: Path, **settings: object) -> Iterator[list[House]]:
    """Two houses on one database, each with connections of its own."""
    with made_empty(backend, folder) as url:
        made = [make_house(folder, FixedClock(), database_url=url, **settings) for _ in range(2)]
        try:
            yield made
        finally:
            for house in made:
                house.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_beats_ring_as_often_as_one(tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setitem(TICKS, "sweep", timedelta(seconds=0.4))
    with made_empty(backend, tmp_path) as url:
        made = [make_house(tmp_path, SystemClock(), database_url=url) for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            began = time.monotonic()
            until = began + 3
            beats = [Beat(house, rung.append) for house in made for _ in range(2)]
            list(pool.map(lambda beat: _beat_until(beat, until), beats))
            took = time.monotonic() - began  # a slow machine ends its last beat late
        for house in made:
            house.close()
    assert 3 <= rung.count("sweep") <= took / 0.4 + 1


def _beat_until(beat: Beat, until: float) -> None:
    while time.monotonic() < until:
        beat.once()


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_sweepers_wake_each_task_once(tmp_path: Path, backend: str) -> None:
    with houses(backend, tmp_path, **HOOK) as (one, other):
        for n in range(PATIENTS):
            deliver(
                one, json.loads(json.dumps(whole_record("demo-deficit", NOW)).replace("demo-deficit", f"p{n}")), "test"
            )
        url = one.settings.database_url
        before = plainly(url, "SELECT key, version FROM task ORDER BY key")
        for house in (one, other):
            assert isinstance(house.clock, FixedClock)
            house.clock.at += timedelta(days=1)  # past every timer of an emergency's first stage
        together = threading.Barrier(4)

        def sweep(house: House) -> int:
            together.wait(10)
            return house.service.wake()

        with ThreadPoolExecutor(4) as pool:
            woken = sum(pool.map(sweep, [one, other, one, other]))
        after = plainly(url, "SELECT key, version FROM task ORDER BY key")
        with one.store.read() as ledger:
            tasks = [task for n in range(PATIENTS) for task in ledger.tasks(f"local|p{n}")]
            escalated = Counter(e.act for task in tasks for e in ledger.task_events(task.key) if e.act == "escalate")
        emergencies = [task for task in tasks if task.owner == ON_CALL or task.emergency]
        assert emergencies
        moved = {key: dict(after)[key] - version for key, version in before if dict(after)[key] != version}
        assert set(moved.values()) == {1}
        assert woken == len(moved) >= len(emergencies)
        assert escalated["escalate"] == sum(task.stage > 0 for task in tasks) >= len(emergencies)
        alerts = plainly(url, "SELECT key, wanted FROM outbox WHERE key LIKE 'alert/%' ORDER BY key")
        assert {wanted for _, wanted in alerts} == {1}
        told = {key.rsplit("/", 1)[0] for key, _ in alerts}
        assert told >= {f"alert/{task.id}/{task.stage}" for task in emergencies}
