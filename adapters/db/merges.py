"""Patients who turned out to be one person: whose chart a key belongs to, and what a chart is made of.

Nothing is moved out of the old chart: what came under its key stays there and is read with the survivor's.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from adapters.db import tables
from adapters.db.rows import Rows

_MERGE = tables.merge.c
_HEAD = tables.patient_head.c
_EPISODE = tables.episode.c
_KEYS = select(bindparam("key", type_=tables.Text()).label("patient")).cte("keys", recursive=True)
_KEYS = _KEYS.union(select(_MERGE.patient).where(_MERGE.into == _KEYS.c.patient))
_INTO = select(_MERGE.into).where(_MERGE.patient == bindparam("key"))


class Merges(Rows):
    """The part of a ledger that knows of merged patients (`pathway.ports.Ledger`)."""

    def survivor(self, patient: str) -> str:
        """The key under which a patient goes on: their own, or the last of those that they were merged into."""
        seen = {patient}
        while (into := self._connection.scalar(_INTO, {"key": patient})) is not None and into not in seen:
            seen.add(patient := into)
        return patient

    def keys_of(self, patient: str) -> tuple[str, ...]:
        """The keys whose records make up this patient's chart: their own, then those merged into it, sorted."""
        found = set(self._connection.scalars(select(_KEYS.c.patient), {"key": patient}))
        return (patient, *sorted(found - {patient}))

    def join(self, old: str, into: str, at: datetime, source: str) -> bool:
        """Let one patient go on under another key, with their episodes; False if they do so already.

        `source` is the record that says so. Hold both before. The tasks are the caller's to move, each with its event.
        """
        if self.survivor(old) == self.survivor(into):
            return False
        row = {"patient": old, "into": into, "at": at, "source": source}
        self._connection.execute(insert(tables.merge), row)
        head = {"patient": into, "chart_version": 1, "decided_version": 0}
        self._put(tables.patient_head, head, chart_version=_HEAD.chart_version + 1, recheck_at=None)
        for id, body in self._connection.execute(select(_EPISODE.id, _EPISODE.body).where(_EPISODE.patient == old)):
            self._insert_new(tables.episode, {"patient": into, "id": id, "body": body})
        at_rest = {"decided_version": _HEAD.chart_version, "recheck_at": None}
        self._connection.execute(update(tables.patient_head).where(_HEAD.patient == old).values(**at_rest))
        return True
