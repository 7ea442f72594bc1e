"""Waking against both databases: several sweepers, one that dies, rows from before there were clocks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from adapters.bootstrap import House
from adapters.db import tables
from adapters.db.board import Board
from pathway import waking
from pathway.lifecycle import Tick
from pathway.obligations import Item
from pathway.people import Act, Person, Role
from pathway.ports import DueTask, Ledger, Store
from pathway.tasks import EXPIRED, ON_CALL, Task
from tests.databases import BACKENDS, fresh, plainly
from tests.world import NOW, FixedClock, candidate, ingest, make_house

CORA = Person("cora", Role.COORDINATOR, "Cora C.")
MANY = 12
DAY = timedelta(days=1)


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A house with some tasks of one patient that begin in a day and expire in ten."""
    with fresh(request.param, tmp_path) as url:
        made = make_house(tmp_path, FixedClock(), database_url=url)
        ingest(made, candidate())
        with made.store.write() as ledger:
            pattern = ledger.tasks("local|p1")[0]
            for n in range(MANY):
                ledger.save_task(one(pattern, n), 0)
        yield made
        made.close()


def one(pattern: Task, n: int) -> Task:
    return replace(
        pattern, key=f"{pattern.episode}/after-cement.call-{n:02}/1", rule=f"after-cement.call-{n:02}", version=1,
        status="requested", start_at=NOW + DAY, expires_at=NOW + 10 * DAY, escalate_at=NOW + 30 * DAY,
    )  # fmt: skip


