"""`pathway downtime`: the open tasks on paper, for the hours without the service."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from adapters.bootstrap import SystemClock, open_house
from adapters.downtime.paper import printed, sheet
from adapters.whole_files import put_in_place


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 92), help="How far ahead, in days.")
def downtime(file: Path, days: int) -> None:
    """Write to FILE, as one page of HTML to print, what is open and due within some days.

    Run it by the clock, onto a machine that stays when the service is away. The file that was there is replaced as a
    whole or not at all. It holds patient data; only its owner may read it.
    """
    house = open_house()
    try:
        with house.store.read() as ledger:
            paper = sheet(ledger, SystemClock().now(), ZoneInfo(house.settings.time_zone), timedelta(days=days))
    finally:
        house.close()
    put_in_place(file, [printed(paper).encode()])
    count = sum(len(lines) for _, lines in paper.bands)
    click.echo(f"{file}: {count} open tasks, {paper.left_out} more due later. It holds patient data.")
