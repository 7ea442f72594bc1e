"""`pathway assess FILE…`: what would be decided on these records, without storing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import SystemClock, code_tables, rules_in_force
from adapters.cli.table import one_line, table
from adapters.fhir.deliver import Parcel, Reader
from adapters.fhir.reading import When
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings, from_environment
from pathway.decide import decide
from pathway.decisions import Decision
from pathway.errors import BadInputError
from pathway.leases import RulesInForce
from pathway.service import Delivery


@dataclass(frozen=True, slots=True)
class Desk:
    """Rules and readers for deciding on files, with no database."""

    reader: Reader
    facts: ChartReader
    rules: RulesInForce
    now: datetime
    acting: str = ""

    @classmethod
    def open(cls, settings: Settings, policies: tuple[str, ...], now: datetime) -> Desk:
        """Load the rules in force and the code tables."""
        rules, terms, zone = rules_in_force(settings, policies), code_tables(settings), ZoneInfo(settings.time_zone)
        declared = rules.rules.declared
        facts = ChartReader(declared, terms, zone, settings.place_state)
        acting = "" if policies else settings.acting_policy  # who names rule sets wants to see what each asks for
        return cls(Reader("file", now, terms, declared, zone), facts, rules, now, acting)

    def read(self, path: Path) -> Parcel:
        """A file of FHIR JSON, or of NDJSON by its name."""
        data = path.read_bytes()
        many = path.suffix.lower() in (".ndjson", ".jsonl")
        return self.reader.ndjson(data, path.name) if many else self.reader.submission(data, path.name)

    def decide(self, delivery: Delivery, as_of: datetime) -> Decision:
        """The decision on one patient of a file."""
        chart = [resource for resource, _ in delivery.resources]
        case = self.facts.build(delivery.patient, chart, as_of, aside=delivery.set_aside)
        with self.rules.lease(self.now) as armed:
            return decide(armed.sees(case), armed.machines, armed.not_run, acting=self.acting)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as-of", metavar="INSTANT", help="Decide as the record was known then: 2026-11-22T08:00:00Z, or a day.")
@click.option(
    "--policy", "policies", metavar="ID", multiple=True, help="Only this rule set; may be given several times."
)
@click.option("--json", "as_json", is_flag=True, help="The whole decision as JSON, one line for each patient.")
def assess(files: tuple[Path, ...], as_of: str | None, policies: tuple[str, ...], as_json: bool) -> None:
    """Decide on FHIR files (Bundle or NDJSON), storing nothing.

    Shows for each vertebra the verdict, its reasons, what is missing and what comes next. Exit code 2 if a file was
    refused.
    """
    settings, now = from_environment(), SystemClock().now()
    desk = Desk.open(settings, policies, now)
    instant = instant_of(as_of, ZoneInfo(settings.time_zone)) if as_of else now
    if len(files) == 1:
        for decision, parcel in _decisions(desk, files[0], instant):
            _show(decision, parcel, as_json)
        return
    refused = _many(desk, files, instant, as_json)
    if refused:
        click.echo(f"{refused} of {len(files)} files refused", err=True)
        raise click.exceptions.Exit(2)


def _many(desk: Desk, files: tuple[Path, ...], as_of: datetime, as_json: bool) -> int:
    """Many files: a progress bar, a line for each patient, and each refusal named; says how many were refused."""
    refusals: list[str] = []
    with click.progressbar(files, label="Deciding", file=sys.stderr) as bar:
        lines: list[str] = []
        for path in bar:
            try:
                for decision, _ in _decisions(desk, path, as_of):
                    lines.append(decision.to_bytes().decode() if as_json else one_line(path.name, decision.body))
            except BadInputError as fault:
                refusals.append(f"Error: {fault}")
    for line in lines:
        click.echo(line)
    for refusal in refusals:
        click.echo(refusal, err=True)
    return len(refusals)


def _decisions(desk: Desk, path: Path, as_of: datetime) -> Iterator[tuple[Decision, Parcel]]:
    parcel = desk.read(path)
    for delivery in parcel.deliveries:
        yield desk.decide(delivery, as_of), parcel


def _show(decision: Decision, parcel: Parcel, as_json: bool) -> None:
    if as_json:
        click.echo(decision.to_bytes().decode())
        return
    click.echo(table(decision.body))
    for entry in parcel.entries:
        if not entry.accepted:
            click.echo(f"Warning: set aside entry {entry.index}: {entry.expression} {entry.why}. {entry.fix}", err=True)


def instant_of(text: str, zone: ZoneInfo) -> datetime:
    """An instant with its zone, or the start of a day in the facility's zone."""
    when = When.read(text, zone)
    if when is None:
        raise BadInputError(
            "not an instant", where="--as-of", fix="Write 2026-11-22T08:00:00Z, or 2026-11-22 for the start of that day"
        )
    return when.earliest.astimezone(UTC)
