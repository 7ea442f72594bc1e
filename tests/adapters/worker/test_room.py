"""Of a worker's processes one is always free for what must not wait."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

from adapters.worker import tasks
from adapters.worker.room import SHORT, Room


def asked_elsewhere(room: Room, name: str) -> bool:
    """Whether another process gets a place."""
    child = os.fork()
    if child == 0:
        with room.place(name) as free:
            os._exit(0 if free else 1)
    return os.waitpid(child, 0)[1] == 0


def held_elsewhere(room: Room, name: str) -> int:
    """Another process that keeps a place until it is killed; its id."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with room.place(name) as free:
            os.write(tell, b"1" if free else b"0")
            signal.pause()
    assert os.read(told, 1) == b"1"
    os.close(told)
    os.close(tell)
    return child


def ended(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_load_that_fills_its_places_leaves_one_process_to_sweep_and_send() -> None:
    room = Room(2)
    with ExitStack() as held:
        for name in ("work", "poll"):
            held.callback(ended, held_elsewhere(room, name))
        assert not asked_elsewhere(room, "work")
        assert not asked_elsewhere(room, "poll")
        assert asked_elsewhere(room, "sweep")
        assert asked_elsewhere(room, "drain")
    assert asked_elsewhere(room, "work")  # whoever is killed gives its place back


def test_what_alerts_and_escalates_needs_no_place() -> None:
    assert {"sweep", "drain"} == SHORT
    assert set(tasks.ROUNDS) > SHORT
