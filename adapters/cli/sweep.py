"""`pathway sweep` and `pathway cohort`: what time brings, once and by hand; and who came before the service did."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import open_house
from adapters.cohort_report import rendered
from pathway.errors import BadInputError


@click.command()
def sweep() -> None:
    """Do once what the workers do all the time: wake tasks, and decide again where time may tell."""
    house = open_house()
    try:
        woken, decided = _all(house.service.wake), _all(house.service.catch_up)
    finally:
        house.close()
    click.echo(f"{woken} tasks moved by the clock, {decided} patients looked at again")


def _all(step: Callable[[], int]) -> int:
    """A round after the other, until nothing is left to do."""
    done = 0
    while some := step():
        done += some
    return done


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "csv", "ndjson"]), default="text", show_default=True)
def cohort(form: str) -> None:
    """List what is lacking about fractures and procedures from before the day of go-live: no task is made of it."""
    house = open_house()
    try:
        if house.settings.go_live is None:
            raise BadInputError(
                "no day of go-live is set", where="PATHWAY_GO_LIVE", fix="Set it to a date such as 2026-12-01"
            )
        for part in rendered(house.service.cohort(), form, ZoneInfo(house.settings.time_zone)):
            click.echo(part, nl=False)
    finally:
        house.close()
