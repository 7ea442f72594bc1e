"""Provenance: who wrote a version of a resource, by which release of which rules, from which records."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from adapters.fhir.terminology import BASE
from pathway import __version__
from pathway.canonical import instant

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, f"{BASE}/Provenance")
TAG: Final = f"{BASE}/provenance"
SERVICE: Final = f"{BASE}/service"
_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_AGENT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(
    target: str, sources: Sequence[str], releases: Sequence[str], decisions: Sequence[dict[str, Any]], at: datetime,
    *, created: bool,
) -> dict[str, Any]:  # fmt: skip
    """As R4 Provenance of a versioned `target` such as `Task/1/_history/2`; the same id for the same version.

    `sources` are references to the records behind it, `decisions` identifiers of our decisions, `releases` canonicals.
    """
    own = str(uuid.uuid5(NAMESPACE, target))
    read = [{"role": "source", "what": {"reference": source}} for source in sources]
    read += [{"role": "source", "what": {"identifier": decision}} for decision in decisions]
    body = {
        "resourceType": "Provenance",
        "id": own,
        "meta": {"tag": [{"system": TAG, "code": own}]},
        "target": [{"reference": target}],
        "recorded": instant(at),
        "policy": sorted(releases),
        "activity": {"coding": [{"system": _OPERATION, "code": "CREATE" if created else "UPDATE"}]},
        "agent": [{
            "type": {"coding": [{"system": _AGENT, "code": "assembler"}]},
            "who": {
                "type": "Device", "identifier": {"system": SERVICE, "value": f"pathway/{__version__}"},
                "display": f"Pathway {__version__}",
            },
        }],
        "entity": read,
    }  # fmt: skip
    return {key: value for key, value in body.items() if value != []}
