"""`pathway serve` and `pathway replay`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import click

from adapters.bootstrap import House, open_house
from adapters.http import logs
from adapters.settings import Settings, from_environment
from adapters.worker import doorbell
from pathway import releases
from pathway.canonical import instant
from pathway.errors import BadInputError, PathwayError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: programs need no sign-in yet.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Serve the pages, CDS Hooks and the FHIR API."""
    from adapters.http.app import create_app
    from adapters.http.serving import serve as serve_app

    settings = from_environment()
    logs.configure(settings.log_level)
    house = open_house(settings)
    _bell(settings)
    try:
        serve_app(create_app(house), host, port, ready=lambda: _greet(house, f"http://{host}:{port}"))
    finally:
        doorbell.remove()
        house.close()


def _bell(settings: Settings) -> None:
    """Ring for workers where a broker is known; without one, they are rung for by the beat alone."""
    with suppress(BadInputError):
        doorbell.install(settings)


def _greet(house: House, base: str) -> None:
    """Who gets in where, and what whoever starts the service should know of its rules."""
    click.echo(
        f"Pathway serves on {base} (open to this machine only; draft rules, not approved for clinical use)\n"
        f"  people         {base}/\n"
        f"  CDS Hooks      {base}/cds-services\n"
        f"  FHIR in        POST {base}/fhir\n"
        f"  tasks          {base}/fhir/Task\n"
        "Stop with Ctrl-C."
    )
    for line in _about_the_rules(house):
        click.echo(line, err=True)


def _about_the_rules(house: House) -> Iterator[str]:
    """Rules that cannot decide, and that do not decide yet."""
    yield from (f"Warning: {trouble.what}" for trouble in house.rules.trouble)
    if house.settings.rules_from == "working":
        yield "Warning: the working files decide (PATHWAY_RULES_FROM=working), not frozen releases"
        return
    with suppress(PathwayError):  # a slip in the working files is nothing to those who run releases
        ahead = [f"{id_} {version}" for id_, version in releases.unfrozen(house.settings.rules).items()]
        if ahead:
            yield f"Not frozen yet, so not deciding: {', '.join(ahead)}"


@click.command()
@click.argument("decision")
def replay(decision: str) -> None:
    """Make a stored decision again; the same bytes, or exit code 1."""
    house = open_house()
    try:
        record = house.service.replay(decision)
    finally:
        house.close()
    times = f"as of {instant(record.as_of)}  decided {instant(record.decided_at)}"
    click.echo(f"same  sha256 {record.body_sha256}  {times}")
