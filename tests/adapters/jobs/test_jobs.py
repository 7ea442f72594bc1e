"""Jobs on both databases: every part done once, whoever dies; what cannot be done is parked with its reason."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.bootstrap import House
from adapters.db.jobs import Jobs
from adapters.db.store import SqlStore, open_store
from adapters.ingest import queue
from adapters.jobs import (
    KINDS,
    Done,
    Job,
    NotYetError,
    Part,
    Stop,
    TimeOverError,
    progress,
    results,
    start,
    work,
    working,
)
from adapters.jobs.working import ATTEMPTS, LEASE
from pathway.errors import BadInputError, NotFoundError, PathwayError
from tests.databases import BACKENDS, made_empty
from tests.world import FixedClock


@dataclass
class Bare:
    """A house with nothing in it but a database and a clock: jobs need no more."""

    store: SqlStore
    clock: FixedClock


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with made_empty(request.param, tmp_path) as url:
        store = open_store(url)
        yield cast(House, Bare(store, FixedClock()))
        store.close()


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a kind of job its run, for one test."""
    return lambda run, name="test": monkeypatch.setitem(KINDS, name, run) or name


def forward(house: House, by: timedelta) -> None:
    cast(FixedClock, house.clock).at += by


def parts(count: int) -> list[tuple[int, dict[str, Any]]]:
    return [(1, {"n": n}) for n in range(count)]


def echo(_house: House, _job: Job, part: Part, _stop: Stop) -> Mapping[str, Any]:
    return {"n": part.body["n"]}


def test_each_part_is_done_once_and_the_job_ends(house: House, kind: Any) -> None:
    job = start(house, kind(echo), parts(45), {"why": "a test"})
    assert work(house, limit=10) == 10
    assert (progress(house, job).done, progress(house, job).ended) == (10, False)
    assert work(house, limit=1000) == 35
    seen = progress(house, job)
    assert (seen.job.state, seen.done, seen.parked, seen.size_done) == ("done", 45, 0, 45)
    assert seen.job.body == {"why": "a test"}
    assert [result["n"] for result in results(house, job)] == list(range(45))


def test_many_workers_share_the_parts_and_do_none_twice(house: House, kind: Any) -> None:
    done: Counter[int] = Counter()
    lock = threading.Lock()

    def run(_house: House, _job: Job, part: Part, _stop: Stop) -> Mapping[str, Any]:
        with lock:
            done[part.number] += 1
        return {}

    job = start(house, kind(run), parts(60))
    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(lambda _: work(house, limit=1000), range(4)))
    assert (taken, set(done.values()), len(done)) == (60, {1}, 60)
    assert progress(house, job).job.state == "done"  # of two that end the last parts at once, one closes the job


def test_a_part_of_a_worker_that_died_is_done_by_another_when_its_lease_is_over(house: House, kind: Any) -> None:
    job = start(house, kind(echo), parts(1))
    with house.store.jobs(write=True) as jobs:
        claimed = jobs.claim(house.clock.now(), LEASE, "dead")
    assert claimed is not None
    assert work(house) == 0  # it is in somebody's hands
    forward(house, LEASE)
    assert work(house) == 1
    with house.store.jobs(write=True) as jobs:  # it was not dead, only slow: its result comes too late
        assert not jobs.finish(claimed[1], {"n": "late"}, [(1, {})], house.clock.now())
    assert [result["n"] for result in results(house, job)] == [0]
    assert progress(house, job).parts == 1


def test_a_part_that_kills_every_worker_is_parked_and_holds_up_no_other(house: House, kind: Any) -> None:
    job = start(house, kind(echo), parts(3))
    for _ in range(ATTEMPTS):
        with house.store.jobs(write=True) as jobs:
            claimed = jobs.claim(house.clock.now(), LEASE, "dies")
        assert claimed is not None
        assert claimed[1].number == 0
        forward(house, LEASE)
    work(house, limit=10)
    seen = progress(house, job)
    assert (seen.done, seen.parked, seen.job.state) == (2, 1, "done")
    assert seen.faults == ((0, f"it did not come to an end {ATTEMPTS} times"),)
    with house.store.jobs(write=True) as jobs:
        assert jobs.requeue(job, house.clock.now()) == 1
    work(house, limit=10)
    assert progress(house, job).done == 3


def test_what_fails_is_tried_again_later_and_parked_in_the_end(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, _part: Part, _stop: Stop) -> Mapping[str, Any]:
        raise PathwayError("the moon is in the wrong quarter", fix="Wait")

    job = start(house, kind(run), parts(1))
    for tried in range(1, ATTEMPTS + 1):
        assert (work(house), work(house)) == (1, 0)
        forward(house, timedelta(seconds=2**tried))
    seen = progress(house, job)
    assert (seen.parked, seen.faults[0][1]) == (1, "the moon is in the wrong quarter. Wait")


def test_a_fault_of_ours_names_its_kind_and_never_what_it_said(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, _part: Part, _stop: Stop) -> Mapping[str, Any]:
        raise ValueError("Jane Doe, born 1950")

    job = start(house, kind(run), parts(1))
    for tried in range(1, ATTEMPTS + 1):
        work(house)
        forward(house, timedelta(seconds=2**tried))
    assert progress(house, job).faults == ((0, "a fault of ours (ValueError)"),)


