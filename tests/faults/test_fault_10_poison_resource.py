"""Fault 10: a resource that nobody can read, or on which the service fails, stops no other and is never lost."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.bootstrap import House
from adapters.http.app import create_app
from adapters.ingest import queue
from adapters.ingest.intake import Door, take
from adapters.ingest.polling import poll
from adapters.ingest.reach import begin_at
from adapters.ingest.unread import dismiss, retry, retry_all
from adapters.jobs import work
from adapters.jobs.working import LEASE
from pathway.errors import BadInputError
from pathway.service import Service
from tests.adapters.ingest.records import charts, open_tasks, resources
from tests.world import NOW, FixedClock, make_house

pytestmark = pytest.mark.e2e
DOOR = Door("test")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock())
    yield made
    made.close()


def rows(house: House, state: str = "open") -> list[tuple[str, str, str]]:
    with house.store.unread(write=False) as unread:
        return [(row.reference, row.code, row.patient) for row in unread.rows(state)]


def ids(house: House) -> list[str]:
    with house.store.unread(write=False) as unread:
        return [row.id for row in unread.rows()]


def test_a_bad_resource_among_good_ones_is_listed_once_however_often_it_comes(house: House) -> None:
    good = resources("p1")
    bad = {**good[1], "id": "bad", "onsetDateTime": "the day before yesterday"}
    for _ in range(10):
        take(house, queue.bundle([*good, bad]), "poll", DOOR)
    ((reference, _, patient),) = rows(house)
    assert (reference, patient) == (f"{bad['resourceType']}/bad", "local|p1")
    assert len(charts(house, ["p1"])["p1"]) == len(good)
    assert open_tasks(house, ["p1"])["p1"]


def test_a_later_version_that_can_be_read_closes_the_row(house: House) -> None:
    good = resources("p1")
    bad = {**good[1], "onsetDateTime": "the day before yesterday"}
    take(house, queue.bundle([*good[:1], bad, *good[2:]]), "poll", DOOR)
    assert len(rows(house)) == 1
    take(house, queue.bundle(good), "poll", DOOR)
    assert rows(house) == []
    assert len(rows(house, "read")) == 1


def test_what_the_service_fails_on_is_kept_whole_and_read_after_the_fix(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("Jane Doe")

    with monkeypatch.context() as patched:
        patched.setattr(Service, "ingest", broken)
        take(house, queue.bundle(resources("p1")), "poll", DOOR)
        (id,) = ids(house)
        assert retry(house, id, "Kim").state == "open"
    with house.store.unread(write=False) as unread:
        row = unread.find(id)
    assert (row.patient, row.code) == ("local|p1", "exception")
    assert "ZeroDivisionError" in row.why
    assert "Jane" not in row.why
    take(house, queue.bundle(resources("p2")), "poll", DOOR)  # the others were never held up
    assert open_tasks(house, ["p2"])["p2"]
    assert retry_all(house, "Kim")[:2] == (1, 1)  # the service was mended
    assert open_tasks(house, ["p1"])["p1"]
    assert rows(house) == []


def test_what_kills_workers_is_put_on_the_list_and_taken_up_no_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.store.jobs(write=True) as jobs:
        pieces = [queue.piece(jobs, queue.bundle(resources(p)), "poll") for p in ("p1", "p2")]
        queue.put(jobs, house, pieces, "poll")

    def deadly(house: House, data: bytes, where: str, door: Door) -> object:
        if b"Patient/p1" in data:
            raise KeyboardInterrupt  # as good as a kill: nothing is noted of the part
        return take(house, data, where, door)

    monkeypatch.setattr(queue, "take", deadly)
    for _ in range(queue.TRIES + 2):
        try:
            work(house, limit=100)
        except KeyboardInterrupt:
            house.clock.forward(seconds=LEASE.total_seconds())  # type: ignore[attr-defined]
    tasks = open_tasks(house, ["p1", "p2"])
    assert (tasks["p1"], bool(tasks["p2"])) == ([], True)
    (id,) = ids(house)
    assert retry(house, id, "Kim").state == "read"  # by hand it works, now that the service survives it
    assert open_tasks(house, ["p1"])["p1"]


def test_a_person_puts_away_what_need_not_be_read_and_it_stays_away(house: House) -> None:
    bad = json.dumps({"resourceType": "Observation", "id": "x", "status": "final", "code": {"text": "?"}}).encode()
    take(house, bad, "poll", DOOR)
    (id,) = ids(house)
    with pytest.raises(BadInputError):
        dismiss(house, id, "Kim", " ")
    dismiss(house, id, "Kim", "A test of the interface")
    take(house, bad, "poll", DOOR)
    assert rows(house) == []
    with house.store.unread(write=False) as unread:
        assert unread.find(id).note == "A test of the interface"
    with pytest.raises(BadInputError):
        retry(house, id, "Kim")


@contextmanager
def serving(records: list[bytes], shared: dict[str, tuple[int, bytes]] | None = None) -> Iterator[str]:
    """A server that holds resources by their bytes, told apart by what their bytes say: a search gives `_count` of a
    type from `_offset` on; a read gives what is in `shared`, or 404.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            kind, query = address.path.removeprefix("/fhir/"), parse_qs(address.query)
            status, body = (200, b'{"resourceType":"CapabilityStatement"}')
            if "/" in kind:
                status, body = (shared or {}).get(kind, (404, b""))
            elif query:
                body = self.found(kind, int(query["_count"][0]), int(query.get("_offset", ["0"])[0]), address.query)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def found(self, kind: str, count: int, offset: int, query: str) -> bytes:
            mine = [one for one in records if f'"resourceType":"{kind}"'.encode() in one]
            rows = b",".join(b'{"resource":%b}' % one for one in mine[offset : offset + count])
            plain = query.partition("&_offset")[0]
            onward = f'{{"relation":"next","url":"{base}/{kind}?{plain}&_offset={offset + count}"}}'
            link = onward.encode() if offset + count < len(mine) else b""
            return b'{"resourceType":"Bundle","type":"searchset","link":[%b],"entry":[%b]}' % (link, rows)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_port}/fhir"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()


