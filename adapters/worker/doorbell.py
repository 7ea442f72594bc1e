"""The doorbell: says to the workers that there may be work. It is rung after a commit, and nothing depends on it.

Ringing never raises and never waits: a thread of its own tells the broker. Bells of one name that come while it does
are one bell.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

import structlog

from adapters.settings import Settings

Publish = Callable[[str], None]
_LOG = structlog.get_logger("pathway.doorbell")


class Doorbell:
    """Bells on their way to one broker. Threads may share it; a forked process goes on with a thread of its own."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._busy = False
        self._silent = False
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """Begin anew in a child, where the thread is not and a lock may be held by nobody."""
        self._begin()

    def ring(self, name: str) -> None:
        """Ask for a round of work."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._carry, name="doorbell", daemon=True)
                self._thread.start()
            self._waiting.add(name)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all bells are told, but no longer than that; whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def _carry(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting))
                names, self._waiting, self._busy = sorted(self._waiting), set(), True
            for name in names:
                self._tell(name)

    def _tell(self, name: str) -> None:
        """One bell; what fails is dropped and told to the log once, until it works again."""
        try:
            self._publish(name)
        except Exception as error:  # whatever it is, the next tick does the work; its text may hold an address
            if not self._silent:
                _LOG.warning("doorbell-silent", error=type(error).__name__)
            self._silent = True
            return
        if self._silent:
            _LOG.info("doorbell-heard")
        self._silent = False


_INSTALLED: Final[list[Doorbell]] = []


def install(settings: Settings) -> Doorbell:
    """Give this process a doorbell on the broker that the settings name; BadInputError for one that cannot be used."""
    from adapters.worker.app import PREFIX, make_app  # who rings nobody needs no celery

    app = make_app(settings)
    _INSTALLED[:] = [Doorbell(lambda name: app.tasks[PREFIX + name].apply_async(retry=False) and None)]
    return _INSTALLED[0]


def remove() -> None:
    """Take the doorbell away, after a moment for what was just rung."""
    while _INSTALLED:
        _INSTALLED.pop().flush(1)


def ring(name: str) -> None:
    """Ask the workers for a round of work (`adapters.worker.tasks.ROUNDS`); without a doorbell, nothing happens."""
    for bell in _INSTALLED:
        bell.ring(name)


def _after_fork() -> None:
    for bell in _INSTALLED:
        bell.after_fork()


os.register_at_fork(after_in_child=_after_fork)
