"""`pathway sweep` and `pathway cohort`: what time brings, once and by hand; and who came before the service did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from adapters.bootstrap import open_house
from adapters.spreadsheet import csv_bytes
from pathway.canonical import instant
from pathway.cohort import Line
from pathway.errors import BadInputError

COLUMNS: Final = (
    "patient", "kind", "levels", "since", "bone_health", "title", "why", "owner", "due_at", "code", "rule", "release",
)  # fmt: skip


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
        for part in rendered(house.service.cohort(), form):
            click.echo(part, nl=False)
    finally:
        house.close()


def rendered(lines: Iterable[Line], form: str) -> Iterator[bytes]:
    """The report as `text`, `csv` or `ndjson`, line by line, in UTF-8."""
    if form == "csv":
        yield csv_bytes([COLUMNS])
    patients: set[str] = set()
    gaps = count = 0
    for line in lines:
        row = to_json(line)
        patients.add(line.patient)
        gaps, count = gaps + line.bone_health, count + 1
        if form == "csv":
            yield csv_bytes([[_plain(row[name]) for name in COLUMNS]])
        elif form == "ndjson":
            yield (json.dumps(row, ensure_ascii=False) + "\n").encode()
        else:
            of = f"{line.kind} {' '.join(line.levels)} of {line.since:%Y-%m-%d}"
            yield f"{line.patient}  {of}: {line.title}\n".encode()
    if form == "text":
        yield f"{count} lines, {len(patients)} patients, {gaps} gaps in osteoporosis care\n".encode()


def _plain(value: object) -> object:
    return " ".join(value) if isinstance(value, tuple) else value


def to_json(line: Line) -> dict[str, Any]:
    """A line as plain JSON, instants in UTC."""
    body = asdict(line)
    return body | {"kind": line.kind.value, "since": instant(line.since), "due_at": instant(line.due_at)}
