"""What this server can do, as an R4 CapabilityStatement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pathway.canonical import instant

Json = dict[str, Any]


def capability_statement(
    base: str, version: str, at: datetime, resources: Mapping[str, Mapping[str, tuple[str, str]]]
) -> Json:
    """What this server can do, exactly: read and search of each resource type, its parameters' type and meaning."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "draft",
        "date": instant(at),
        "kind": "instance",
        "software": {"name": "Pathway", "version": version},
        "implementation": {
            "description": "Tasks, care plans and letters around cement in fractured vertebrae. "
            "Draft rules: not approved for clinical use.",
            "url": base,
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "documentation": "A Bundle of any type, or one resource, is taken in at the base; "
            "each of its resources is answered for.",
            "resource": [_capability(kind, parameters) for kind, parameters in resources.items()],
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
        }],
    }  # fmt: skip


def _capability(kind: str, parameters: Mapping[str, tuple[str, str]]) -> Json:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [
            {"name": name, "type": type_, "documentation": meaning} for name, (type_, meaning) in parameters.items()
        ],
    }
