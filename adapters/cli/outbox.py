"""`pathway outbox list | requeue | drain`: what has to leave the house; `pathway key make | show`: who we are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from adapters.bootstrap import SystemClock, open_house
from adapters.cli.store import opened_store
from adapters.db.outbox import PARKED, PENDING, SENT, UNNEEDED
from adapters.out import backend_services
from adapters.out.posting import Drained, drain
from pathway.errors import BadInputError

PAGE: Final = 1000


@click.group()
def outbox() -> None:
    """What has to leave the house: for the FHIR server, and alerts."""


@outbox.command("list")
@click.option("--state", type=click.Choice([PARKED, PENDING, SENT, UNNEEDED]), default=PARKED, show_default=True)
@click.option("--limit", type=click.IntRange(1, PAGE), default=100, show_default=True, help="How many rows at most.")
def list_(state: str, limit: int) -> None:
    """The rows in a state, with why they are in it. No patient is named."""
    with opened_store() as store, store.outbox(write=False) as box:
        rows, counts = box.rows(state, limit=limit), box.counts()
    for row in rows:
        tried = f"{row.attempts} attempts, posted {row.posted_at:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{row.key} ({row.channel}, {tried}){': ' if row.last_error else ''}{row.last_error}")
    click.echo(", ".join(f"{number} {name}" for name, number in counts.items()) or "nothing was ever posted")


@outbox.command()
@click.argument("keys", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every parked row.")
def requeue(keys: tuple[str, ...], every: bool) -> None:
    """Try parked rows again, once what held them up is mended."""
    if bool(keys) == every:
        raise BadInputError(
            "name rows, or say --all", where="pathway outbox requeue", fix="`pathway outbox list` names them"
        )
    now = SystemClock().now()
    with opened_store() as store, store.outbox(write=True) as box:
        for key in keys:
            if not box.requeue(key, now):
                raise BadInputError("no parked row has this key", where=key, fix="`pathway outbox list` names them")
        done = box.requeue_all(now) if every else len(keys)
    click.echo(f"{done} rows are tried again")


@outbox.command("drain")
def drain_() -> None:
    """Send what is due now, once and by hand; the workers do it all the time."""
    house = open_house()
    try:
        total = Drained()
        while (some := drain(house)).rows:
            total += some
    finally:
        house.close()
    click.echo(f"{total.sent} sent, {total.failed} put off, {total.parked} parked")


@click.group()
def key() -> None:
    """The key by which FHIR servers know this service (SMART Backend Services)."""


@key.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--algorithm", type=click.Choice(["ES384", "RS384"]), default="ES384", show_default=True)
def make(file: Path, algorithm: str) -> None:
    """Make a private key in a new FILE that only you can read, and show its public half to register."""
    backend_services.make_key(file, algorithm)
    click.echo(json.dumps({"keys": [backend_services.public_key(backend_services.read_key(file))]}, indent=2))
    click.echo(f"Set PATHWAY_FHIR_CLIENT_KEY to {file}; it is then published at /.well-known/jwks.json", err=True)


@key.command()
@click.argument("file", type=click.Path(path_type=Path))
def show(file: Path) -> None:
    """The public half of the key in FILE, as a JSON Web Key Set."""
    click.echo(json.dumps({"keys": [backend_services.public_key(backend_services.read_key(file))]}, indent=2))
