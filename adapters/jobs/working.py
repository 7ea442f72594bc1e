"""Working on jobs: claim a part, run it while its lease is kept alive, note what came of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import structlog

from adapters.bootstrap import House
from adapters.db.errors import StoreUnavailableError
from adapters.db.jobs import Job, Part
from adapters.jobs.kinds import KINDS, OVER, Done, NotYetError, Stop, TimeOverError
from adapters.places import places_of
from pathway.errors import BadInputError, PathwayError

LEASE: Final = timedelta(seconds=60)
"""How long a part waits for a worker that was killed."""
BEAT_SECONDS: Final = 15.0
ATTEMPTS: Final = 5
"""After so many a part is parked: whatever it does to a worker, it does it no further time."""
_LOG = structlog.get_logger("pathway.jobs")


def work(house: House, limit: int = 1, stop: Stop = lambda: False, job: str = "") -> int:
    """Work on up to `limit` parts, of one job if it is named; says how many were taken up, 0 when none was free.

    Any number of processes may do so at once. `stop` is asked between two parts, and by a part that may take long.
    StoreUnavailableError when the database cannot be used: what was begun is taken up again when its lease has run out.
    """
    taken = 0
    while taken < limit and not stop():
        with house.store.jobs(write=True) as jobs:
            claimed = jobs.claim(house.clock.now(), LEASE, uuid.uuid4().hex, job)
        if claimed is None:
            break
        taken += 1
        _carry_out(house, *claimed, stop)
    return taken


def _carry_out(house: House, job: Job, part: Part, stop: Stop) -> None:
    if part.attempts > ATTEMPTS:
        return _park(house, part, f"it did not come to an end {ATTEMPTS} times")
    run = KINDS.get(job.kind)
    if run is None:
        return _park(house, part, f"this version knows no job of the kind {job.kind}")
    try:
        with _kept(house, part):
            came = run(house, job, part, stop)
    except StoreUnavailableError:
        raise
    except TimeOverError as over:
        return _give_back(house, part, over.after, over.sentence(), counts=False, others=True)
    except NotYetError as wait:
        return _give_back(house, part, wait.after, wait.sentence(), counts=False)
    except BadInputError as fault:
        return _park(house, part, fault.sentence())
    except PathwayError as fault:
        return _failed(house, part, fault.sentence())
    except Exception as fault:  # its text may hold a value: kind and places only
        kind, places = type(fault).__name__, places_of(fault)
        _LOG.error("job-part-failed", job=job.id, part=part.number, error=kind, places=places)
        return _failed(house, part, f"a fault of ours ({kind})")
    made = came if isinstance(came, Done) else Done(came)
    with house.store.jobs(write=True) as jobs:
        ours = jobs.finish(part, made.result, made.more, house.clock.now(), made.size)
        is_over = ours and job.kind in OVER and jobs.is_over(job.id)
    if is_over:
        OVER[job.kind](house, job)
    if not ours:  # its lease ran out, and another does it, or did
        _LOG.info("job-part-lost", job=job.id, part=part.number)


def _failed(house: House, part: Part, error: str) -> None:
    if part.attempts >= ATTEMPTS:
        return _park(house, part, error)
    return _give_back(house, part, timedelta(seconds=2**part.attempts), error)


def _give_back(
    house: House, part: Part, after: timedelta, error: str, *, counts: bool = True, others: bool = False
) -> None:
    with house.store.jobs(write=True) as jobs:
        now = house.clock.now()
        jobs.give_back(part, now + after, error, counts=counts)
        if others:
            jobs.let_others(part.job, now)


def _park(house: House, part: Part, error: str) -> None:
    _LOG.warning("job-part-parked", job=part.job, part=part.number)
    with house.store.jobs(write=True) as jobs:
        jobs.park(part, error, house.clock.now())


@contextmanager
def _kept(house: House, part: Part) -> Iterator[None]:
    """Renew the lease of a part while it is worked on; a process that is killed renews nothing."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            try:
                with house.store.jobs(write=True) as jobs:
                    jobs.renew(part, house.clock.now() + LEASE)
            except PathwayError:  # the next beat, or nobody: then another takes the part up, and we find it lost
                continue

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
