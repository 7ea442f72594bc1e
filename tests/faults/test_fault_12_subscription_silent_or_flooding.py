"""Fault 12: a subscription that goes silent is noticed, made good and set going; one that floods is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from adapters.bootstrap import House
from adapters.cli.ingesting import job
from adapters.http.app import create_app
from adapters.ingest import queue, silence
from adapters.ingest.polling import poll
from adapters.ingest.subscription import hear, subscribe, unsubscribe
from adapters.jobs import work
from tests.adapters.ingest.records import charts, open_tasks, references, resources
from tests.faults.proxy import Proxy, proxy, status
from tests.servers import OtherServer, free_port, sekmet
from tests.world import NOW, FixedClock, make_house

pytestmark = pytest.mark.e2e
SECRET = "a secret of some length"
HEADERS = {"Authorization": f"Bearer {SECRET}"}


@contextmanager
def listening(house: House, port: int) -> Iterator[None]:
    server = make_server("127.0.0.1", port, create_app(house), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[OtherServer]:
    with sekmet() as running:
        yield running


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def house(server: OtherServer, port: int, tmp_path: Path) -> Iterator[House]:
    # the server's clock is the real one, and what it wrote must not lie ahead of ours
    clock = FixedClock(max(NOW, datetime.now(UTC) + timedelta(minutes=1)))
    url = f"http://127.0.0.1:{port}"
    made = make_house(tmp_path, clock, poll_base=server.base, public_url=url, subscription_secret=SECRET)
    yield made
    made.close()


def eventually(what: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def waiting(house: House) -> int:
    with house.store.jobs(write=False) as jobs:
        return jobs.waiting(queue.KIND)


def heard(house: House) -> bool:
    with house.store.marks(write=False) as marks:
        return marks.mark(silence.HEARD) is not None


def whole(house: House) -> bool:
    work(house, limit=1000)
    return sorted(charts(house, ["p1"])["p1"]) == sorted(references(resources("p1")))


def test_what_a_server_tells_is_taken_in_without_polling(server: OtherServer, house: House, port: int) -> None:
    with listening(house, port):
        assert len(subscribe(house)) == 15
        for one in resources("p1"):
            server.put(one)
        assert eventually(lambda: whole(house))
    assert open_tasks(house, ["p1"])["p1"]
    assert unsubscribe(house) == 15
    assert server.search("Subscription") == []


def test_a_subscription_without_payload_lets_the_server_be_polled(server: OtherServer, house: House, port: int) -> None:
    with listening(house, port):
        subscribe(house, payload=False)
        poll(house, now=True)  # it is not time again
        for one in resources("p1"):
            server.put(one)
        assert eventually(lambda: heard(house))
        assert eventually(lambda: poll(house) >= 0 and whole(house))


def test_one_that_goes_silent_is_made_good_by_polling_noticed_and_set_going(
    server: OtherServer, house: House, port: int
) -> None:
    subscribe(house)  # and nobody listens: the server gives up
    for one in resources("p1"):
        server.put(one)
    for one in server.search("Subscription"):
        server.put({**one, "status": "off"})
    house.clock.forward(minutes=10)  # type: ignore[attr-defined]
    poll(house, now=True)
    assert whole(house)
    with house.store.marks(write=False) as marks:
        mark = marks.mark(silence.SILENT)
    assert mark is not None
    assert mark.body["missed"] >= 1
    assert {one["status"] for one in server.search("Subscription")} <= {"active", "requested"}


def test_one_that_floods_is_bounded_and_nothing_is_lost(server: OtherServer, house: House) -> None:
    small = replace(house, settings=house.settings.model_copy(update={"waiting_limit": 5}))
    client = create_app(small).test_client()
    record = resources("p1")
    for one in record:
        server.put(one)
    answers: list[int] = []
    for _ in range(10):
        for one in record:
            path = f"/fhir/subscription/{one['resourceType']}/{one['id']}"
            answer = client.put(path, json=one, headers=HEADERS | {"Content-Type": "application/fhir+json"})
            answers.append(answer.status_code)
            if answer.status_code == 429:
                assert int(answer.headers["Retry-After"]) > 0
    assert set(answers) == {202, 429}
    assert waiting(small) <= 5
    assert poll(small) > 0  # it was asked for when the first one was put off
    assert whole(small)
    assert open_tasks(small, ["p1"])["p1"]


@pytest.fixture
def between(server: OtherServer) -> Iterator[Proxy]:
    with proxy(server.base) as one:
        yield one


@pytest.fixture
def behind(between: Proxy, port: int, tmp_path: Path) -> Iterator[House]:
    """A house that polls by way of the proxy; its bodies of notifications are Bundles."""
    clock = FixedClock(max(NOW, datetime.now(UTC) + timedelta(minutes=1)))
    url = f"http://127.0.0.1:{port}"
    made = make_house(tmp_path, clock, poll_base=between.base, public_url=url, subscription_secret=SECRET)
    yield made
    made.close()


def told(house: House) -> None:
    """A notification of one condition of a patient of whom nobody knew."""
    (condition,) = [one for one in resources("p1") if one["resourceType"] == "Condition"][:1]
    assert hear(house, queue.bundle([condition])).kept == 1


@pytest.mark.parametrize("code", [401, 403, 408, 429, 500])
def test_a_chart_that_is_refused_for_a_while_is_waited_for(
    server: OtherServer, between: Proxy, behind: House, code: int
) -> None:
    for one in resources("p1"):
        server.put(one)
    told(behind)
    between.next(status(code), times=1000, method="GET")
    for _ in range(8):  # more often than a part may fail
        work(behind, limit=10)
        behind.clock.forward(minutes=1)  # type: ignore[attr-defined]
    assert (waiting(behind), charts(behind, ["p1"])["p1"]) == (1, [])
    between.clear()
    assert whole(behind)
    assert open_tasks(behind, ["p1"])["p1"]
    assert waiting(behind) == 0


def test_what_was_told_is_taken_in_alone_where_the_chart_does_not_come(between: Proxy, behind: House) -> None:
    told(behind)
    between.next(status(401), times=1000, method="GET")
    work(behind, limit=10)
    behind.clock.forward(seconds=queue.ALONE.total_seconds())  # type: ignore[attr-defined]
    work(behind, limit=10)
    assert len(charts(behind, ["p1"])["p1"]) == 1
    assert waiting(behind) == 1  # the rest is still asked for


def test_a_token_that_is_not_taken_is_not_used_again(
    between: Proxy, behind: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr("adapters.out.backend_services.forget", lambda _settings, base: forgotten.append(base))
    told(behind)
    between.next(status(401), times=1000, method="GET")
    work(behind)
    assert forgotten == [between.base]
    poll(behind, now=True)
    assert set(forgotten) == {between.base}
    assert len(forgotten) > 1


def test_a_chart_that_is_refused_for_good_is_seen_by_people_and_tried_again_by_them(
    server: OtherServer, between: Proxy, behind: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in resources("p1"):
        server.put(one)
    told(behind)
    between.next(status(404), times=1000, method="GET")
    work(behind, limit=10)
    assert len(charts(behind, ["p1"])["p1"]) == 1  # what was told is not thrown away
    between.clear()
    monkeypatch.setattr("adapters.cli.ingesting.open_house", lambda: replace(behind))
    monkeypatch.setattr(House, "close", lambda _house: None)
    listed = CliRunner().invoke(job, ["list"]).output
    assert "deliver" in listed
    assert "answered 404" in listed
    page = create_app(behind).test_client().get("/metrics").get_data(as_text=True)
    assert 'pathway_parts{kind="deliver",state="parked"} 1.0' in page
    assert "1 parts" in CliRunner().invoke(job, ["requeue"]).output
    assert whole(behind)
    assert "deliver" not in CliRunner().invoke(job, ["list"]).output


@pytest.mark.parametrize("authorization", ["", "Bearer", f"Bearer {SECRET}x", f"Basic {SECRET}"])
def test_whoever_does_not_know_the_secret_is_not_heard(house: House, authorization: str) -> None:
    client = create_app(house).test_client()
    answer = client.post("/fhir/subscription", json=resources("p1")[0], headers={"Authorization": authorization})
    assert answer.status_code == 403
    assert (waiting(house), heard(house)) == (0, False)
