"""The outbox: claimed once, counted before the work, fenced by its lease, parked in the end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from adapters.bootstrap import House
from adapters.db.outbox import LONGEST, PARKED, PENDING, SENT, UNNEEDED, Claimed, OutboxRow
from adapters.db.store import SqlStore, open_store
from adapters.out import breaker
from adapters.out.posting import FIRST, LEASE, SEND, Drained, Refused, Sent, TryLater, drain, next_try
from adapters.settings import Settings
from pathway.errors import NotFoundError
from pathway.ports import Ledger
from tests.databases import BACKENDS, made_empty
from tests.world import NOW, FixedClock, silence_logs


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with made_empty(request.param, tmp_path) as url:
        one = Bare(Settings(database_url=url), FixedClock(), open_store(url))
        yield cast(House, one)
        one.store.close()


@dataclass
class Bare:
    """As much of a house as the outbox needs: without rules, which take seconds to load."""

    settings: Settings
    clock: FixedClock
    store: SqlStore


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> None:
    silence_logs()


class Other:
    """The other side: it does with a row what the test says, and remembers what it was sent."""

    def __init__(self, *answers: Exception | Sent) -> None:
        self.answers, self.got = list(answers), list[Claimed]()

    def send(self, row: Claimed) -> Sent:
        self.got.append(row)
        answer = self.answers.pop(0) if self.answers else Sent("there", "1")
        if isinstance(answer, Exception):
            raise answer
        return answer


def clock_of(house: House) -> FixedClock:
    assert isinstance(house.clock, FixedClock)
    return house.clock


def post(house: House, *keys: str) -> None:
    with house.store.write() as ledger:
        for key in keys:
            ledger.post(key, "fhir", "test|p1", house.clock.now())


def send(house: House, other: Other, limit: int = 100) -> Drained:
    return drain(house, by={"fhir": other}, limit=limit)


def alert(house: House, *keys: str) -> None:
    with house.store.write() as ledger:
        for key in keys:
            ledger.post(key, "webhook", "test|p1", house.clock.now())


def ring(house: House, other: Other) -> Drained:
    return drain(house, by={"webhook": other})


def rows(house: House, state: str) -> tuple[OutboxRow, ...]:
    with house.store.outbox(write=False) as outbox:
        return outbox.rows(state)


def claim(house: House, token: str = "another") -> Claimed | None:
    with house.store.outbox(write=True) as outbox:
        return outbox.claim("fhir", house.clock.now(), LEASE, token)


def test_what_was_posted_goes_once(house: House) -> None:
    post(house, "Task/1", "Task/2")
    post(house, "Task/1")
    other = Other()
    assert send(house, other) == Drained(sent=2)
    assert sorted(row.key for row in other.got) == ["Task/1", "Task/2"]
    assert send(house, other) == Drained()
    assert [(row.remote_id, row.sent) for row in rows(house, SENT)] == [("there", 2), ("there", 1)]


def test_what_is_undone_was_never_posted(house: House) -> None:
    def work(ledger: Ledger) -> None:
        ledger.post("Task/1", "fhir", "test|p1", NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        house.store.run(work, lambda _: False)
    assert send(house, Other()) == Drained()


def test_tasks_go_before_the_care_plan_that_names_them(house: House) -> None:
    post(house, "CarePlan/1", "Task/1")
    other = Other()
    send(house, other)
    assert [row.key for row in other.got] == ["Task/1", "CarePlan/1"]


def test_two_senders_never_hold_one_row(house: House) -> None:
    post(house, *(f"Task/{number}" for number in range(40)))
    others = [Other() for _ in range(4)]
    threads = [threading.Thread(target=send, args=(house, other)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    got = [row.key for other in others for row in other.got]
    assert len(got) == len(set(got)) == 40


def test_a_dead_senders_row_is_taken_up_when_its_lease_is_over(house: House) -> None:
    post(house, "Task/1")
    assert claim(house) is not None
    assert send(house, Other()) == Drained()
    clock_of(house).forward(seconds=LEASE.total_seconds())
    other = Other()
    assert send(house, other) == Drained(sent=1)
    assert other.got[0].attempts == 2  # the one that died was counted


def test_a_row_that_kills_its_senders_is_parked_and_not_tried_for_ever(house: House) -> None:
    post(house, "Task/1")
    for _ in range(house.settings.outbox_attempts):
        assert claim(house) is not None
        clock_of(house).forward(seconds=LEASE.total_seconds())
    other = Other()
    assert send(house, other) == Drained(parked=1)
    assert other.got == []
    (row,) = rows(house, PARKED)
    assert "never came to an end" in row.last_error


def test_who_comes_back_after_the_lease_changes_nothing(house: House) -> None:
    post(house, "Task/1")
    late = claim(house, "late")
    assert late is not None
    clock_of(house).forward(seconds=LEASE.total_seconds())
    assert claim(house, "second") is not None
    now = house.clock.now()
    with house.store.outbox(write=True) as outbox:
        assert not outbox.settle(late, "x", "9", now)
        assert not outbox.put_off(late, "x", now, counts=True)
        assert not outbox.park(late, "x")
        assert not outbox.remember(late, [{}])
    assert rows(house, PENDING)[0].last_error == ""


@pytest.mark.parametrize(
    "answer", [Sent("there", "1"), TryLater("no"), Refused("never")], ids=["sent", "later", "refused"]
)
def test_what_was_posted_while_it_was_sent_goes_again_at_once(house: House, answer: Exception | Sent) -> None:
    post(house, "Task/1")

    class Meanwhile(Other):
        def send(self, row: Claimed) -> Sent:
            if not self.got:
                post(house, "Task/1")
            return super().send(row)

    other = Meanwhile(answer)
    send(house, other)
    assert [row.wanted for row in other.got] == [1, 2]
    (row,) = rows(house, SENT)
    assert (row.wanted, row.sent) == (2, 2)


def test_what_fails_is_tried_again_with_pauses_that_grow_and_parked_after_so_many(house: House) -> None:
    post(house, "Task/1")
    other, pauses = Other(*[TryLater("no", server=False)] * 16), list[timedelta]()
    for _ in range(15):
        before = house.clock.now()
        assert send(house, other) == Drained(failed=1)
        due = rows(house, PENDING)[0].not_before
        pauses.append(due - before)
        clock_of(house).at = due - timedelta(seconds=0.01)
        assert send(house, other) == Drained()
        clock_of(house).at = due
    assert all(FIRST * 2**n / 2 <= pause <= FIRST * 2**n for n, pause in enumerate(pauses[:10]))
    assert max(pauses) <= LONGEST
    assert send(house, other) == Drained(parked=1)
    (row,) = rows(house, PARKED)
    assert row.last_error == "given up after 16 attempts: no"


def test_attempts_that_are_not_its_fault_never_park_it(house: House) -> None:
    post(house, "Task/1")
    other = Other(*[TryLater("away", counts=False, server=False)] * 100)
    for _ in range(100):
        assert send(house, other) == Drained(failed=1)
        clock_of(house).forward(seconds=5)
    assert send(house, other) == Drained(sent=1)


def test_what_is_refused_is_parked_until_a_person_says_so_or_it_is_posted_anew(house: House) -> None:
    post(house, "Task/1", "Task/2")
    other = Other(Refused("never", why="it is so", fix="Mend it"), Refused("never"))
    assert send(house, other) == Drained(parked=2)
    assert rows(house, PARKED)[1].last_error == "never (it is so). Mend it"
    clock_of(house).forward(days=30)
    assert send(house, other) == Drained()
    with house.store.outbox(write=True) as outbox:
        assert outbox.requeue("Task/1", house.clock.now())
        assert not outbox.requeue("Task/1", house.clock.now())
    post(house, "Task/2")
    assert send(house, other) == Drained(sent=2)


def test_a_fault_of_ours_says_its_kind_and_never_its_text(house: House) -> None:
    post(house, "Task/1")
    assert send(house, Other(ValueError("Mrs Miller, born 1941"))) == Drained(failed=1)
    assert rows(house, PENDING)[0].last_error == "a fault of this service (ValueError)"


def test_a_fault_of_ours_is_logged_with_its_place_and_never_its_text(house: House) -> None:
    post(house, "Task/1")
    with capture_logs() as told:
        send(house, Other(ValueError("Mrs Miller, born 1941")))
    (fault,) = (one for one in told if one["event"] == "outbox-failed")
    assert (fault["error"], fault["key"]) == ("ValueError", "Task/1")
    assert re.fullmatch(r"test_posting\.py:\d+ send", fault["places"][-1])
    assert "Miller" not in str(told)


def test_everything_that_is_parked_is_tried_again_at_once_and_nothing_else(house: House) -> None:
    parked = [f"Task/{number}" for number in range(3)]
    post(house, *parked)
    assert send(house, Other(*(Refused("never") for _ in parked))) == Drained(parked=3)
    post(house, "Task/8")
    assert send(house, Other()) == Drained(sent=1)
    post(house, "Task/9")
    clock_of(house).forward(days=30)
    with house.store.outbox(write=True) as outbox:
        assert outbox.requeue_all(house.clock.now()) == 3
        assert outbox.requeue_all(house.clock.now()) == 0
    waiting = {row.key: (row.attempts, row.not_before) for row in rows(house, PENDING)}
    assert waiting == {"Task/9": (0, NOW)} | dict.fromkeys(parked, (0, house.clock.now()))
    assert [row.key for row in rows(house, SENT)] == ["Task/8"]


def test_a_server_that_fails_is_left_alone_and_then_asked_by_one(house: House) -> None:
    post(house, *(f"Task/{number}" for number in range(20)))
    away = Other(*[TryLater("away", counts=False)] * 1000)
    assert send(house, away).failed == breaker.THRESHOLD
    clock_of(house).forward(seconds=breaker.FIRST.total_seconds() - 1)
    assert send(house, away) == Drained()
    clock_of(house).forward(seconds=1)
    assert send(house, away) == Drained(failed=1)
    for _ in range(20):
        clock_of(house).forward(seconds=breaker.LONGEST.total_seconds())
        assert send(house, away) == Drained(failed=1)
    clock_of(house).forward(seconds=breaker.LONGEST.total_seconds())
    assert send(house, Other()) == Drained(sent=20)
    with house.store.outbox(write=False) as outbox:
        assert outbox.failures("fhir") == 0


def test_while_one_asks_a_server_that_failed_the_others_wait(house: House) -> None:
    post(house, *(f"Task/{number}" for number in range(20)))
    send(house, Other(*[TryLater("away", counts=False)] * breaker.THRESHOLD))
    clock_of(house).forward(seconds=breaker.FIRST.total_seconds())
    assert claim(house, "first") is not None
    assert claim(house, "second") is None
    clock_of(house).forward(seconds=LEASE.total_seconds())  # the first died
    assert claim(house, "third") is not None


def test_a_pause_that_was_asked_for_is_kept_up_to_an_hour(house: House) -> None:
    post(house, "Task/1", "Task/2")
    assert send(house, Other(TryLater("busy", after=timedelta(minutes=10)))) == Drained(failed=1)
    clock_of(house).forward(minutes=9)
    assert send(house, Other()) == Drained()
    clock_of(house).forward(minutes=1)
    assert send(house, Other()) == Drained(sent=2)
    post(house, "Task/1")
    send(house, Other(TryLater("busy", after=timedelta(days=9000))))
    clock_of(house).forward(hours=1)
    assert send(house, Other()) == Drained(sent=1)


def test_a_pause_that_was_asked_for_silences_alerts_for_two_minutes_at_most(house: House) -> None:
    """Fault 9 of a review: one header of whoever takes the calls silenced the emergencies of an hour."""
    alert(house, "alert/1/0/webhook", "alert/2/0/webhook")
    assert ring(house, Other(TryLater("busy", after=timedelta(hours=1)))) == Drained(failed=1)
    clock_of(house).forward(minutes=2)
    assert ring(house, Other()) == Drained(sent=2)


def test_however_long_the_calls_fail_each_is_tried_again_within_two_minutes(house: House) -> None:
    alert(house, "alert/1/0/webhook")
    away = Other(*[TryLater("away", counts=False)] * 100)
    for _ in range(50):
        assert ring(house, away) == Drained(failed=1)
        clock_of(house).forward(minutes=2)
    assert ring(house, Other()) == Drained(sent=1)


def test_a_row_that_asked_nobody_says_nothing_about_a_server_that_failed(house: House) -> None:
    post(house, *(f"Task/{number}" for number in range(8)))
    assert send(house, Other(*[TryLater("away", counts=False)] * 5)) == Drained(failed=5)
    clock_of(house).forward(seconds=breaker.FIRST.total_seconds())
    none = (Sent(asked=False), NotFoundError("no such episode"), TryLater("not there yet", server=False))
    other = Other(*none, TryLater("away", counts=False))
    assert send(house, other) == Drained(failed=2, parked=1, unneeded=1), "each of them lets the next one ask"
    with house.store.outbox(write=False) as outbox:
        assert outbox.failures("fhir") == 6
    assert send(house, Other()) == Drained(), "the server is still left alone"


def test_what_need_not_go_is_not_recorded_as_sent_and_goes_when_it_is_posted_again(house: House) -> None:
    post(house, "Task/1")
    assert send(house, Other(Sent(asked=False))) == Drained(unneeded=1)
    assert rows(house, SENT) == ()
    (row,) = rows(house, UNNEEDED)
    assert (row.sent, row.sent_at, row.attempts) == (0, None, 0)
    post(house, "Task/1")
    assert send(house, Other()) == Drained(sent=1)


def test_it_stops_between_two_rows_and_at_its_limit(house: House) -> None:
    post(house, *(f"Task/{number}" for number in range(5)))
    other = Other()
    assert send(house, other, limit=2) == Drained(sent=2)
    assert drain(house, by={"fhir": other}, stop=lambda: len(other.got) >= 3) == Drained(sent=1)
    assert drain(house, channels=("email",), by={"fhir": other}) == Drained()


def test_a_pause_is_the_same_each_time_it_is_worked_out() -> None:
    row = Claimed("Task/1", "fhir", "test|p1", 1, 3, "", "", "token")
    assert next_try(row, None, NOW) == next_try(row, None, NOW)


def test_a_send_ends_in_less_than_half_the_lease() -> None:
    assert SEND * 2 < LEASE
