"""The chart part of the store: bytes, deliveries, versions of resources, heads."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.db import SqlStore, StoreRefusedError
from pathway.canonical import canonical, sha256
from pathway.chart import ChartResource, SetAside
from pathway.errors import ChartMovedError, NotFoundError
from pathway.ports import Stored, Submission
from tests.adapters.db.builders import AT, PATIENT, body, ingest, put

FRESH_PATIENT = itertools.count()


def test_bytes_are_kept_once_and_come_back(store: SqlStore) -> None:
    data = b"\x00\xff not text"
    with store.write() as ledger:
        assert ledger.keep_bytes(data) == ledger.keep_bytes(data) == sha256(data)
    with store.read() as ledger:
        assert ledger.bytes_of(sha256(data)) == data


def test_unknown_bytes_are_not_found(store: SqlStore) -> None:
    with store.read() as ledger, pytest.raises(NotFoundError):
        ledger.bytes_of(sha256(b"never seen"))


def test_a_delivery_needs_its_bytes(store: SqlStore) -> None:
    aside = (SetAside("Patient/1", "invalid", "no name"),)
    with pytest.raises(StoreRefusedError), store.write() as ledger:
        ledger.keep_submission(Submission("s1", "clinic", "api", AT, sha256(b"not kept"), aside))


def test_a_delivery_is_remembered_once(store: SqlStore) -> None:
    with store.write() as ledger:
        delivered = Submission("s1", "clinic", "api", AT, ledger.keep_bytes(b"bundle"))
        ledger.keep_submission(delivered)
    with pytest.raises(StoreRefusedError), store.write() as ledger:
        ledger.keep_submission(delivered)


def test_a_chart_holds_the_current_versions_by_type_and_id(store: SqlStore) -> None:
    with store.write() as ledger:
        for data in (body("b"), body("a"), canonical({"resourceType": "Basic", "id": "z"}), body("a", note="new")):
            put(ledger, data)
        put(ledger, body("other"), "clinic|p2")
    with store.read() as ledger:
        chart = ledger.chart(PATIENT)
        assert [r.reference for r in chart] == ["Basic/z", "Condition/a", "Condition/b"]
        assert chart[1].body["note"] == [{"text": "new"}]
        assert ledger.chart("clinic|nobody") == ()
        assert ledger.patients() == ("clinic|p1", "clinic|p2")


def test_a_chart_keeps_every_digit_the_bytes_and_the_time_of_receipt(store: SqlStore) -> None:
    data = b'{"resourceType": "Observation", "id": "o1", "valueQuantity": {"value": 2.50}}'
    seen = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
    with store.write() as ledger:
        put(ledger, data, received_at=seen)
    with store.read() as ledger:
        (resource,) = ledger.chart(PATIENT)
        assert str(resource.body["valueQuantity"]["value"]) == "2.50"
        assert isinstance(resource.body["valueQuantity"]["value"], Decimal)
        assert (resource.sha256, resource.received_at) == (sha256(data), seen)
        assert ledger.bytes_of(resource.sha256) == data


def test_only_what_changes_a_chart_moves_its_version(store: SqlStore) -> None:
    with store.write() as ledger:
        assert ledger.chart_version(PATIENT) == 0
        assert put(ledger, body("a")) is Stored.NEW
        assert put(ledger, body("a")) is Stored.UNCHANGED
        assert ledger.chart_version(PATIENT) == 1
        assert put(ledger, body("a", note="new")) is Stored.CHANGED
        assert put(ledger, body("b")) is Stored.NEW
        assert ledger.chart_version(PATIENT) == 3


def test_the_same_id_in_another_chart_is_another_resource(store: SqlStore) -> None:
    with store.write() as ledger:
        assert put(ledger, body("a")) is Stored.NEW
        assert put(ledger, body("a"), "lab|p1") is Stored.NEW


def test_an_older_version_late_changes_nothing_and_is_kept(store: SqlStore) -> None:
    old, new = body("a", AT - timedelta(days=1), "old"), body("a", AT, "new")
    with store.write() as ledger:
        assert put(ledger, new) is Stored.NEW
        assert put(ledger, old) is Stored.OLDER
        assert put(ledger, old) is Stored.OLDER
        assert ledger.chart_version(PATIENT) == 1
        assert [r.sha256 for r in ledger.chart(PATIENT)] == [sha256(new)]
        assert ledger.bytes_of(sha256(old)) == old


def test_without_last_updated_the_order_of_arrival_counts(store: SqlStore) -> None:
    with store.write() as ledger:
        answers = [put(ledger, body("a", note=note)) for note in ("one", "two", "one")]
        assert answers == [Stored.NEW, Stored.CHANGED, Stored.CHANGED]
        assert ledger.chart(PATIENT)[0].body["note"] == [{"text": "one"}]


def test_of_two_versions_with_one_last_updated_the_later_to_arrive_counts(store: SqlStore) -> None:
    first, second = body("a", AT, "first"), body("a", AT, "second")
    with store.write() as ledger:
        assert [put(ledger, data) for data in (first, second, first)] == [
            Stored.NEW, Stored.CHANGED, Stored.OLDER,
        ]  # fmt: skip
        assert ledger.chart(PATIENT)[0].sha256 == sha256(second)


def test_a_stamped_version_that_was_overtaken_does_not_come_back(store: SqlStore) -> None:
    stamped, unstamped = body("a", AT, "stamped"), body("a", None, "unstamped")
    with store.write() as ledger:
        assert [put(ledger, data) for data in (stamped, unstamped, stamped)] == [
            Stored.NEW, Stored.CHANGED, Stored.OLDER,
        ]  # fmt: skip
        assert put(ledger, body("a", AT - timedelta(days=1), "older still")) is Stored.OLDER
        assert ledger.chart(PATIENT)[0].sha256 == sha256(unstamped)


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-03-01T09:00:00", 7, None])
def test_a_last_updated_that_is_no_instant_counts_as_missing(store: SqlStore, stamp: object) -> None:
    unreadable = canonical({"resourceType": "Condition", "id": "a", "meta": {"lastUpdated": stamp}})
    with store.write() as ledger:
        assert put(ledger, body("a", AT + timedelta(days=9))) is Stored.NEW
        assert put(ledger, unreadable) is Stored.CHANGED


@pytest.mark.parametrize("written", ["2026-03-01T11:00:00+02:00", "2026-03-01T09:00:00.0000009Z"])
def test_last_updated_is_compared_as_an_instant(store: SqlStore, written: str) -> None:
    """With another offset, and with more digits than a datetime holds."""
    stamped = json.loads(body("a", AT, "written otherwise"))
    stamped["meta"]["lastUpdated"] = written
    with store.write() as ledger:
        put(ledger, body("a", AT + timedelta(minutes=1)))
        assert put(ledger, canonical(stamped)) is Stored.OLDER
        put(ledger, body("b", AT - timedelta(minutes=1)))
        assert put(ledger, canonical(stamped | {"id": "b"})) is Stored.CHANGED


@given(deliveries=st.lists(st.integers(0, 5), min_size=1, max_size=15))
def test_versions_in_any_order_and_number_end_with_the_newest(shared_store: SqlStore, deliveries: list[int]) -> None:
    patient = f"clinic|{next(FRESH_PATIENT)}"
    versions = [body("a", AT + timedelta(seconds=n), f"version {n}") for n in range(6)]
    with shared_store.write() as ledger:
        for count, number in enumerate(deliveries, start=1):
            answer = put(ledger, versions[number], patient)
            newest = max(deliveries[:count])
            assert [r.sha256 for r in ledger.chart(patient)] == [sha256(versions[newest])]
            assert answer is _expected(deliveries[: count - 1], number)
        moved = ledger.chart_version(patient)
        for number in deliveries:
            put(ledger, versions[number], patient)
        assert ledger.chart_version(patient) == moved


def _expected(before: list[int], number: int) -> Stored:
    if not before:
        return Stored.NEW
    if number == max(before):
        return Stored.UNCHANGED
    return Stored.CHANGED if number > max(before) else Stored.OLDER


def test_bytes_of_another_resource_are_refused(store: SqlStore) -> None:
    resource = ChartResource(json.loads(body("a")), sha256(body("a")), AT)
    with pytest.raises(ValueError, match="sha256 differs"), store.write() as ledger:
        ledger.put_resource(PATIENT, resource, body("b"))


def test_a_naive_time_of_receipt_is_refused(store: SqlStore) -> None:
    with pytest.raises(TypeError, match="time zone"), store.write() as ledger:
        put(ledger, body(), received_at=AT.replace(tzinfo=None))
    with store.read() as ledger:
        assert ledger.patients() == ()


def test_decided_is_noted_only_while_the_chart_stands(store: SqlStore) -> None:
    with store.write() as ledger:
        put(ledger, body("a"))
        ledger.mark_decided(PATIENT, 1)
        put(ledger, body("b"))
    for wrong in (1, 3):
        with pytest.raises(ChartMovedError), store.write() as ledger:
            ledger.mark_decided(PATIENT, wrong)
    with store.write() as ledger:
        ledger.mark_decided(PATIENT, 2)


def test_nothing_of_a_decision_stays_when_the_chart_has_moved(store: SqlStore) -> None:
    with store.write() as ledger:
        put(ledger, body("a"))

    def late() -> None:
        with store.write() as ledger:
            ingest(ledger, "lost")
            ledger.mark_decided(PATIENT, 1)

    with pytest.raises(ChartMovedError):
        late()
    with store.read() as ledger:
        assert (ledger.chart_version(PATIENT), ledger.tasks(PATIENT), ledger.decisions(PATIENT)) == (1, (), ())


def test_a_patient_without_a_resource_can_be_decided_on(store: SqlStore) -> None:
    with store.write() as ledger:
        ledger.mark_decided("clinic|empty", 0)
    with pytest.raises(ChartMovedError), store.write() as ledger:
        ledger.mark_decided("clinic|unknown", 1)
    with store.read() as ledger:
        assert ledger.patients() == ("clinic|empty",)
