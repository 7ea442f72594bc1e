"""Who alerts are sent to: a small web server and a mail server on this machine, each answering as a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.adapters.http.servers import free_port


@dataclass
class Receiver:
    """A webhook: `answers` are given in turn, the last one for ever."""

    answers: list[tuple[int, Mapping[str, str]]]
    address: str = ""
    heard: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def webhook(*answers: int | tuple[int, Mapping[str, str]]) -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver([(one, {}) if isinstance(one, int) else one for one in answers or (204,)])

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.heard.append((self.path, dict(self.headers), body))
            status, headers = receiver.answers[min(len(receiver.heard), len(receiver.answers)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    receiver.address = f"http://127.0.0.1:{server.server_address[1]}/calls/night"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Postbox:
    """A mail server: `refuses` says by address which reply an RCPT gets, `reply` what the mail itself gets."""

    refuses: dict[str, str] = field(default_factory=dict)
    reply: str = "250 OK"
    address: str = ""
    letters: list[tuple[list[str], bytes]] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.reply.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.letters.append((list(envelope.rcpt_tos), envelope.content))
        return self.reply


@contextmanager
def postbox(**options: Any) -> Iterator[Postbox]:
    """A mail server on a free port."""
    box = Postbox(**options)
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        box.address = f"smtp://127.0.0.1:{port}"
        yield box
    finally:
        controller.stop()
