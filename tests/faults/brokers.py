"""Brokers of a test's own, to be stopped, emptied and started again: Redis, and RabbitMQ as one node."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kombu.connection import Connection

from tests.servers import free_port

START_SECONDS = 90.0
RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the wrapper on the PATH changes to a user of its own


class Broker:
    """A running broker at `url`; `empty` throws away all that it kept."""

    def __init__(self, url: str, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.url, self.folder = url, folder
        self._command, self._environment = list(command), environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                self._command, stdout=said, stderr=said, cwd=self.folder, env=self._environment, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(Exception), Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
                return
            time.sleep(0.2)
        self.kill()
        pytest.fail(f"the broker did not start: {(self.folder / 'said').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it and its children without a word."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            until = time.monotonic() + 10
            while is_up(self.url) and time.monotonic() < until:
                time.sleep(0.05)

    def empty(self) -> None:
        """Throw away what it keeps; it must not run."""
        for kept in (self.folder / "kept").iterdir():
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()


@contextmanager
def own_redis() -> Iterator[Broker]:
    """Redis, which writes down each command at once."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis on this machine (apt-get install redis-server)")

    def make(port: int, folder: Path) -> Broker:
        command = [
            program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / "kept"), "--appendonly", "yes",
            "--appendfsync", "always",
        ]  # fmt: skip
        return Broker(f"redis://127.0.0.1:{port}/0", command, folder, dict(os.environ))

    with _running(make) as broker:
        yield broker


@contextmanager
def own_rabbit() -> Iterator[Broker]:
    """RabbitMQ, one node without plugins."""
    if not RABBIT.exists():
        pytest.skip("no RabbitMQ on this machine (apt-get install rabbitmq-server)")

    def make(port: int, folder: Path) -> Broker:
        (folder / "plugins").write_text("[].")
        (folder / "rabbit.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{port}\n")
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "RABBITMQ_NODENAME": f"pathway{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbit.conf"), "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "kept"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        }  # fmt: skip
        return Broker(f"amqp://guest:guest@127.0.0.1:{port}//", [str(RABBIT)], folder, environment)

    with _running(make) as broker:
        yield broker


@contextmanager
def _running(make: Callable[[int, Path], Broker]) -> Iterator[Broker]:
    folder = Path(tempfile.mkdtemp(prefix="pathway-broker-"))
    (folder / "kept").mkdir()
    broker = make(free_port(), folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def is_up(url: str) -> bool:
    """Whether something listens there."""
    port = int(url.rpartition(":")[2].split("/")[0])
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
