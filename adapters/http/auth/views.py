"""The sign-in: a form, for the demo a click, and the way out."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from adapters.db.accounts import Account
from adapters.http.auth import demo, passwords, throttle
from adapters.http.auth.gate import ABSOLUTE, needs, protect, public, signed_in, visit
from adapters.http.auth.rights import MAY, Area
from adapters.http.guard import note
from adapters.http.rooms import house

blueprint = protect(Blueprint("auth", __name__, root_path=str(Path(__file__).parent), template_folder="templates"))
_OWN_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]{0,1999})?")
"""A path of ours: printable ASCII without a backslash; a second slash at its start would name another host."""


@blueprint.get("/sign-in")
@public
def sign_in() -> Response:
    """The form; on to where one wanted to go for whoever is signed in already."""
    then = own_path(request.args.get("next", ""))
    if signed_in() is not None:
        return _on_to(then)
    return _form(then)


@blueprint.post("/sign-in")
@public
def sign_in_with_password() -> Response:
    """Name and password. Every refusal says the same, whatever was wrong."""
    then = own_path(request.form.get("next", ""))
    name = request.form.get("name", "").strip().casefold()
    account, wait = _checked(name, request.form.get("password", ""))
    if wait:
        return _form(then, wait=wait)
    if account is None:
        note(sign_in="refused")
        return _form(then, name=name, refused=True)
    return _begin(account, then)


@blueprint.post("/sign-in/demo")
@public
def sign_in_to_demo() -> Response:
    """One click as one of the demo's people, on the machine that serves it only."""
    then = own_path(request.form.get("next", ""))
    chosen = [account for account in demo.offered() if account.name == request.form.get("name", "")]
    return _begin(chosen[0], then) if chosen else _form(then, refused=True)


@blueprint.post("/sign-out")
@public
def sign_out() -> Response:
    """End the session, for whoever else may hold its token too."""
    with house().store.accounts(write=True) as accounts:
        accounts.end_session(visit().sha256)
    visit().renew()
    return redirect(url_for("auth.sign_in"), 303)  # type: ignore[return-value]


@blueprint.get("/accounts")
@needs(*MAY[Area.ACCOUNTS])
def accounts() -> str:
    """Who may sign in here. They are made and changed on the machine itself, by `pathway account`."""
    with house().store.accounts(write=False) as accounts:
        found = accounts.all()
    return render_template("auth/accounts.html", accounts=found)


def own_path(sent: str) -> str:
    """Where to go on to: a path on this service, or the start for anything else."""
    return sent if _OWN_PATH.fullmatch(sent) else "/"


def _checked(name: str, password: str) -> tuple[Account | None, timedelta]:
    """The account that name and password are of, and how long to wait if no attempt is taken now."""
    with house().store.accounts(write=True) as accounts:
        wait = throttle.admitted(accounts, name, house().clock.now())
        account = None if wait or "\0" in name else accounts.find(name)
    if wait:
        return None, wait
    right = passwords.fits(account.password if account else "", password)
    if account is None or not right or not account.enabled:
        return None, wait
    if passwords.outdated(account.password):
        with house().store.accounts(write=True) as accounts:
            accounts.rehash(name, passwords.rehashed(password))
    return account, wait


def _begin(account: Account, then: str) -> Response:
    """A new session under a new token; the one that was held before is worth nothing any more."""
    now, before = house().clock.now(), visit().sha256
    visit().renew()
    with house().store.accounts(write=True) as accounts:
        accounts.end_session(before)
        accounts.forget_attempts(throttle.name_sha256(account.name))
        accounts.begin_session(visit().sha256, account.name, now)
        accounts.purge(sessions_before=now - ABSOLUTE, attempts_before=now - throttle.WINDOW)
    note(sign_in="demo" if account.demo else "password", role=account.role.value)
    return _on_to(then)


def _on_to(then: str) -> Response:
    return redirect(then, 303)  # type: ignore[return-value]


def _form(then: str, *, name: str = "", refused: bool = False, wait: timedelta = timedelta(0)) -> Response:
    visit().keep()
    seconds = math.ceil(wait.total_seconds())
    body = render_template(
        "auth/sign-in.html", next=then, name=name, refused=refused, wait=seconds, demo=demo.offered()
    )
    answer = make_response(body, 429 if wait else 403 if refused else 200)
    if wait:
        answer.headers["Retry-After"] = str(seconds)
    return answer
