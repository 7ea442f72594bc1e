"""Fault 2: the web is killed after the commit and before anybody is told. The next tick finds what was posted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import requests

from adapters.db.store import open_store
from tests.databases import counts, plainly
from tests.faults.kills import HEADERS, check_nothing_lost, introduce, wait_until_empty, whole_record
from tests.faults.town import town
from tests.servers import sekmet

pytestmark = pytest.mark.e2e


def test_what_was_committed_goes_out_though_nobody_rang_and_nobody_was_answered(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.sqlite3'}"
    part = whole_record("demo-leak")
    with sekmet() as server, town(tmp_path, database_url=url, fhir_write_base=server.base) as ours:
        introduce(server, [part])
        ours.start("web", "after-posting")
        ours.wait_until_it_answers()
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{ours.base}/fhir", data=json.dumps(part), headers=HEADERS, timeout=30)
        until = time.monotonic() + 10
        while not ours.has_died("web") and time.monotonic() < until:
            time.sleep(0.02)
        assert plainly(url, "SELECT count(*) FROM outbox WHERE state = 'pending'")[0][0] > 0
        assert "kombu_message" not in counts(f"sqlite:///{tmp_path / 'broker.sqlite3'}")  # nobody ever rang
        ours.start("worker")
        ours.start("beat")
        wait_until_empty(ours, 60)
        store = open_store(url)
        assert check_nothing_lost(store, [part], server) > 0
        store.close()
