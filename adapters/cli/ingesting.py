"""`pathway load | poll | subscribe | job`: records that come by themselves or in bulk, and how far that is."""

from __future__ import annotations

import time
from pathlib import Path

import click

from adapters.bootstrap import House, open_house
from adapters.db.jobs import Job, Progress
from adapters.ingest import bulk, export, polling, queue, subscription
from adapters.ingest.intake import Taken
from adapters.jobs import KINDS, progress, results, work
from adapters.screen.plan import size_of
from adapters.text_columns import columns
from adapters.worker import doorbell
from pathway.errors import BadInputError

_PAUSE = 0.2


@click.command()
@click.argument("source", metavar="DIR|FILE|FHIR-URL")
@click.option("--since", default="", metavar="INSTANT", help="Of a server: only what changed after this instant.")
@click.option("--group", default="", metavar="ID", help="Of a server: only the patients of this Group.")
@click.option("--background", is_flag=True, help="Leave it to the workers, and say the job's id.")
def load(source: str, since: str, group: str, background: bool) -> None:
    """Take in NDJSON or Bundles from files, or all of a FHIR server by Bulk Data export.

    Stopped or killed, it goes on where it was when the same files are loaded again, or by `pathway job go-on`. What
    cannot be read is listed by `pathway unread list`. The same records again change nothing.
    """
    house = open_house()
    try:
        job = _begin(house, source, since, group)
        if background:
            click.echo(f"job {job}")
            return
        follow(house, job)
        _tell(house, job)
    finally:
        house.close()


def _begin(house: House, source: str, since: str, group: str) -> str:
    if source.startswith(("http://", "https://")):
        return export.begin(house, source, since, group)
    if since or group:
        raise BadInputError("files are loaded whole", where="pathway load", fix="Leave out --since and --group")
    path = Path(source)
    with click.progressbar(length=size_of(path), label="looking through") as bar:
        return bulk.begin(house, path, bar.update)


def follow(house: House, job: str) -> Progress:
    """Work on a job beside whoever else does, with a bar, until it ends."""
    seen = progress(house, job)
    with click.progressbar(length=max(seen.size, 1), label="patients") as bar:
        while not seen.ended:
            if not work(house, job=job):
                time.sleep(_PAUSE)  # others are at the last parts, or a server lets us wait
            seen = progress(house, job)
            bar.length = max(seen.size, 1)
            bar.update(seen.size_done - bar.pos)
    return seen


def _tell(house: House, job: str) -> None:
    seen = progress(house, job)
    taken = bulk.total(results(house, job))
    click.echo(f"{seen.size_done} patients loaded; {_told(taken)}")
    for number, why in seen.faults:
        click.echo(f"part {number} is parked: {why}", err=True)
    if seen.parked:
        raise BadInputError(
            f"{seen.parked} parts could not be done", where=f"job {job}", fix=f"Mend it, then `pathway job go-on {job}`"
        )


def _told(taken: Taken) -> str:
    return (
        f"{taken.resources} resources new or changed, {taken.known} known before, {taken.unread} not readable; "
        f"{taken.created} tasks made, {taken.updated} changed"
    )


@click.command()
def poll() -> None:
    """Ask the FHIR server that is polled what changed, now, and take it in."""
    house = open_house()
    try:
        if not house.settings.poll_base:
            raise BadInputError("no server is polled", where="pathway poll", fix="Set PATHWAY_POLL_BASE")
        came = polling.poll(house, now=True)
        done = work(house, limit=100_000)
        click.echo(f"{came} resources were looked at, {done} parts were taken in")
    finally:
        house.close()


@click.command()
@click.option("--off", is_flag=True, help="Remove the subscriptions that were made.")
@click.option("--no-payload", is_flag=True, help="Let the server tell only that something changed.")
def subscribe(off: bool, no_payload: bool) -> None:
    """Let the FHIR server that is polled tell of each change at once (R4 rest-hook Subscriptions)."""
    house = open_house()
    try:
        if off:
            click.echo(f"{subscription.unsubscribe(house)} subscriptions removed")
        else:
            click.echo(f"{len(subscription.subscribe(house, payload=not no_payload))} subscriptions made")
    finally:
        house.close()


@click.group()
def job() -> None:
    """Loads, screenings and what came by itself: how far they are."""


@job.command("list")
def list_jobs() -> None:
    """The latest jobs, newest first, and of what came by itself (deliver) those that a person has to look at."""
    house = open_house()
    try:
        with house.store.jobs(write=False) as jobs:
            asked = [one.id for one in jobs.jobs(sorted(KINDS.keys() - {queue.KIND}))]
            found = [jobs.progress(id) for id in (*asked, *jobs.parked(queue.KIND))]
    finally:
        house.close()
    rows = [("job", "kind", "state", "parts", "done", "parked", "begun")]
    rows += [_row(one.job, one) for one in found]
    click.echo("\n".join(columns(rows)))
    for one in found:
        for number, why in one.faults:
            click.echo(f"{one.job.id}, part {number} is parked: {why}")


def _row(about: Job, seen: Progress) -> tuple[str, ...]:
    begun = about.made_at.isoformat(" ", "minutes")
    return about.id, about.kind, about.state, str(seen.parts), str(seen.done), str(seen.parked), begun


@job.command("requeue")
def requeue() -> None:
    """Try again whatever came by itself and is parked, once what held it up is mended; the workers take it in."""
    house, count = open_house(), 0
    try:
        with house.store.jobs(write=True) as jobs:
            while ids := jobs.parked(queue.KIND):
                count += sum(jobs.requeue(id, house.clock.now()) for id in ids)
        doorbell.ring("work")
    finally:
        house.close()
    click.echo(f"{count} parts are tried again")


@job.command("go-on")
@click.argument("id")
def go_on(id: str) -> None:
    """Go on with a job that was stopped or killed, and try its parked parts again."""
    house = open_house()
    try:
        with house.store.jobs(write=True) as jobs:
            jobs.requeue(id, house.clock.now())
        seen = follow(house, id)
        click.echo(f"{seen.done} of {seen.parts} parts done, {seen.parked} parked")
    finally:
        house.close()


@job.command()
@click.argument("id")
def stop(id: str) -> None:
    """Take up no further part of a job."""
    house = open_house()
    try:
        with house.store.jobs(write=True) as jobs:
            stopped = jobs.stop(jobs.job(id).id, house.clock.now())
        click.echo("stopped" if stopped else "it had ended")
    finally:
        house.close()
