"""The history of a task: appended in order, and refused to everyone who would change it."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from adapters.db import SqlStore, StoreRefusedError
from adapters.db.engine import transaction
from pathway.errors import NotFoundError
from pathway.history import TaskEvent
from pathway.tasks import Note
from tests.adapters.db.builders import AT, PATIENT, episode, keep_decision, put, record, task
from tests.adapters.db.builders import body as condition

EVENT = TaskEvent(
    task=task().key, at=AT, actor="cora", role="coordinator", display="Cora C.", act="comment", before="requested",
    after="requested", version=2, text="called", outcome="",
)  # fmt: skip


@pytest.fixture
def kept(store: SqlStore) -> SqlStore:
    """A store with one task."""
    with store.write() as ledger:
        put(ledger, condition())
        ledger.save_episodes(PATIENT, [episode()])
        keep_decision(ledger, record())
        ledger.save_task(task(), expect_version=0)
    return store


def test_events_come_back_in_the_order_in_which_they_happened(kept: SqlStore) -> None:
    said = [replace(EVENT, text=word) for word in ("b", "a", "c")]
    with kept.write() as ledger:
        assert [ledger.append_task_event(event) for event in said] == [1, 2, 3]
    with kept.read() as ledger:
        assert [e.text for e in ledger.task_events(task().key)] == ["b", "a", "c"]
        assert ledger.task_events(task().key)[0] == replace(EVENT, text="b", sequence=1)
        assert ledger.task_events("another") == ()


def test_an_event_needs_its_task(kept: SqlStore) -> None:
    with pytest.raises(StoreRefusedError), kept.write() as ledger:
        ledger.append_task_event(replace(EVENT, task="none"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE task_event SET text = 'nothing'",
        "DELETE FROM task_event",
        "INSERT INTO task_event SELECT * FROM task_event",
    ],
)
def test_no_event_can_be_changed_or_removed(kept: SqlStore, engine: Engine, statement: str) -> None:
    with kept.write() as ledger:
        ledger.append_task_event(EVENT)
    with pytest.raises(StoreRefusedError), transaction(engine, write=True) as connection:
        connection.execute(text(statement))
    with kept.read() as ledger:
        assert [e.text for e in ledger.task_events(task().key)] == ["called"]


def test_what_people_left_on_a_task_comes_back(kept: SqlStore) -> None:
    changed = replace(
        task(), version=2, holder="cora", holder_display="Cora C.", held_at=AT, outcome="done", ended_at=AT,
        notes=(Note(AT, "Cora C. (coordinator)", "called"),),
    )  # fmt: skip
    with kept.write() as ledger:
        ledger.save_task(changed, 1)
    with kept.read() as ledger:
        assert ledger.find_task(task().id) == changed
        with pytest.raises(NotFoundError):
            ledger.find_task("none")


def test_a_task_stored_before_there_were_people_reads_as_one_that_nobody_touched(
    kept: SqlStore, engine: Engine
) -> None:
    new = ("holder", "holder_display", "held_at", "outcome", "notes", "ended_at")
    with transaction(engine, write=True) as connection:
        if engine.dialect.name == "sqlite":
            gone = ", ".join(f"'$.{name}'" for name in new)
            connection.execute(text(f"UPDATE task SET body = json_remove(body, {gone})"))
        else:
            gone = "".join(f" - '{name}'" for name in new)
            connection.execute(text(f"UPDATE task SET body = (body::jsonb{gone})::json"))
    with kept.read() as ledger:
        assert ledger.find_task(task().id) == task()
