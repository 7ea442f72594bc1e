"""Charts: every version of every resource, and which one is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update

from adapters.db import tables
from adapters.db.deliveries import Deliveries
from adapters.db.heads import Heads
from adapters.fhir import strict_json
from pathway.canonical import parse_instant
from pathway.canonical import sha256 as hash_of
from pathway.chart import ChartResource, patient_id
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


class Charts(Deliveries, Heads):
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
        self._put(tables.patient_head, head, chart_version=_HEAD.chart_version + 1, recheck_at=None)
        return Stored.CHANGED if known else Stored.NEW

    def chart(self, patient: str) -> tuple[ChartResource, ...]:
        """The current version of every resource of a chart, ordered by type and id.

        A chart that another was merged into holds that one's resources as well, where it has none of its own by that
        name; of several Patients only its own, if that came.
        """
        keys = self.keys_of(patient)
        query = (
            select(tables.resource_version, tables.payload.c.body)
            .join_from(tables.resource_version, tables.payload)
            .where(_VERSION.patient.in_(keys), _VERSION.is_current)
            .order_by(_VERSION.type, _VERSION.fhir_id)
        )
        rows = self._connection.execute(query).all()
        return tuple(_parsed(row) for row in (rows if len(keys) == 1 else _one_person(rows, keys)))

    def resources(self, type: str, patients: Sequence[str]) -> tuple[tuple[str, ChartResource], ...]:
        """The current resources of one type in several charts, each with its patient, by patient and id."""
        query = (
            select(tables.resource_version, tables.payload.c.body)
            .join_from(tables.resource_version, tables.payload)
            .where(_VERSION.patient.in_(patients), _VERSION.type == type, _VERSION.is_current)
            .order_by(_VERSION.patient, _VERSION.fhir_id)
        )
        return tuple((row.patient, _parsed(row)) for row in self._connection.execute(query))

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


def _one_person(rows: Sequence[Row[Any]], keys: Sequence[str]) -> list[Row[Any]]:
    """Each resource once, as the first key that has it holds it; one Patient alone, the first key's if there is one."""
    kept = {(row.type, row.fhir_id): row for row in sorted(rows, key=lambda row: keys.index(row.patient), reverse=True)}
    people = [name for name in kept if name[0] == "Patient"]
    ids = [patient_id(key) for key in keys]
    people.sort(key=lambda name: (ids.index(name[1]) if name[1] in ids else len(ids), name))
    return [kept[name] for name in sorted(kept) if name not in people[1:]]


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
