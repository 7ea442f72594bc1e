"""Feedback on cards (CDS Hooks 2.0.1, Feedback): held against the contract, read, and kept.

The client says neither who answered nor about whom; what it says is kept as data, and the log holds counts alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.feedback import CardAnswer
from adapters.fhir import strict_json
from adapters.http.cds_hooks.call import filled, offered
from adapters.http.cds_hooks.cards import OVERRIDE, REASONS
from adapters.http.contract import held
from adapters.http.guard import note
from adapters.http.metrics import metrics
from pathway.canonical import parse_instant
from pathway.errors import BadInputError

CLIENT: Final = "cds-client"
"""Who sent it: calls of this service carry no name of their own, for clients do not sign in yet (ADR 0013)."""
_OTHER: Final = "other"
"""What a reason that is none of ours is counted as: it could hold anything."""


def take(house: House, service_id: str, data: bytes) -> None:
    """Keep every answer of a body, all or none; NotFoundError for no such service, BadInputError for a wrong body."""
    offered(service_id, house.terms.site)
    body = strict_json.load(data, max_bytes=house.settings.max_body_bytes, where="body")
    held(_without_blanks(body))
    now = house.clock.now()
    answers = [_answer(service_id, _bare(item), now, f"body.feedback.{n}") for n, item in enumerate(body["feedback"])]
    answers.sort(key=lambda answer: answer.digest)  # two bodies with the same answers wait for each other, and no more
    with house.store.feedback(write=True) as kept:
        new = [answer for answer in answers if kept.append(answer)]
    for answer in new:
        metrics().answered_card(answer.outcome, _counted(answer))
    note(answers=len(answers), new=len(new))


def _without_blanks(body: Any) -> Any:
    """The body as it is held against the contract: null, empty text and empty lists count as absent."""
    if not isinstance(body, Mapping) or not isinstance(body.get("feedback"), list):
        return body
    return {**body, "feedback": [_bare(item) for item in body["feedback"]]}


def _bare(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    said = {name: value for name, value in filled(item).items() if value != []}
    why = said.get("overrideReason")
    if isinstance(why, Mapping):
        reason = why.get("reason")
        said["overrideReason"] = filled(
            {**why, "reason": filled(reason) or None} if isinstance(reason, Mapping) else why
        )
    return said


def _answer(service_id: str, item: Mapping[str, Any], now: datetime, where: str) -> CardAnswer:
    why = item.get("overrideReason", {})
    reason = why.get("reason", {})
    return CardAnswer(
        card=item["card"].lower(), service=service_id, at=_instant(item["outcomeTimestamp"], where), received_at=now,
        outcome=item["outcome"], actor=CLIENT, accepted=_ids(item.get("acceptedSuggestions", ())),
        reason=reason.get("code", ""), reason_system=reason.get("system", ""), comment=why.get("userComment", ""),
    )  # fmt: skip


def _instant(text: str, where: str) -> datetime:
    """An instant of RFC 3339, which the contract held it to; BadInputError for one that no clock here can show."""
    try:
        return parse_instant(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # a leap second; a day before the first or after the last of the calendar
        raise BadInputError(
            "no instant that is known here", where=f"{where}.outcomeTimestamp", fix="Send when the clinician answered",
            code="value",
        ) from None  # fmt: skip


def _ids(suggestions: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one["id"].lower() for one in suggestions))


def _counted(answer: CardAnswer) -> str:
    if not answer.reason:
        return ""
    return answer.reason if answer.reason_system == OVERRIDE and answer.reason in REASONS else _OTHER
