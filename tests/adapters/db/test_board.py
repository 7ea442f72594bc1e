"""The episode and task part of the store."""

from contextlib import suppress
from dataclasses import fields
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.db import SqlStore, StoreRefusedError
from pathway.errors import ChartMovedError
from pathway.obligations import Item
from pathway.tasks import Attempt, Note, Task
from tests.adapters.db.builders import AT, PATIENT, body, episode, keep_decision, put, record, task


@pytest.fixture
def ready(store: SqlStore) -> SqlStore:
    """A store with what tasks refer to: a patient, an episode, a decision."""
    prepare(store, PATIENT)
    return store


def prepare(store: SqlStore, patient: str) -> None:
    with store.write() as ledger:
        put(ledger, body(), patient)
        ledger.save_episodes(patient, [episode()])
        keep_decision(ledger, record("d1", patient))


def test_episodes_are_inserted_updated_and_ordered_by_id(store: SqlStore) -> None:
    with store.write() as ledger:
        put(ledger, body())
        ledger.save_episodes(PATIENT, [episode("e2"), episode("e1")])
        ledger.save_episodes(PATIENT, [episode("e2", ["L1", "L2"])])
    with store.read() as ledger:
        assert ledger.episodes(PATIENT) == (episode("e1"), episode("e2", ["L1", "L2"]))
        assert ledger.episodes("clinic|nobody") == ()


def test_an_episode_needs_a_patient(store: SqlStore) -> None:
    with pytest.raises(StoreRefusedError), store.write() as ledger:
        ledger.save_episodes("clinic|nobody", [episode()])


def test_one_patient_s_episode_does_not_replace_another_s(ready: SqlStore) -> None:
    with ready.write() as ledger:
        put(ledger, body(), "clinic|p2")
        ledger.save_episodes("clinic|p2", [episode("e1", ["T12"])])
        assert ledger.episodes(PATIENT) == (episode("e1"),)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)  # the loader refuses NUL
lists = st.lists(texts, max_size=3).map(tuple)
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
instants = st.builds(
    lambda seconds, zone: (AT + timedelta(seconds=seconds)).astimezone(zone), st.floats(-4e9, 4e9), zones
)
notes = st.lists(st.builds(Note, instants, texts, texts), max_size=3).map(tuple)
items = st.lists(st.builds(Item, texts, texts, texts, texts), max_size=2).map(tuple)

attempts = st.lists(st.builds(Attempt, instants, texts, texts, texts, st.none() | instants), max_size=2).map(tuple)


@given(data=st.data())
def test_a_task_comes_back_as_it_was_saved(shared_store: SqlStore, data: st.DataObject) -> None:
    drawn = {
        "str": texts, "int": st.integers(0, 9), "datetime": instants, "bool": st.booleans(),
        "datetime | None": st.none() | instants, "tuple[Note, ...]": notes,
        "tuple[Item, ...]": items, "tuple[Attempt, ...]": attempts,
    }  # fmt: skip
    values = {f.name: data.draw(drawn.get(str(f.type), lists), label=f.name) for f in fields(Task)}
    saved = Task(**values | {"patient": PATIENT, "version": 1})
    with suppress(Undo), shared_store.write() as ledger:
        ledger.save_task(saved, expect_version=0)
        assert ledger.tasks(PATIENT) == (saved,)
        assert ledger.find_tasks(id=saved.id) == (saved,)
        assert ledger.tasks(PATIENT)[0].due_at.tzinfo is UTC
        raise Undo  # so that examples do not meet


class Undo(Exception):
    """Ends a transaction without keeping anything of it."""


def test_tasks_are_ordered_by_key(ready: SqlStore) -> None:
    with ready.write() as ledger:
        for key in ("b/1/1", "a/2/1", "a/1/1"):
            ledger.save_task(task(key), expect_version=0)
        ledger.save_task(task("a/1/1", status="completed", version=2), expect_version=1)
    with ready.read() as ledger:
        assert [t.key for t in ledger.tasks(PATIENT)] == ["a/1/1", "a/2/1", "b/1/1"]
        assert ledger.tasks(PATIENT)[0].ended
        assert ledger.tasks("clinic|nobody") == ()


def test_tasks_are_found_by_patient_status_and_id_in_order_of_their_due_dates(ready: SqlStore) -> None:
    prepare_second = [task(f"t{n}", due_at=AT + timedelta(days=9 - n), status=s) for n, s in enumerate("abcb")]
    tied = task("t0-tied", due_at=AT + timedelta(days=9), status="a")
    with ready.write() as ledger:
        for each in (tied, *prepare_second):
            ledger.save_task(each, expect_version=0)

    def found(**wanted: Any) -> list[str]:
        with ready.read() as ledger:
            return [t.key for t in ledger.find_tasks(**wanted)]

    assert found() == ["t3", "t2", "t1", "t0", "t0-tied"]
    assert found(statuses=["b", "c"]) == ["t3", "t2", "t1"]
    assert found(statuses=["b"], patient="clinic|nobody") == []
    assert found(patient=PATIENT, limit=2, offset=1) == ["t2", "t1"]
    assert found(id=tied.id) == ["t0-tied"]
    assert found(id="unknown") == []


def test_a_task_is_saved_only_over_the_version_that_was_read(ready: SqlStore) -> None:
    with ready.write() as ledger:
        ledger.save_task(task(), expect_version=0)
        ledger.save_task(task(version=2, status="accepted"), expect_version=1)
    stale = [(task(), 0), (task(version=2, owner="late"), 1), (task(version=4), 3), (task("new", version=2), 1)]
    for late, expected in stale:
        with pytest.raises(ChartMovedError), ready.write() as ledger:
            ledger.save_task(late, expected)
    with ready.read() as ledger:
        assert ledger.tasks(PATIENT) == (task(version=2, status="accepted"),)


def test_a_task_that_would_hide_its_change_is_refused(ready: SqlStore) -> None:
    with ready.write() as ledger:
        ledger.save_task(task(), expect_version=0)
        with pytest.raises(ValueError, match="version after"):
            ledger.save_task(task(version=1, status="accepted"), expect_version=1)


@pytest.mark.parametrize("astray", [{"episode": "e9"}, {"decision": "d9"}, {"patient": "clinic|p2"}])
def test_a_task_needs_its_patient_s_episode_and_a_decision(ready: SqlStore, astray: dict[str, str]) -> None:
    with pytest.raises(StoreRefusedError), ready.write() as ledger:
        ledger.save_task(task(**astray), expect_version=0)
    with ready.read() as ledger:
        assert ledger.find_tasks() == ()


@pytest.mark.parametrize("name", ["due_at", "authored_at", "modified_at"])
def test_a_naive_instant_is_refused(ready: SqlStore, name: str) -> None:
    naive: dict[str, Any] = {name: AT.replace(tzinfo=None)}
    with pytest.raises(TypeError, match="time zone"), ready.write() as ledger:
        ledger.save_task(task(**naive), expect_version=0)
