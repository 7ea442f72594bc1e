"""What can be closed while others still use it: it is freed when the last use is over."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager

from pathway.errors import EngineError
from pathway.forks import renew_in_child


class Lent(ABC):
    """Holds memory of the engine for as long as somebody uses it. Threads may share it, forked children too."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closed = False
        self.forget()
        renew_in_child(self)

    @contextmanager
    def in_use(self) -> Generator[None]:
        """For as long as this lasts it can be used, even if it is closed meanwhile; EngineError once freed."""
        with self._lock:
            if self._closed and not self._users:
                raise EngineError("this machine is closed", where=self._name, fix="Take its successor")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                freeing = self._closed and not self._users
            if freeing:
                self._free()

    def close(self) -> None:
        """Give the engine's memory back once the last use is over; to close twice does no harm."""
        with self._lock:
            self._closed = True
            freeing = not self._users
        if freeing:
            self._free()

    def forget(self) -> None:
        """In a forked child: a lock of its own, and no use but its own."""
        self._lock = threading.Lock()
        self._users = 0

    @abstractmethod
    def _free(self) -> None: ...
