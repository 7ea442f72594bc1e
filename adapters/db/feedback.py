"""What clinicians answered to cards: appended and read, and never changed. The database's triggers refuse it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from adapters.db import tables
from adapters.db.rows import Rows
from pathway.canonical import canonical, instant, sha256

OVERRIDDEN = "overridden"
_ANSWER = tables.card_feedback.c


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """One answer to one card: `outcome` is `accepted` (with the suggestions that were) or `overridden`.

    `at` is the clinician's instant by the client's clock, `actor` who sent it. The comment is free text about care: it
    is kept as data and stands in no log.
    """

    card: str
    service: str
    at: datetime
    received_at: datetime
    outcome: str
    actor: str
    accepted: tuple[str, ...] = ()
    reason: str = ""
    reason_system: str = ""
    comment: str = ""

    @property
    def digest(self) -> str:
        """The same for the same answer, whenever and however often it comes."""
        said = asdict(self) | {"at": instant(self.at), "accepted": sorted(set(self.accepted))}
        del said["received_at"]
        return sha256(canonical(said))


class Feedback(Rows):
    """The answers to cards, seen from one transaction."""

    def append(self, answer: CardAnswer) -> bool:
        """Append an answer, unless the same one is there already; whether it was appended."""
        digest = answer.digest
        # Asked first: SQLite's trigger that guards the table fires even where a conflict would be passed over.
        if self._connection.scalar(select(_ANSWER.digest).where(_ANSWER.digest == digest)) is not None:
            return False
        row = asdict(answer) | {"digest": digest, "accepted": list(answer.accepted)}
        return self._insert_new(tables.card_feedback, row)

    def of_card(self, card: str) -> tuple[CardAnswer, ...]:
        """What was answered to a card, in the order in which it was."""
        query = select(tables.card_feedback).where(_ANSWER.card == card).order_by(_ANSWER.at, _ANSWER.digest)
        return tuple(_to_answer(row) for row in self._connection.execute(query))

    def dismissed(self, cards: Collection[str]) -> frozenset[str]:
        """Those of the cards that somebody has overridden."""
        query = select(_ANSWER.card).where(_ANSWER.card.in_(cards), _ANSWER.outcome == OVERRIDDEN)
        return frozenset(self._connection.scalars(query))


def _to_answer(row: Row[Any]) -> CardAnswer:
    said: dict[str, Any] = dict(row._mapping)
    del said["digest"]
    said["accepted"] = tuple(said["accepted"])
    return CardAnswer(**said)
