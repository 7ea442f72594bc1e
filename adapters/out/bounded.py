"""Conversations that end in time: a socket's own timeout begins anew with each byte, so a slow one might never end.

`Guard` shuts sockets at an instant, and whoever reads from them gets what a broken connection gives.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Guard:
    """Shuts what it watches at `deadline` (of `time.monotonic`), and at once what it is given later."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._sockets: list[socket.socket] = []
        self._over = False
        self._lock: Final = threading.Lock()
        self._timer: Final = threading.Timer(max(self.left, 0), self._shut)
        self._timer.daemon = True

    @property
    def left(self) -> float:
        """Seconds until then; none or less once it has passed."""
        return self.deadline - time.monotonic()

    def watch(self, found: socket.socket | None) -> None:
        """Shut this one in time, too."""
        with self._lock:
            if found is not None:
                self._sockets.append(found)
        if self._over:
            self._shut()

    def __enter__(self) -> Guard:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _shut(self) -> None:
        self._over = True
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)  # beneath TLS, which would wait for the other side


@contextmanager
def session(deadline: float) -> Iterator[requests.Session]:
    """A session whose requests end by `deadline`, headers and all. It takes nothing of the environment."""
    with Guard(deadline) as guard, requests.Session() as made:
        made.trust_env = False  # no proxy and no .netrc: they would see a token, or replace it
        made.mount("http://", _Watched(guard))
        made.mount("https://", _Watched(guard))
        yield made


def never_reached(error: requests.RequestException) -> bool:
    """Whether no connection came about: then the request cannot be to blame, and nobody heard it."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


class _Watched(HTTPAdapter):
    """Gives each connection that it makes to a guard."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As ever, but for the connections."""
        super().init_poolmanager(*args, **options)
        plain, secure = _watched(HTTPConnectionPool, self._guard), _watched(HTTPSConnectionPool, self._guard)
        self.poolmanager.pool_classes_by_scheme = {"http": plain, "https": secure}


def _watched(pool: Any, guard: Guard) -> Any:
    class Connection(pool.ConnectionCls):
        def connect(self) -> None:
            super().connect()
            guard.watch(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
