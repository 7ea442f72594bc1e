"""A proxy that stands between us and a FHIR server and fails as networks and servers do, when a test says so.

lost()          the server does it, and its answer never comes
hang()          the request is taken and nothing happens
cut()           the answer ends in its middle
endless()       the answer never ends
status(503, 2)  another answer, with Retry-After; the server hears nothing
outcome()       the server does it and answers with an OperationOutcome, whatever was preferred
redirect(url)   a redirect; the server hears nothing
first(call)     something happens just before the server gets the request
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import requests

Fault = Callable[["_Handler"], None]
_NOT_PASSED = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-encoding"})


@dataclass
class _Plan:
    fault: Fault
    times: int
    method: str
    path: str

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and self.path in path


@dataclass
class Proxy:
    """One proxy. `heard` is each request that came: method and path below the base."""

    upstream: str
    port: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _plans: list[_Plan] = field(default_factory=list[_Plan])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{urlsplit(self.upstream).path}"

    def next(self, fault: Fault, times: int = 1, method: str = "", path: str = "") -> None:
        """Fail the next requests, or the next of a method or with a word in their path."""
        with self._lock:
            self._plans.append(_Plan(fault, times, method, path))

    def clear(self) -> None:
        """Fail no more, and let go what hangs."""
        with self._lock:
            self._plans.clear()
        self.over.set()
        self.over = threading.Event()

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Listener(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens: connections are refused."""
        self.over.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self.over = threading.Event()

    def fault_for(self, method: str, path: str) -> Fault:
        with self._lock:
            self.heard.append((method, path))
            for plan in self._plans:
                if plan.fits(method, path):
                    plan.times -= 1
                    return plan.fault
        return _Handler.pass_on

    def writes(self, kind: str) -> int:
        """How often a resource of a type was written, as far as was asked."""
        return sum(method in ("POST", "PUT") and path.lstrip("/").startswith(kind) for method, path in self.heard)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went is no error here."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        path = self.path.removeprefix(urlsplit(self.proxy.upstream).path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with suppress(OSError):
            self.proxy.fault_for(self.command, path)(self)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _any

    def ask_upstream(self) -> requests.Response:
        """What the server says."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED}
        parts = urlsplit(self.proxy.upstream)
        url = f"{parts.scheme}://{parts.netloc}{self.path}"
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                self.command, url, data=self.body or None, headers=headers, timeout=60, allow_redirects=False
            )

    def pass_on(self) -> None:
        answer = self.ask_upstream()
        self.tell(answer.status_code, dict(answer.headers), answer.content)

    def tell(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def lost() -> Fault:
    def fault(handler: _Handler) -> None:
        handler.ask_upstream()
        handler.hang_up()

    return fault


def hang(seconds: float = 60) -> Fault:
    def fault(handler: _Handler) -> None:
        handler.proxy.over.wait(seconds)
        handler.hang_up()

    return fault


def cut() -> Fault:
    def fault(handler: _Handler) -> None:
        answer = handler.ask_upstream()
        half = answer.content[: len(answer.content) // 2]
        handler.tell(answer.status_code, dict(answer.headers), half, len(answer.content))
        handler.hang_up()

    return fault


def endless(mebibytes: int = 64) -> Fault:
    """Endless for whoever reads on; here it ends after so much."""

    def fault(handler: _Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Type", "application/fhir+json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(mebibytes * 16):
            handler.wfile.write(b" " * 65536)
        handler.hang_up()

    return fault


def status(code: int, retry_after: int | str | None = None) -> Fault:
    def fault(handler: _Handler) -> None:
        headers = {"Content-Type": "text/plain"} | ({} if retry_after is None else {"Retry-After": str(retry_after)})
        handler.tell(code, headers, b"no")

    return fault


def outcome() -> Fault:
    def fault(handler: _Handler) -> None:
        answer = handler.ask_upstream()
        said = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}'
        handler.tell(answer.status_code, dict(answer.headers), said)

    return fault


def redirect(url: str, code: int = 307) -> Fault:
    return lambda handler: handler.tell(code, {"Location": url}, b"")


def first(call: Callable[[], object]) -> Fault:
    def fault(handler: _Handler) -> None:
        call()
        handler.pass_on()

    return fault


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy in front of a base such as http://127.0.0.1:8090/fhir."""
    one = Proxy(upstream)
    one.start()
    try:
        yield one
    finally:
        one.stop()
