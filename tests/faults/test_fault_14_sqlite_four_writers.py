"""Fault 14: four processes write to one file of SQLite at once. None meets a busy error, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.db.store import open_store
from adapters.fhir.from_plan import TASK_KEY
from tests.adapters.ingesting import parts
from tests.faults.kills import introduce, wait_until_empty
from tests.faults.town import town
from tests.servers import sekmet
from tests.world import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PATIENTS = ("p1", "p2", "p3", "p4")


def test_two_who_take_in_a_worker_and_a_beat(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.sqlite3'}"
    with sekmet() as server, town(tmp_path, database_url=url, fhir_write_base=server.base) as ours:
        introduce(server, [parts(patient)[0] for patient in PATIENTS])
        ours.start("worker")
        ours.start("beat")
        command = [sys.executable, "-m", "tests.adapters.ingesting", url, ",".join(PATIENTS)]
        running = [
            subprocess.Popen([*command, str(n)], cwd=ROOT, env=ours.environment(), stdout=subprocess.PIPE, text=True)
            for n in range(2)
        ]
        taken = sum(int(process.communicate(timeout=300)[0]) for process in running)
        assert [process.returncode for process in running] == [0, 0]  # a busy error would have ended them
        wait_until_empty(ours, 120)
        for part in ("worker", "beat"):
            assert "round-failed" not in ours.said(part)
            assert "beat-failed" not in ours.said(part)
        store = open_store(url)
        with store.read() as ledger:
            tasks = [task.key for patient in PATIENTS for task in ledger.tasks(f"local|{patient}")]
            decisions = sum(len(ledger.decisions(f"local|{patient}", limit=10_000)) for patient in PATIENTS)
        store.close()
        assert decisions >= taken
        held = [i["value"] for one in server.search("Task") for i in one["identifier"] if i["system"] == TASK_KEY]
        assert sorted(held) == sorted(tasks)
        assert len(tasks) >= len(PATIENTS)
