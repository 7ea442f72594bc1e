"""Inflammation: what the laboratory says of its own markers, what was found, and whether it is explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import MARKERS, Reading, last_of, readings
from adapters.fhir.reading import at_path, codes_in, number
from pathway.facts import Fact, Reason, unknown

DATUM: Final = "inflammation-markers"
FEVERISH: Final = Decimal("37.5")
"""Degrees Celsius above which an earlier explanation no longer covers a temperature.

Low, so that it is rather asked for once too often. A project default of 2026-11-22, awaiting sign-off.
"""
_RAISED: Final = frozenset({"H", "HH", "HU", "A", "AA"})  # v3-ObservationInterpretation
_LOW: Final = frozenset({"L", "LL", "LU"})
_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_ANSWERS: Final = {"normal": "normal", "raised": "raised", "abnormal": "raised"}


@dataclass(frozen=True, slots=True)
class _Marker:
    """What one marker came to when it was last measured: `raised`, `normal`, or empty where nobody says."""

    state: str
    confirmed: bool
    at: datetime
    source: str


def markers(chart: KnownChart) -> Fact:
    """The worst of the latest of each marker and of the latest finding, which outweighs the markers before its day.

    One marker that is normal today takes nothing back of another that was raised yesterday.
    """
    said = answered(DATUM, _ANSWERS, chart.named(DATUM))
    rows = [row for value_set in MARKERS for row in _last(chart, value_set)]
    if said.at is not None:
        since = _day(chart, said.at)
        rows = [row for row in rows if not said.known or _day(chart, row.at) >= since]
        state = str(said.value or said.candidate or "")
        rows += [_Marker(state, said.known, said.at, source) for source in said.sources]
    if said.reason is Reason.CONFLICTING and not any(row.state == "raised" and row.confirmed for row in rows):
        return said
    return _worst(rows)


def _last(chart: KnownChart, value_set: str) -> list[_Marker]:
    """The last of one marker; one that is preliminary or says nothing takes the last that was sure not back."""
    found = readings(chart, value_set)
    states = {r.resource.reference: _state(chart, value_set, r) for r in found}
    last, sure = last_of(found), last_of([r for r in found if r.confirmed and states[r.resource.reference]])
    if not all(r in sure for r in last):
        last += [r for r in sure if r not in last]
    return [_Marker(states[r.resource.reference], r.confirmed, r.at, r.resource.reference) for r in last]


def _worst(rows: list[_Marker]) -> Fact:
    for state, sure in (("raised", True), ("raised", False), ("", False), ("", True)):
        found = [row for row in rows if row.state == state and row.confirmed is sure]
        if found:
            at, sources = max(row.at for row in found), tuple(row.source for row in found)
            if not state:
                why = {"why": "the laboratory does not say whether it is raised"}
                return unknown(DATUM, Reason.UNPARSEABLE, at=at, sources=sources, detail=why)
            if sure:
                return Fact(DATUM, "raised", None, None, at, sources)
            return unknown(DATUM, Reason.UNCONFIRMED, candidate="raised", at=at, sources=sources)
    if not rows:
        return unknown(DATUM)
    at, sources = max(row.at for row in rows), tuple(row.source for row in rows)
    if all(row.confirmed for row in rows):
        return Fact(DATUM, "normal", None, None, at, sources)
    return unknown(DATUM, Reason.UNCONFIRMED, candidate="normal", at=at, sources=sources)


def _state(chart: KnownChart, value_set: str, reading: Reading) -> str:
    """By the laboratory's interpretation, else by its own reference range; what warns of the two outweighs the other.

    Too few leucocytes are not normal either.
    """
    body = reading.resource.body
    told = [codes_in(_SYSTEM, concept) or {""} for concept in objects(body, "interpretation")]
    given, ranged = {code for codes in told for code in codes}, _by_range(value_set, body)
    if given & _RAISED or ranged == "raised":
        return "raised"
    state = "normal" if given <= {"N"} or (given <= _LOW and value_set != "leucocytes") else ""
    state = state if given else ranged  # a range clears only where nobody said a word
    value = number(at_path(body, "valueQuantity.value"))
    return "" if state == "normal" and value is not None and value < 0 else state


def _by_range(value_set: str, body: Mapping[str, Any]) -> str:
    """Against the one reference range that the result carries, in its unit; empty where that does not settle it."""
    ranges, quantity = objects(body, "referenceRange"), body.get("valueQuantity")
    if len(ranges) != 1 or not isinstance(quantity, Mapping):
        return ""
    value = number(quantity.get("value"))
    low, high = (bound_of(ranges[0].get(part), quantity) for part in ("low", "high"))
    if value is None or high is None:
        return ""
    bound = str(quantity.get("comparator") or "")
    if value > high or (value == high and bound == ">"):
        return "" if bound.startswith("<") else "raised"
    few = value_set == "leucocytes" and (low is None or value < low or bound.startswith("<"))
    return "" if few or bound.startswith(">") else "normal"


def bound_of(end: Any, quantity: Mapping[str, Any]) -> Decimal | None:
    """One end of a range, where it names the unit of the result: by code if either has one, else by the same word."""
    if not isinstance(end, Mapping):
        return None
    key = "code" if "code" in end or "code" in quantity else "unit"
    return number(end.get("value")) if end.get(key) and end.get(key) == quantity.get(key) else None


def explained(chart: KnownChart, found: Fact, temperature: Fact) -> Fact:
    """The latest that was signed; one from before the day of what it is to explain cannot have meant it."""
    datum = "inflammation-explained"
    said = answered(datum, HOLDS, chart.named(datum))
    raised = found.at if "raised" in (found.value, found.candidate) else None
    warm = temperature.value if temperature.known else temperature.candidate
    fever = temperature.at if isinstance(warm, Decimal) and warm > FEVERISH else None
    since = max((at for at in (raised, fever) if at is not None), default=None)
    if said.at is None or since is None or _day(chart, said.at) >= _day(chart, since):
        return said
    why = {"why": "given before what it is to explain"}
    return unknown(datum, Reason.STALE, candidate=said.value, at=said.at, sources=said.sources, detail=why)


def inflammation(chart: KnownChart, temperature: Fact) -> Iterator[Fact]:
    """The markers, and whether they and a fever are explained without an infection."""
    found = markers(chart)
    yield found
    yield explained(chart, found, temperature)


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()
