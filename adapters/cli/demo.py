"""`pathway demo`: synthetic patients into the database through the same door as any other record, or into a file."""

from __future__ import annotations

import uuid
from pathlib import Path

import click

from adapters.bootstrap import House, SystemClock, open_house
from adapters.demo.patients import demo_patients
from adapters.demo.population import population as people
from adapters.fhir import strict_json
from adapters.http.auth.demo import PEOPLE, add_demo_people
from pathway.decisions import DecisionRecord
from pathway.ports import Submission


@click.group()
def demo() -> None:
    """Synthetic patients to look at."""


@demo.command()
def load() -> None:
    """Load the demo patients, dated from today. Doing it twice on one day changes nothing but the log."""
    house = open_house()
    try:
        records = load_demo(house)
        with house.store.accounts(write=True) as accounts:
            add_demo_people(accounts, house.clock.now())
    finally:
        house.close()
    click.echo(f"{len(records)} demo patients loaded (all invented), and {len(PEOPLE)} people to sign in as by a click")


@demo.command()
@click.argument("count", type=click.IntRange(1, 10_000_000))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def population(count: int, file: Path) -> None:
    """Write so many invented patients as NDJSON, dated from today, for `pathway screen`. Most have no fracture."""
    today = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
    with file.open("wb") as out:
        for record in people(count, today):
            out.writelines(strict_json.dumps(resource) + b"\n" for resource in record.resources)
    click.echo(f"{count} patients written (all invented); screen them with: pathway screen {file}")


def load_demo(house: House) -> tuple[DecisionRecord, ...]:
    """Ingest every demo patient as of the start of the day; the decisions, in order."""
    now = house.clock.now()
    made: list[DecisionRecord] = []
    for record in demo_patients(now.replace(hour=0, minute=0, second=0, microsecond=0)):
        data = strict_json.dumps(record.bundle())
        parcel = house.reader(now).submission(data, record.id)
        submission = Submission(str(uuid.uuid4()), house.settings.source, "demo", now, parcel.sha256)
        for delivery in parcel.deliveries:
            made.append(house.service.ingest(delivery, submission, data, actor="demo").decision)
    return tuple(made)
