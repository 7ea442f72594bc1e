"""The demo's people: made by `pathway demo load`, and let in by one click on the machine that serves them."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from flask import current_app, request

from adapters.db.accounts import Account, Accounts
from adapters.http.guard import LOOPBACK
from adapters.http.rooms import house
from pathway.people import Role

BIND: Final = "PATHWAY_BIND"
"""Where the app's configuration names the host that it is served on; empty where nobody said."""
PEOPLE: Final = (
    ("demo-coordinator", Role.COORDINATOR, "Cora Demo"),
    ("demo-clinician", Role.CLINICIAN, "Dr. Clio Demo"),
    ("demo-auditor", Role.AUDITOR, "Audra Demo"),
    ("demo-admin", Role.ADMIN, "Adam Demo"),
)
_FORWARDED: Final = re.compile(r"forwarded|via|.*-(forward|real-?ip|client-?ip|connecting-ip).*", re.IGNORECASE)
"""Headers by which proxies show themselves."""


def add_demo_people(accounts: Accounts, now: datetime) -> None:
    """Add the demo's accounts that are missing. They have no password: only the click signs them in."""
    for name, role, display in PEOPLE:
        if accounts.find(name) is None:
            accounts.add(Account(name, role, display, password="", demo=True, enabled=True, made_at=now))


def offered() -> tuple[Account, ...]:
    """The demo accounts that the present request may sign in with; none for whoever may come from elsewhere.

    Caller, name and the socket that is listened on must all be this machine's, and no proxy may show itself.
    """
    if not _from_this_machine():
        return ()
    with house().store.accounts(write=False) as accounts:
        return tuple(account for account in accounts.all() if account.demo and account.enabled)


def _from_this_machine() -> bool:
    if any(_FORWARDED.fullmatch(name) for name, _ in request.headers):
        return False
    names = [request.host, current_app.config[BIND]]
    if house().settings.public_url:
        names.append(urlsplit(house().settings.public_url).netloc)
    return _is_loopback(request.remote_addr or "") and all(_named_loopback(name) for name in names)


def _named_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}" if host.count(":") < 2 or "[" in host else f"//[{host}]").hostname in LOOPBACK
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
