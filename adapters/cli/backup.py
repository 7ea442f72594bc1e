"""`pathway backup | restore | upgrade`: the whole database into a file and out of one, and its tables brought up."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.bootstrap import SystemClock
from adapters.db import backup as store
from adapters.db.archive import Sum
from adapters.db.migrate import upgrade as upgrade_database
from adapters.settings import from_environment

_File = click.Path(dir_okay=False, path_type=Path)
_Backup = click.Path(exists=True, dir_okay=False, path_type=Path)
_PATIENTS = "It contains patient data: keep it as you keep the database."


@click.command()
@click.argument("file", type=_File)
def backup(file: Path) -> None:
    """Write everything that is stored to a new FILE, as it is at this instant, while the service runs.

    The file holds patient data and the hashes of local passwords, and no other secret; only its owner may read it.
    Sessions are not in it. It can be restored into SQLite and into PostgreSQL.
    """
    found = store.backup(from_environment().database_url, file, SystemClock().now())
    click.echo(f"{file}: {_told(found)}\nsha256 of its contents {found.all}\n{_PATIENTS}")


@click.command()
@click.argument("file", type=_Backup)
def restore(file: Path) -> None:
    """Fill an empty database from the FILE of a backup: all of it, or nothing.

    Every hash is computed again, in the file and in the database. Everybody signs in anew.
    """
    found = store.restore(from_environment().database_url, file)
    click.echo(f"restored and compared: {_told(found)}\nsha256 of its contents {found.all}")


@click.command()
@click.option("--grant-to", metavar="ROLE", default="", help="PostgreSQL: give this role what the service needs.")
def upgrade(grant_to: str) -> None:
    """Make the tables, or bring them to this version. Starting the service does it too, if its role may.

    On PostgreSQL, run it as the owner of the tables, and let the service connect as a role that may not change what
    is logged.
    """
    upgrade_database(from_environment().database_url, grant_to)
    click.echo("The database is of this version" + (f"; {grant_to} may use it" if grant_to else ""))


def _told(found: Sum) -> str:
    shown = {"patient_head": "patients", "decision": "decisions", "task": "tasks", "payload": "documents"}
    return ", ".join(f"{found.rows.get(table, 0)} {name}" for table, name in shown.items())
