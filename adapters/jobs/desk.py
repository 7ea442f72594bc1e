"""What is asked of jobs from outside: to start one, how far it is, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.bootstrap import House
from adapters.db.jobs import Job, Piece, Progress
from adapters.worker import doorbell


def start(house: House, kind: str, parts: Iterable[Piece], body: Mapping[str, Any] | None = None) -> str:
    """Make a job of a kind out of parts, each with its size and body (JSON), and say its id. `body` is for all."""
    job = Job(str(uuid.uuid4()), kind, "open", house.clock.now(), None, body or {})
    with house.store.jobs(write=True) as jobs:
        jobs.add(job, parts)
    doorbell.ring("work")
    return job.id


def progress(house: House, job: str) -> Progress:
    """How far a job is; NotFoundError if there is none."""
    with house.store.jobs(write=False) as jobs:
        return jobs.progress(job)


def results(house: House, job: str) -> Iterator[Mapping[str, Any]]:
    """The results of the parts that are done, by number; read a few at a time, for they may be many."""
    after = -1
    while True:
        with house.store.jobs(write=False) as jobs:
            found = jobs.results(job, after)
        if not found:
            return
        yield from (result for _, result in found)
        after = found[-1][0]
