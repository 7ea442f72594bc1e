"""Names of patients, as their Patient resources say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pathway.ports import Ledger


def names_of(ledger: Ledger, patients: Sequence[str]) -> Mapping[str, str]:
    """The name of each of these patients whose Patient resource says one, by key."""
    found = {key: name_in(resource.body) for key, resource in ledger.resources("Patient", patients)}
    return {key: name for key, name in found.items() if name}


def name_in(patient: Mapping[str, Any]) -> str:
    """`Example, Anna` from the official or the first name of a Patient; empty where there is none that can be read."""
    names = [name for name in patient.get("name") or () if isinstance(name, Mapping)]
    names.sort(key=lambda name: name.get("use") not in ("official", None))
    for name in names:
        given = " ".join(part for part in name.get("given") or () if isinstance(part, str))
        family = name.get("family") if isinstance(name.get("family"), str) else ""
        text = ", ".join(part for part in (family, given) if part) or name.get("text")
        if isinstance(text, str) and text.strip():
            return text
    return ""