def test_what_can_never_be_done_is_parked_at_once(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, _part: Part, _stop: Stop) -> Mapping[str, Any]:
        raise BadInputError("the file changed", where="a.ndjson")

    job = start(house, kind(run), parts(1))
    work(house)
    assert progress(house, job).faults == ((0, "a.ndjson: the file changed"),)


def test_waiting_for_a_server_counts_no_attempt(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, part: Part, _stop: Stop) -> Mapping[str, Any]:
        assert part.attempts == 1
        raise NotYetError("not ready", timedelta(seconds=30))

    job = start(house, kind(run), parts(1))
    for _ in range(3 * ATTEMPTS):
        assert (work(house), work(house)) == (1, 0)
        forward(house, timedelta(seconds=30))
    assert progress(house, job).job.state == "open"


def test_a_part_may_find_more_parts_and_the_job_ends_after_them(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, part: Part, _stop: Stop) -> Mapping[str, Any] | Done:
        return Done({"n": "first"}, tuple(parts(3))) if part.number == 0 else {"n": part.body["n"]}

    job = start(house, kind(run), [(0, {})])
    assert work(house, limit=10) == 4
    assert [result["n"] for result in results(house, job)] == ["first", 0, 1, 2]


def test_a_stopped_job_goes_on_when_a_person_says_so(house: House, kind: Any) -> None:
    job = start(house, kind(echo), parts(4))
    work(house)
    with house.store.jobs(write=True) as jobs:
        assert jobs.stop(job, house.clock.now())
    assert work(house, limit=10) == 0
    with house.store.jobs(write=True) as jobs:
        jobs.requeue(job, house.clock.now())
    assert (work(house, limit=10), progress(house, job).job.state) == (3, "done")


def test_the_oldest_job_comes_first_and_one_by_name_when_named(house: House, kind: Any) -> None:
    first, second = start(house, kind(echo), parts(2)), ""
    forward(house, timedelta(seconds=1))
    second = start(house, "test", parts(2))
    work(house)
    assert (progress(house, first).done, progress(house, second).done) == (1, 0)
    work(house, job=second)
    assert (progress(house, first).done, progress(house, second).done) == (1, 1)


def test_news_come_before_a_screening_that_has_thousands_of_parts_to_go(house: House, kind: Any) -> None:
    start(house, kind(echo, "screen"), parts(2000))
    forward(house, timedelta(seconds=5))
    with house.store.jobs(write=True) as jobs:
        queue.put(jobs, house, [queue.whole_chart(jobs, "http://127.0.0.1:9/fhir", "p1", b"{}")], "subscription")
        claimed = jobs.claim(house.clock.now(), LEASE, "first")
        after = jobs.claim(house.clock.now(), LEASE, "second")
    assert claimed is not None
    assert claimed[0].kind == queue.KIND
    assert after is not None
    assert after[0].kind == "screen"


def test_a_part_that_takes_long_lets_others_come_first_and_goes_on_uncounted(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, part: Part, stop: Stop) -> Mapping[str, Any]:
        assert part.attempts == 1
        if stop():
            raise TimeOverError
        return {}

    long = start(house, kind(run), parts(3))
    forward(house, timedelta(seconds=1))
    other = start(house, kind(echo, "other"), parts(2))
    for _ in range(3 * ATTEMPTS):  # each round is over at its first part, as with a file without end
        rounds = iter((False, True, True))
        assert work(house, limit=10, stop=lambda: next(rounds)) == 1  # noqa: B023
        forward(house, timedelta(seconds=1))
    assert progress(house, other).done == 2
    assert (progress(house, long).done, progress(house, long).parked) == (0, 0)
    assert work(house, limit=10) == 3


def test_a_part_says_how_large_it_turned_out_to_be(house: House, kind: Any) -> None:
    def run(_house: House, _job: Job, part: Part, _stop: Stop) -> Done:
        return Done({}, ((30, {}),), size=20) if part.number == 0 else Done({})

    job = start(house, kind(run), [(50, {})])
    work(house, limit=10)
    assert (progress(house, job).size, progress(house, job).size_done) == (50, 50)


def test_old_jobs_are_forgotten_but_not_what_is_parked(house: House, kind: Any) -> None:
    fine = start(house, kind(echo), parts(1))
    bad = start(house, "unheard of", parts(1))
    work(house, limit=10)
    with house.store.jobs(write=True) as jobs:
        assert jobs.forget(house.clock.now()) == ()
        assert jobs.forget(house.clock.now() + timedelta(seconds=1)) == (fine,)
    assert progress(house, bad).parked == 1
    with pytest.raises(NotFoundError):
        progress(house, fine)


def test_a_job_without_parts_is_done_at_once(house: House) -> None:
    assert progress(house, start(house, "test", [])).job.state == "done"


def test_a_lease_is_kept_while_a_part_lasts(house: House, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BEAT_SECONDS", 0.05)
    renewed = threading.Event()

    def run(house: House, _job: Job, _part: Part, _stop: Stop) -> Mapping[str, Any]:
        forward(house, LEASE / 2)
        renewed.clear()
        assert renewed.wait(30)
        forward(house, LEASE / 2 + timedelta(seconds=1))
        assert work(house) == 0  # nobody else takes it up
        return {}

    real = Jobs.renew
    monkeypatch.setattr(Jobs, "renew", lambda *args: (real(*args), renewed.set())[0])
    job = start(house, kind(run), parts(1))
    assert work(house) == 1
    assert progress(house, job).done == 1