def as_bytes(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def polled(tmp_path: Path, base: str) -> House:
    """A house that has read all of a server by polling; its patients' charts are known, so nothing else is fetched."""
    made = make_house(tmp_path, FixedClock(), poll_base=base)
    for patient in ("p1", "p2"):
        take(made, as_bytes(resources(patient)[0]), "test", DOOR)
    begin_at(made, NOW - timedelta(days=1))
    poll(made, now=True)
    work(made, limit=1000)
    return made


def marked(house: House, kind: str) -> bool:
    """Whether a type was read to its end."""
    with house.store.marks(write=False) as marks:
        mark = marks.mark(f"poll/{kind}")
    return mark is not None and mark.at > NOW - timedelta(days=1)


def test_a_page_that_cannot_be_read_is_read_entry_by_entry(tmp_path: Path) -> None:
    fine = [as_bytes(one) for patient in ("p1", "p2") for one in resources(patient)]
    twice = (
        b'{"resourceType":"Observation","id":"bad","subject":{"reference":"Patient/p1"},"status":"final","status":"x"}'
    )
    with serving([*fine[:3], twice, *fine[3:]]) as base:
        house = polled(tmp_path, base)
        try:
            assert sorted(charts(house, ["p2"])["p2"]) == sorted(
                f"{o['resourceType']}/{o['id']}" for o in resources("p2")
            )
            assert len(charts(house, ["p1"])["p1"]) == len(resources("p1"))
            assert [row[0::2] for row in rows(house)] == [("Observation/bad", "local|p1")]
            assert marked(house, "Observation")
            poll(house, now=True)
            assert len(rows(house)) == 1
        finally:
            house.close()


def test_a_page_that_is_too_long_is_asked_for_in_smaller_ones_and_one_resource_alone_is_listed(tmp_path: Path) -> None:
    def report(number: int, size: int) -> bytes:
        # as a report that holds its pictures
        return as_bytes({
            "resourceType": "DiagnosticReport", "id": f"d{number}", "subject": {"reference": "Patient/p1"},
            "status": "final", "code": {"text": "MRI"}, "presentedForm": [{"data": "A" * size}],
            "meta": {"lastUpdated": (NOW - timedelta(hours=1)).isoformat()},
        })  # fmt: skip

    many = [report(number, 6_000_000 if number == 20 else 300_000) for number in range(40)]
    with serving(many) as base:
        house = polled(tmp_path, base)
        try:
            kept = {one for one in charts(house, ["p1"])["p1"] if one.startswith("DiagnosticReport/")}
            assert kept == {f"DiagnosticReport/d{number}" for number in range(40)} - {"DiagnosticReport/d20"}
            assert [row[0::2] for row in rows(house)] == [("DiagnosticReport/d20", "local|p1")]
            assert marked(house, "DiagnosticReport")
        finally:
            house.close()


@pytest.mark.parametrize("answer", [(500, b""), (200, b"{"), (200, b" " * 6_000_000)], ids=["500", "broken", "endless"])
def test_a_medication_that_cannot_be_had_holds_up_no_other_and_is_listed(
    tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    def request(patient: str, name: str) -> bytes:
        return as_bytes({
            "resourceType": "MedicationRequest", "id": f"{patient}-{name}", "status": "active", "intent": "order",
            "subject": {"reference": f"Patient/{patient}"}, "medicationReference": {"reference": f"Medication/{name}"},
        })  # fmt: skip

    good = (200, as_bytes({"resourceType": "Medication", "id": "good", "code": {"text": "Zoledronic acid"}}))
    shared = {"Medication/bad": answer, "Medication/good": good}
    with serving([request("p1", "bad"), request("p2", "good")], shared) as base:
        house = polled(tmp_path, base)
        try:
            assert "MedicationRequest/p1-bad" in charts(house, ["p1"])["p1"]
            assert "MedicationRequest/p2-good" in charts(house, ["p2"])["p2"]
            assert [row[0] for row in rows(house)] == ["Medication/bad"]
            assert marked(house, "MedicationRequest")
        finally:
            house.close()


def test_how_long_ago_a_type_was_read_to_its_end_is_a_gauge(tmp_path: Path) -> None:
    with serving([]) as base:
        house = polled(tmp_path, base)
        try:
            begin_at(house, NOW)
            house.clock.forward(seconds=90)  # type: ignore[attr-defined]
            page = create_app(house).test_client().get("/metrics").get_data(as_text=True)
        finally:
            house.close()
    assert 'pathway_poll_age_seconds{type="Observation"}' in page
