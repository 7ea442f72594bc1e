"""Servers that answer slowly, a byte at a time or a reply at a time: what we send them ends in time, and goes once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.bootstrap import House
from adapters.out import backend_services, bounded, email, webhook
from adapters.out.backend_services import make_key, token
from adapters.out.email import Email
from adapters.out.posting import LEASE, Claimed, TryLater, drain
from adapters.out.remote import Remote
from adapters.out.webhook import Webhook
from adapters.settings import Settings
from tests.adapters.http.builders import emergency
from tests.world import NOW, FixedClock, ingest, make_house

pytestmark = pytest.mark.e2e  # servers of this machine, and real seconds
LIMIT = 1.0
"""Seconds that a conversation is given here."""

Talk = Callable[[socket.socket], None]


@contextmanager
def serving(talk: Talk) -> Iterator[int]:
    """The port of a server that talks so to each who comes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one, suppress(OSError):
            talk(one)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def dripping(start: bytes) -> Talk:
    """Begins an answer and goes on with it, a byte now and then, for 20 seconds."""

    def talk(one: socket.socket) -> None:
        one.sendall(start)
        for _ in range(200):
            time.sleep(0.1)
            one.sendall(b"x")

    return talk


class Mail:
    """A mail server that takes its time for each reply, and keeps what it was given."""

    def __init__(self, pause: float) -> None:
        self.pause, self.letters = pause, list[bytes]()

    def __call__(self, one: socket.socket) -> None:
        with one.makefile("rwb") as file:

            def say(words: bytes) -> None:
                time.sleep(self.pause)
                file.write(words + b"\r\n")
                file.flush()

            say(b"220 here")
            for line in file:
                if line.upper().startswith(b"DATA"):
                    say(b"354 go on")
                    self.letters.append(b"".join(iter(file.readline, b".\r\n")))
                say(b"250 ok")


@contextmanager
def ringing(folder: Path, **settings: object) -> Iterator[House]:
    """A house in which one emergency waits for an answer."""
    house = make_house(folder, FixedClock(), public_url="https://pathway.clinic.example", **settings)
    ingest(house, emergency("p1", NOW))
    yield house
    house.close()


def mailing(port: int) -> dict[str, object]:
    return {
        "alert_smtp": f"smtp://127.0.0.1:{port}", "alert_from": "p@clinic.example",
        "alert_to": tuple(f"a{number}@clinic.example" for number in range(6)),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "WHOLE", LIMIT)
    monkeypatch.setattr(email, "HAND_OVER", LIMIT / 3)
    monkeypatch.setattr(webhook, "SEND", timedelta(seconds=LIMIT))


def fails_in_time(what: Callable[[], object]) -> None:
    began = time.monotonic()
    with pytest.raises(TryLater):
        what()
    assert time.monotonic() - began < LIMIT + 1


def test_a_mail_server_that_is_slow_with_each_reply_gets_one_mail_or_none_and_never_two(tmp_path: Path) -> None:
    slow = Mail(0.25)
    with serving(slow) as port, ringing(tmp_path, **mailing(port)) as house:
        drains = [threading.Thread(target=drain, args=(house,)) for _ in range(2)]
        began = time.monotonic()
        for one in drains:
            one.start()
        for one in drains:
            one.join(30)
        assert time.monotonic() - began < LIMIT + 2
        assert slow.letters == []
        with house.store.outbox(write=False) as outbox:
            (row,) = outbox.rows("pending")
        assert "mail server" in row.last_error
        assert isinstance(house.clock, FixedClock)
        house.clock.forward(minutes=2)
        slow.pause = 0.02
        assert drain(house).sent == 1
        assert len(slow.letters) == 1


def test_a_conversation_by_mail_ends_in_less_than_half_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert timedelta(seconds=email.WHOLE) * 2 < LEASE


def test_a_mail_server_that_never_ends_its_greeting_is_left_in_time(tmp_path: Path) -> None:
    with serving(dripping(b"220-")) as port, ringing(tmp_path, **mailing(port)) as house:
        row = claimed(house, "email")
        fails_in_time(lambda: Email.of(house).send(row))


def test_a_webhook_that_answers_a_byte_at_a_time_is_left_in_time(tmp_path: Path) -> None:
    with serving(dripping(b"HTTP/1.1 2")) as port:
        address = f"http://127.0.0.1:{port}/hook"
        secret = SecretStr("sixteen characters and more")
        with ringing(tmp_path, alert_webhook=address, alert_webhook_secret=secret) as house:
            row = claimed(house, "webhook")
            fails_in_time(lambda: Webhook.of(house).send(row))


def claimed(house: House, channel: str) -> Claimed:
    with house.store.outbox(write=True) as outbox:
        row = outbox.claim(channel, house.clock.now(), LEASE, "here")
    assert row is not None
    return row


BEGUN = {
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
    "endless-body": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("start", BEGUN.values(), ids=BEGUN)
def test_a_fhir_server_that_answers_a_byte_at_a_time_is_left_in_time(start: bytes) -> None:
    def ask() -> None:
        deadline = time.monotonic() + LIMIT
        with bounded.session(deadline) as session:
            Remote(f"http://127.0.0.1:{port}", session, deadline, NOW).read("Task/1")

    with serving(dripping(start)) as port:
        fails_in_time(ask)


@pytest.mark.parametrize("start", BEGUN.values(), ids=BEGUN)
def test_a_token_server_that_answers_a_byte_at_a_time_holds_nobody_up(tmp_path: Path, start: bytes) -> None:
    make_key(tmp_path / "key.pem")

    def ask(until: float) -> None:
        own = Settings(
            fhir_client_id="pathway", fhir_client_key=tmp_path / "key.pem",
            fhir_token_url=f"http://127.0.0.1:{port}/token",
        )  # fmt: skip
        with bounded.session(until) as session:
            token(own, "http://127.0.0.1:9/fhir", session, until)

    with serving(dripping(start)) as port:
        until = time.monotonic() + LIMIT
        others = [threading.Thread(target=fails_in_time, args=(lambda: ask(until),)) for _ in range(3)]
        for one in others:
            one.start()
        fails_in_time(lambda: ask(until))
        for one in others:
            one.join(10)
        assert time.monotonic() < until + 1
    assert not backend_services._LOCK.locked()
