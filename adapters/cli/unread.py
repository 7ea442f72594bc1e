"""`pathway unread list | retry | dismiss`: what came and could not be read, worked through by a person."""

from __future__ import annotations

import getpass

import click

from adapters.bootstrap import open_house
from adapters.ingest import unread as desk
from adapters.text_columns import columns
from pathway.errors import BadInputError


@click.group()
def unread() -> None:
    """What came and could not be read."""


@unread.command("list")
@click.option("--state", type=click.Choice(["open", "read", "dismissed"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def list_unread(state: str, limit: int) -> None:
    """The list, the oldest first: where each came from, why it could not be read, and how to mend it."""
    house = open_house()
    try:
        with house.store.unread(write=False) as rows:
            found, counts = rows.rows(state, limit=limit), rows.counts()
    finally:
        house.close()
    if not found:
        click.echo(f"nothing is {state}")
        return
    table = [("id", "came", "by", "what", "why")]
    table += [
        (r.id, r.at.isoformat(" ", "minutes"), r.door, r.reference or r.place, f"{r.why}. {r.fix}") for r in found
    ]
    click.echo("\n".join(columns(table)))
    if counts[state] > len(found):
        click.echo(f"and {counts[state] - len(found)} more")


@unread.command()
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="Try every open row, the oldest first.")
def retry(id: str | None, everything: bool) -> None:
    """Read one, or all, again: after a release that reads more, or a mended code table."""
    if bool(id) == everything:
        raise BadInputError(
            "name one, or --all", where="pathway unread retry", fix="`pathway unread list` shows the ids"
        )
    house = open_house()
    try:
        if everything:
            tried, good, _ = desk.retry_all(house, _who())
            click.echo(f"{good} of {tried} could be read")
            return
        row = desk.retry(house, id or "", _who())
        click.echo("read" if row.state == "read" else f"still not readable: {row.why}. {row.fix}")
    finally:
        house.close()


@unread.command()
@click.argument("id")
@click.option("--because", required=True, metavar="TEXT", help="Why it need not be read.")
def dismiss(id: str, because: str) -> None:
    """Put one away without reading it."""
    house = open_house()
    try:
        desk.dismiss(house, id, _who(), because)
    finally:
        house.close()
    click.echo("put away")


def _who() -> str:
    return f"command line ({getpass.getuser()})"
