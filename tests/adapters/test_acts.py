"""Acts on tasks through the service and the store: once, in order, against each other, and never lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

import pytest

from adapters.bootstrap import House, open_house
from adapters.cli.demo import load_demo
from adapters.settings import Settings
from pathway.errors import ChartMovedError, NotFoundError
from pathway.people import Act, NotYoursError, OutOfTurnError, Person, Role, Said
from pathway.tasks import Task
from tests.databases import BACKENDS, fresh
from tests.world import FixedClock

CORA = Person("cora", Role.COORDINATOR, "Cora C.")
BEN = Person("ben", Role.COORDINATOR, "Ben B.")
CLIO = Person("clio", Role.CLINICIAN, "Clio K.")
AUDRA = Person("audra", Role.AUDITOR, "Audra A.")


@pytest.fixture(params=BACKENDS, scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The demo's patients on each database; each test takes a task that no other has touched."""
    with fresh(request.param, tmp_path_factory.mktemp("acts")) as url:
        made = open_house(Settings(_env_file=None, database_url=url), FixedClock())
        load_demo(made)
        yield made
        made.close()


def untouched(house: House, *, emergency: bool = False) -> Task:
    with house.store.read() as ledger:
        for task in ledger.find_tasks(statuses=["ready"]):
            if task.emergency is emergency and not task.by_person and not task.notes:
                return task
    raise AssertionError("the demo has no such task left")


def stored(house: House, task: Task) -> Task:
    with house.store.read() as ledger:
        return ledger.find_task(task.id)


def history(house: House, task: Task) -> list[tuple[str, str, str, str, int]]:
    with house.store.read() as ledger:
        return [(e.actor, e.act, e.before, e.after, e.version) for e in ledger.task_events(task.key)]


def test_a_task_has_its_whole_history_from_the_first_ask(house: House) -> None:
    task = untouched(house)
    act = house.service.desk.act
    task = act(task.id, Act.CLAIM, CORA, task.version)
    task = act(task.id, Act.COMMENT, CLIO, task.version, Said(" called the ward "))
    task = act(task.id, Act.COMPLETE, CORA, task.version, Said(outcome="done"))
    assert stored(house, task) == task
    assert history(house, task) == [
        ("pathway", "ask", "", "ready", 1),
        ("cora", "claim", "ready", "accepted", 2),
        ("clio", "comment", "accepted", "accepted", 3),
        ("cora", "complete", "accepted", "completed", 4),
    ]
    with house.store.read() as ledger:
        events = ledger.task_events(task.key)
    assert [(e.text, e.outcome) for e in events[1:]] == [("", ""), ("called the ward", ""), ("", "done")]


def test_what_is_sent_twice_is_done_once_and_says_who_did_it(house: House) -> None:
    task = untouched(house)
    house.service.desk.act(task.id, Act.COMMENT, CORA, task.version, Said("first"))
    with pytest.raises(ChartMovedError) as moved:
        house.service.desk.act(task.id, Act.COMMENT, CORA, task.version, Said("first"))
    assert moved.value.why.startswith("Cora C. commented on it at 2026-")
    assert [note.text for note in stored(house, task).notes] == ["first"]


@pytest.mark.parametrize("emergency", [False, True])
def test_what_is_refused_leaves_no_trace(house: House, emergency: bool) -> None:
    task = untouched(house, emergency=emergency)
    before = history(house, task)
    with pytest.raises(NotYoursError):
        house.service.desk.act(task.id, Act.CLAIM, AUDRA, task.version)
    if emergency:
        with pytest.raises(NotYoursError):
            house.service.desk.act(task.id, Act.COMPLETE, CORA, task.version, Said(outcome="done"))
        with pytest.raises(NotYoursError):
            house.service.desk.act(task.id, Act.DECLINE, CLIO, task.version, Said("no"))
        with pytest.raises(OutOfTurnError):
            house.service.desk.act(task.id, Act.COMPLETE, CLIO, task.version)
    assert (stored(house, task), history(house, task)) == (task, before)


def test_no_act_on_what_is_not_there(house: House) -> None:
    with pytest.raises(NotFoundError):
        house.service.desk.act("5d1b5d3c-0000-5000-8000-000000000000", Act.CLAIM, CORA, 1)


def at_once(house: House, task: Task, people: list[Person], act: Act, **said: str) -> list[Task | Exception]:
    """Everybody does it in the same moment, all having seen the same version."""
    start = Barrier(len(people))

    def one(person: Person) -> Task | Exception:
        start.wait()
        try:
            return house.service.desk.act(task.id, act, person, task.version, Said(**said))
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(one, people))


def test_of_those_who_claim_at_once_one_has_it_and_the_others_hear_who(house: House) -> None:
    crowd = [Person(f"c{n}", Role.COORDINATOR, f"Coordinator {n}") for n in range(6)]
    for _ in range(4):
        task = untouched(house)
        results = at_once(house, task, crowd, Act.CLAIM)
        (won,) = [r for r in results if isinstance(r, Task)]
        lost = [r for r in results if not isinstance(r, Task)]
        assert [type(r) for r in lost] == [ChartMovedError] * 5
        assert {r.why.partition(" claimed it")[0] for r in lost if isinstance(r, ChartMovedError)} == {
            won.holder_display
        }
        assert stored(house, task) == won
        assert len(history(house, task)) == 2


def test_one_form_sent_many_times_at_once_is_kept_once(house: House) -> None:
    task = untouched(house)
    results = at_once(house, task, [CORA] * 5, Act.COMMENT, text="only once")
    assert sum(isinstance(r, Task) for r in results) == 1
    assert [note.text for note in stored(house, task).notes] == ["only once"]


def test_an_act_waits_for_whoever_writes_on_the_patient(house: House) -> None:
    """A delivery that has read the tasks would otherwise fail on storing them."""
    task = untouched(house)
    with ThreadPoolExecutor(1) as pool:
        with house.store.write() as delivery:
            delivery.hold(task.patient)
            waiting = pool.submit(house.service.desk.act, task.id, Act.CLAIM, CORA, task.version)
            assert not wait([waiting], timeout=0.7).done
        assert waiting.result().holder == CORA.name


def test_a_delivery_in_the_same_moment_as_an_act_loses_neither(house: House) -> None:
    """Both write the patient's tasks; each waits for the other, and none fails for it."""
    task = untouched(house)
    start = Barrier(2)

    def deliver() -> None:
        start.wait()
        load_demo(house)

    with ThreadPoolExecutor(2) as pool:
        delivery = pool.submit(deliver)
        start.wait()
        for n in range(20):
            seen = stored(house, task)
            house.service.desk.act(task.id, Act.COMMENT, CORA, seen.version, Said(f"note {n}"))
        delivery.result()
    assert [note.text for note in stored(house, task).notes] == [f"note {n}" for n in range(20)]
