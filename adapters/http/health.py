"""Whether the process lives, and whether it can do its work. Each check has a name, and says what to do where it fails.

Servers elsewhere are not asked: one that is down holds back some calls, and makes nobody unready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app

from adapters.bootstrap import House
from adapters.db.errors import StoreUnavailableError
from adapters.fhir import strict_json
from adapters.http.problems import RETRY_SECONDS
from adapters.http.rooms import house
from adapters.worker.tasks import SWEPT
from pathway.errors import PathwayError

blueprint = Blueprint("health", __name__)
Fault = tuple[str, str]
"""What is wrong, and what to do."""
STILL: Final = timedelta(minutes=1)
"""How long the follow-up may stand still, and how long a service that was just started has for its first sweep."""
_BEGAN: Final = "pathway.began_at"


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


def _sweep(own: House) -> Iterator[Fault]:
    """Without sweeps nobody is reminded, escalated or told: as grave as a database that is away, and less visible."""
    with own.store.marks(write=False) as marks:
        mark = marks.mark(SWEPT)
    now = own.clock.now()
    if mark is not None and mark.at - now > STILL:  # put under a clock that ran ahead: it tells nothing
        mark = None
    if now - max(current_app.extensions[_BEGAN], mark.at if mark else current_app.extensions[_BEGAN]) > STILL:
        since = f"since {mark.at:%Y-%m-%d %H:%M} UTC" if mark else "since the service was started"
        yield f"the follow-up stands still: no sweep {since}", "Start `pathway worker` and `pathway beat`"


def install(app: Flask, own: House) -> None:
    """Remember when the app began."""
    app.extensions[_BEGAN] = own.clock.now()


_CHECKS: Final[dict[str, Callable[[House], Iterator[Fault]]]] = {
    "database": _database,
    "migrations": _migrations,
    "rules": _rules,
    "sweep": _sweep,
}
