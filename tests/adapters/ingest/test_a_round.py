"""A round of polling asks for nothing twice, writes nothing where nothing is new, and ends soon when it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from adapters.bootstrap import House
from adapters.db.engine import transaction
from adapters.db.store import SqlStore
from adapters.db.unread import Unreadable
from adapters.ingest import polling, queue, silence, unread
from adapters.ingest.intake import Door, take
from adapters.ingest.server import Answer, Page, Source
from adapters.ingest.silence import look_after_subscriptions
from adapters.ingest.subscription import hear
from pathway.errors import NotInForceError
from pathway.service import Service
from tests.adapters.ingest.records import charts, resources
from tests.world import NOW, FixedClock, make_house

BASE = "http://127.0.0.1:9/fhir"
DOOR = Door("test")


class Ehr(Source):
    """A server that holds resources, one on each page; `asked` are the addresses of what was read."""

    def __init__(self, held: list[dict[str, Any]], answers: dict[str, Answer] | None = None) -> None:
        super().__init__(BASE, float("inf"))
        object.__setattr__(self, "held", held)
        object.__setattr__(self, "answers", answers or {})
        object.__setattr__(self, "asked", list[str]())

    def pages(self, query: str, most: int = 0) -> Iterator[Page]:
        for one in self.held:  # type: ignore[attr-defined]
            if one["resourceType"] == query.partition("?")[0]:
                yield Page((one,), NOW)

    def ask(self, method: str, url: str, *_: Any, **__: Any) -> Answer:
        self.asked.append(url.removeprefix(f"{BASE}/"))  # type: ignore[attr-defined]
        return self.answers.get(self.asked[-1], Answer(404, {}, b""))  # type: ignore[attr-defined]


def polled(house: House, server: Ehr, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(polling, "source", lambda _house, _base: server)
    return polling.poll(house, now=True)


@pytest.fixture
def following(house: House) -> Iterator[House]:
    made = make_house(house.settings.export_folder.parent, FixedClock(), poll_base=BASE)
    yield made
    made.close()


def writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What opens a transaction that writes jobs or unread rows, from now on."""
    told: list[str] = []
    for name in ("jobs", "unread"):
        real = getattr(SqlStore, name)

        def opened(store: SqlStore, *, write: bool, real: Any = real, name: str = name) -> Any:
            told.extend([name] * write)
            return real(store, write=write)

        monkeypatch.setattr(SqlStore, name, opened)
    return told


def request(number: int, medication: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest", "id": f"r{number}", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "medicationReference": {"reference": f"Medication/{medication}"},
    }  # fmt: skip


