"""What a sweep asks for is found by index: a sweep costs what is due, however much is open. Times are the benches'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from adapters.db import open_store, upgrade
from adapters.db.engine import transaction
from adapters.db.store import SqlStore
from pathway.ports import Ledger
from tests.world import NOW

ASKED: dict[str, tuple[Callable[[Ledger], object], tuple[str, ...]]] = {
    "tasks whose time has come": (
        lambda ledger: ledger.due_tasks(NOW, 500), ("ix_task_wake_emergency", "ix_task_wake_at"),
    ),
    "patients whose time has come": (lambda ledger: ledger.due_again(NOW, 100), ("ix_patient_head_recheck_at",)),
    "patients behind their chart": (lambda ledger: ledger.lagging(100), ("ix_patient_head_lagging",)),
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'plans.sqlite3'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.mark.parametrize(("ask", "indexes"), ASKED.values(), ids=ASKED)
def test_a_sweep_looks_up_and_never_looks_through(
    store: SqlStore, ask: Callable[[Ledger], object], indexes: tuple[str, ...]
) -> None:
    said: list[tuple[str, Any]] = []
    event.listen(store._engine, "before_cursor_execute", lambda _c, _k, sql, given, *_: said.append((sql, given)))
    with store.read() as ledger:
        ask(ledger)
    asked = [(sql, given) for sql, given in said if sql.startswith("SELECT")]
    for (sql, given), index in zip(asked, indexes, strict=True):
        with transaction(store._engine, write=False) as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()
        plan = "; ".join(row[-1] for row in rows)
        assert index in plan, plan
        assert "TEMP B-TREE" not in plan, plan  # nothing is sorted: the index is in order


def test_an_index_that_is_gone_is_noticed(store: SqlStore) -> None:
    """The check above sees what it should: without the index the same question looks through all tasks."""
    with transaction(store._engine, write=True) as connection:
        connection.execute(text("DROP INDEX ix_task_wake_at"))
    with pytest.raises(AssertionError, match="SCAN task"):
        test_a_sweep_looks_up_and_never_looks_through(store, *ASKED["tasks whose time has come"])
