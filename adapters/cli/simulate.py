"""`pathway simulate`: a patient's time to come, in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import SystemClock
from adapters.demo import year
from adapters.settings import from_environment
from adapters.simulate import happenings
from adapters.simulate.course import course
from pathway.chart import patient_key


@click.command()
@click.argument("patient")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day to go to, in the facility.")
@click.option(
    "--events", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Deliveries and acts of people to come: a line of JSON each.",
)  # fmt: skip
def simulate(patient: str, until: datetime, events: Path | None) -> None:
    """Let time go by for PATIENT and tell what becomes of their tasks. Nothing is stored, and nothing is sent.

    A stored patient goes on from today, with all that is on record. `demo-year` is an invented patient with a year of
    events of their own, from the fracture to twelve months after the cement.
    """
    settings = from_environment()
    until = until.replace(tzinfo=ZoneInfo(settings.time_zone)).astimezone(UTC)
    to_come = happenings.read(events.read_bytes(), events.name) if events else ()
    stored = "" if patient == year.PATIENT else settings.database_url
    for line in course(settings, patient_key(settings.source, patient), stored, to_come, SystemClock().now(), until):
        click.echo(line)
