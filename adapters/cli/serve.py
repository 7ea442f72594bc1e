"""`pathway serve` and `pathway replay`."""

from __future__ import annotations

import click

from adapters.bootstrap import open_house


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: there is no sign-in yet.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Serve the FHIR API, CDS Hooks and the start page."""
    from adapters.http.app import create_app
    from adapters.http.serving import serve as serve_app

    house = open_house()
    base = f"http://{host}:{port}"
    click.echo(
        f"Pathway serves on {base} (open to this machine only; draft rules, not approved for clinical use)\n"
        f"  start page     {base}/\n"
        f"  CDS Hooks      {base}/cds-services\n"
        f"  tasks          {base}/fhir/Task\n"
        f"  FHIR in        POST {base}/fhir\n"
        "Stop with Ctrl-C."
    )
    try:
        serve_app(create_app(house), host, port)
    finally:
        house.close()


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
