"""What people said about a patient's care: appended and read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, insert, select

from adapters.db import tables
from adapters.db.merges import Merges
from pathway.care import CareWord

_WORD = tables.care_word.c


class CareWords(Merges):
    """The part of a ledger that keeps what people said about care (`pathway.ports.Ledger`)."""

    def append_care_word(self, word: CareWord) -> None:
        """Append what somebody said about a patient's care; whoever does holds the patient."""
        self.hold(word.patient)
        last = self._connection.scalar(select(func.max(_WORD.sequence)).where(_WORD.patient == word.patient))
        row = asdict(word) | {"role": str(word.role), "sequence": (last or 0) + 1, "episodes": list(word.episodes)}
        self._connection.execute(insert(tables.care_word), row)

    def care_words(self, patient: str) -> tuple[CareWord, ...]:
        """What was said about a patient's care, under whichever of their keys, in order."""
        query = select(tables.care_word).where(_WORD.patient.in_(self.keys_of(patient)))
        query = query.order_by(_WORD.at, _WORD.patient, _WORD.sequence)
        return tuple(_to_word(row) for row in self._connection.execute(query))


def _to_word(row: Row[Any]) -> CareWord:
    said: dict[str, Any] = dict(row._mapping)
    said.pop("sequence")
    said["episodes"] = tuple(said["episodes"])
    return CareWord(**said)
