"""Serving: only on this machine, and nobody is cut off when it stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
import requests
from flask import Flask

from adapters.http.serving import DRAIN_SECONDS, serve
from pathway.errors import BadInputError
from tests.adapters.http.servers import free_port

pytestmark = pytest.mark.e2e  # processes that serve, and signals to them

ROOT = Path(__file__).parents[3]
PROGRAM = textwrap.dedent("""
    import sys, time
    from flask import Flask, request
    from adapters.http.serving import serve

    from adapters.http import logs

    logs.configure()
    app = Flask("slow")
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/<float:seconds>")
    def wait(seconds):
        print("begun", flush=True)
        time.sleep(seconds)
        return "x" * 8_000_000  # more than a socket takes at once

    @app.get("/")
    def ready():
        return "ready"

    @app.get("/sent")
    def sent():
        return {**request.headers, "scheme": request.scheme, "from": request.remote_addr}

    serve(app, sys.argv[1], int(sys.argv[2]))
    print("left", flush=True)
""")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
def test_an_address_that_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(BadInputError, match="programs need no sign-in yet"):
        serve(Flask("x"), host, 8000)


def test_a_port_that_is_taken_is_told_in_words() -> None:
    app = Flask("x")
    app.config["MAX_CONTENT_LENGTH"] = 1
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInputError, match="cannot be had"):
        serve(app, "127.0.0.1", taken.getsockname()[1])


@pytest.fixture(params=["127.0.0.1", "localhost"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a slow app in a process of its own, and the process."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, request.param, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment,
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            requests.get(base, timeout=2)
            break
        except requests.ConnectionError:
            time.sleep(0.1)
    try:
        yield base, process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_running_request_end_and_takes_no_new_one(
    served: tuple[str, subprocess.Popen[str]], number: int
) -> None:
    base, process = served
    with ThreadPoolExecutor() as pool:
        running = pool.submit(requests.post, f"{base}/1.0", timeout=10)
        assert said(process).readline() == "begun\n"
        process.send_signal(number)
        time.sleep(0.6)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])), timeout=2)
        answer = running.result()
    assert (answer.status_code, len(answer.content)) == (200, 8_000_000)
    assert process.wait(5) == 0
    assert said(process).read() == "left\n"


@pytest.mark.parametrize("served", ["127.0.0.1"], indirect=True)
def test_what_shows_a_proxy_is_believed_in_nothing_but_reaches_the_demo_that_asks_for_it(
    served: tuple[str, subprocess.Popen[str]],
) -> None:
    base, _ = served
    shown = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "443",
        "Forwarded": "a=b",
    }
    sent = requests.get(f"{base}/sent", headers=shown, timeout=2).json()
    assert {name: sent.get(name) for name in shown} == shown
    assert (sent["scheme"], sent["from"]) == ("http", "127.0.0.1")


def test_without_work_it_leaves_at_once(served: tuple[str, subprocess.Popen[str]]) -> None:
    base, process = served
    with requests.Session() as session:  # an idle connection that is kept open holds nobody up
        session.get(base, timeout=2)
        process.terminate()
        assert process.wait(DRAIN_SECONDS - 5) == 0


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(b"Qzxjvkw\r\n\r\n", 400, "invalid", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nQzxjvkw\r\n\r\n", 400, "invalid", id="a header without a colon"),
        pytest.param(b"GET /Qzxjvkw HTTP/1.1\r\nX: " + b"Qzxjvkw" * 50_000 + b"\r\n\r\n", 431, "too-long", id="header"),
        pytest.param(
            b"POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\nQzxjvkw", 413, "too-long", id="body"
        ),
        pytest.param(
            b"POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nQzxjvkw", 400, "invalid", id="length"
        ),
        pytest.param(
            b"POST /1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nQzxjvkw", 501, "not-supported",
            id="encoding",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("served", ["127.0.0.1"], indirect=True)
def test_what_the_server_refuses_itself_is_an_operation_outcome(
    served: tuple[str, subprocess.Popen[str]], request_: bytes, status: int, code: str
) -> None:
    base, process = served
    head, _, body = raw(int(base.rpartition(":")[2]), request_).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()) or head.startswith(f"HTTP/1.0 {status} ".encode())
    assert b"Content-Type: application/fhir+json" in head
    assert b"X-Content-Type-Options: nosniff" in head
    (issue,) = json.loads(body)["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)
    process.terminate()
    log = process.communicate(timeout=10)[1]
    assert any(json.loads(line).get("event") == "refused" for line in log.splitlines())
    assert b"Qzxjvkw" not in head + body + log.encode()


def raw(port: int, request_: bytes) -> bytes:
    """The whole answer to bytes that need not be HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request_)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:  # it answers before it has read all that we sent
            pass
        return b"".join(parts)
