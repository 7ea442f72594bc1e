"""The chart: one patient's resources exactly as they came, and what had to be set aside. Never edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pathway.canonical import canonical


@dataclass(frozen=True, slots=True)
class ChartResource:
    """One resource of a chart: its parsed body (decimals as Decimal), the hash of its bytes, and when it came."""

    body: Mapping[str, Any]
    sha256: str
    received_at: datetime

    @property
    def type(self) -> str:
        """The FHIR resource type."""
        return str(self.body["resourceType"])

    @property
    def id(self) -> str:
        """The logical id."""
        return str(self.body["id"])

    @property
    def reference(self) -> str:
        """`Type/id`, as facts cite it."""
        return f"{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something that came and was not used, where it stood, and why; it never carries a value.

    `code` is one of `invalid`, `not-yet-known`, `not-read`, `unmapped`, `implausible`, `not-retrieved`.
    """

    where: str
    code: str
    why: str

    def to_json(self) -> dict[str, str]:
        """For canonical JSON."""
        return {"where": self.where, "code": self.code, "why": self.why}


def patient_key(source: str, patient_id: str) -> str:
    """The key of a patient in this service: ids mean something only within their source."""
    return f"{source}|{patient_id}"


def source_of(key: str) -> str:
    """The source in a patient's key."""
    return key.partition("|")[0]


def patient_id(key: str) -> str:
    """The FHIR id in a patient's key."""
    return key.partition("|")[2]


def manifest(chart: Sequence[ChartResource]) -> bytes:
    """What a decision was made from: every resource by reference and hash, as canonical JSON, in one order."""
    return canonical([[r.reference, r.sha256] for r in sorted(chart, key=lambda r: (r.type, r.id))])
