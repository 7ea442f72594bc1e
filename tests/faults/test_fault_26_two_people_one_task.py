"""Fault 26: two coordinators claim one task at the same moment, and an act on many tasks half fails."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from adapters.bootstrap import House
from pathway.desk import Answer
from pathway.errors import ChartMovedError, PathwayError
from pathway.lifecycle import Act, Role
from pathway.people import ActRefusedError, Person, Said
from pathway.tasks import Task
from tests.databases import BACKENDS, made_empty
from tests.world import candidate, ingest, make_house

pytestmark = pytest.mark.e2e
CORA, DORA = (Person(name, Role.COORDINATOR, name.title()) for name in ("cora", "dora"))
ROUNDS = 6


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with made_empty(request.param, tmp_path) as url:
        made = make_house(tmp_path, database_url=url)
        ingest(made, candidate())
        yield made
        made.close()


def ordinary(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return [task for task in ledger.find_tasks() if not (task.emergency or task.ended)]


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What came of acts that began at the same moment: an answer or the refusal."""
    gate = threading.Barrier(len(acts), timeout=30)

    def act(what: Callable[[], object]) -> object:
        gate.wait()
        try:
            return what()
        except PathwayError as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result(60) for one in [pool.submit(act, what) for what in acts]]


def test_one_of_two_holds_it_and_the_other_hears_who(house: House) -> None:
    task, desk = ordinary(house)[0], house.service.desk
    for _ in range(ROUNDS):
        with house.store.read() as ledger:
            seen = ledger.find_task(task.id).version
        came = at_once(*(partial(desk.act, task.id, Act.CLAIM, who, seen) for who in (CORA, DORA)))
        won = [one for one in came if isinstance(one, Task)]
        lost = [one for one in came if isinstance(one, ChartMovedError)]
        assert (len(won), len(lost)) == (1, 1), came
        winner = next(who for who in (CORA, DORA) if who.name == won[0].holder)
        assert f"{winner.display} claimed it" in lost[0].why
        with house.store.read() as ledger:
            kept, events = ledger.find_task(task.id), ledger.task_events(task.key)
        assert (kept.holder, kept.version) == (winner.name, seen + 1)
        assert [event.act for event in events if event.version > seen] == ["claim"]
        desk.act(task.id, Act.RELEASE, winner, kept.version)


def test_two_bulk_claims_of_the_same_tasks_share_them_without_one_held_twice(house: House) -> None:
    tasks, desk = ordinary(house), house.service.desk
    chosen = [(task.id, task.version) for task in tasks]
    assert len(chosen) > 1
    came = at_once(
        lambda: desk.act_on_many(chosen, Act.CLAIM, CORA), lambda: desk.act_on_many(chosen[::-1], Act.CLAIM, DORA)
    )
    answers: dict[str, list[Answer]] = {id: [] for id, _ in chosen}
    for some in came:
        assert isinstance(some, tuple), some
        for answer in some:
            answers[answer.task_id].append(answer)
    assert all(sum(answer.refused is None for answer in both) == 1 for both in answers.values())
    holders = {task.holder for task in ordinary(house)}
    assert "" not in holders


def test_a_bulk_act_that_half_fails_says_which_and_keeps_the_other_half(house: House) -> None:
    desk = house.service.desk
    first, second, *rest = ordinary(house)
    desk.act(second.id, Act.CLAIM, DORA, second.version)
    chosen = [(task.id, task.version) for task in (first, second, *rest)]
    answers = desk.act_on_many(chosen, Act.COMPLETE, CORA, Said(outcome="transferred"))
    refused = {answer.task_id for answer in answers if answer.refused is not None}
    assert refused == {second.id}
    (why,) = [answer.refused for answer in answers if answer.refused is not None]
    assert "Dora claimed it" in why.why
    with house.store.read() as ledger:
        now = {id: ledger.find_task(id) for id, _ in chosen}
    assert {id for id, task in now.items() if task.ended} == set(now) - {second.id}
    assert (now[second.id].holder, now[second.id].outcome) == ("dora", "")


def test_what_is_in_hand_is_not_ended_by_another_even_when_seen_as_it_stands(house: House) -> None:
    desk = house.service.desk
    task = ordinary(house)[0]
    held = desk.act(task.id, Act.CLAIM, DORA, task.version)
    with pytest.raises(ActRefusedError) as refused:
        desk.act(task.id, Act.COMPLETE, CORA, held.version, Said(outcome="done"))
    assert "Dora holds it" in refused.value.why
