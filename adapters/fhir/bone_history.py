"""What the care of the bone asks of the whole person: known osteoporosis, hormones, steroids, plans and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.bone_courses import denosumab, run_holding
from adapters.fhir.bone_facts import measured_in
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.medicines import ENDED, LASTS, STANDS, Medicine, content, medicines
from adapters.fhir.person_facts import diagnosed, worst
from adapters.fhir.plan_facts import since_present_fracture
from adapters.fhir.reading import codings, happened
from pathway.facts import Fact, Reason, unknown

_HORMONES: Final = (
    "letrozol", "anastrozol", "exemestan", "tamoxifen", "toremifen", "fulvestrant", "goserelin", "leuprorelin",
    "leuprolid", "triptorelin", "degarelix", "bicalutamid", "enzalutamid", "abirateron",
)  # fmt: skip
_STEROIDS: Final = ("prednis", "dexamethason", "deflazacort")
"""Stems of drugs whose codes nobody verified: in a text they are unconfirmed, and so are the ATC groups."""
_PLANS: Final = ("oncology-bone-plan", "treatment-review")
_RESULTS: Final = {"electrophoresis": "protein-electrophoresis", "parathyroid-hormone": "parathyroid-hormone"}


def bone_history(chart: KnownChart) -> Iterator[Fact]:
    """Every fact of the person that only the care of the bone asks for."""
    yield _osteoporosis(chart)
    yield _hormones(chart)
    yield _steroids(chart)
    yield from denosumab(chart)
    since = since_present_fracture(chart)
    for name in _PLANS:
        yield answered(name, HOLDS, [f for f in chart.named(name) if since is None or f.at >= since])
    for datum, value_set in _RESULTS.items():
        yield measured_in(chart, datum, value_set)


def _osteoporosis(chart: KnownChart) -> Fact:
    datum = "osteoporosis-recorded"
    found = [diagnosed(chart, datum, name) for name in ("osteoporosis", "vertebral-fracture-osteoporotic")]
    known = [fact for fact in found if fact is not None]
    return next((fact for fact in known if fact.known), known[0] if known else unknown(datum))


def _hormones(chart: KnownChart) -> Fact:
    """A diagnosis code or a statement; a medicine by its group or text only leaves it unconfirmed."""
    datum = "hormone-therapy"
    said = worst(diagnosed(chart, datum, datum), answered(datum, HOLDS, chart.named(datum)))
    if said.reason is not Reason.NOT_RECORDED:
        return said
    rows = [m for m in medicines(chart) if m.standing != ENDED and _is(chart, m, "L02", _HORMONES)]
    if not rows:
        return said
    sources = tuple(sorted(m.resource.reference for m in rows))
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=max(m.noted for m in rows), sources=sources)


def _steroids(chart: KnownChart) -> Fact:
    """Since the stated onset of the diagnosis code; else unconfirmed, by the code alone or by the medicines."""
    datum = "steroid-days"
    rows = [r for r, standing in chart.conditions("systemic-steroids") if standing == "active"]
    stated = [(when.latest, r.reference) for r in rows if (when := happened(r.body, chart.zone)) is not None]
    if stated:
        begun, source = min(stated)
        return Fact(datum, days(begun, chart.as_of), at=chart.as_of, sources=(source,), since=begun)
    taken = [m for m in medicines(chart) if _is(chart, m, "H02AB", _STEROIDS)]
    begun = run_holding(((m.begun, _end(chart, m)) for m in taken), chart.as_of)
    noted = [chart.dated(r) for r in rows]
    if begun is None and not noted:
        return unknown(datum)
    first = min(noted if begun is None else [*noted, begun])
    sources = tuple(sorted({r.reference for r in rows} | {m.resource.reference for m in taken}))
    why = {"why": "since when is not stated, or the medicine is known by its text or ATC group alone"}
    doubt = unknown(
        datum, Reason.UNCONFIRMED, candidate=days(first, chart.as_of), at=chart.as_of, sources=sources, detail=why
    )  # fmt: skip
    return replace(doubt, since=first)


def _end(chart: KnownChart, it: Medicine) -> datetime:
    if it.standing == STANDS:
        return chart.as_of
    return it.noted if it.standing == ENDED else it.noted + LASTS


def _is(chart: KnownChart, it: Medicine, group: str, stems: tuple[str, ...]) -> bool:
    """Whether a medicine is of an ATC group, or has one of these stems in its words."""
    concepts, words, _ = content(chart, it.resource)
    coded: list[Mapping[str, object]] = list(codings(*concepts))
    grouped = any(
        str(c.get("system")).lower().endswith("/atc") and str(c.get("code")).upper().startswith(group) for c in coded
    )
    return grouped or any(stem in word.casefold() for word in words for stem in stems)
