"""Whether a subscription tells what it should: polling notices what nobody told, and has it set going again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.fhir.client import NotRetrievedError
from adapters.ingest.reach import in_turn, turned
from adapters.ingest.server import Source
from adapters.jobs.kinds import Stop
from pathway.canonical import parse_instant

HEARD: Final = "subscription/heard"
SILENT: Final = "subscription/silent"
OURS: Final = "subscription/ours"
GRACE: Final = timedelta(minutes=1)
"""How long a server may take to tell."""
_LOOK: Final = timedelta(minutes=5)
_TURN: Final = "subscription/turn"
_LOG = structlog.get_logger("pathway.ingest")


def heard(house: House) -> None:
    """Note that a subscription told something."""
    with house.store.marks(write=True) as marks:
        marks.set(HEARD, house.clock.now())


def noticed(house: House, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Note what polling found and no subscription had told within its grace."""
    with house.store.marks(write=False) as marks:
        ours, known = marks.mark(OURS), marks.mark(SILENT)
    if ours is None or not ours.body.get("ids"):
        return
    late = house.clock.now() - GRACE
    missed = sum(1 for at in map(updated, bodies) if at is not None and at < late)
    if not missed:
        return
    _LOG.warning("subscription-silent", missed=missed)
    before = int(known.body.get("missed", 0)) if known else 0
    with house.store.marks(write=True) as marks:
        marks.set(SILENT, house.clock.now(), {"missed": before + missed})


def look_after_subscriptions(house: House, server: Source, stop: Stop) -> int:
    """Ask the server, every few minutes, how our subscriptions stand, and set going again what it gave up.

    Says how many were set going. What fails is tried again, and what `stop` leaves comes first: polling does without.
    """
    with house.store.marks(write=True) as marks:
        ours = marks.mark(OURS)
        if ours is None or not ours.body.get("ids") or not marks.tick("subscription/look", house.clock.now(), _LOOK):
            return 0
    mended, last = 0, ""
    for id in in_turn(house, _TURN, ours.body["ids"]):
        if stop():
            break
        last = id
        try:
            mended += _mended(server, f"{server.base}/Subscription/{id}")
        except NotRetrievedError as fault:
            _LOG.warning("subscription-unseen", what=fault.what)
    turned(house, _TURN, last)
    return mended


def updated(body: Mapping[str, Any]) -> datetime | None:
    """When a server wrote a resource, by its own clock; None where it does not say so, with a zone."""
    meta = body.get("meta")
    try:
        at = parse_instant(str(meta.get("lastUpdated", ""))) if isinstance(meta, Mapping) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _mended(server: Source, url: str) -> bool:
    answer = server.ask("GET", url)
    if answer.status != 200:
        _LOG.warning("subscription-gone", status=answer.status, fix="Run `pathway subscribe` again")
        return False
    found = dict(answer.json())
    if found.get("status") not in ("error", "off"):
        return False
    found.pop("error", None)
    body = strict_json.dumps(found | {"status": "requested"})
    status = server.ask("PUT", url, {"Content-Type": "application/fhir+json"}, body).status
    _LOG.warning("subscription-set-going", was=found.get("status"), status=status)
    return status in (200, 201)
