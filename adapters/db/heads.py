"""How far each patient is decided, and who is to be decided on again: because the chart moved, or because time did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select, update

from adapters.db import tables
from adapters.db.merges import Merges
from pathway.errors import ChartMovedError
from pathway.ports import Head

_HEAD = tables.patient_head.c
GOES_ON = ~exists().where(tables.merge.c.patient == _HEAD.patient)
"""Of patients who were not merged into another."""


class Heads(Merges):
    """The part of a ledger that knows how far patients are decided (`pathway.ports.Ledger`)."""

    def patients(self) -> tuple[str, ...]:
        """All patient keys, sorted, without those that were merged into another."""
        return tuple(self._connection.scalars(select(_HEAD.patient).where(GOES_ON).order_by(_HEAD.patient)))

    def chart_version(self, patient: str) -> int:
        """How often the chart has changed; 0 for a patient that nothing is stored of."""
        return self._connection.scalar(select(_HEAD.chart_version).where(_HEAD.patient == patient)) or 0

    def head(self, patient: str) -> Head:
        """How far a patient is decided; all empty for one that nothing is stored of."""
        row = self._connection.execute(select(tables.patient_head).where(_HEAD.patient == patient)).one_or_none()
        return Head(row.chart_version, row.decided_version, row.recheck_at, row.decision or "") if row else Head()

    def mark_decided(
        self, patient: str, chart_version: int, recheck_at: datetime | None = None, decision: str = ""
    ) -> None:
        """Note that tasks follow the chart as of that version, by which decision, and when time may change it.

        Without a decision the one before stands. ChartMovedError if the chart has moved on.
        """
        self.hold(patient)
        self._insert_new(tables.patient_head, {"patient": patient, "chart_version": 0, "decided_version": 0})
        said = {"decision": decision} if decision else {}
        marked = self._connection.execute(
            update(tables.patient_head)
            .where(_HEAD.patient == patient, _HEAD.chart_version == chart_version)
            .values(decided_version=chart_version, recheck_at=recheck_at, **said)
        )
        if marked.rowcount == 0:
            raise ChartMovedError("the chart changed while it was decided on", fix="Decide again")

    def lagging(self, limit: int) -> tuple[str, ...]:
        """Patients whose chart is ahead of their tasks and of whom nobody said when to try again, by key."""
        behind = _HEAD.decided_version < _HEAD.chart_version
        query = select(_HEAD.patient).where(behind, _HEAD.recheck_at.is_(None), GOES_ON)
        return tuple(self._connection.scalars(query.order_by(_HEAD.patient).limit(limit)))

    def due_again(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Patients for whom an instant has come at which time may change the decision, the longest waiting first."""
        query = select(_HEAD.patient).where(_HEAD.recheck_at.is_not(None), _HEAD.recheck_at <= now, GOES_ON)
        return tuple(self._connection.scalars(query.order_by(_HEAD.recheck_at, _HEAD.patient).limit(limit)))

    def postpone(self, patient: str, until: datetime) -> None:
        """Let a patient wait who could not be decided on, so that the others get their turn.

        Nothing waits under the key of one who was merged into another.
        """
        waits = update(tables.patient_head).where(_HEAD.patient == patient, GOES_ON)
        self._connection.execute(waits.values(recheck_at=until))
