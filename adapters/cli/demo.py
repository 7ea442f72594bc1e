"""`pathway demo load`: synthetic patients into the database, through the same door as any other record."""

from __future__ import annotations

import uuid

import click

from adapters.bootstrap import House, open_house
from adapters.demo.patients import demo_patients
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
