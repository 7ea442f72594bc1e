"""Work that the database undid is done again, and never twice; each fault is a real one on a real server."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.db import SqlStore, StoreRefusedError, StoreUnavailableError, again
from adapters.db.errors import StoreUnsureError
from adapters.db.store import SqlLedger
from pathway.errors import ChartMovedError, NotFoundError
from pathway.ports import Ledger
from tests.adapters.db.builders import PATIENT, ingest, opened
from tests.databases import ON_POSTGRESQL
from tests.faults.wire import Cut, Wire, wired


class Ingest:
    """One ingest as work that may be run again; counts its runs."""

    def __init__(self, name: str = "one") -> None:
        self.name, self.runs = name, 0

    def __call__(self, ledger: Ledger) -> int:
        self.runs += 1
        ledger.hold(PATIENT)
        ingest(ledger, self.name)
        return self.runs

    def done(self, ledger: Ledger) -> bool:
        try:
            return ledger.decision(f"d-{self.name}").id == f"d-{self.name}"
        except NotFoundError:
            return False


def check_once(store: SqlStore, name: str = "one") -> None:
    """All of one ingest is there, one time."""
    with store.read() as ledger:
        assert [decision.id for decision in ledger.decisions(PATIENT)] == [f"d-{name}"]
        assert len(ledger.chart(PATIENT)) == ledger.chart_version(PATIENT) == 3
        assert len(ledger.tasks(PATIENT)) == 1


@pytest.fixture
def wire(url: str) -> Iterator[tuple[Wire, SqlStore]]:
    """A store at the end of a wire that can be cut."""
    with wired(url) as (wire, through), opened(through) as far:
        yield wire, far


@ON_POSTGRESQL
@pytest.mark.parametrize(("cut", "runs"), [(Cut.BEFORE, 2), (Cut.AFTER, 1), (Cut.LATE, 2)])
def test_a_connection_cut_at_commit_leaves_it_done_once(
    store: SqlStore, wire: tuple[Wire, SqlStore], cut: Cut, runs: int
) -> None:
    work = Ingest()
    wire[0].cut = cut
    answer = wire[1].run(work, work.done)
    assert (wire[0].cuts, work.runs) == (1, runs)
    assert answer == (2 if cut is Cut.BEFORE else 1)  # the answer is that of the run which is stored
    check_once(store)


@ON_POSTGRESQL
def test_a_writer_that_cannot_be_run_again_hears_that_nobody_knows(wire: tuple[Wire, SqlStore]) -> None:
    wire[0].cut = Cut.BEFORE
    with pytest.raises(StoreUnsureError, match="all of it is stored, or nothing"), wire[1].write() as ledger:
        ingest(ledger, "one")


@ON_POSTGRESQL
def test_a_server_that_stays_away_after_an_unsure_commit_leaves_it_unsure(wire: tuple[Wire, SqlStore]) -> None:
    """The last try says nothing was stored, and so it was: but of that try only."""
    work = Ingest()

    def once(ledger: Ledger) -> int:
        wire[0].cut = Cut.BEFORE
        wire[0].close()
        return work(ledger)

    with pytest.raises(StoreUnsureError):
        wire[1].run(once, work.done)
    assert work.runs == 1


@ON_POSTGRESQL
def test_a_connection_lost_before_the_commit_is_done_again(store: SqlStore) -> None:
    work = Ingest()

    def fragile(ledger: Ledger) -> int:
        answer = work(ledger)
        if work.runs < 3:
            assert isinstance(ledger, SqlLedger)
            ledger._connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return answer

    assert store.run(fragile, work.done) == 3
    check_once(store)


@ON_POSTGRESQL
def test_of_two_that_block_each_other_both_are_done(store: SqlStore, url: str) -> None:
    meet = threading.Barrier(2)

    def crossing(first: bytes, second: bytes) -> int:
        runs = 0

        def work(ledger: Ledger) -> int:
            nonlocal runs
            runs += 1
            ledger.keep_bytes(first)
            if runs == 1:
                meet.wait(10)
            ledger.keep_bytes(second)
            return runs

        return store.run(work, lambda _: False)

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(crossing, b"a", b"b"), pool.submit(crossing, b"b", b"a")
        assert sorted(each.result() for each in asked) == [1, 2]


@ON_POSTGRESQL
@pytest.mark.parametrize("error", [ChartMovedError("moved"), StoreRefusedError("refused"), ValueError("wrong")])
def test_what_does_not_pass_is_not_done_again(store: SqlStore, error: Exception) -> None:
    runs = list[int]()

    def work(_: Ledger) -> None:
        runs.append(1)
        raise error

    with pytest.raises(type(error)):
        store.run(work, lambda _: False)
    assert runs == [1]


def test_what_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.db.store.PAUSES", (0.0,) * len(again.PAUSES))
    with opened("postgresql://nobody@127.0.0.1:1/none") as gone, pytest.raises(StoreUnavailableError) as caught:
        gone.run(lambda _: None, lambda _: False)
    assert not isinstance(caught.value, StoreUnsureError)  # nothing was sent: it is sure that nothing is stored
