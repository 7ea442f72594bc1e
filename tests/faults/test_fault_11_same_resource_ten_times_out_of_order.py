"""Fault 11: every version of every resource ten times in any order, through several doors: the end is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.http.app import create_app
from adapters.ingest import queue
from adapters.ingest.subscription import hear
from adapters.jobs import work
from tests.adapters.ingest.records import charts, decisions, open_tasks, resources
from tests.world import FixedClock, make_house

pytestmark = pytest.mark.e2e
VERSIONS = 4


def versions(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a server held one after the other: the same resource with its version and its time."""
    for number in range(1, VERSIONS + 1):
        meta = {"versionId": str(number), "lastUpdated": f"2026-11-22T09:0{number}:00Z"}
        status = {"verificationStatus": _unsure()} if one["resourceType"] == "Condition" and number < VERSIONS else {}
        yield {**one, **status, "meta": meta}


def _unsure() -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {"coding": [{"system": system, "code": "unconfirmed"}]}


def house_at(folder: Path) -> House:
    folder.mkdir(exist_ok=True)
    return make_house(folder, FixedClock())


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_times_and_out_of_order_is_as_once_and_in_order(tmp_path: Path, seed: int) -> None:
    plain, mixed = house_at(tmp_path / "plain"), house_at(tmp_path / "mixed")
    about, *others = resources("p1")
    newest = [list(versions(one))[-1] for one in (about, *others)]
    create_app(plain).test_client().post("/fhir", data=queue.bundle(newest), content_type="application/fhir+json")

    said = [one for resource in (about, *others) for one in versions(resource)] * 10
    chance = random.Random(seed)
    chance.shuffle(said)
    client = create_app(mixed).test_client()
    for at in range(0, len(said), 20):
        if chance.random() < 0.3:
            body = queue.bundle([about, *said[at : at + 20]])
            assert client.post("/fhir", data=body, content_type="application/fhir+json").status_code == 200
        else:
            hear(mixed, queue.bundle(said[at : at + 20]))
        if chance.random() < 0.3:
            work(mixed, limit=chance.randrange(1, 4))
    work(mixed, limit=1000)

    assert charts(mixed, ["p1"]) == charts(plain, ["p1"])
    assert open_tasks(mixed, ["p1"]) == open_tasks(plain, ["p1"]) != {"p1": []}
    assert last_levels(mixed) == last_levels(plain)
    with mixed.store.unread(write=False) as unread:
        assert unread.counts() == {}

    before = decisions(mixed, "p1")
    hear(mixed, queue.bundle(said[:40]))
    work(mixed, limit=1000)
    assert decisions(mixed, "p1") == before  # what is known costs no decision
    plain.close()
    mixed.close()


def last_levels(house: House) -> Any:
    with house.store.read() as ledger:
        return json.loads(ledger.decisions("local|p1")[0].body)["levels"]
