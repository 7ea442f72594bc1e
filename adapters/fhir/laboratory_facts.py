"""Measurements: INR, platelets, temperature and the blood markers of inflammation, in the units that we know.

A unit that is not in the table is never guessed: platelets of 150 may be thousands or millions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from adapters.fhir.findings import COUNTS, DROPPED, withdrawn
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import codings, happened, number, recorded
from pathway.chart import ChartResource, SetAside
from pathway.facts import Fact, Reason, Value, unknown

_TEXT: Final = re.compile(r"\s*(?:[<>]=?|[≤≥])?\s*(?P<number>[0-9]{1,6}(?:[.,][0-9]{1,4})?)(?P<unit>[^0-9]*)")
_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)
_HUGE: Final = Decimal(1_000_000_000)  # beyond every bound in every unit; what is larger could not be rounded
Units = Mapping[str, tuple[Decimal, Decimal]]
"""UCUM unit -> what is taken off, then by what the rest is multiplied."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How a datum is read from a number: its units, its place after the point, its bounds, and which way to round.

    It is rounded towards what warns: an INR and a temperature up, platelets down. `loose` are spellings, in lower case,
    of a unit that is not UCUM's: a number with one of them is feared, never believed. `bounded` lets a result that is
    only known to lie on the harmless side of a bound, as `> 60`, count as that bound.
    """

    datum: str
    units: Units
    step: Decimal
    rounding: str
    least: Decimal
    most: Decimal
    loose: Mapping[str, str] = field(default_factory=dict[str, str])
    bounded: bool = False

    @property
    def warns_high(self) -> bool:
        """Whether the greater value is the worse."""
        return self.rounding == ROUND_CEILING


_THOUSANDS: Final = (_ZERO, _ONE)
MEASURES: Final = (
    Measure(
        "inr", dict.fromkeys(("{INR}", "1", ""), (_ZERO, _ONE)), Decimal("0.01"), ROUND_CEILING,
        Decimal("0.5"), Decimal(20), dict.fromkeys(("ratio", "{ratio}", "inr"), "{INR}"),
    ),
    Measure(
        "platelets",
        {"10*9/L": _THOUSANDS, "10*3/uL": _THOUSANDS, "10*3/mm3": _THOUSANDS, "/uL": (_ZERO, Decimal("0.001"))},
        _ONE, ROUND_FLOOR, _ZERO, Decimal(3000),
    ),
    Measure(
        "body-temperature", {"Cel": (_ZERO, _ONE), "[degF]": (Decimal(32), Decimal(5) / Decimal(9))}, Decimal("0.1"),
        ROUND_CEILING, Decimal(25), Decimal(45),
        {**dict.fromkeys(("f", "°f", "degf", "deg f", "fahrenheit"), "[degF]"),
         **dict.fromkeys(("c", "°c", "degc", "deg c", "celsius", ""), "Cel")},
    ),
)  # fmt: skip

BY_DATUM: Final = {measure.datum: measure for measure in MEASURES}
WATCHED: Final[Mapping[str, Measure]] = {
    "oxygen-saturation": Measure(
        "saturation-after-cement", {"%": (_ZERO, _ONE), "1": (_ZERO, Decimal(100))}, _ONE, ROUND_FLOOR, Decimal(30),
        Decimal(100), dict.fromkeys(("", "percent", "%o2", "% o2", "%{oxygen}"), "%") | {"{fraction}": "1"},
    ),
    "heart-rate": Measure(
        "pulse-after-cement", dict.fromkeys(("/min", "{beats}/min", "{Beats}/min"), (_ZERO, _ONE)), _ONE,
        ROUND_CEILING, Decimal(20), Decimal(300),
        dict.fromkeys(("", "bpm", "beats/min", "beats/minute", "beats per minute", "1/min"), "/min"),
    ),
}  # fmt: skip
"""Vital signs that are watched after cement, by their value sets; of them what warns most counts, not the latest."""

MARKERS: Final = ("c-reactive-protein", "sedimentation-rate", "leucocytes")
"""The blood markers of inflammation, by their value sets."""

OF_THE_BONE: Final = ("estimated-filtration", "creatinine-clearance", "calcium", "vitamin-d", "t-score")
"""What is read before a drug for the bone, by its value sets."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of a value set: its resource, the first and last instant of its date, whether it is final."""

    resource: ChartResource
    at: datetime
    latest: datetime
    confirmed: bool


def readings(chart: KnownChart, value_set: str) -> list[Reading]:
    """The dated measurements of a value set that were not taken back, oldest first.

    A result that says when it was issued and not when it was taken is unconfirmed, and so is one without a value: it
    was to be measured, and what it would have been is not known.
    """
    gone = set(withdrawn(chart.of_type("DiagnosticReport")))
    found: list[Reading] = []
    for resource in chart.observations(value_set):
        body = resource.body
        if body.get("status") in DROPPED or resource.reference in gone:
            continue
        taken = happened(body, chart.zone)
        when = taken or recorded(body, chart.zone)
        if when is not None:
            sure = taken is not None and body.get("status") in COUNTS and "dataAbsentReason" not in body
            found.append(Reading(resource, when.earliest, when.latest, sure))
    return sorted(found, key=lambda r: (r.at, r.resource.reference))


def last_of(rows: list[Reading]) -> list[Reading]:
    """The readings that may be the last: those of the last instant, and those whose vaguer date reaches it."""
    newest = max((r.at for r in rows), default=None)
    return [r for r in rows if newest is not None and r.latest >= newest]


def measured(chart: KnownChart) -> Iterator[Fact]:
    """Each measure by its latest reading; a later one that cannot be read is not passed over for an older one."""
    for measure in MEASURES:
        yield measured_by(measure, readings(chart, measure.datum))


