"""People for the tests of pages: accounts, signing in by the form, and a session without the form."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.db.accounts import Account
from adapters.http.app import create_app
from adapters.http.auth import passwords
from adapters.http.auth.demo import BIND
from pathway.people import Role
from tests.world import FixedClock

PASSWORD: Final = "seven grey herons in a row"
COOKIE: Final = "pathway"
_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')


def peopled(house: House, clock: FixedClock | None = None) -> House:
    """The house with a clock that a test moves and one account of each role, by the role's name."""
    clock = clock or FixedClock()
    house = replace(house, clock=clock, service=replace(house.service, clock=clock))
    with house.store.accounts(write=True) as accounts:
        for role in Role:
            kept = passwords.hashed(PASSWORD, role)
            accounts.add(Account(role, role, f"{role.title()} Test", kept, demo=False, enabled=True, made_at=clock.at))
    return house


def app_of(house: House, bind: str = "127.0.0.1") -> Flask:
    """The app as `pathway serve` serves it on a host."""
    app = create_app(house)
    app.config[BIND] = bind
    return app


def form_token(client: FlaskClient, address: str = "/sign-in", **options: Any) -> str:
    """The token of the first form of a page."""
    answer = client.get(address, **options)
    found = _TOKEN.search(answer.get_data(as_text=True))
    assert found, f"{address} {answer.status} has no form"
    return found[1]


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, then: str = "", **options: Any) -> Any:
    """The answer to the form, filled in."""
    form = {"csrf_token": form_token(client, **options), "name": name, "password": password, "next": then}
    return client.post("/sign-in", data=form, **options)


def signed(app: Flask, house: House, name: str) -> FlaskClient:
    """A client with a session of an account, as if it had filled in the form just now."""
    client = app.test_client()
    token = hashlib.sha256(f"{name} {house.clock.now()}".encode()).hexdigest()[:43]
    with house.store.accounts(write=True) as accounts:
        accounts.end_session(hashlib.sha256(token.encode()).hexdigest())
        accounts.begin_session(hashlib.sha256(token.encode()).hexdigest(), name, house.clock.now())
    client.set_cookie(COOKIE, token)
    return client


def who(client: FlaskClient) -> bool:
    """Whether the client is signed in: the sign-in sends it on."""
    return client.get("/sign-in").status_code == 303