def calls(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return [task for task in ledger.tasks("local|p1") if "call-" in task.rule]


def told(house: House, task: Task) -> list[str]:
    with house.store.read() as ledger:
        return [event.act for event in ledger.task_events(task.key)]


def at(house: House, **later: float) -> None:
    assert isinstance(house.clock, FixedClock)
    house.clock.at = NOW + timedelta(**later)


def test_several_sweepers_at_once_start_each_task_once(house: House) -> None:
    at(house, days=1)
    with ThreadPoolExecutor(4) as pool:
        moved = list(pool.map(lambda _: house.service.wake(), range(4)))
    assert sum(moved) == MANY
    assert {task.status for task in calls(house)} == {"ready"}
    assert [told(house, task) for task in calls(house)] == [["start"]] * MANY
    assert house.service.wake() == 0


def test_a_sweep_costs_what_it_is_asked_for_and_goes_on_where_it_stopped(house: House) -> None:
    at(house, days=1)
    assert house.service.wake(limit=5) == 5
    assert house.service.wake(stop=lambda: True) == 0
    assert sorted(task.status for task in calls(house)) == ["ready"] * 5 + ["requested"] * (MANY - 5)
    assert house.service.wake() == MANY - 5


def test_a_sweeper_that_dies_between_two_steps_leaves_nothing_half(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(house, days=1)
    keep, kept = waking.keep_task, list[Task]()

    def dies(ledger: Ledger, before: Task | None, after: Task, *rest: object) -> None:
        keep(ledger, before, after, *rest)  # type: ignore[arg-type]
        kept.append(after)
        if len(kept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(waking, "keep_task", dies)
    with pytest.raises(KeyboardInterrupt):
        house.service.wake()
    monkeypatch.undo()
    assert sorted(task.status for task in calls(house)) == ["ready"] * 2 + ["requested"] * (MANY - 2)
    house.service.wake()
    assert [told(house, task) for task in calls(house)] == [["start"]] * MANY


def test_somebody_who_acts_in_the_same_moment_and_the_clock_lose_neither(house: House) -> None:
    at(house, days=1)
    task = calls(house)[0]
    with ThreadPoolExecutor(2) as pool:
        sweep = pool.submit(house.service.wake)
        try:
            house.service.desk.act(task.id, Act.CLAIM, CORA, task.version)
            claimed = True
        except Exception:
            claimed = False
        sweep.result()
    (now,) = [one for one in calls(house) if one.id == task.id]
    assert (now.holder == "cora") is claimed
    assert now.status == ("accepted" if claimed else "ready")
    assert told(house, now).count("start") + claimed >= 1
    assert now.wake_at is not None
    assert now.wake_at > house.clock.now()


def test_a_period_that_passed_unnoticed_ends_once_and_is_not_asked_for_again(house: House) -> None:
    at(house, days=30)
    house.service.wake()
    assert {(task.status, task.outcome) for task in calls(house)} == {("cancelled", EXPIRED)}
    assert [told(house, task) for task in calls(house)] == [[Tick.EXPIRE]] * MANY


def test_a_task_of_a_version_without_clocks_is_wound_at_the_first_sweep(house: House) -> None:
    """As the migration leaves it: `wake_at` is its due date, and its body knows nothing of clocks."""
    with house.store.read() as ledger:
        old = next(task for task in ledger.tasks("local|p1") if "call-" not in task.rule)
    with house.store.write() as ledger:
        assert isinstance(ledger, Board)
        ledger.save_task(replace(old, escalate_at=None, version=old.version + 1), old.version)
    url = house.settings.database_url
    due = "'2026-11-22 00:00:00.000000'" if url.startswith("sqlite") else "'2026-11-22T00:00:00Z'"
    plainly(url, f"UPDATE task SET wake_at = {due} WHERE id = '{old.id}'")
    assert house.service.wake() == 1
    with house.store.read() as ledger:
        now = ledger.find_task(old.id)
    assert (now.stage, now.status) == (0, "ready")
    assert now.wake_at == old.due_at + DAY
    assert told(house, now) == ["ask"]


def spoil(house: House, task: Task) -> None:
    """A row that no code of ours wrote."""
    plainly(house.settings.database_url, f"UPDATE task SET body = '{{}}' WHERE id = '{task.id}'")


def test_one_row_that_cannot_be_read_stops_no_other_timer(house: House) -> None:
    at(house, days=1)
    bad, *good = calls(house)
    spoil(house, bad)
    said: list[tuple[str, dict[str, str]]] = []
    service = replace(house.service, tell=lambda event, **about: said.append((event, about)))
    service.wake()
    with house.store.read() as ledger:
        assert {ledger.find_task(task.id).status for task in good} == {"ready"}
    assert said == [("wake-failed", {"task": bad.id, "fault": "TypeError"})]
    assert service.wake() == 0, "it waits for its next try"
    at(house, days=1, minutes=1)
    assert service.wake() == 1
    assert len(said) == 2, "and is told again"


def test_who_could_not_move_a_task_leaves_the_timer_of_whoever_moved_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(house, days=1)

    def outrun(store: Store, seen: DueTask, *_: object) -> bool:
        monkeypatch.undo()
        if house.service.wake():  # another sweeper, by whom all of them are moved
            raise ConnectionError("a fault of ours")
        return False

    monkeypatch.setattr(waking, "_wake", outrun)
    house.service.wake(limit=1)
    with house.store.read() as ledger:
        assert {ledger.find_task(task.id).status for task in calls(house)} == {"ready"}
        assert ledger.due_tasks(house.clock.now() + waking.TRY_AGAIN, MANY) == ()


def test_a_task_that_a_newer_version_stored_is_read_by_this_one(house: House) -> None:
    """While both run, as in an upgrade: what this one does not know keeps no timer of a patient from running."""
    task = calls(house)[0]
    with house.store.write() as ledger:
        assert isinstance(ledger, Board)
        body = ledger._connection.scalar(select(tables.task.c.body).where(tables.task.c.id == task.id))
        item = dict.fromkeys((field.name for field in fields(Item)), "x") | {"of_tomorrow": 1}
        assert body is not None
        newer = body | {"of_tomorrow": 1, "items": [item]}
        ledger._connection.execute(update(tables.task).where(tables.task.c.id == task.id).values(body=newer))
    at(house, days=1)
    assert house.service.wake() == MANY
    (now,) = [one for one in calls(house) if one.id == task.id]
    assert (now.status, len(now.items)) == ("ready", 1)


def test_an_emergency_is_told_of_before_whatever_waits_longer(house: House) -> None:
    first, *_, last = calls(house)
    with house.store.write() as ledger:
        rings = replace(
            last, status="ready", start_at=None, expires_at=None, escalate_at=NOW + 2 * DAY, emergency=True,
            owner=ON_CALL, priority="stat", version=2,
        )  # fmt: skip
        ledger.save_task(rings, 1)
    at(house, days=2)
    with house.store.read() as ledger:
        found = [task.id for task in ledger.due_tasks(house.clock.now(), MANY + 10)]
        assert [task.id for task in ledger.due_tasks(house.clock.now(), 1)] == [last.id]
    assert found[:2] == [last.id, first.id]
    assert len(found) == len(set(found)) >= MANY
    assert house.service.wake(limit=1) == 1
    assert told(house, last) == [Tick.ESCALATE]
