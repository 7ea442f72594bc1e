"""What has to be known before a drug for osteoporosis: kidneys, calcium and vitamin D, and what speaks against one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.inflammation_facts import bound_of
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import Measure, Reading, last_of, measured_by, readings
from adapters.fhir.person_facts import worst
from adapters.fhir.reading import at_path, codes_in, happened, number, recorded
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, Value, unknown

RECENT: Final = timedelta(days=365)
"""How long a heart attack or a stroke speaks against romosozumab: the year of its label."""

_ZERO, _ONE = Decimal(0), Decimal(1)
_PER_SURFACE: Final = ("ml/min/1.73m2", "ml/min/1.73 m2", "ml/min/1.73m^2", "ml/min/1.73 m^2", "ml/min/1.73")
KIDNEYS: Final = (
    Measure(
        "egfr", {"mL/min/{1.73_m2}": (_ZERO, _ONE)}, _ONE, ROUND_FLOOR, _ZERO,
        Decimal(250), dict.fromkeys(_PER_SURFACE, "mL/min/{1.73_m2}"), bounded=True,
    ),
    Measure(
        "creatinine-clearance", {"mL/min": (_ZERO, _ONE)}, _ONE, ROUND_FLOOR, _ZERO, Decimal(300),
        {"ml/min": "mL/min"}, bounded=True,
    ),
)  # fmt: skip
"""Two measures that do not stand in for each other: labels go by the one or by the other."""
_VALUE_SETS: Final = {"egfr": "estimated-filtration"}

_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_SIDES: Final = {
    **dict.fromkeys(("L", "LL", "LU"), "low"), "N": "normal", **dict.fromkeys(("H", "HH", "HU"), "high"),
}  # fmt: skip
_LASTING: Final = ("paget-disease", "atypical-femur-fracture", "jaw-necrosis")
_FOR_LIFE: Final = frozenset({"skeletal-malignancy", "skeletal-radiotherapy", *_LASTING})
"""What does not pass: a later no takes no confirmed yes back. A yes that was wrong is marked as entered in error."""


def bone_drug_facts(chart: KnownChart, levels: Mapping[str, Mapping[str, Fact]], tumour: Fact) -> Iterator[Fact]:
    """What speaks for or against a drug; `levels` are the facts of each vertebra, by its name, `tumour` the kind."""
    for measure in KIDNEYS:
        yield measured_by(measure, readings(chart, _VALUE_SETS.get(measure.datum, measure.datum)))
    yield _judged(chart, "blood-calcium", "calcium", {side: side for side in ("low", "high", "normal")})
    yield _judged(chart, "vitamin-d-low", "vitamin-d", {"low": True, "normal": False, "high": False})
    causes = [facts["fracture-cause"] for facts in levels.values() if facts["fracture-evidence"].value != "none"]
    yield _fragility(causes)
    yield worst(_tumour_in_bone(causes, tumour), _said(chart, "skeletal-malignancy"))
    yield worst(_recent_event(chart), _said(chart, "recent-heart-attack-or-stroke"))
    for datum in (*_LASTING, "oesophageal-disease"):
        yield worst(_diagnosed(chart, datum, lasting=datum in _LASTING), _said(chart, datum))
    yield worst(_irradiated(chart), _said(chart, "skeletal-radiotherapy"))


def _said(chart: KnownChart, datum: str) -> Fact:
    """The latest answer; of what does not pass a no and an earlier yes conflict."""
    said = answered(datum, HOLDS, chart.named(datum))
    once = [f.source for f in chart.named(datum) if HOLDS.get(f.answer) is True and f.confirmed]
    if said.value is not False or datum not in _FOR_LIFE or not once:
        return said
    sources = tuple(dict.fromkeys((*once, *said.sources)))
    return unknown(datum, Reason.CONFLICTING, candidate=True, at=said.at, sources=sources)


def _fragility(causes: list[Fact]) -> Fact:
    """Whether some fracture is osteoporotic; no only where each has another cause for certain."""
    datum = "fragility-fracture"
    own = [f for f in causes if f.value == "osteoporotic"]
    if own:
        return Fact(datum, True, at=max((f.at for f in own if f.at), default=None), sources=_sources(own))
    open_ = [f for f in causes if not f.known]
    if not causes or not open_:
        return Fact(datum, False, sources=_sources(causes)) if causes else unknown(datum)
    likely = [f for f in open_ if f.candidate == "osteoporotic"]
    first = (likely or open_)[0]
    candidate = True if likely else None
    return unknown(datum, first.reason or Reason.NOT_RECORDED, candidate=candidate, sources=_sources(likely or open_))


def _tumour_in_bone(causes: list[Fact], tumour: Fact) -> Fact | None:
    """A tumour of the spine of any kind, or a vertebra that one broke; what is feared of either is feared here."""
    datum = "skeletal-malignancy"
    rows = [*(f for f in causes if "neoplastic" in (f.value, f.candidate)), tumour]
    for sure in (True, False):
        own = [f for f in rows if f.known is sure and (f.value if sure else f.candidate) is not None]
        if own:
            at, sources = max((f.at for f in own if f.at), default=None), _sources(own)
            if sure:
                return Fact(datum, True, at=at, sources=sources)
            return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)
    return None


def _recent_event(chart: KnownChart) -> Fact | None:
    """A heart attack or a stroke that began within the year, however it stands by now; an old one says nothing."""
    datum, rows = "recent-heart-attack-or-stroke", chart.conditions("heart-attack-or-stroke")
    return _fear(chart, datum, [(r, s != "suspected") for r, s in rows if _begun(chart, r) >= chart.as_of - RECENT])


def _begun(chart: KnownChart, resource: ChartResource) -> datetime:
    """The latest instant at which it can have begun; where nothing dates it, when it came."""
    when = happened(resource.body, chart.zone) or recorded(resource.body, chart.zone)
    return when.latest if when else resource.received_at


def _diagnosed(chart: KnownChart, datum: str, *, lasting: bool) -> Fact | None:
    """A diagnosis of the value set of this name; one that does not pass counts though it is said to be over."""
    rows = [(r, s) for r, s in chart.conditions(datum) if s != "over" or lasting]
    return _fear(chart, datum, [(r, s != "suspected") for r, s in rows])


def _irradiated(chart: KnownChart) -> Fact | None:
    """A history of irradiation does not say of what: never more than feared."""
    rows = chart.conditions("irradiation-history")
    return _fear(chart, "skeletal-radiotherapy", [(r, False) for r, _ in rows])


def _fear(chart: KnownChart, datum: str, rows: list[tuple[ChartResource, bool]]) -> Fact | None:
    """Yes by what is sure of some resources, else unconfirmed by the others."""
    own = [r for r, sure in rows if sure] or [r for r, _ in rows]
    if not own:
        return None
    at, sources = max(chart.dated(r) for r in own), tuple(r.reference for r in own)
    if any(sure for _, sure in rows):
        return Fact(datum, True, at=at, sources=sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)


def _judged(chart: KnownChart, datum: str, value_set: str, values: Mapping[str, Value]) -> Fact:
    """The latest result as its laboratory judges it; of results that differ the first of `values` is feared.

    What is preliminary or says nothing takes the last that was sure not back.
    """
    found, two_sided = readings(chart, value_set), values["high"] != values["normal"]
    states = {row.resource.reference: side(row.resource.body, two_sided) for row in found}
    last = last_of(found)
    if not last:
        return unknown(datum)
    at, sources = last[0].at, _references(last)
    told = {states[r.resource.reference] for r in last}
    if len(told) == 1 and "" not in told and all(r.confirmed for r in last):
        return Fact(datum, values[told.pop()], at=at, sources=sources)
    last += last_of([r for r in found if r.confirmed and states[r.resource.reference]])
    feared = {values[state] for r in last if (state := states[r.resource.reference])}
    candidate = next((value for value in values.values() if value in feared), None)
    if "" in told:
        why = {"why": "neither its interpretation nor its range says whether it is low"}
        return unknown(datum, Reason.UNPARSEABLE, candidate=candidate, at=at, sources=sources, detail=why)
    reason = Reason.CONFLICTING if len(told) > 1 else Reason.UNCONFIRMED
    return unknown(datum, reason, candidate=candidate, at=at, sources=sources)


def side(body: Mapping[str, Any], two_sided: bool) -> str:
    """`low`, `normal` or `high` by the laboratory's interpretation, else by the one range that the result carries.

    Where too much matters as well (`two_sided`) normal needs both ends of the range. Empty where that does not settle
    it. What warns, word or range, outweighs what does not; where they warn of both sides nothing is settled.
    """
    concepts, ranged = objects(body, "interpretation"), _by_range(body, two_sided)
    given = [codes_in(_SYSTEM, concept) or {""} for concept in concepts]
    told = {_SIDES.get(code, "") for codes in given for code in codes}
    warned = {*told, ranged} & {"low", "high"}
    if warned:
        return warned.pop() if len(warned) == 1 else ""
    return ranged if not told else told.pop() if len(told) == 1 else ""


def _by_range(body: Mapping[str, Any], two_sided: bool) -> str:
    ranges, quantity = objects(body, "referenceRange"), body.get("valueQuantity")
    if len(ranges) != 1 or not isinstance(quantity, Mapping):
        return ""
    value, bound = number(at_path(body, "valueQuantity.value")), str(quantity.get("comparator") or "")
    low, high = (bound_of(ranges[0].get(part), quantity) for part in ("low", "high"))
    if value is None or value < 0:
        return ""
    if low is not None and (value < low or (value == low and bound == "<")):
        return "" if bound.startswith(">") else "low"
    if high is not None and (value > high or (value == high and bound == ">")):
        return "" if bound.startswith("<") else "high"
    whole = low is not None and (high is not None or not two_sided)
    return "normal" if whole and not bound else ""


def _references(rows: list[Reading]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.resource.reference for row in rows))


def _sources(facts: Iterable[Fact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
