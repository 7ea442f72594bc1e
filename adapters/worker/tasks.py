"""The rounds of work. Each finds in the database what is due, does it, and may be run at any time, by any number.

A round takes no arguments and says how much it did. It stops between two pieces of work once its time is over: what is
left is found by the next one, so that a worker that is told to stop is never far from an end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from adapters.bootstrap import House
from adapters.places import places_of
from pathway.errors import PathwayError

Stop = Callable[[], bool]
Round = Callable[[House, Stop], int]

SECONDS: Final = 5.0
"""How long a round goes on taking up new work. With one request in flight it ends within 15 s of any signal."""
MANY: Final = 10_000
"""More pieces than fit into the time of a round: it is the time that ends it."""
WOKEN: Final = 50
DECIDED: Final = 20
"""So many at a time, in turns, so that in the time of a round neither waits for all of the other. Each takes about a
second where machines are slow."""
TURNS: Final = 200
"""More turns than fit into the time of a round; a sweep ends after them, whatever is said to be left."""
SWEPT: Final = "sweep"
"""The mark of the last sweep that came to its end."""

_LOG = structlog.get_logger("pathway.rounds")


def sweep(house: House, stop: Stop) -> int:
    """What the clock has to do: tasks that wake, patients who lag or are to be looked at again."""
    done, service = 0, house.service
    for _ in range(TURNS):
        some = service.wake(WOKEN, stop=stop) + service.catch_up(DECIDED, stop=stop)
        done += some
        if not some or stop():
            break
    with house.store.marks(write=True) as marks:
        marks.set(SWEPT, house.clock.now())
    return done


def drain(house: House, stop: Stop) -> int:
    """What has to leave the house."""
    from adapters.out.posting import drain as drain_outbox

    return drain_outbox(house, limit=MANY, stop=stop).rows


def poll(house: House, stop: Stop) -> int:
    """What the FHIR servers that are polled hold that is new."""
    from adapters.ingest.polling import poll as poll_servers

    return poll_servers(house, stop=stop)


def work(house: House, stop: Stop) -> int:
    """Parts of jobs: loads and screenings."""
    from adapters.jobs import work as work_on_parts

    return work_on_parts(house, limit=MANY, stop=stop)


ROUNDS: Final[Mapping[str, Round]] = {"sweep": sweep, "drain": drain, "poll": poll, "work": work}


def run(house: House, name: str, stopped: Stop = lambda: False) -> int:
    """Do a round and tell the log. Never raises: what failed is found again by the next round.

    It takes up no more work once its time is over, or once `stopped` says that the process is to end.
    """
    began = time.monotonic()
    try:
        done = ROUNDS[name](house, lambda: stopped() or time.monotonic() - began > SECONDS)
    except PathwayError as error:
        _LOG.warning("round-failed", round=name, error=type(error).__name__, what=error.what)
        return 0
    except Exception as error:  # its text may hold a value: kind and places only
        _LOG.error("failed", round=name, error=type(error).__name__, places=places_of(error))
        return 0
    level = _LOG.info if done else _LOG.debug
    level("round", round=name, done=done, ms=round((time.monotonic() - began) * 1000))
    return done
