"""A wire to a PostgreSQL server that can be cut at a COMMIT, as a network does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from sqlalchemy import make_url


class Cut(StrEnum):
    """Where the wire is cut when the next COMMIT passes; then it is whole again."""

    NOWHERE = "nowhere"
    BEFORE = "before the server hears it"
    AFTER = "after the server has done it, before it can say so"
    LATE = "at once for us, while it reaches the server a while later"


class Wire:
    """Passes bytes between us and the server."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut = Cut.NOWHERE
        self.cuts = 0
        self._mute: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone would let one more in
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(self._server)
                threading.Thread(target=self._outward, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=self._homeward, args=(theirs, ours), daemon=True).start()

    def _outward(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            while data := ours.recv(65536):
                cut, self.cut = (self.cut, Cut.NOWHERE) if b"COMMIT\0" in data else (Cut.NOWHERE, self.cut)
                if cut is Cut.NOWHERE:
                    theirs.sendall(data)
                    continue
                self.cuts += 1
                self._sever(cut, data, ours, theirs)
        _end(theirs)

    def _sever(self, cut: Cut, data: bytes, ours: socket.socket, theirs: socket.socket) -> None:
        if cut is Cut.AFTER:
            self._mute.add(ours)
            theirs.sendall(data)
            time.sleep(0.3)
        _end(ours)
        if cut is Cut.LATE:
            time.sleep(0.6)
            theirs.sendall(data)
            time.sleep(0.3)

    def _homeward(self, theirs: socket.socket, ours: socket.socket) -> None:
        with suppress(OSError):
            while data := theirs.recv(65536):
                if ours not in self._mute:
                    ours.sendall(data)
        _end(ours)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def wired(url: str) -> Iterator[tuple[Wire, str]]:
    """A wire to the server of a URL, and the URL that leads through it."""
    parsed = make_url(url)
    wire = Wire(parsed.host or "127.0.0.1", parsed.port or 5432)
    try:
        yield wire, parsed.set(host="127.0.0.1", port=wire.port).render_as_string(hide_password=False)
    finally:
        wire.close()
