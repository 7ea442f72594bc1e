"""`pathway serve` and `pathway replay`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import click

from adapters.bootstrap import House, open_house
from adapters.http import logs
from adapters.settings import Settings
from pathway import releases
from pathway.errors import PathwayError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: programs need no sign-in yet.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Serve the FHIR API, CDS Hooks and the start page."""
    from adapters.http.app import create_app
    from adapters.http.serving import serve as serve_app

    settings = Settings()
    logs.configure(settings.log_level)
    house = open_house(settings)
    base = f"http://{host}:{port}"
    click.echo(
        f"Pathway serves on {base} (open to this machine only; draft rules, not approved for clinical use)\n"
        f"  start page     {base}/\n"
        f"  CDS Hooks      {base}/cds-services\n"
        f"  tasks          {base}/fhir/Task\n"
        f"  FHIR in        POST {base}/fhir\n"
        "Stop with Ctrl-C."
    )
    for line in _about_the_rules(house):
        click.echo(line, err=True)
    try:
        serve_app(create_app(house), host, port)
    finally:
        house.close()


def _about_the_rules(house: House) -> Iterator[str]:
    """What whoever starts the service should know of the rules that decide."""
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
    click.echo(
        f"same  sha256 {record.body_sha256}  as of {record.as_of.isoformat()}  decided {record.decided_at.isoformat()}"
    )
