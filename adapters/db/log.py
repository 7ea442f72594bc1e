"""Decisions and releases: appended, read, and never changed. The database's triggers refuse anything else."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import insert, select

from adapters.db import tables
from adapters.db.merges import Merges
from pathway.decisions import DecisionRecord
from pathway.errors import NotFoundError

_DECISION = tables.decision.c
_RELEASE = tables.release.c


class Log(Merges):
    """The append-only part of a ledger (`pathway.ports.Ledger`)."""

    def append_decision(self, record: DecisionRecord) -> int:
        """Append a decision and say its sequence number; the number the record carries is not read.

        Its input bytes must be kept in the same transaction or before. StoreRefusedError if the id is taken.
        """
        row = asdict(record)
        del row["sequence"]
        return self._connection.execute(insert(tables.decision).returning(_DECISION.sequence), row).scalar_one()

    def decision(self, id: str) -> DecisionRecord:
        """A decision by id; NotFoundError if there is none."""
        row = self._connection.execute(select(tables.decision).where(_DECISION.id == id)).one_or_none()
        if row is None:
            raise NotFoundError("no decision has this id", where=id, fix="The page of a patient names their decisions")
        return DecisionRecord(**row._mapping)

    def decisions(self, patient: str, limit: int = 100) -> tuple[DecisionRecord, ...]:
        """The latest decisions about a patient, newest first, those from before a merge too."""
        query = select(tables.decision).where(_DECISION.patient.in_(self.keys_of(patient)))
        rows = self._connection.execute(query.order_by(_DECISION.sequence.desc()).limit(limit))
        return tuple(DecisionRecord(**row._mapping) for row in rows)

    def decision_on_chart(self, patient: str) -> DecisionRecord | None:
        """The last decision about a patient that rests on the stored chart, whatever hooks sent along since."""
        own = _DECISION.patient.in_(self.keys_of(patient))
        query = select(tables.decision).where(own, _DECISION.hook_instance == "")
        found = self._connection.execute(query.order_by(_DECISION.sequence.desc()).limit(1)).one_or_none()
        return DecisionRecord(**found._mapping) if found is not None else None

    def decision_before(self, patient: str, at: datetime) -> DecisionRecord | None:
        """The last decision about a patient as of an instant before `at`, from before a merge too; None without one."""
        query = select(tables.decision).where(_DECISION.patient.in_(self.keys_of(patient)), _DECISION.as_of < at)
        row = self._connection.execute(query.order_by(_DECISION.as_of.desc(), _DECISION.sequence.desc()).limit(1))
        found = row.one_or_none()
        return DecisionRecord(**found._mapping) if found is not None else None

    def latest_decisions(self, limit: int, before: int = 0) -> tuple[DecisionRecord, ...]:
        """The latest decisions about anybody, newest first; with `before`, those with a lower sequence number."""
        query = select(tables.decision).order_by(_DECISION.sequence.desc()).limit(limit)
        if before:
            query = query.where(_DECISION.sequence < before)
        return tuple(DecisionRecord(**row._mapping) for row in self._connection.execute(query))

    def keep_release(self, rule_set: str, version: str, sha256: str, body: bytes) -> None:
        """Keep a release by hash, once."""
        # Asked first: SQLite's trigger that guards the table fires even where a conflict would be passed over.
        if self._connection.scalar(select(_RELEASE.sha256).where(_RELEASE.sha256 == sha256)) is None:
            row = {"rule_set": rule_set, "version": version, "sha256": sha256, "body": body}
            self._insert_new(tables.release, row)

    def release(self, sha256: str) -> bytes:
        """The release with that hash; NotFoundError if there is none."""
        found = self._connection.scalar(select(_RELEASE.body).where(_RELEASE.sha256 == sha256))
        if found is None:
            raise NotFoundError("no release is stored under this hash", where=sha256)
        return found
