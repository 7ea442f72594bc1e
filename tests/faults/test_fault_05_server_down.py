"""Fault 5: the server is down for an hour. Hooks are answered all along, and once it is back everything is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.http.app import create_app
from tests.adapters.http.builders import call, candidate, prefetch
from tests.faults.writing import KINDS, office
from tests.world import ingest

pytestmark = pytest.mark.service


@pytest.mark.parametrize("kind", KINDS[:1] + KINDS[3:])
def test_an_hour_without_the_server(kind: str, tmp_path: Path) -> None:
    with office(kind, tmp_path) as rooms:
        desk, server = rooms.desk(), rooms.server
        client = create_app(desk.house).test_client()
        server.kill()
        desk.proxy.stop()
        tried = 0
        for minute in range(60):
            tried += desk.drain().rows
            if minute % 10 == 0:
                record = candidate(f"down-{minute}", desk.clock.now())
                answer = client.post("/cds-services/candidacy", json=call(record.id, prefetch=prefetch(record)))
                assert answer.status_code == 200
                assert answer.json["cards"]
                ingest(desk.house, record)
            desk.clock.forward(minutes=1)
        assert tried < 30  # it was left alone
        assert desk.rows("parked") == ()
        assert {row.last_error for row in desk.rows("pending")} <= {
            "the server cannot be reached",
            "its tasks are not there yet",
            "",
        }
        server.start()
        desk.proxy.start()
        desk.settle(minutes=6)
        desk.check()
        with desk.house.store.read() as ledger:
            patients = ledger.patients()
            tasks = [task for patient in patients for task in ledger.tasks(patient)]
        assert len(patients) == 7
        assert {len(desk.there(task)) for task in tasks} == {1}
