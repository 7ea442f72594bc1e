"""Letters: their steps appended and read, and never changed. The database's triggers refuse anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, insert, select

from adapters.db import tables
from adapters.db.merges import Merges
from pathway.errors import NotFoundError
from pathway.letters import Letter, LetterStep, Step, letters_of
from pathway.lifecycle import Role

_STEP = tables.letter.c


class Letters(Merges):
    """The part of a ledger that keeps letters (`pathway.ports.Ledger`)."""

    def append_letter_step(self, step: LetterStep) -> None:
        """Append a step of a letter; whoever does holds the patient, so that no two give one number."""
        self.hold(step.patient)
        row = asdict(step) | {"step": str(step.step), "role": str(step.role)}
        self._connection.execute(insert(tables.letter), row)

    def letter(self, id: str) -> Letter:
        """The letter with that id; NotFoundError if there is none. That another took its place is read too."""
        own = next(iter(self._steps(_STEP.letter == id)), None)
        if own is None:
            raise NotFoundError("there is no such letter", fix="Look for it on the page of its patient")
        return next(one for one in self.letters(own.patient) if one.id == id)

    def letters(self, patient: str) -> tuple[Letter, ...]:
        """A patient's letters, under whichever of their keys they were made, the latest first."""
        return letters_of(self._steps(_STEP.patient.in_(self.keys_of(self.survivor(patient)))))

    def _steps(self, which: ColumnElement[bool]) -> Iterable[LetterStep]:
        query = select(tables.letter).where(which).order_by(_STEP.letter, _STEP.sequence)
        for row in self._connection.execute(query):
            said: dict[str, Any] = dict(row._mapping)
            yield LetterStep(**said | {"step": Step(said["step"]), "role": Role(said["role"])})
