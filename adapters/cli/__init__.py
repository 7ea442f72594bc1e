"""The command line: `pathway up | serve | assess | rules | …`; `pathway --help` names them all.

Exit codes: 0 done, 1 a check failed, 2 bad input or usage, 70 a fault of ours. No traceback reaches the user.
"""

from __future__ import annotations

from typing import Any

import click

from adapters.cli.accounts import account
from adapters.cli.assess import assess
from adapters.cli.backup import backup, restore, upgrade
from adapters.cli.burden import burden
from adapters.cli.codes import codes
from adapters.cli.demo import demo
from adapters.cli.downtime import downtime
from adapters.cli.ingesting import job, load, poll, subscribe
from adapters.cli.measure import measure
from adapters.cli.outbox import key, outbox
from adapters.cli.rules import rules
from adapters.cli.screen import screen
from adapters.cli.serve import replay, serve
from adapters.cli.simulate import simulate
from adapters.cli.sweep import cohort, sweep
from adapters.cli.unread import unread
from adapters.cli.up import beat, up, worker
from adapters.http import logs
from pathway import __version__
from pathway.errors import PathwayError, ReplayError


class _Polite(click.Group):
    """Says what is wrong in one line, and how to mend it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ReplayError as fault:
            click.echo(f"Error: {fault}", err=True)
            ctx.exit(1)
        except PathwayError as fault:
            click.echo(f"Error: {fault}", err=True)
            ctx.exit(2)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as fault:
            click.echo(
                f"Error: a fault of ours ({type(fault).__name__}); nothing was changed. Please report it.", err=True
            )
            ctx.exit(70)


@click.group(cls=_Polite)
@click.version_option(__version__, prog_name="pathway")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Pathway: candidacy, follow-up and bone health around cement in fractured vertebrae. Draft rules."""
    if ctx.invoked_subcommand not in ("serve", "worker", "beat"):  # which have a level of their own
        logs.configure("warning")


for command in (
    up,
    serve,
    worker,
    beat,
    assess,
    screen,
    replay,
    rules,
    codes,
    demo,
    downtime,
    account,
    backup,
    restore,
    upgrade,
    sweep,
    cohort,
    measure,
    burden,
    load,
    poll,
    subscribe,
    job,
    unread,
    outbox,
    key,
    simulate,
):
    main.add_command(command)
