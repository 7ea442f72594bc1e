"""What became of the bone after a fracture: referred, density measured, other causes looked for, treatment in hand.

Only what was done counts: an order or a prescription is a step on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from adapters.fhir.findings import COUNTS
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import readings
from adapters.fhir.medicines import content
from adapters.fhir.reading import ORDER, code_in, codings, happened, recorded
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown

_DENSITY: Final = "bone-density"
CAUSES: Final = (
    "calcium", "phosphate", "alkaline-phosphatase", "albumin", "kidney-function", "vitamin-d", "thyrotropin",
)  # fmt: skip
"""The core of the laboratory work-up, by value sets. Protein electrophoresis and the blood count are left out: the
first has no code that anybody verified, of the second no single result stands for the whole."""
_HANDED: Final[Mapping[str, frozenset[str]]] = {
    "MedicationDispense": frozenset({"completed"}),
    "MedicationAdministration": frozenset({"completed", "in-progress"}),
    "MedicationStatement": frozenset({"active"}),
}
"""What says that a medicine reached the patient. A statement that is completed says that it is taken no longer."""
_ORDERED: Final = frozenset({"active", "on-hold", "completed"})
_NAMES: Final = (
    "alendron", "risedron", "ibandron", "zoledron", "denosumab", "teriparatid", "abaloparatid", "romosozumab",
    "raloxifen",
)  # fmt: skip
"""Stems of the catalogue's drugs for osteoporosis: a name in a text is unconfirmed until its code is mapped."""
_ATC: Final = frozenset({"M05BA06", "M05BA07", "H05AA02", "H05AA04", "M05BX06"})
"""ATC codes that nobody confirmed, or of drugs without a verified ingredient code: unconfirmed, as a name is."""


def bone_facts(chart: KnownChart, since: datetime) -> Iterator[Fact]:
    """The four facts, from what was done since an instant: the beginning of the fracture."""
    yield _referral(chart, since)
    yield _density(chart, since)
    yield _laboratory(chart, since)
    yield _treatment(chart, since)


def _referral(chart: KnownChart, since: datetime) -> Fact:
    """The best standing of a referral written since the fracture: an order is placed, a completed one is kept."""
    standing: dict[str, Fact] = {}
    for request in chart.of_type("ServiceRequest"):
        body, when = request.body, happened(request.body, chart.zone)
        if code_in(ORDER, body.get("code")) != "osteoporosis-referral" or body.get("doNotPerform"):
            continue
        status = {"completed": "kept", "active": "placed", "on-hold": "placed"}.get(str(body.get("status")))
        if status and when is not None and when.latest >= since:
            sources = (request.reference,)
            standing[status] = Fact("osteoporosis-referral", status, at=when.earliest, sources=sources)
    return standing.get("kept") or standing.get("placed") or unknown("osteoporosis-referral")


def _density(chart: KnownChart, since: datetime) -> Fact:
    """A measured result or a final report; an order for it is none."""
    rows = [row for row in densities(chart) if row[1] >= since]
    if not rows:
        return unknown("bone-density-result")
    confirmed, at, source = max(rows)
    if confirmed:
        return Fact("bone-density-result", True, at=at, sources=(source,))
    return unknown("bone-density-result", Reason.UNCONFIRMED, candidate=True, at=at, sources=(source,))


def densities(chart: KnownChart) -> Iterator[tuple[bool, datetime, str]]:
    """Measurements and reports of bone density: whether final, when, and which record; an order is none."""
    for one in readings(chart, _DENSITY):
        if _measured(one.resource.body):
            yield one.confirmed, one.at, one.resource.reference
    yield from _reports(chart)


def _reports(chart: KnownChart) -> Iterator[tuple[bool, datetime, str]]:
    """Reports of densitometry that were not withdrawn: whether final, when and which."""
    for report in chart.of_type("DiagnosticReport"):
        body, status = report.body, report.body.get("status")
        when = happened(body, chart.zone) or recorded(body, chart.zone)
        read = status in COUNTS or status in ("partial", "preliminary")
        if when and read and chart.terms.match(_DENSITY, codings(body.get("code"))):
            yield status in COUNTS, when.earliest, report.reference


def measured_in(chart: KnownChart, datum: str, value_set: str) -> Fact:
    """Whether any measurement of a value set has a result: a final one, else it is unconfirmed; an order is none."""
    rows = [row for row in readings(chart, value_set) if _measured(row.resource.body)]
    if not rows:
        return unknown(datum)
    last = max(rows, key=lambda row: (row.confirmed, row.at, row.resource.reference))
    sources = (last.resource.reference,)
    if last.confirmed:
        return Fact(datum, True, at=last.at, sources=sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=last.at, sources=sources)


def _measured(body: Mapping[str, Any]) -> bool:
    parts = (body, *objects(body, "component"))
    return any(key.startswith("value") for part in parts for key in part)


def _laboratory(chart: KnownChart, since: datetime) -> Fact:
    """How many of the core have a final result."""
    last: list[tuple[datetime, str]] = []
    for name in CAUSES:
        rows = [r for r in readings(chart, name) if r.confirmed and r.at >= since and _measured(r.resource.body)]
        last += [(r.at, r.resource.reference) for r in rows[-1:]]
    if not last:
        return unknown("bone-laboratory")
    sources = tuple(sorted(source for _, source in last))
    return Fact("bone-laboratory", len(last), at=max(at for at, _ in last), sources=sources)


def _treatment(chart: KnownChart, since: datetime) -> Fact:
    """The furthest step of a drug for osteoporosis: in the patient's hands, or prescribed; surely, else unconfirmed."""
    rows = [row for row in drug_steps(chart) if row[2] >= since]
    for step, sure in (("dispensed", True), ("dispensed", False), ("prescribed", True), ("prescribed", False)):
        own = [(at, source) for name, known, at, source in rows if (name, known) == (step, sure)]
        if own:
            at, source = max(own)
            if sure:
                return Fact("osteoporosis-treatment", step, at=at, sources=(source,))
            why = {"why": "by its text or ATC group alone: map its code"}
            doubt = Reason.UNCONFIRMED
            return unknown("osteoporosis-treatment", doubt, candidate=step, at=at, sources=(source,), detail=why)
    return unknown("osteoporosis-treatment")


def drug_steps(chart: KnownChart) -> Iterator[tuple[str, bool, datetime, str]]:
    """Records of drugs for osteoporosis: `dispensed` or `prescribed`, whether by a verified code, when, and which."""
    for kind, statuses in (*_HANDED.items(), ("MedicationRequest", _ORDERED)):
        for resource in chart.of_type(kind):
            body = resource.body
            if body.get("status") not in statuses or body.get("doNotPerform") or body.get("intent") in _PROPOSED:
                continue
            known = is_bone_drug(chart, resource)
            if known is not None:
                when = happened(body, chart.zone) or recorded(body, chart.zone)
                at = when.earliest if when else resource.received_at
                yield "prescribed" if kind == "MedicationRequest" else "dispensed", known, at, resource.reference


_PROPOSED: Final = frozenset({"proposal", "plan", "option"})


def is_bone_drug(chart: KnownChart, resource: ChartResource) -> bool | None:
    """Whether a medicine is a drug for osteoporosis, by a verified code; False by name alone, None if it is none."""
    concepts, words, _ = content(chart, resource)
    coded = list(codings(*concepts))
    if chart.terms.match("osteoporosis-drug", coded):
        return True
    named = any(stem in word.casefold() for word in words for stem in _NAMES)
    grouped = any(str(c.get("system")).lower().endswith("/atc") and str(c.get("code")).upper() in _ATC for c in coded)
    return False if named or grouped else None
