"""`pathway burden`: what the rules ask of people, on an invented population."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import click

from adapters.burden import AS_OF, Burden, Pair, ordered
from adapters.burden import burden as counted
from adapters.cli.assess import instant_of
from adapters.demo.population import SEED
from adapters.settings import from_environment


@click.command()
@click.option("--patients", default=600, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.option("--seed", default=SEED, show_default=True, help="Which invented people.")
@click.option("--as-of", metavar="INSTANT", help=f"By the rules in force then; {AS_OF:%Y-%m-%dT%H:%MZ} if not given.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def burden(patients: int, seed: int, as_of: str | None, form: str) -> None:
    """Open the chart of invented patients once each, none of them cemented, and count cards and tasks.

    By the rules of this house. Nothing is stored, and nothing is sent.
    """
    settings = from_environment()
    at = instant_of(as_of, ZoneInfo(settings.time_zone)) if as_of else AS_OF
    found = counted(settings, patients, seed, at)
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else text(found))


def text(found: Burden) -> str:
    """The report for people."""
    return "\n".join(_lines(found))


def _lines(found: Burden) -> Iterator[str]:
    with_fracture, carded, tasked = (found.people[name] for name in ("fracture", "card", "task"))
    yield f"{found.patients} patients (seed {found.seed}), none cemented; {with_fracture} have a fracture on record"
    yield f"a card for {carded} of them, a task for {tasked}"
    yield ""
    yield f"cards per 100 chart opens: {found.per_hundred(found.cards.total())}"
    yield from _rows(found, found.cards)
    yield ""
    yield f"tasks per 100 patients: {found.per_hundred(found.tasks.total())}"
    yield from _rows(found, found.tasks)
    yield ""
    yield f"tasks per 100 patients whose time has not begun: {found.per_hundred(found.later.total())}"
    yield from _rows(found, found.later)


def _rows(found: Burden, counts: Counter[Pair]) -> Iterator[str]:
    kinds = Counter[str]()
    for (kind, _), count in counts.items():
        kinds[kind] += count
    for kind, total in sorted(kinds.items(), key=lambda one: (-one[1], one[0])):
        yield f"  {found.per_hundred(total):>6}  {kind}"
        for (own, rule), count in ordered(counts):
            if own == kind:
                yield f"  {found.per_hundred(count):>12}  {rule}"
