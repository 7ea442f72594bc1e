"""The decision record: what was decided, on which facts, under which releases, as bytes that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pathway.canonical import canonical
from pathway.errors import ReplayError

FIRST: Final = 1
"""With the comparisons behind each verdict (`because`); what is missing found criterion by criterion. Up to 0.1.0."""
SECOND: Final = 2
"""Verdicts and messages, comparisons on demand (`pathway.trace`); what is missing found on the data. Up to 0.2.0."""
THIRD: Final = 3
"""Obligations also say whether they were counted in days, and which records speak against it. Up to 0.4.0."""
FORM: Final = 4
"""What is open of one vertebra and settled of another is told by what is open alone; unnamed vertebrae are in words."""


def form_of(body: Mapping[str, Any]) -> int:
    """In which form a decision was made, and is replayed: `form`, or the first. ReplayError for a later one."""
    form = body.get("form", FIRST)
    if form not in (FIRST, SECOND, THIRD, FORM):
        raise ReplayError(f"a decision of form {form}, which this version does not know", fix="Use a later version")
    return form


@dataclass(frozen=True, slots=True)
class Decision:
    """The hashed body of a decision. `body` holds plain JSON values; equal bodies give equal bytes."""

    body: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Canonical JSON (RFC 8785) of the body."""
        return canonical(self.body)


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision in its envelope: who asked, when, through which door, by which service version.

    `body` are the canonical bytes; `input_sha256` names the input they were made from, kept beside.
    """

    id: str
    decided_at: datetime
    patient: str
    as_of: datetime
    trigger: str
    actor: str
    service_version: str
    input_sha256: str
    body_sha256: str
    body: bytes
    hook_instance: str = ""
    sequence: int = 0
