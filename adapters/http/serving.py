"""Serving with waitress: on this machine only, and draining before it stops."""

from __future__ import annotations

import ipaddress
import signal
import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import FrameType
from typing import Any, Final

import structlog
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from adapters.fhir import strict_json
from adapters.http.auth.demo import BIND
from adapters.http.guard import HEADERS
from adapters.http.problems import FHIR_JSON, refused
from pathway.errors import BadInputError

CONNECTIONS: Final = 1000
THREADS: Final = 8
IDLE_SECONDS: Final = 60
DRAIN_SECONDS: Final = 12  # `pathway up` waits for 15
_WIDER: Final = 4  # what is a little too long still reaches the app, which logs and counts it

_LOG = structlog.get_logger("pathway.http")


class Refusal(ErrorTask):
    """What waitress refuses before any app sees it, in our form. Its own text may repeat the request."""

    request: Any

    def execute(self) -> None:
        """Answer and close the connection."""
        status = int(self.request.error.code)
        problem = refused(status)
        body = strict_json.dumps(problem)
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.response_headers = [*HEADERS.items(), ("Content-Type", FHIR_JSON)]
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)
        _LOG.warning("refused", status=status)


class Channel(HTTPChannel):
    """A connection whose refusals are OperationOutcomes."""

    error_task_class = Refusal


def serve(app: Flask, host: str, port: int, ready: Callable[[], None] = lambda: None) -> None:
    """Call `ready` once the port is ours; serve until SIGTERM or Ctrl-C, finish what has begun, and return.

    Only in the main thread. Raises BadInputError for an address that others could reach, or that cannot be had.
    """
    _refuse_outside(host)
    app.config[BIND] = host
    with _listening(host, port) as listener:
        server: Any = create_server(
            app, sockets=[listener], threads=THREADS, connection_limit=CONNECTIONS, channel_timeout=IDLE_SECONDS,
            max_request_body_size=_WIDER * app.config["MAX_CONTENT_LENGTH"], ident=None,
            clear_untrusted_proxy_headers=False,  # none is believed, but the demo's click asks whether there are any
        )  # fmt: skip
        server.channel_class = Channel
        ready()
        _run(server)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as fault:
        why = fault.strerror or ""
        raise BadInputError(
            "this address cannot be had", where=f"{host}:{port}", why=why, fix="Choose another port"
        ) from None


def _refuse_outside(host: str) -> None:
    """People sign in, programs do not yet: whoever reaches the port reads every patient through the APIs."""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise BadInputError(
            "this service does not listen outside its own machine", where="host",
            why="programs need no sign-in yet", fix="Use 127.0.0.1, and a proxy that lets in only whom it knows",
        )  # fmt: skip


def _run(server: Any) -> None:
    """Waitress' loop, but left between two rounds once a signal has come, and followed by draining."""
    sockets: dict[int, Any] = server._map
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not stopping:
            wasyncore.loop(timeout=0.5, map=sockets, count=1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # a second Ctrl-C does not wait
    _drain(server, sockets)


def _drain(server: Any, sockets: dict[int, Any]) -> None:
    """Take no new connection, let what has begun end and be sent, then close."""
    server.del_channel()
    server.socket.close()
    until = time.monotonic() + DRAIN_SECONDS
    while any(_busy(sockets)) and time.monotonic() < until:
        wasyncore.loop(timeout=0.05, map=sockets, count=1)
    server.task_dispatcher.shutdown()
    wasyncore.close_all(sockets)


def _busy(sockets: dict[int, Any]) -> Iterator[bool]:
    """For each connection whether a request is being received, worked on or answered."""
    for channel in list(sockets.values()):
        if isinstance(channel, HTTPChannel):
            yield bool(channel.requests or channel.request is not None or channel.total_outbufs_len)
