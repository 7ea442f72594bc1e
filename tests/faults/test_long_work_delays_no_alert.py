"""Three files without an end fill both places of a worker: an emergency is escalated all the same, and SIGTERM ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.jobs import start
from tests.adapters.http.builders import emergency
from tests.adapters.ingest.test_download import Files, serving
from tests.databases import plainly
from tests.faults.town import town
from tests.world import FixedClock, ingest, make_house

pytestmark = pytest.mark.e2e
LIMIT = 90.0  # seconds, on a busy machine


def test_an_emergency_escalates_while_a_worker_downloads_without_end_and_it_ends_in_time(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'pathway.sqlite3'}", tmp_path / "exports"
    now = datetime.now(UTC)
    with serving(Files()) as files:
        given = {"database_url": url, "poll_base": "", "export_folder": str(folder)}
        house = make_house(tmp_path, FixedClock(now), **given, fhir_servers=[files.base])
        parts = [(0, {"step": "fetch", "url": f"{files.base}/f{n}", "name": f"{n:05d}.ndjson"}) for n in range(3)]
        start(house, "export", parts, {"base": files.base, "since": "", "group": ""})
        with town(tmp_path, **given, fhir_servers=f'["{files.base}"]', worker_processes=2) as ours:
            ours.start("worker")
            ours.start("beat")
            until = time.monotonic() + LIMIT
            while len(files.asked) < 4:  # both places are full, and some were given back
                assert time.monotonic() < until, ours.said("worker")
                time.sleep(0.2)
            past = now - timedelta(hours=1)
            early = make_house(tmp_path, FixedClock(past), database_url=url)
            ingest(early, emergency("p1", past))
            early.close()
            while plainly(url, "SELECT count(*) FROM task_event WHERE act = 'escalate'") == [(0,)]:
                assert time.monotonic() < until, ours.said("worker")
                time.sleep(0.2)
            assert ours.terminate("worker") < 15
        assert plainly(url, "SELECT count(*) FROM job_part WHERE state = 'pending' AND attempts > 1") == [(0,)]
        assert plainly(url, "SELECT count(*) FROM job_part WHERE lease_token <> ''") == [(0,)]  # all were given back
        house.close()
