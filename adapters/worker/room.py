"""Room for what may take long: of a worker's processes one always stays free to sweep and to send.

A place is a byte of a file without a name that the processes of a worker share. The system frees it when its process
is gone, however it went.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SHORT: Final = frozenset({"sweep", "drain"})
"""The rounds by which alerts and escalations leave the house: they need no place, and wait for none."""


class Room:
    """So many places, made before the processes are forked. One process holds one place at a time."""

    def __init__(self, places: int) -> None:
        self._places = places
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    @contextmanager
    def place(self, name: str) -> Iterator[bool]:
        """Take a place for a round; whether there was one. Never waits: who comes too late is not needed."""
        if name in SHORT:
            yield True
            return
        place = next((n for n in range(self._places) if self._take(n)), None)
        try:
            yield place is not None
        finally:
            if place is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _take(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True
