"""Charts: every version of every resource, which one is current, and how far a patient is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update

from adapters.db import tables
from adapters.db.deliveries import Deliveries
from adapters.fhir import strict_json
from pathway.canonical import parse_instant
from pathway.canonical import sha256 as hash_of
from pathway.chart import ChartResource
from pathway.errors import ChartMovedError
from pathway.ports import Stored

_HEAD = tables.patient_head.c
_VERSION = tables.resource_version.c
_SAME: Final = (
    _VERSION.patient == bindparam("of_patient"),
    _VERSION.type == bindparam("of_type"),
    _VERSION.fhir_id == bindparam("of_id"),
)
_KNOWN: Final = select(_VERSION.sha256, _VERSION.last_updated, _VERSION.is_current).where(*_SAME)
_RETIRE: Final = update(tables.resource_version).where(*_SAME, _VERSION.is_current).values(is_current=False)


class Charts(Deliveries):
    """The chart part of a ledger (`pathway.ports.Ledger`)."""

    def put_resource(self, patient: str, resource: ChartResource, body: bytes) -> Stored:
        """Add a version of a resource to a chart; only NEW and CHANGED move the chart's version.

        UNCHANGED: the bytes are those of the current version. OLDER: `meta.lastUpdated` is before one that is stored,
        or these bytes with their `meta.lastUpdated` came before; kept, but not current. ValueError if `body` has
        another hash than the resource.
        """
        self.hold(patient)
        if hash_of(body) != resource.sha256:
            raise ValueError("the bytes are not those of the resource: their sha256 differs")
        same = {"of_patient": patient, "of_type": resource.type, "of_id": resource.id}
        known = self._connection.execute(_KNOWN, same).all()
        repeated = [row for row in known if row.sha256 == resource.sha256]
        if any(row.is_current for row in repeated):
            return Stored.UNCHANGED
        self.keep_bytes(body)
        updated = _last_updated(resource.body)
        if updated is not None and repeated:
            return Stored.OLDER
        late = updated is not None and any(row.last_updated and row.last_updated > updated for row in known)
        if known and not late:
            self._connection.execute(_RETIRE, same)
        self._add(patient, resource, seq=len(known) + 1, updated=updated, current=not late)
        if late:
            return Stored.OLDER
        head = {"patient": patient, "chart_version": 1, "decided_version": 0}
        self._put(tables.patient_head, head, chart_version=_HEAD.chart_version + 1)
        return Stored.CHANGED if known else Stored.NEW

    def chart(self, patient: str) -> tuple[ChartResource, ...]:
        """The current version of every resource of a chart, ordered by type and id."""
        query = (
            select(tables.resource_version, tables.payload.c.body)
            .join_from(tables.resource_version, tables.payload)
            .where(_VERSION.patient == patient, _VERSION.is_current)
            .order_by(_VERSION.type, _VERSION.fhir_id)
        )
        return tuple(_parsed(row) for row in self._connection.execute(query))

    def resources(self, type: str, patients: Sequence[str]) -> tuple[tuple[str, ChartResource], ...]:
        """The current resources of one type in several charts, each with its patient, by patient and id."""
        query = (
            select(tables.resource_version, tables.payload.c.body)
            .join_from(tables.resource_version, tables.payload)
            .where(_VERSION.patient.in_(patients), _VERSION.type == type, _VERSION.is_current)
            .order_by(_VERSION.patient, _VERSION.fhir_id)
        )
        return tuple((row.patient, _parsed(row)) for row in self._connection.execute(query))

    def patients(self) -> tuple[str, ...]:
        """All patient keys, sorted."""
        return tuple(self._connection.scalars(select(_HEAD.patient).order_by(_HEAD.patient)))

    def chart_version(self, patient: str) -> int:
        """How often the chart has changed; 0 for a patient that nothing is stored of."""
        return self._connection.scalar(select(_HEAD.chart_version).where(_HEAD.patient == patient)) or 0

    def mark_decided(self, patient: str, chart_version: int) -> None:
        """Note that tasks follow the chart as of that version; ChartMovedError if it has moved on."""
        self.hold(patient)
        self._insert_new(tables.patient_head, {"patient": patient, "chart_version": 0, "decided_version": 0})
        marked = self._connection.execute(
            update(tables.patient_head)
            .where(_HEAD.patient == patient, _HEAD.chart_version == chart_version)
            .values(decided_version=chart_version)
        )
        if marked.rowcount == 0:
            raise ChartMovedError("the chart changed while it was decided on", fix="Decide again")

    def _add(self, patient: str, resource: ChartResource, *, seq: int, updated: datetime | None, current: bool) -> None:
        row = {
            "patient": patient,
            "type": resource.type,
            "fhir_id": resource.id,
            "seq": seq,
            "sha256": resource.sha256,
            "version_id": str(_meta(resource.body).get("versionId", "")),
            "last_updated": updated,
            "received_at": resource.received_at,
            "is_current": current,
        }
        self._connection.execute(insert(tables.resource_version), row)


def _parsed(row: Row[Any]) -> ChartResource:
    body = strict_json.load(row.body, max_bytes=len(row.body), where=f"{row.type}/{row.fhir_id}")
    return ChartResource(body, row.sha256, row.received_at)


def _meta(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body.get("meta") or {}


def _last_updated(body: Mapping[str, Any]) -> datetime | None:
    """`meta.lastUpdated`, or None where it is missing or is not an instant: then only the order of arrival counts."""
    try:
        at = parse_instant(str(_meta(body).get("lastUpdated", "")))
    except ValueError:
        return None
    return at if at.tzinfo else None
