"""R4 rest-hook subscriptions: made at the server that is polled, heard here, and bounded however much it tells.

A notification is kept and answered at once; whoever works on jobs takes it in. One without a payload, or more than may
wait, lets the server be polled soon: nothing is lost by what is put off.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.jobs import Piece
from adapters.fhir import strict_json
from adapters.fhir.known_chart import READ
from adapters.ingest import queue, silence
from adapters.ingest.polling import ask_soon
from adapters.ingest.server import known_base, source
from adapters.worker import doorbell
from pathway.errors import BadInputError, PathwayError
from pathway.people import NotYoursError

DOOR: Final = "subscription"
PATH: Final = "/fhir/subscription"
PAUSE: Final = timedelta(seconds=30)
_FHIR: Final = "application/fhir+json"
_ABOUT: Final = frozenset({"Parameters", "SubscriptionStatus"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a notification: kept to be taken in, or put off, which polling makes good."""

    kept: int
    put_off: bool = False


def check(house: House, authorization: str) -> None:
    """NotYoursError unless the notification carries our secret."""
    secret = house.settings.subscription_secret.get_secret_value()
    if not secret:
        raise NotYoursError("no subscription is listened to", fix="Set PATHWAY_SUBSCRIPTION_SECRET")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {secret}".encode()):
        raise NotYoursError("this is not from a subscription of ours", fix="Run `pathway subscribe` again")


def hear(house: House, data: bytes, reference: str = "") -> Heard:
    """Keep what a server tells, to be taken in soon; without a payload, or beyond what may wait, ask it instead.

    `reference` is the address that a payload was put under. BadInputError for a payload that is no FHIR JSON, or is
    another resource than its address says.
    """
    resources = _resources(house, data, reference)
    silence.heard(house)
    with house.store.jobs(write=False) as jobs:
        full = jobs.waiting(queue.KIND) >= house.settings.waiting_limit
    if full or not resources:
        ask_soon(house)
        return Heard(0, full)
    kept = 0
    known: list[bytes] = []
    new: list[tuple[str, bytes]] = []
    base = house.settings.poll_base
    for patient, own in queue.by_patient(resources):
        if patient and base and queue.is_new(house, patient):
            new.append((patient, queue.bundle(own)))
        elif not queue.is_held(house, patient, own):
            known.append(queue.bundle(own))
        kept += len(own)
    if new or known:
        server = known_base(house, base) if new else ""
        with house.store.jobs(write=True) as jobs:
            parts: list[Piece] = [queue.whole_chart(jobs, server, *one) for one in new]
            parts += [queue.piece(jobs, data, DOOR) for data in known]
            queue.put(jobs, house, parts, DOOR)
        doorbell.ring("work")
    return Heard(kept)


def subscribe(house: House, *, payload: bool = True) -> tuple[str, ...]:
    """Ask the server that is polled to tell of every type that is read; the ids of the subscriptions.

    Those that we made before are put in their place. PathwayError if the server refuses one.
    """
    settings = house.settings
    if not settings.poll_base or not settings.public_url or not settings.subscription_secret.get_secret_value():
        raise BadInputError(
            "a subscription needs a server, an address and a secret", where="pathway subscribe",
            fix="Set PATHWAY_POLL_BASE, PATHWAY_PUBLIC_URL and PATHWAY_SUBSCRIPTION_SECRET",
        )  # fmt: skip
    server = source(house, known_base(house, settings.poll_base))
    unsubscribe(house)
    ids: list[str] = []
    for kind in sorted(READ):
        body = strict_json.dumps(_subscription(house, kind, payload))
        answer = server.ask("POST", f"{server.base}/Subscription", {"Content-Type": _FHIR}, body)
        if answer.status != 201:
            raise PathwayError("the server made no subscription", where=kind, why=f"it answered {answer.status}")
        ids.append(_id_of(answer.headers, answer.body))
        _remember(house, ids)
    return tuple(ids)


def unsubscribe(house: House) -> int:
    """Remove the subscriptions that we made; says how many the server had."""
    with house.store.marks(write=False) as marks:
        ours = marks.mark(silence.OURS)
    ids = list(ours.body.get("ids", ())) if ours else []
    if not ids:
        return 0
    server = source(house, known_base(house, house.settings.poll_base))
    gone = sum(server.ask("DELETE", f"{server.base}/Subscription/{id}").status in (200, 204) for id in ids)
    _remember(house, [])
    return gone


def _remember(house: House, ids: list[str]) -> None:
    with house.store.marks(write=True) as marks:
        marks.set(silence.OURS, house.clock.now(), {"ids": ids})


def _subscription(house: House, kind: str, payload: bool) -> dict[str, Any]:
    secret = house.settings.subscription_secret.get_secret_value()
    channel: dict[str, Any] = {
        "type": "rest-hook",
        "endpoint": house.settings.public_url.rstrip("/") + PATH,
        "header": [f"Authorization: Bearer {secret}"],
    }
    if payload:
        channel["payload"] = _FHIR
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "Pathway follows what is recorded",
        "criteria": f"{kind}?", "channel": channel,
    }  # fmt: skip


def _id_of(headers: Mapping[str, str], body: bytes) -> str:
    """The id that the server gave, from its Location, or from the resource that it answered with."""
    parts = headers.get("Location", "").split("/")
    if "Subscription" in parts[:-1]:
        return parts[parts.index("Subscription") + 1]
    try:
        made = strict_json.load(body, max_bytes=len(body), where="Subscription")
    except BadInputError:
        made = None
    if isinstance(made, Mapping) and isinstance(made.get("id"), str):
        return made["id"]
    raise PathwayError("the server did not say which subscription it made", fix="Look at its Subscriptions")


def _resources(house: House, data: bytes, reference: str) -> list[Mapping[str, Any]]:
    """The resources of a notification: one alone, or those of a Bundle; none of an empty one."""
    if not data.strip():
        return []
    body = strict_json.load(data, max_bytes=house.settings.max_body_bytes, where="body")
    if not isinstance(body, Mapping) or not isinstance(body.get("resourceType"), str):
        raise BadInputError("this is not FHIR: there is no resourceType", where="body", code="structure")
    if reference and reference != f"{body['resourceType']}/{body.get('id')}":
        raise BadInputError("the payload is another resource than its address says", where="body", code="value")
    if body["resourceType"] != "Bundle":
        return [body]
    entries = body.get("entry")
    found = [one.get("resource") for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []
    return [one for one in found if isinstance(one, Mapping) and one.get("resourceType") not in _ABOUT]
