"""`pathway measure`: of all who broke a vertebra or had cement, how many had what should follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import House, open_house
from adapters.cli.assess import instant_of
from adapters.fhir import strict_json
from adapters.measure import fhir_report, job
from adapters.measure.counting import Counter, counting
from adapters.measure.report import Head, csv_rows, ndjson, text
from adapters.screen.crew import labour
from pathway.errors import BadInputError
from pathway.measures import Window, tally

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--as-of", metavar="INSTANT", help="Count by the record as it was known then; now if not given.")
@click.option("--from", "since", type=_DAY, help="Only events of this day and later.")
@click.option("--to", "until", type=_DAY, help="Only events up to this day.")
@click.option("--measure", "only", metavar="ID", default="", help="Only this measure; without it all of them.")
@click.option(
    "--format", "form", type=click.Choice(["text", "csv", "ndjson", "fhir"]), default="text", show_default=True,
    help="csv and ndjson name every patient; fhir is a Bundle of MeasureReports.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep what came of it as the report that the page shows.")
def measure(
    as_of: str | None, since: datetime | None, until: datetime | None, only: str, form: str, keep: bool
) -> None:
    """Count quality measures over the stored charts; nothing is decided, and no task is made.

    A measurement year of HEDIS OMW is --from 2025-07-01 --to 2026-06-30. What is not on record is unknown, and counted
    apart.
    """
    house = open_house()
    try:
        zone = ZoneInfo(house.settings.time_zone)
        at = instant_of(as_of, zone) if as_of else house.clock.now().replace(microsecond=0)
        if at > house.clock.now():
            raise BadInputError("that instant is still to come", where="--as-of", fix="Give one that is over")
        window = Window(at, zone, _date(since), _date(until))
        if window.since and window.since > min(window.until or date.max, window.day(at)):
            fix = "Give a --from that is before --to and --as-of"
            raise BadInputError("the days run backwards", where="--from", fix=fix)
        if keep:
            _kept(house, window, only, form)
            return
        with counting(house, window, only) as counter:
            for part in _said(house, counter, form, whole=not only):
                click.echo(part, nl=False)
    finally:
        house.close()


def _said(house: House, counter: Counter, form: str, *, whole: bool) -> Iterator[bytes]:
    """The report in parts, patients in the order of their keys."""
    with house.store.read() as ledger:
        patients = ledger.patients()
    lines = counter.lines(patients)
    head = Head.of(counter.window, counter.rule_sets, counter.not_computed if whole else ())
    if form == "csv":
        yield from csv_rows(lines)
    elif form == "ndjson":
        yield from ndjson(lines, counter.measures, head)
    elif form == "fhir":
        yield strict_json.dumps(fhir_report.bundle(tally(counter.measures, lines), head)) + b"\n"
    else:
        yield from (f"{line}\n".encode() for line in text(tally(counter.measures, lines), head))


def _kept(house: House, window: Window, only: str, form: str) -> None:
    """Count everything as a job, here and now, and leave its results for the page."""
    if only or form != "text":
        fix = "Leave out --measure and --format; the page has the CSV"
        raise BadInputError("a kept report is of all measures", where="--keep", fix=fix)
    id_ = job.begin(house, window)
    far = labour(house, id_, 1, lambda _: None)
    if far.parked:  # then nothing was added up, and the page shows the report before it
        for number, why in far.faults:
            click.echo(f"Error: part {number}: {why}", err=True)
        click.echo(f"Not kept: only {far.size_done} patients could be measured", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"Measured {far.size_done} patients, kept as job {id_}")


def _date(at: datetime | None) -> date | None:
    return at.date() if at is not None else None
