"""The doorbell never waits, never raises, and tells no more than it must."""

from __future__ import annotations

import os
import threading
import time

import pytest

from adapters.worker import doorbell
from adapters.worker.doorbell import Doorbell


class Broker:
    """Notes what it is told; slow or deaf on demand."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.deaf = False

    def publish(self, name: str) -> None:
        self.open.wait(10)
        if self.deaf:
            raise ConnectionError("amqp://user:secret@broker")
        self.told.append(name)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_a_bell_reaches_the_broker(broker: Broker) -> None:
    bell = Doorbell(broker.publish)
    bell.ring("drain")
    assert bell.flush(5)
    assert broker.told == ["drain"]


def test_ringing_does_not_wait_for_a_broker_that_hangs_and_a_thousand_bells_are_one(broker: Broker) -> None:
    bell = Doorbell(broker.publish)
    broker.open.clear()
    began = time.monotonic()
    bell.ring("work")
    while not bell._busy:  # the first is on its way
        time.sleep(0.001)
    for _ in range(1000):
        bell.ring("drain")
        bell.ring("sweep")
    assert time.monotonic() - began < 1
    assert not bell.flush(0.05)
    broker.open.set()
    assert bell.flush(5)
    assert broker.told == ["work", "drain", "sweep"]


def test_a_broker_that_is_away_costs_its_bells_and_nothing_else(broker: Broker) -> None:
    bell = Doorbell(broker.publish)
    broker.deaf = True
    bell.ring("drain")
    assert bell.flush(5)
    broker.deaf = False
    bell.ring("drain")
    assert bell.flush(5)
    assert broker.told == ["drain"]


def test_without_a_doorbell_nothing_happens() -> None:
    doorbell.remove()
    doorbell.ring("drain")


def test_a_forked_process_rings_for_itself(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Doorbell(broker.publish)
    monkeypatch.setattr(doorbell, "_INSTALLED", [bell])
    broker.open.clear()
    bell.ring("drain")
    while not bell._busy:
        time.sleep(0.001)
    with bell._changed:  # held while we fork: a child that took it over would wait for ever
        child = _forked(broker)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    broker.open.set()


def _forked(broker: Broker) -> int:
    """A child that rings, and ends with 0 if the broker heard it."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with a thread is the point
        child = os.fork()
    if child:
        return child
    broker.open = threading.Event()
    broker.open.set()
    doorbell.ring("sweep")
    told = doorbell._INSTALLED[0].flush(5) and broker.told == ["sweep"]
    os._exit(0 if told else 1)
