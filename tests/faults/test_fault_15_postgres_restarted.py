"""Fault 15: PostgreSQL is restarted, stopped and crashed in the middle of transactions of web, worker and beat."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapters.db.store import open_store
from tests.faults.cluster import own_cluster
from tests.faults.kills import Flow, check_nothing_lost, deliveries, introduce, wait_until_empty
from tests.faults.town import town
from tests.servers import sekmet

pytestmark = [pytest.mark.e2e, pytest.mark.service]


def test_all_that_was_acknowledged_goes_out_once(tmp_path: Path) -> None:
    records = deliveries(60, seed=15)
    broker = f"sqla+sqlite:///{tmp_path / 'broker.sqlite3'}"
    with (
        sekmet() as server,
        own_cluster() as cluster,
        town(tmp_path, database_url=cluster.url, broker_url=broker, fhir_write_base=server.base) as ours,
    ):
        introduce(server, records)
        for part in ("web", "worker", "beat"):
            ours.start(part)
        ours.wait_until_it_answers()
        flow = Flow(ours.base, list(records))
        flow.begin()
        for mode in ("fast", "immediate"):
            flow.release(15)
            time.sleep(2)
            cluster.restart(mode)
        flow.release(15)
        time.sleep(1)
        cluster.stop("immediate")
        time.sleep(1)
        cluster.start()
        flow.finish(120)
        wait_until_empty(ours, 120)
        for part in ours.processes:
            assert ours.processes[part].poll() is None, f"{part} ended: {ours.said(part)}"
        store = open_store(cluster.url)
        assert check_nothing_lost(store, flow.taken, server) > 0
        store.close()
    assert len(flow.taken) == len(records)
