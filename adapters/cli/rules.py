"""`pathway rules check | test | show | release`."""

from __future__ import annotations

import click


@click.group()
def rules() -> None:
    """The rule book: check it, run its cases, show a rule in words, freeze a release."""
