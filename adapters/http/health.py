"""Whether the process lives, and whether it can do its work. Each check has a name, and says what to do where it fails.

Servers elsewhere are not asked: one that is down holds back some calls, and makes nobody unready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from adapters.bootstrap import House
from adapters.db.errors import StoreUnavailableError
from adapters.fhir import strict_json
from adapters.http.problems import RETRY_SECONDS
from adapters.http.rooms import house
from pathway.errors import PathwayError

blueprint = Blueprint("health", __name__)
Fault = tuple[str, str]
"""What is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; where it does not, what is wrong and what to do."""

    name: str
    what: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """The check as it is told."""
        told = {"name": self.name, "ok": not self.what, "what": self.what, "fix": self.fix}
        return {name: value for name, value in told.items() if value != ""}


@blueprint.get("/livez")
def livez() -> Response:
    """The process answers; nothing else is asked."""
    return Response("ok", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Every check: 200 if all hold, else 503."""
    found = [_checked(name, faults) for name, faults in _CHECKS.items()]
    ready = all(not check.what for check in found)
    body = {"ready": ready, "checks": [check.to_json() for check in found]}
    answer = Response(strict_json.dumps(body), 200 if ready else 503, mimetype="application/json")
    if not ready:
        answer.headers["Retry-After"] = RETRY_SECONDS
    return answer


def _checked(name: str, faults: Callable[[House], Iterator[Fault]]) -> Check:
    """The first fault of a check; one of the database's own, as it says itself."""
    try:
        return next((Check(name, what, fix) for what, fix in faults(house())), Check(name))
    except PathwayError as error:
        return Check(name, error.what, error.fix or "See the log")


def _database(own: House) -> Iterator[Fault]:
    own.store.is_current()
    yield from ()


def _migrations(own: House) -> Iterator[Fault]:
    try:
        current, missing = own.store.is_current(), own.store.missing_tables()
    except StoreUnavailableError:
        yield "the database cannot be asked", "See the check named database"
        return
    if not current:
        yield "the database is of another version than the service", "Restart the service; starting upgrades it"
    elif missing:
        yield f"the database lacks tables: {', '.join(missing)}", "Find out who removed them, and restore a backup"


def _rules(own: House) -> Iterator[Fault]:
    armed = own.rules.look(own.clock.now())
    for trouble in armed.selection.trouble:
        if trouble.red:
            yield f"{trouble.about}: {trouble.what}", "Mend the file or release again; it is read anew within seconds"
    if not armed.machines:
        yield f"no rule set decides on {armed.day}", "`pathway rules list` shows which release holds when"


_CHECKS: Final[dict[str, Callable[[House], Iterator[Fault]]]] = {
    "database": _database,
    "migrations": _migrations,
    "rules": _rules,
}