def measured_by(measure: Measure, rows: list[Reading]) -> Fact:
    """A measure by the latest of some readings; unknown with what warns most where that cannot be relied on."""
    last = last_of(rows)
    if not last:
        return unknown(measure.datum)
    datum, at, sources = measure.datum, last[0].at, tuple(r.resource.reference for r in last)
    values = {_number(measure, r.resource.body) for r in last}
    if len(values) == 1 and None not in values and all(r.confirmed for r in last):
        return Fact(datum, values.pop(), None, None, at, sources)
    sure = [r for r in rows if r.confirmed and _number(measure, r.resource.body) is not None]
    worst = _worst(measure, [*last, *last_of(sure)])
    if None in values:
        why = {"why": "no number, only a bound, out of range, or in a unit that is not known here"}
        return unknown(datum, Reason.UNPARSEABLE, candidate=worst, at=at, sources=sources, detail=why)
    reason = Reason.CONFLICTING if len(values) > 1 else Reason.UNCONFIRMED
    return unknown(datum, reason, candidate=worst, at=at, sources=sources)


def _worst(measure: Measure, rows: list[Reading]) -> Value | None:
    """What warns most of readings that cannot be relied on, and of the last confirmed one: that still stands."""
    bodies = [r.resource.body for r in rows]
    told = [value for body in bodies if (value := _feared(measure, body)) is not None]
    worst = (max if measure.warns_high else min)(told, default=None)
    return None if worst is None else _scaled(measure, worst)


def worst_of(measure: Measure, rows: Sequence[Reading], datum: str = "") -> Fact:
    """Of some readings what warns most; unconfirmed where only what cannot be relied on warns so much.

    A later one that warns less takes nothing back.
    """
    datum = datum or measure.datum
    sure = [(value, r) for r in rows if r.confirmed and (value := _number(measure, r.resource.body)) is not None]
    told = [(_scaled(measure, value), r) for r in rows if (value := _feared(measure, r.resource.body)) is not None]
    pick = max if measure.warns_high else min
    least = pick((value for value, _ in sure), default=None)
    worst = pick((value for value, _ in (*sure, *told)), default=None)
    if worst is None:
        return unknown(datum)
    own = [r for value, r in (sure if worst == least else told) if value == worst]
    at, sources = max(r.at for r in own), tuple(dict.fromkeys(r.resource.reference for r in own))
    if worst == least:
        return Fact(datum, worst, None, None, at, sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=worst, at=at, sources=sources)


def _number(measure: Measure, body: Mapping[str, Any]) -> int | Decimal | None:
    """The number in the datum's own unit; an integer where it has no place after the point."""
    quantity = body.get("valueQuantity")
    if not isinstance(quantity, Mapping) or not _is_plain(measure, quantity.get("comparator")):
        return None
    made = _converted(measure, number(quantity.get("value")), quantity.get("code") or quantity.get("unit") or "")
    return _scaled(measure, made) if made is not None and measure.least <= made <= measure.most else None


def _is_plain(measure: Measure, comparator: object) -> bool:
    """Whether a number is the result itself, or a bound that it may be taken for."""
    harmless = ("<", "<=") if measure.warns_high else (">", ">=")
    return not comparator or (measure.bounded and comparator in harmless)


def _scaled(measure: Measure, made: Decimal) -> int | Decimal:
    return int(made) if measure.step == _ONE else made


def _converted(measure: Measure, value: Decimal | None, unit: str) -> Decimal | None:
    if value is None or unit not in measure.units:
        return None
    off, times = measure.units[unit]
    value = min(max(value, -_HUGE), _HUGE)
    exact = ((value - off) * times).quantize(Decimal("0.000001"))
    return exact.quantize(measure.step, rounding=measure.rounding)


def _feared(measure: Measure, body: Mapping[str, Any]) -> Decimal | None:
    """The number that a result seems to give: a bound itself, a text, a loose unit; beyond what is plausible its end.

    One that fits only another unit of the measure is taken to be in that, as 0.97 % is a fraction. Nothing where no
    unit of it is named.
    """
    value, unit = _told(body)
    unit = unit if unit in measure.units else measure.loose.get(unit.strip().lower(), unit)
    made = _converted(measure, value, unit)
    if made is None or measure.least <= made <= measure.most:
        return made
    others = (_converted(measure, value, other) for other in measure.units)
    fits = [other for other in others if other is not None and measure.least <= other <= measure.most]
    if fits:
        return max(fits) if measure.warns_high else min(fits)
    return min(max(made, measure.least), measure.most).quantize(measure.step)


def _told(body: Mapping[str, Any]) -> tuple[Decimal | None, str]:
    """The number and the unit of a result, whether it is a quantity, an integer or a text such as `> 8`."""
    quantity, text = body.get("valueQuantity"), body.get("valueString")
    if isinstance(quantity, Mapping):
        return number(quantity.get("value")), str(quantity.get("code") or quantity.get("unit") or "")
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return number(body.get("valueInteger")), ""
    return Decimal(found["number"].replace(",", ".")), found["unit"].strip()


def undated(chart: KnownChart) -> Iterator[SetAside]:
    """A note on each measurement without any date: it cannot be placed in time."""
    why = "a measurement without a date cannot be placed in time"
    for resource in chart.of_type("Observation"):
        dated = happened(resource.body, chart.zone) or recorded(resource.body, chart.zone)
        coded = list(codings(resource.body.get("code"))) if dated is None else []
        if any(chart.terms.match(value_set, coded) for value_set in (*BY_DATUM, *WATCHED, *MARKERS, *OF_THE_BONE)):
            yield SetAside(resource.reference, "invalid", why)
