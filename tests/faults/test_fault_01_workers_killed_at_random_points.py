"""Fault 1: web, worker and beat are killed with -9 at random points while records flow in. Nothing is lost or doubled.

The first server takes our ids, so that a second task is a second version there. The other two give the ids themselves:
there a write that is repeated blindly makes a second task.

In full (`make soak`): 200 kills and 2,000 decisions on SQLite, the same on PostgreSQL with RabbitMQ, 50 kills on Redis.
Otherwise a twentieth, and at least so many kills that each part dies.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import made_postgres
from tests.faults.brokers import own_rabbit, own_redis
from tests.faults.kills import Toll, kill_and_count
from tests.faults.town import town
from tests.servers import medplum, sekmet

pytestmark = [pytest.mark.e2e, pytest.mark.service, pytest.mark.slow]
SEED = 20261123
Tell = Callable[[Toll], None]


EVERY_PART = 5
"""So few kills reach the worker, the web part and the beat."""


def twentieth(full: int) -> int:
    return full if os.environ.get("PATHWAY_SOAK") == "1" else max(EVERY_PART, full // 20)


@pytest.fixture
def tell(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Tell:
    """What a run came to, in the log of whoever runs it."""

    def told(toll: Toll) -> None:
        record_property("toll", str(toll))
        with capsys.disabled():
            sys.stdout.write(f"\n{toll.sentence()}\n")

    return told


def test_on_one_machine_to_sekmet(tmp_path: Path, tell: Tell) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.sqlite3'}"
    with sekmet() as server, town(tmp_path, database_url=url, fhir_write_base=server.base) as ours:
        tell(kill_and_count(ours, server, twentieth(200), twentieth(2000), SEED))


def test_on_postgresql_and_rabbitmq_to_medplum(tmp_path: Path, tell: Tell) -> None:
    with (
        medplum() as server,
        made_postgres() as url,
        own_rabbit() as broker,
        town(
            tmp_path, database_url=url, broker_url=broker.url, fhir_write_base=server.base, fhir_write_ids="server"
        ) as ours,
    ):
        tell(kill_and_count(ours, server, twentieth(200), twentieth(2000), SEED))


def test_on_postgresql_and_redis_to_sekmet(tmp_path: Path, tell: Tell) -> None:
    with (
        sekmet() as server,
        made_postgres() as url,
        own_redis() as broker,
        town(
            tmp_path, database_url=url, broker_url=broker.url, fhir_write_base=server.base, fhir_write_ids="server"
        ) as ours,
    ):
        tell(kill_and_count(ours, server, twentieth(50), twentieth(500), SEED))
