"""Fault 8: the broker stops, loses all that it kept, and starts again. Nobody waits for it, and nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import requests

from adapters.db.store import open_store
from tests.faults.brokers import Broker, own_rabbit, own_redis
from tests.faults.kills import HEADERS, Json, check_nothing_lost, introduce, wait_until_empty, whole_record
from tests.faults.town import Town, town
from tests.servers import sekmet

pytestmark = [pytest.mark.e2e, pytest.mark.service]
IDS = ("demo-leak", "demo-candidate", "demo-two-fractures", "demo-stale-mri")
PROMPT_SECONDS = 5.0  # of a busy machine; one that waited for the broker would take longer than any of its limits


def deliver(ours: Town, part: Json) -> None:
    """Deliver with the broker as it is: the answer does not wait for it."""
    began = time.monotonic()
    answer = requests.post(f"{ours.base}/fhir", data=json.dumps(part), headers=HEADERS, timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    assert time.monotonic() - began < PROMPT_SECONDS


@pytest.mark.parametrize("own_broker", [own_redis, own_rabbit], ids=["redis", "rabbitmq"])
def test_a_broker_that_was_emptied_costs_seconds(
    tmp_path: Path, own_broker: Callable[[], AbstractContextManager[Broker]]
) -> None:
    url = f"sqlite:///{tmp_path / 'pathway.sqlite3'}"
    first, *down, last = [whole_record(id) for id in IDS]
    with (
        sekmet() as server,
        own_broker() as broker,
        town(tmp_path, database_url=url, broker_url=broker.url, fhir_write_base=server.base) as ours,
    ):
        introduce(server, [first, *down, last])
        for part in ("web", "worker", "beat"):
            ours.start(part)
        ours.wait_until_it_answers()
        deliver(ours, first)
        wait_until_empty(ours, 60)
        broker.kill()
        for part in down:
            deliver(ours, part)
        wait_until_empty(ours, 120)  # nobody answers the bells, so the beat does it itself
        ours.kill("beat")
        broker.empty()
        broker.start()
        time.sleep(3)
        deliver(ours, last)
        wait_until_empty(ours, 60)  # by the web's bell and the worker alone: both found the broker again
        ours.start("beat")
        until = time.monotonic() + 60
        while (ready := requests.get(f"{ours.base}/readyz", timeout=5)).status_code != 200:
            assert time.monotonic() < until, ready.text
            time.sleep(0.5)
        store = open_store(url)
        assert check_nothing_lost(store, [first, *down, last], server) > 0
        store.close()
