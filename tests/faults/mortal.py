"""`pathway …` that kills itself with -9 at a chosen point: `python -m tests.faults.mortal POINT COUNT COMMAND…`.

Points, of which the COUNT-th that is passed is the last thing that the process and its children do:

    before-commit   a writing transaction is complete and not yet committed
    after-commit    it is committed, and nobody has been told: no answer, no bell
    after-posting   the same, of a transaction that posted something which has to leave the house
    before-send     a write to another server is about to go out
    after-send      the other server has done it, and its answer is read by nobody
    after-creating  the same, of the write that made a Task or a CarePlan there
    never           no point at all
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import Connection, Engine

from adapters.cli import main
from adapters.db import store
from adapters.worker import doorbell

COMMITS = ("before-commit", "after-commit")
SENDS = ("before-send", "after-send", "after-creating")
POSTS = ("after-posting",)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_CREATED = 201


class Death:
    """Counts how often the point was passed, in each process on its own."""

    def __init__(self, point: str, count: int) -> None:
        self._point, self._left = point, count + (point in COMMITS)  # opening the house is a commit

    def passes(self, point: str) -> None:
        if point != self._point:
            return
        self._left -= 1
        if self._left <= 0:
            os.killpg(0, signal.SIGKILL)


def arm(death: Death) -> None:
    """Put the points into the code that everything goes through."""
    transaction, send, ring = store.transaction, requests.Session.send, doorbell.ring

    @contextmanager
    def mortal_transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
        with transaction(engine, write=write) as connection:
            yield connection
            if write:
                death.passes("before-commit")
        if write:
            death.passes("after-commit")

    def mortal_send(self: requests.Session, request: Any, **options: Any) -> requests.Response:
        writes = request.method in _WRITES
        if writes:
            death.passes("before-send")
        answer = send(self, request, **options)
        if writes:
            death.passes("after-send")
            if answer.status_code == _CREATED and _is_plan(request.url):
                death.passes("after-creating")
        return answer

    def mortal_ring(name: str) -> None:
        death.passes("after-posting")
        ring(name)

    store.transaction = mortal_transaction
    doorbell.ring = mortal_ring
    requests.Session.send = mortal_send  # type: ignore[method-assign]


def _is_plan(url: str) -> bool:
    return not {"Task", "CarePlan"}.isdisjoint(urlsplit(url).path.split("/"))


def live(point: str, count: int, command: Sequence[str]) -> None:
    """Run `pathway COMMAND`, to die at a point; ends the process."""
    arm(Death(point, count))
    main(list(command), prog_name="pathway")


if __name__ == "__main__":
    live(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
