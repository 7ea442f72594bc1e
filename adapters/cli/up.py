"""`pathway up | worker | beat`: everything on one machine, or its parts one by one."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from adapters.bootstrap import open_house
from adapters.http import logs
from adapters.settings import from_environment


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: programs need no sign-in yet.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def up(host: str, port: int) -> None:
    """Start web, worker and beat, and stop them together."""
    from adapters.worker.launcher import Launcher, Part

    program = [sys.executable, "-m", "adapters.cli"]
    parts = (
        Part("web", (*program, "serve", "--host", host, "--port", str(port))),
        Part("worker", (*program, "worker")),
        Part("beat", (*program, "beat")),
    )
    sys.exit(Launcher(parts, lambda line: click.echo(line, err=True)).run())


@click.command()
def worker() -> None:
    """Do what is due: as many processes as PATHWAY_WORKER_PROCESSES says. Any number of workers may run."""
    from adapters.worker import doorbell
    from adapters.worker.app import house_of_worker, make_app, make_queue, processes

    settings = from_environment()
    logs.configure(settings.log_level)
    house_of_worker(settings)  # before the fork; what cannot be used is said now, not at the first bell
    doorbell.install(settings)
    app = make_app(settings)
    make_queue(app)
    program = app.Worker(
        pool="prefork", concurrency=processes(settings), quiet=True, without_mingle=True, without_gossip=True,
        without_heartbeat=True,
    )  # fmt: skip
    program.start()
    sys.exit(program.exitcode or 0)


@click.command()
def beat() -> None:
    """Ring for the workers every few seconds. Any number of beats may run."""
    from adapters.worker import doorbell, ending
    from adapters.worker.beat import Beat
    from adapters.worker.broker import broker, sweep_file

    settings = from_environment()
    logs.configure(settings.log_level)
    address = broker(settings)
    house = open_house(settings)
    doorbell.install(settings)
    one = Beat(house, doorbell.ring, lambda: sweep_file(address))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        one.stopped.set()
        ending.begin()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        one.run()
    finally:
        doorbell.remove()
        house.close()
