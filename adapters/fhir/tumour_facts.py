"""The tumour of a person: which kind it is, and what points to one that is not yet found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import diagnosed, worst
from pathway.facts import Fact, Reason, unknown

_KINDS: Final = {"myeloma": "myeloma", "bone-metastasis": "metastasis", "vertebral-tumour": "other-tumour"}
"""Value set of the diagnosis -> kind of tumour."""


def tumour_facts(chart: KnownChart) -> Iterator[Fact]:
    """The facts about a tumour that hold for the whole person."""
    yield tumour_kind(chart)
    yield occult_signs(chart)


def tumour_kind(chart: KnownChart) -> Fact:
    """A statement decides; else the active diagnoses, which must agree; a suspected one is only a candidate."""
    datum = "tumour-kind"
    said = answered(datum, {kind: kind for kind in _KINDS.values()}, chart.named(datum))
    if said.known or said.reason is Reason.CONFLICTING:
        return said
    rows = [(kind, r, standing) for name, kind in _KINDS.items() for r, standing in chart.conditions(name)]
    for wanted in ("active", "suspected"):
        own = [(kind, r) for kind, r, standing in rows if standing == wanted]
        if not own:
            continue
        kinds, sources = {kind for kind, _ in own}, tuple(r.reference for _, r in own)
        at = max(chart.dated(r) for _, r in own)
        if len(kinds) > 1:
            return unknown(datum, Reason.CONFLICTING, candidate=min(kinds), at=at, sources=sources)  # some tumour
        if wanted == "active":
            return Fact(datum, kinds.pop(), None, None, at, sources)
        if said.reason is Reason.NOT_RECORDED:
            return unknown(datum, Reason.UNCONFIRMED, candidate=kinds.pop(), at=at, sources=sources)
    return said


def occult_signs(chart: KnownChart) -> Fact:
    """An active diagnosis that points to a tumour outweighs a finding that says there is nothing.

    A suspected one does until a later finding has settled it.
    """
    datum = "occult-tumour-signs"
    return worst(diagnosed(chart, datum, "occult-tumour-sign"), answered(datum, HOLDS, chart.named(datum)))
