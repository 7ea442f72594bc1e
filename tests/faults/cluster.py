"""A PostgreSQL server of a test's own, to be stopped, restarted and filled up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PROGRAMS = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/local/bin", "/usr/bin")
_OPTIONS = "-c fsync=on -c max_connections=40 -c shared_buffers=16MB -c restart_after_crash=on -c logging_collector=off"


class Cluster:
    """A server on a port of its own. Run as `postgres` where we are root, for it refuses to be."""

    def __init__(self, home: Path, programs: Path) -> None:
        self.home, self._programs = home, programs
        self.data = home / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make its files."""
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-l", str(self.home / "log"), "-o", self._options())

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def restart(self, mode: str) -> None:
        self._run("pg_ctl", "restart", "-w", "-m", mode, "-l", str(self.home / "log"), "-o", self._options())

    def _options(self) -> str:
        return f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1 {_OPTIONS}"

    def _run(self, program: str, *arguments: str) -> None:
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        command = [*drop, str(self._programs / program), "-D", str(self.data), *arguments]
        with (self.home / "said").open("ab") as said:
            subprocess.run(command, check=True, stdout=said, stderr=said, cwd=self.home, timeout=120)


@contextmanager
def own_cluster(size: int = 0) -> Iterator[Cluster]:
    """A running server; with `size`, on a disk of its own of so many bytes. Skips where it cannot be made."""
    programs = next(
        (Path(p) for p in PROGRAMS if (Path(p) / "pg_ctl").exists() and (Path(p) / "initdb").exists()), None
    )
    if programs is None:
        pytest.skip("no PostgreSQL programs (initdb, pg_ctl) on this machine")
    home = Path(tempfile.mkdtemp(prefix="pathway-pg-"))
    try:
        with small_disk(home, size):
            if os.getuid() == 0:
                shutil.chown(home, "postgres", "postgres")
            cluster = Cluster(home, programs)
            cluster.make()
            cluster.start()
            try:
                yield cluster
            finally:
                with suppress(subprocess.CalledProcessError):
                    cluster.stop("immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes at a folder, 0 for none; skips where we may not mount one."""
    if not size:
        yield
        return
    mounted = os.getuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "pathway-test", str(folder)],
        check=False, capture_output=True,
    ).returncode == 0  # fmt: skip
    if not mounted:
        pytest.skip("a small disk of its own needs root and tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
