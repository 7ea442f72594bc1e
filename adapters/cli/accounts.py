"""`pathway account add | list | disable | enable | password`: who may sign in on this machine.

Passwords are asked for, or read from standard input; never from an argument, which every process can see.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import click

from adapters.bootstrap import SystemClock
from adapters.cli.store import opened_store
from adapters.db.accounts import Account
from adapters.http.auth import passwords
from pathway.errors import BadInputError
from pathway.people import Role

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_RESERVED: Final = ("demo-", "pathway")


@click.group()
def account() -> None:
    """Accounts of the people who sign in here."""


def _password_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--password-stdin", is_flag=True, help="Read the password from standard input: its first line."
    )(command)


@account.command()
@click.argument("name")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What they may do.")
@click.option("--display", help="How people call them; the name, if not given.")
@_password_option
def add(name: str, role: str, display: str | None, password_stdin: bool) -> None:
    """Add an account and ask for its password twice. The first admin is made this way."""
    name = _new_name(name)
    shown = (display or name).strip()
    if not 0 < len(shown) <= 60 or not shown.isprintable():
        raise BadInputError("a display name has 1 to 60 printable characters", where="--display")
    with opened_store() as store:
        with store.accounts(write=False) as accounts:
            if accounts.find(name) is not None:
                raise BadInputError("an account of this name exists", where=name, fix="Choose another name")
        kept = passwords.hashed(_asked(password_stdin), name)
        with store.accounts(write=True) as accounts:
            accounts.add(Account(name, Role(role), shown, kept, demo=False, enabled=True, made_at=_now()))
    click.echo(f"{name} can sign in as {role}")


@account.command(name="list")
def list_() -> None:
    """List all accounts: name, role, whether they can sign in, display name."""
    with opened_store() as store, store.accounts(write=False) as accounts:
        for one in accounts.all():
            state = "enabled" if one.enabled else "disabled"
            click.echo(f"{one.name:<40} {one.role:<12} {state:<9} {'demo  ' if one.demo else ''}{one.display}")


@account.command()
@click.argument("name")
def disable(name: str) -> None:
    """Keep an account from signing in, and end its sessions at once."""
    with opened_store() as store, store.accounts(write=True) as accounts:
        accounts.enable(name, enabled=False)
    click.echo(f"{name} is disabled and signed out")


@account.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled account sign in again."""
    with opened_store() as store, store.accounts(write=True) as accounts:
        accounts.enable(name, enabled=True)
    click.echo(f"{name} is enabled")


@account.command()
@click.argument("name")
@_password_option
def password(name: str, password_stdin: bool) -> None:
    """Give an account another password, and end its sessions. A demo account takes none."""
    with opened_store() as store:
        with store.accounts(write=False) as accounts:
            found = accounts.find(name)
        if found is not None and found.demo:
            raise BadInputError(
                "a demo account has no password", where=name, fix="Add an account with `pathway account add`"
            )
        kept = passwords.hashed(_asked(password_stdin), name) if found else ""
        with store.accounts(write=True) as accounts:
            accounts.set_password(name, kept)
    click.echo(f"{name} has a new password and is signed out")


def _now() -> datetime:
    return SystemClock().now()


def _new_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise BadInputError(
            "not a name for an account", where="NAME", why="demo-… and pathway… are taken by the service itself",
            fix="Use 2 to 40 of a-z, 0-9, dot, dash and underscore, such as m.rossi",
        )  # fmt: skip
    return name


def _asked(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True)
