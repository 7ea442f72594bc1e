"""A real PostgreSQL server that stops, crashes or runs out of disk while deliveries come in at the HTTP door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from adapters.bootstrap import House
from tests.databases import counts, plainly
from tests.faults.cluster import Cluster, own_cluster
from tests.faults.conftest import Senders, check_whole, is_clear_503, work

Open = Callable[[str], tuple[House, Flask]]
pytestmark = [pytest.mark.service, pytest.mark.e2e]
HEADERS = {"Content-Type": "application/fhir+json"}


def check_counts(url: str, least: int) -> None:
    """Each delivery has its decision, and each decision its delivery: no transaction left a half."""
    rows = counts(url)
    assert rows["submission"] == rows["decision"] >= least


def test_a_server_restarted_under_load_loses_nothing_and_the_door_says_so(open_service: Open) -> None:
    with own_cluster() as cluster:
        house, app = open_service(cluster.url)
        senders = Senders(app, work(patients=12))
        total = len(senders.queue)
        with senders.at_work():
            for mode in ("fast", "immediate"):
                senders.wait_for(8)
                cluster.restart(mode)
            senders.wait_for(4)
            cluster.stop("immediate")
            down = app.test_client().post("/fhir", data=json.dumps(work(1)[0]), headers=HEADERS)
            unready = app.test_client().get("/readyz")
            cluster.start()
        assert is_clear_503(down)
        assert unready.status_code == 503
        assert senders.strange == []
        assert len(senders.taken) == total
        check_whole(house, senders.taken)
        check_counts(cluster.url, total)
        assert app.test_client().get("/readyz").status_code == 200
        house.close()


def test_a_server_whose_disk_is_full_says_so_and_goes_on_once_there_is_room(open_service: Open) -> None:
    with own_cluster(size=160 * 1024 * 1024) as cluster:
        house, app = open_service(cluster.url)
        client = app.test_client()
        first, second, third = work(patients=3)[:3]
        assert client.post("/fhir", data=json.dumps(first), headers=HEADERS).status_code == 200
        before = counts(cluster.url)
        ballast = fill(cluster)
        answers = [client.post("/fhir", data=data, headers=HEADERS) for data in big(second, 40)]
        assert is_clear_503(answers[-1]), answers[-1].get_data(as_text=True)[:300]
        full = counts(cluster.url)
        taken = sum(answer.status_code == 200 for answer in answers)
        assert full["decision"] - before["decision"] == full["submission"] - before["submission"] == taken
        ballast.unlink()
        answered = again(cluster, lambda: client.post("/fhir", data=json.dumps(third), headers=HEADERS).status_code)
        assert answered == 200
        check_counts(cluster.url, taken + 2)
        check_whole(house, [first, third], exact=False)
        house.close()


def fill(cluster: Cluster) -> Path:
    """Leave almost no room on the server's disk."""
    ballast = cluster.home / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        except OSError:
            pass
    return ballast


def big(part: dict[str, object], times: int) -> list[bytes]:
    """Deliveries of some size, each different, that a full disk cannot take for long."""
    found = []
    for number in range(times):
        changed = json.loads(json.dumps(part))
        changed["entry"][0]["resource"]["contact"] = [{"name": {"text": f"{number} " + "x" * 400_000}}]
        found.append(json.dumps(changed).encode())
    return found


def again(cluster: Cluster, attempt: Callable[[], int]) -> int:
    """The answer once there is room; a server that gave up for want of it is started by whoever runs it."""
    answered = attempt()
    if answered != 200:
        try:
            plainly(cluster.url, "SELECT 1")
        except Exception:
            cluster.start()
        answered = attempt()
    return answered
