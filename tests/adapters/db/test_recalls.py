"""Recalls: everybody is made due once the rules change, a part at a time, by one of those who ask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from adapters.db import SqlStore

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
YEAR = NOW + timedelta(days=365)
HOUR = timedelta(hours=1)
PATIENTS = tuple(f"local|p{n}" for n in range(7))


@pytest.fixture
def quiet(store: SqlStore) -> Iterator[SqlStore]:
    """Seven patients at rest for a year, decided on by the rules `one`."""
    with store.write() as ledger:
        for patient in PATIENTS:
            ledger.mark_decided(patient, 0, YEAR)
        assert ledger.recall("one", NOW, 100) == 0, "the first rules recall nobody"
    yield store
    store.close()


def recalled(store: SqlStore, rules: str, at: datetime, many: int = 3) -> int:
    """How many were made due, a part after the other."""
    count = 0
    for _ in range(20):
        with store.read() as ledger:
            if ledger.follows(rules, at):
                return count
        with store.write() as ledger:
            count += ledger.recall(rules, at, many)
    raise AssertionError("it comes to no end")


def due(store: SqlStore, at: datetime) -> tuple[str, ...]:
    with store.read() as ledger:
        return ledger.due_again(at, 100)


def rest(store: SqlStore) -> None:
    with store.write() as ledger:
        for patient in PATIENTS:
            ledger.postpone(patient, YEAR)


def test_the_same_rules_recall_nobody(quiet: SqlStore) -> None:
    assert recalled(quiet, "one", NOW + 100 * HOUR) == 0
    assert due(quiet, NOW + 100 * HOUR) == ()


@pytest.mark.parametrize("many", [1, 3, 7, 100])
def test_other_rules_recall_each_once_and_later_once_more(quiet: SqlStore, many: int) -> None:
    assert recalled(quiet, "two", NOW, many) == len(PATIENTS)
    assert due(quiet, NOW) == PATIENTS
    rest(quiet)
    assert recalled(quiet, "two", NOW + HOUR / 2, many) == 0
    assert recalled(quiet, "two", NOW + HOUR, many) == len(PATIENTS), "who was decided on by the old ones meanwhile"
    rest(quiet)
    assert recalled(quiet, "two", NOW + 50 * HOUR, many) == 0


def test_a_process_that_still_has_the_rules_of_before_recalls_nobody(quiet: SqlStore) -> None:
    assert recalled(quiet, "two", NOW) == len(PATIENTS)
    assert recalled(quiet, "one", NOW + HOUR / 2) == 0
    assert recalled(quiet, "two", NOW + HOUR / 2) == 0
    assert recalled(quiet, "one", NOW + HOUR) == len(PATIENTS), "rules that are put back are new again"


def test_one_who_waits_longer_already_keeps_their_place_and_a_merged_key_is_nobodys(quiet: SqlStore) -> None:
    first, second, *_ = PATIENTS
    with quiet.write() as ledger:
        ledger.postpone(second, NOW - HOUR)
        ledger.join(first, second, NOW, "Patient/p0")
        ledger.mark_decided(second, 1, NOW - HOUR)
    recalled(quiet, "two", NOW)
    assert due(quiet, NOW) == PATIENTS[1:]
    with quiet.read() as ledger:
        assert (ledger.head(first).recheck_at, ledger.head(second).recheck_at) == (None, NOW - HOUR)


def test_several_sweepers_recall_each_patient_once(quiet: SqlStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: recalled(quiet, "two", NOW, 2), range(4)))
    assert sum(counts) == len(PATIENTS)
    assert due(quiet, NOW) == PATIENTS
