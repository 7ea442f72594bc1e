"""Recalls: who was decided on by other rules than those that decide now is made due, a part of all at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select, update

from adapters.db import tables
from adapters.db.heads import GOES_ON, Heads
from adapters.db.marks import Mark, Marks

NAME: Final = "rules-in-force"
"""The mark that holds the hash of the rules that everybody was made due for, and how far that came."""
SETTLED: Final = timedelta(hours=1)
"""So long processes with the rules of before may go on beside new ones: afterwards everybody is recalled once more, and
rules that were replaced are taken for new again, so that two processes that differ recall nobody again and again.
Project default of 2026-11-23."""
_REMEMBERED: Final = 8
_HEAD = tables.patient_head.c


class Recalls(Heads):
    """The part of a ledger that knows by which rules everybody is decided (`pathway.ports.Ledger`)."""

    def follows(self, rules: str, now: datetime) -> bool:
        """Whether nobody is left to be made due because rules with that hash decide now."""
        mark = Marks(self._connection).mark(NAME)
        return mark is not None and _next(mark, rules, now) is None

    def recall(self, rules: str, now: datetime, many: int) -> int:
        """Make at most `many` patients due because rules with that hash decide now; how many, until `follows`.

        Several may ask at once: the mark lets one of them do each part. The first rules ever noted recall nobody.
        """
        marks = Marks(self._connection)
        mark = marks.mark(NAME)
        if mark is None:
            marks.move(NAME, now, {"rules": rules, "before": [], "after": None, "again": False}, 0)
            return 0
        body = _next(mark, rules, now)
        if body is None:
            return 0
        query = select(_HEAD.patient).where(_HEAD.patient > body["after"], GOES_ON)
        found = self._connection.scalars(query.order_by(_HEAD.patient).limit(many)).all()
        begun = now if body["rules"] != mark.body["rules"] else mark.at
        after = found[-1] if len(found) == many else None
        if not marks.move(NAME, begun, body | {"after": after}, mark.version):
            return 0
        sleeps = or_(_HEAD.recheck_at.is_(None), _HEAD.recheck_at > now)
        due = update(tables.patient_head).where(_HEAD.patient.in_(found), sleeps, GOES_ON)
        self._connection.execute(due.values(recheck_at=now))
        return len(found)


def _next(mark: Mark, rules: str, now: datetime) -> dict[str, Any] | None:
    """The mark's body with the key after which to go on; None if nothing is to do under these rules."""
    body, settled = dict(mark.body), now >= mark.at + SETTLED
    if body["rules"] != rules:
        if rules in body["before"] and not settled:
            return None
        before = [body["rules"], *(one for one in body["before"] if one != rules)][:_REMEMBERED]
        return {"rules": rules, "before": before, "after": "", "again": True}
    if body["after"] is None and body["again"] and settled:
        return body | {"after": "", "again": False}
    return body if body["after"] is not None else None
