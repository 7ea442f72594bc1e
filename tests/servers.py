"""FHIR servers of other people, for tests: sekmet (Python, on a file) and Medplum's router (Node, on a journal).

Each runs on a free port with its data in a folder of its own, so it can be stopped, killed and started again with what
it held. Both answer at `base`. Medplum is installed by npm, once for each lock file, outside the work tree.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

ROOM = Path(__file__).parent / "medplum"
START_SECONDS = 60.0  # a second or two on a machine with nothing else to do
OLDEST_NODE = (20, 19)


class OtherServer:
    """A process that answers as a FHIR server. `base` stays the same from start to start."""

    def __init__(self, name: str, command: Sequence[str], base: str, folder: Path) -> None:
        self.name, self.base, self.folder = name, base, folder
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(self._command, stdout=said, stderr=said, cwd=self.folder)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                if requests.get(f"{self.base}/metadata", timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        self.kill()
        pytest.fail(f"{self.name} did not start: {(self.folder / 'said').read_text()[-2000:]}")

    def stop(self) -> None:
        """Let it end by itself."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It takes connections and answers nothing, until `go_on`."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def read(self, reference: str) -> dict[str, Any]:
        """One resource as it is there; fails unless there is one."""
        answer = requests.get(f"{self.base}/{reference}", timeout=30)
        assert answer.status_code == 200, f"{reference}: {answer.status_code}"
        return answer.json()

    def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Write a resource under its own id, as somebody else at the server would."""
        kind, own = resource["resourceType"], resource["id"]
        answer = requests.put(f"{self.base}/{kind}/{own}", json=resource, headers=_FHIR, timeout=30)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def post(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Create a resource; the server gives the id."""
        answer = requests.post(f"{self.base}/{resource['resourceType']}", json=resource, headers=_FHIR, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def search(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """Every resource of a kind that a search finds, all pages of it."""
        found: list[dict[str, Any]] = []
        url: str | None = requests.Request("GET", f"{self.base}/{kind}", params={"_count": "500"} | query).prepare().url
        while url:
            answer = requests.get(url, timeout=60)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            rows = [row["resource"] for row in page.get("entry", ())]
            found += [one for one in rows if one["resourceType"] == kind]
            url = next((link["url"] for link in page.get("link", ()) if link["relation"] == "next"), None)
        return found


_FHIR = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}


def free_port() -> int:
    """A port that nobody listens on at present."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def sekmet(**settings: Any) -> Iterator[OtherServer]:
    """sekmet-fhir, as strict as it can be. `settings` are of its settings.yaml, such as `server_auth`."""
    with _running("sekmet", lambda port, folder: _sekmet_command(port, folder, settings), "/fhir") as server:
        yield server


def _sekmet_command(port: int, folder: Path, settings: dict[str, Any]) -> list[str]:
    base = f"http://127.0.0.1:{port}/fhir"
    given = {
        "base_url": base,
        "host": "127.0.0.1",
        "port": port,
        "data_dir": str(folder),
        "own_private_key_path": str(folder / "key.pem"),
        "log_inbound": False,
        "simulator": {"enabled": False},  # it would act on our tasks
    }
    (folder / "settings.yaml").write_text(json.dumps(given | settings))  # JSON is YAML
    code = "from sekmet.cli import app; app()"
    return [sys.executable, "-c", code, "serve", "--config", str(folder / "settings.yaml")]


@contextmanager
def medplum(own_ids: bool = False) -> Iterator[OtherServer]:
    """Medplum's FHIR router. With `own_ids` a PUT to an id that does not exist is refused with 404.

    It validates what it keeps, holds it in memory, and writes it to a journal that it reads when it starts.
    """
    home = _medplum_home()

    def command(port: int, folder: Path) -> list[str]:
        return [
            "node",
            str(home / "server.mjs"),
            str(port),
            str(folder / "journal"),
            *(["--own-ids"] if own_ids else []),
        ]

    with _running("medplum", command, "/fhir/R4") as server:
        yield server


@contextmanager
def _running(name: str, command: Callable[[int, Path], list[str]], path: str) -> Iterator[OtherServer]:
    folder = Path(tempfile.mkdtemp(prefix=f"pathway-{name}-"))
    port = free_port()
    server = OtherServer(name, command(port, folder), f"http://127.0.0.1:{port}{path}", folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _medplum_home() -> Path:
    """The folder where it is installed as its lock says; installs it where it is not."""
    if why := _no_node():
        pytest.skip(why)
    lock = (ROOM / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pathway"
    home = cache / f"medplum-{hashlib.sha256(lock).hexdigest()[:16]}"
    home.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as alone:  # several test processes at once
        fcntl.flock(alone, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOM / name, home / name)
        if not (home / "installed").exists():
            install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(install, cwd=home, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.fail(f"Medplum could not be installed: {done.stderr[-1000:]}")
            (home / "installed").touch()
        fresh = home / f"server.{os.getpid()}"
        shutil.copy(ROOM / "server.mjs", fresh)
        fresh.replace(home / "server.mjs")
    return home


def _no_node() -> str:
    """Why Medplum cannot run on this machine; empty where it can."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "no node and npm on this machine: Medplum runs on them"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    version = tuple(int(part) for part in said.strip().removeprefix("v").split(".")[:2])
    return "" if version >= OLDEST_NODE else f"node {said.strip()} is too old for Medplum"
