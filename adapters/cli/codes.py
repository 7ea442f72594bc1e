"""`pathway codes unmapped | check`: codes that no value set knows, and the site's map of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from adapters.bootstrap import code_tables
from adapters.db.migrate import upgrade
from adapters.db.store import open_store
from adapters.fhir.unmapped import Census
from adapters.settings import from_environment
from adapters.text_columns import columns


@click.group()
def codes() -> None:
    """Codes of the site's own: find those that no value set knows, and check the map that adds them."""


@codes.command()
@click.option("--json", "as_json", is_flag=True, help="All codes as JSON, whatever --limit says.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many codes to show.")
def unmapped(as_json: bool, limit: int) -> None:
    """Count the codes in all stored charts that stand where a code matters and that no value set knows.

    Shows no free text and no patient; a display, and a code that may be text, only where two patients have the same.
    """
    settings = from_environment()
    terms = code_tables(settings)
    upgrade(settings.database_url)
    store, census, charts = open_store(settings.database_url), Census(terms), 0
    try:
        with store.read() as ledger:  # one consistent state, a chart at a time
            for patient in ledger.patients():
                census.add(ledger.chart(patient))
                charts += 1
    finally:
        store.close()
    rows = census.rows()
    if as_json:
        click.echo(json.dumps({"charts": charts, "codes": rows}, indent=2, ensure_ascii=False))
        return
    for line in _told(rows, limit, charts):
        click.echo(line)


def _told(rows: Sequence[dict[str, Any]], limit: int, charts: int) -> Iterator[str]:
    total = sum(row["resources"] for row in rows)
    yield f"{len(rows)} codes that no value set knows, in {total} places of {charts} charts"
    if not rows:
        return
    head = ("element", "patients", "resources")
    table = columns([head, *((r["element"], str(r["patients"]), str(r["resources"])) for r in rows[:limit])])
    named = ["code", *(_named(row) for row in rows[:limit])]
    yield from (f"{line}  {name}" for line, name in zip(table, named, strict=True))
    if len(rows) > limit:
        yield f"and {len(rows) - limit} more: --limit"
    yield "Map them, or say that they match nothing: docs/codes.md"


def _named(row: dict[str, Any]) -> str:
    if row["withheld"]:
        return f"{row['system'] or '(a system)'}|(withheld: one patient has it, and it may be about that person)"
    if not row["code"] and not row["system"]:
        return "(text alone, without a code)"
    shown = f" {row['display']!r}" if row["display"] else ""
    return f"{row['system'] or '(no system)'}|{row['code']}{shown}"


@codes.command()
def check() -> None:
    """Check the file that PATHWAY_SITE_CODES names: every group, element and target."""
    settings = from_environment()
    site = code_tables(settings).site
    if settings.site_codes is None:
        click.echo("PATHWAY_SITE_CODES is not set: the site has no codes of its own")
        return
    wide = sum(row.wide for row in site.rows)
    click.echo(
        f"{settings.site_codes}: {len(site.rows)} codes mapped ({wide} to a wider one), "
        f"{len(site.reviewed)} that match nothing. A restart of the service takes it in"
    )
