"""The beat: each bell in its time, and the work itself where nobody answers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from adapters.bootstrap import House
from adapters.worker import beat as beats
from adapters.worker import tasks
from adapters.worker.beat import TICKS, UNANSWERED, Beat
from adapters.worker.room import SHORT
from tests.world import FixedClock


@dataclass
class Rung:
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.names.append(name)


def forward(house: House, seconds: float) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    clock.forward(seconds=seconds)


def test_each_bell_is_rung_in_its_time_and_by_one_of_two_beats(house: House) -> None:
    rung = Rung()
    beats = [Beat(house, rung), Beat(house, rung)]
    for _ in range(121):  # a minute, asked twice a second by each of them
        for beat in beats:
            beat.once()
        forward(house, 0.5)
    expected = {name: 1 + 60 // int(every.total_seconds()) for name, every in TICKS.items()}
    assert {name: rung.names.count(name) for name in TICKS} == expected


def test_the_broker_is_tidied_once_a_minute(house: House) -> None:
    tidied: list[None] = []
    beat = Beat(house, Rung(), lambda: tidied.append(None))
    for _ in range(125):
        beat.once()
        forward(house, 1)
    assert len(tidied) == 3


def test_where_nobody_answers_the_beat_sweeps_and_sends_itself_and_waits_for_no_long_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    let_go, worked = threading.Event(), threading.Event()

    def note(name: str) -> tasks.Round:
        def round_of_work(_house: House, _stop: tasks.Stop) -> int:
            if name not in SHORT:
                let_go.wait(60)
            done.append(name)
            if name == "work":
                worked.set()
            return 0

        return round_of_work

    monkeypatch.setattr(tasks, "ROUNDS", {name: note(name) for name in tasks.ROUNDS})
    beat = Beat(house, Rung())
    with house.store.marks(write=True) as marks:
        marks.set(tasks.SWEPT, house.clock.now())
    assert not beat.is_unanswered()
    forward(house, UNANSWERED.total_seconds() + 1)
    assert beat.is_unanswered()
    beat.do_it_ourselves()
    beat.do_it_ourselves()  # the load of before still goes on: no second one is begun
    assert done == ["sweep", "drain"] * 2
    let_go.set()
    assert worked.wait(10)
    assert sorted(done[4:]) == sorted(tasks.ROUNDS.keys() - SHORT)


@pytest.mark.parametrize(
    ("ahead", "unanswered"), [(timedelta(0), False), (UNANSWERED, False), (timedelta(minutes=1), True)]
)
def test_a_sweep_under_a_clock_that_ran_ahead_counts_as_none(house: House, ahead: timedelta, unanswered: bool) -> None:
    with house.store.marks(write=True) as marks:
        marks.set(tasks.SWEPT, house.clock.now() + ahead)
    assert Beat(house, Rung()).is_unanswered() is unanswered


def test_a_beat_that_began_under_a_clock_that_ran_ahead_does_the_work_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = threading.Event()

    def sweep(_house: House, _stop: tasks.Stop) -> int:
        swept.set()
        return 0

    monkeypatch.setattr(tasks, "ROUNDS", {"sweep": sweep})
    monkeypatch.setattr(beats, "PAUSE_SECONDS", 0.01)
    beat = Beat(house, lambda _bell: forward(house, -600))  # the clock is put right once the beat has begun
    running = threading.Thread(target=beat.run)
    running.start()
    try:
        assert swept.wait(10)
    finally:
        beat.stopped.set()
        running.join(10)


def test_a_round_that_fails_raises_nothing_and_a_sweep_leaves_its_mark(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_house: House, _stop: object) -> int:
        raise ValueError("a patient's name")

    monkeypatch.setattr(tasks, "ROUNDS", {**tasks.ROUNDS, "drain": broken})
    assert tasks.run(house, "drain") == 0
    tasks.run(house, "sweep")
    with house.store.marks(write=False) as marks:
        mark = marks.mark(tasks.SWEPT)
    assert mark is not None
    assert mark.at == house.clock.now()
