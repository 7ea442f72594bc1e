"""FHIR servers to read from: sekmet, which others wrote, in its own process; and one that misbehaves on purpose."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sekmet:
    """A running sekmet-fhir; `base` is its FHIR base."""

    def __init__(self, base: str) -> None:
        self.base = base

    def put(self, resources: Iterable[dict[str, Any]]) -> None:
        """Store resources under their ids, at least each patient before what refers to it."""
        with requests.Session() as session:
            session.trust_env = False
            for resource in resources:
                url = f"{self.base}/{resource['resourceType']}/{resource['id']}"
                answer = session.put(url, json=resource, headers={"Content-Type": "application/fhir+json"}, timeout=10)
                assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="session")
def sekmet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sekmet]:
    """One server for the session; each test takes patients of its own."""
    program = shutil.which("sekmet", path=str(Path(sys.executable).parent)) or shutil.which("sekmet")
    if program is None:
        pytest.skip("sekmet-fhir is not installed")
    folder, port = tmp_path_factory.mktemp("sekmet"), free_port()
    base = f"http://127.0.0.1:{port}/fhir"
    environment = {**os.environ, "SEKMET_DB": str(folder / "sekmet.db"), "SEKMET_BASE_URL": base}
    command = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _await(f"{base}/metadata", process)
        yield Sekmet(base)
    finally:
        process.terminate()
        process.wait(20)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "sekmet ended early"
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("sekmet did not start")


@contextmanager
def raw_server(answer: Iterable[bytes], pause: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """A base whose every connection gets the same bytes, with a pause before each part; and the requests that came."""
    asked: list[bytes] = []
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def talk(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(2)
            asked.append(connection.recv(65536))
            for part in answer:
                if stop.wait(pause):
                    return
                try:
                    connection.sendall(part)
                except OSError:
                    return

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/fhir", asked
    finally:
        stop.set()
        thread.join()
        listener.close()