def test_what_many_refer_to_is_asked_for_once_in_a_round_and_comes_with_each(
    following: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(following, queue.bundle(resources("p1")[:1]), "test", DOOR)
    body = json.dumps({"resourceType": "Medication", "id": "m", "code": {"text": "Zoledronic acid"}}).encode()
    answers = {"Medication/m": Answer(200, {}, body), "Medication/refused": Answer(403, {}, b"")}
    names = ["m", "m", "gone", "gone", "refused", "refused", "m"]
    server = Ehr([request(number, name) for number, name in enumerate(names)], answers)
    polled(following, server, monkeypatch)
    asked = [one for one in server.asked if one.startswith("Medication/")]  # type: ignore[attr-defined]
    assert sorted(asked) == ["Medication/gone", "Medication/m", "Medication/refused"]
    with following.store.jobs(write=True) as jobs:
        told: list[bytes] = []
        while claimed := jobs.claim(NOW, silence.GRACE, "t"):
            told.append(jobs.bytes_of(claimed[1].body["sha256"]))
    assert [b'"Zoledronic acid"' in one for one in sorted(told)] == [name == "m" for name in names]
    polled(following, server, monkeypatch)
    assert server.asked.count("Medication/m") == 2  # type: ignore[attr-defined]  it may have changed meanwhile


def test_what_is_held_already_opens_no_transaction_to_write(following: House, monkeypatch: pytest.MonkeyPatch) -> None:
    record = resources("p1")
    take(following, queue.bundle(record), "test", DOOR)
    polled(following, Ehr([]), monkeypatch)  # what a round has to do now and then is done
    told = writes(monkeypatch)
    polled(following, Ehr(record), monkeypatch)
    assert told == ["jobs"]  # it looks, once in a while, for what may be forgotten
    assert hear(following, queue.bundle(record)).kept == len(record)
    assert told == ["jobs"]
    assert hear(following, queue.bundle([{**record[0], "active": True}])).kept == 1
    assert told == ["jobs", "jobs"]


def test_an_open_row_about_another_costs_who_is_read_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with house.store.unread(write=True) as rows:
        for number, reference in enumerate(("Observation/other", "")):
            rows.add(Unreadable("local", "test", "place", "why", b"%d" % number, reference=reference), NOW)
    told = writes(monkeypatch)
    take(house, queue.bundle(resources("p1")), "test", DOOR)
    assert told == []


def test_open_rows_are_found_by_their_index(house: House) -> None:
    said: list[tuple[str, Any]] = []
    event.listen(house.store._engine, "before_cursor_execute", lambda _c, _k, sql, given, *_: said.append((sql, given)))
    with house.store.unread(write=False) as rows:
        assert not rows.has_open("local", ["Observation/1", "Observation/2"])
    asked = [(sql, given) for sql, given in said if "unread" in sql]
    ((sql, given),) = asked
    with transaction(house.store._engine, write=False) as connection:
        plan = "; ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all())
    assert "ix_unread_open (reference=? AND source=?)" in plan


def mended(house: House, patients: list[str]) -> None:
    """Rows of patients whom a former version could not read, and this one can."""
    with house.store.unread(write=True) as rows:
        for patient in patients:
            rows.add(Unreadable("local", "poll", "place", "why", queue.bundle(resources(patient))), house.clock.now())
            house.clock.forward(seconds=1)  # type: ignore[attr-defined]


def counts(house: House) -> dict[str, int]:
    with house.store.unread(write=False) as rows:
        return rows.counts()


def tried(house: House) -> dict[str, Any]:
    with house.store.marks(write=False) as marks:
        mark = marks.mark("unread/tried")
    return dict(mark.body) if mark else {}


def test_told_to_stop_what_an_upgrade_may_have_mended_waits_and_none_is_passed_over(house: House) -> None:
    mended(house, ["p1", "p2", "p3"])
    left = iter([False])
    assert unread.retry_after_upgrade(house, lambda: next(left, True)) == 1
    assert counts(house) == {"open": 2, "read": 1}
    assert "done" not in tried(house)
    assert polling.poll(house, lambda: True) == 0
    assert counts(house) == {"open": 2, "read": 1}
    polling.poll(house)
    assert counts(house) == {"read": 3}
    assert "done" in tried(house)
    assert all(charts(house, ["p1", "p2", "p3"]).values())


def test_two_rows_about_one_resource_are_both_closed_by_one_reading(house: House) -> None:
    good = resources("p1")[0]
    with house.store.unread(write=True) as rows:
        for number in range(2):
            data = json.dumps({**good, "language": f"e{number}"}).encode()
            rows.add(Unreadable("local", "poll", "place", "why", data, reference="Patient/p1"), NOW)
    assert unread.retry_all(house, "Kim")[0] == 2
    assert counts(house) == {"read": 2}


def test_what_passes_holds_up_the_retry_and_not_the_poll(following: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise NotInForceError("no rules are in force")

    mended(following, ["p1"])
    with monkeypatch.context() as patched:
        patched.setattr(Service, "ingest", closed)
        assert polled(following, Ehr(resources("p2")), patched) == len(resources("p2"))
    assert counts(following) == {"open": 1}
    polled(following, Ehr([]), monkeypatch)
    assert counts(following) == {"read": 1}


def test_a_fault_of_ours_in_a_retry_is_told_by_its_place(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("Jane Doe")

    mended(house, ["p1"])
    monkeypatch.setattr(Service, "ingest", broken)
    with capture_logs() as told:
        unread.retry_all(house, "Kim")
    (line,) = [one for one in told if one["event"] == "retry-failed"]
    assert line["places"][-1].endswith(" broken")
    assert "Jane" not in str(line)


def test_told_to_stop_the_other_subscriptions_are_looked_after_the_next_time(house: House) -> None:
    with house.store.marks(write=True) as marks:
        marks.set(silence.OURS, NOW, {"ids": ["s1", "s2", "s3"]})
    found = {f"Subscription/s{n}": Answer(200, {}, b'{"status":"active"}') for n in (1, 2, 3)}
    server, left = Ehr([], found), iter([False])
    look_after_subscriptions(house, server, lambda: next(left, True))
    assert server.asked == ["Subscription/s1"]  # type: ignore[attr-defined]
    house.clock.forward(minutes=5)  # type: ignore[attr-defined]
    look_after_subscriptions(house, server, lambda: False)
    assert server.asked[1:] == ["Subscription/s2", "Subscription/s3", "Subscription/s1"]  # type: ignore[attr-defined]


def test_a_round_that_never_has_time_for_all_looks_after_subscriptions_too(
    following: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following.store.marks(write=True) as marks:
        marks.set(silence.OURS, NOW, {"ids": ["s1"]})
    server = Ehr(resources("p1"), {"Subscription/s1": Answer(200, {}, b'{"status":"active"}')})
    monkeypatch.setattr(polling, "source", lambda _house, _base: server)
    left = iter([False] * 2)
    polling.poll(following, lambda: next(left, True), now=True)
    assert "Subscription/s1" in server.asked  # type: ignore[attr-defined]
