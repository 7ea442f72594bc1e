"""`pathway screen`: who of a whole population needs what."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import House, open_house
from adapters.cli.assess import instant_of
from adapters.fhir import strict_json
from adapters.jobs import Progress, progress, results
from adapters.screen import lists
from adapters.screen.crew import labour
from adapters.screen.job import begin
from adapters.screen.plan import CHUNK, Plan, plan, size_of
from adapters.screen.summary import Summary
from pathway.errors import BadInputError

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made of a screening's results."""

    csv: Path | None
    ndjson: Path | None
    as_json: bool


@click.command()
@click.argument("source", required=False)
@click.option("--resume", metavar="JOB", help="Go on with a screening that was stopped, or tell of one that ended.")
@click.option("--as-of", metavar="INSTANT", help="Decide as the record was known then; now if not given.")
@click.option(
    "--ingest", is_flag=True, help="Keep the records and make the tasks. Without it nothing is kept but the list."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(0, 64),
    help="Processes; 0 leaves the work to the service's own workers and looks on.",
)
@click.option("--chunk", default=CHUNK, show_default=True, type=click.IntRange(1, 1000), help="Patients in a part.")
@click.option(
    "--csv", type=click.Path(dir_okay=False, path_type=Path), help="Write who needs what, a row for each need."
)
@click.option("--ndjson", type=click.Path(dir_okay=False, path_type=Path), help="Write a line for each patient.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def screen(
    source: str | None, resume: str | None, as_of: str | None, ingest: bool, workers: int, chunk: int,
    csv: Path | None, ndjson: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Screen many patients: SOURCE is a folder of Bundles or NDJSON, an NDJSON file, or a listed FHIR base.

    Decides on each over what is stored of them, makes no task, and shows verdicts and needs added up. Stopped by
    Ctrl-C it goes on with --resume. Exit code 1 if some patients could not be read.
    """
    house = open_house()
    try:
        job = _job(house, source, resume, as_of, ingest, chunk)
        far = _carried_out(house, job, workers)
        whole = far.ended and not far.parked
        if far.ended or csv or ndjson:
            whole = _report(house, job, far, Wanted(csv, ndjson, as_json)) and whole
        if not far.ended:
            click.echo(f"Stopped; go on with: pathway screen --resume {job}", err=True)
    finally:
        house.close()
    if not whole:
        raise click.exceptions.Exit(1)


def _job(house: House, source: str | None, resume: str | None, as_of: str | None, ingest: bool, chunk: int) -> str:
    if (source is None) is (resume is None):
        raise BadInputError("nothing, or too much, to screen", where="screen", fix="Give a source, or --resume JOB")
    if resume is not None:
        if as_of or ingest:
            raise BadInputError("a screening goes on as it began", where="--resume", fix="Give no other wish")
        progress(house, resume)  # NotFoundError if there is none
        return resume
    if ingest and as_of:
        raise BadInputError("tasks are made for today only", where="--as-of", fix="Leave out --as-of or --ingest")
    at = instant_of(as_of, ZoneInfo(house.settings.time_zone)) if as_of else house.clock.now().replace(microsecond=0)
    return begin(house, _planned(house, str(source), chunk), at, ingest)


def _planned(house: House, source: str, chunk: int) -> Plan:
    with click.progressbar(length=size_of(Path(source)), label="Looking", file=sys.stderr) as bar:
        return plan(house, source, chunk, bar.update)


def _carried_out(house: House, job: str, workers: int) -> Progress:
    """Work until it is done or somebody stops it: the parts in hand are finished, the others wait."""
    halt = threading.Event()
    far = progress(house, job)
    with click.progressbar(length=far.size, label="Screening", file=sys.stderr, show_pos=True) as bar, _stops(halt):
        bar.update(far.size_done)

        def tell(now: Progress) -> None:
            bar.update(now.size_done - bar.pos)

        return labour(house, job, workers, tell, halt.is_set)


@contextmanager
def _stops(halt: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or TERM asks for a stop, a second Ctrl-C ends at once: its part is taken up after its lease."""

    def asked(*_: object) -> None:
        halt.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {one: signal.signal(one, asked) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _report(house: House, job: str, far: Progress, wanted: Wanted) -> bool:
    """The summary, and the lists that were asked for; whether every patient could be read."""
    found = Summary.of(results(house, job))
    if wanted.csv:
        lists.write_csv(wanted.csv, results(house, job), str(far.job.body["acting"]))
    if wanted.ndjson:
        lists.write_ndjson(wanted.ndjson, results(house, job))
    if wanted.as_json:
        about = {"job": job, "asOf": far.job.body["asOf"], "parts": {"all": far.parts, "done": far.done}}
        click.echo(strict_json.dumps(about | found.to_json()))
    else:
        for line in (f"Screening {job} as of {far.job.body['asOf']}", *found.text()):
            click.echo(line)
    for where, why in (*far.job.body["faults"][:_SHOWN], *((f"part {number}", why) for number, why in far.faults)):
        click.echo(f"Error: {where}: {why}", err=True)
    unusable = far.job.body["unusable"]
    if unusable > _SHOWN:
        click.echo(f"Error: and {unusable - _SHOWN} lines more that belong to nobody who can be told", err=True)
    return not (found.refused or unusable)
