"""Fault 17: SIGTERM while records come in and tasks go out. Begun work ends in 15 s, and a restart repairs nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapters.db.store import open_store
from tests.databases import plainly
from tests.faults.kills import Flow, check_nothing_lost, deliveries, introduce, wait_until_empty
from tests.faults.town import town
from tests.servers import sekmet

pytestmark = pytest.mark.e2e


def test_begun_work_ends_in_time_and_a_restart_finds_nothing_to_repair(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.sqlite3'}"
    records = deliveries(120, seed=17)
    with sekmet() as server, town(tmp_path, database_url=url, fhir_write_base=server.base) as ours:
        introduce(server, records)
        ours.start("up")
        ours.wait_until_it_answers("up")
        flow = Flow(ours.base, list(records))
        flow.begin()
        flow.release(len(records))
        until = time.monotonic() + 60
        while not (flow.taken and server.search("Task")) and time.monotonic() < until:
            time.sleep(0.05)
        assert flow.queue, "there was no load left to be stopped under"
        assert ours.terminate("up") < 15
        # Everything that was committed was acknowledged, and no row is held by somebody who is gone.
        assert plainly(url, "SELECT count(*) FROM decision")[0][0] == len(flow.taken)
        assert plainly(url, "SELECT count(*) FROM outbox WHERE lease_until IS NOT NULL")[0][0] == 0
        assert plainly(url, "SELECT count(*) FROM patient_head WHERE decided_version < chart_version")[0][0] == 0
        ours.start("up")
        flow.finish(180)
        wait_until_empty(ours, 120)
        assert plainly(url, "SELECT count(*) FROM decision")[0][0] == len(records)
        store = open_store(url)
        assert check_nothing_lost(store, flow.taken, server) > 0
        store.close()
        assert ours.terminate("up") < 15
