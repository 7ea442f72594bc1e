"""Does a resource make sense? Valid FHIR may still say pain 15 of 10, height loss in millimetres, or vertebra L6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.findings import PANELS, attested, finding_code, findings, warns
from adapters.fhir.reading import LEVEL, When, at_path, code_in, codings, happened, number, recorded
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource
from pathway.levels import LEVELS

SKEW: Final = timedelta(minutes=5)
"""How far a sender's clock may run ahead of ours before its dates count as the future."""

SIGN_SKEW: Final = timedelta(hours=24)
"""How far the clock of who tells of a sign of danger may: a wrong zone or tablet must not lose it at the door.

It waits for its hour. A project default of 2026-11-23, awaiting a clinician's sign-off.
"""
_SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "Condition": ("neurologic-emergency", "leg-weakness", "bladder-or-bowel", "chest-symptom"),
    "Observation": ("oxygen-saturation", "heart-rate"),
}
"""Value sets whose records only ever warn: none of them, early or late, takes another one back."""

_DATUM: Final = {
    "pain-score": "pain-score", "vertebral-height-loss": "height-loss", "disability-score": "disability-score",
    "sins-total": "sins", "cement-volume": "cement-volume",
}  # fmt: skip
_WHOLE: Final = {
    "disability-score": "Send the total of the questionnaire", "sins-total": "Send the sum of the six parts",
}  # fmt: skip
_SCORES: Final = frozenset({"{score}", "{Score}", "1", "{points}"})
_UNITS: Final[Mapping[str, frozenset[str]]] = {
    "pain-score": _SCORES,
    "disability-score": _SCORES,
    "sins-total": _SCORES,
    "cement-volume": frozenset({"mL", "ml"}),
    "vertebral-height-loss": frozenset({"%"}),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a resource cannot be believed: a FHIR issue code, the element, the reason and the remedy; never the value."""

    code: str
    expression: str
    why: str
    fix: str


def doubts(
    body: Mapping[str, Any], received_at: datetime, terms: Terminology, ranges: Mapping[str, tuple[Decimal, Decimal]],
    zone: tzinfo,
) -> Iterator[Doubt]:  # fmt: skip
    """Every reason not to believe one resource. `ranges` are the plausible bounds of data, from the vocabulary."""
    kind = str(body.get("resourceType"))
    version = When.read(at_path(body, "meta.lastUpdated"), zone)  # one dated ahead would outlive every true update
    dates = (
        ("its time", happened(body, zone)),
        ("its record date", recorded(body, zone)),
        ("its version date", version),
    )
    ahead = [when.earliest for _, when in dates[:2] if when is not None and when.earliest > received_at + SKEW]
    waits = bool(ahead) and max(ahead) <= received_at + SIGN_SKEW and _is_sign(body, received_at, terms, zone)
    for name, when in dates[2:] if waits else dates:
        if when is not None and when.earliest > received_at + SKEW:
            yield Doubt(
                "business-rule", kind, f"{name} lies after the instant at which it was received",
                "Correct the date, or send it when it has happened",
            )  # fmt: skip
    yield from _levels(body, kind)
    begun, ended = (When.read(at_path(body, f"effectivePeriod.{end}"), zone) for end in ("start", "end"))
    if begun is not None and ended is not None and ended.latest < begun.earliest:
        yield Doubt("value", f"{kind}.effectivePeriod", "the period ends before it begins", "Correct the dates")
    if kind == "Patient":
        birth = When.read(body.get("birthDate"), zone)
        if birth is not None and birth.earliest > received_at:
            yield Doubt("value", "Patient.birthDate", "the date of birth lies in the future", "Correct the date")
    if kind == "Observation":
        code = finding_code(body, terms) or ""
        for name, element in attested(body) if code in PANELS else ((code, body),):
            yield from _measure(name, element, ranges)


def _is_sign(body: Mapping[str, Any], received_at: datetime, terms: Terminology, zone: tzinfo) -> bool:
    """Whether a record tells of danger, or measures what is only ever feared."""
    coded = list(codings(body.get("code")))
    if any(terms.match(value_set, coded) for value_set in _SIGNS.get(str(body.get("resourceType")), ())):
        return True
    rows, _ = findings((ChartResource(body, "", received_at),), terms, zone)
    return bool(rows) and all(warns(row) for row in rows)


def _levels(body: Mapping[str, Any], kind: str) -> Iterator[Doubt]:
    """Our own level codes are known to the last one; other systems' codes may be new to us and are no fault."""
    for coding in codings(body.get("bodySite")):
        if coding.get("system") == LEVEL and code_in(LEVEL, {"coding": [coding]}) not in LEVELS:
            yield Doubt(
                "code-invalid",
                f"{kind}.bodySite",
                "there is no such vertebra",
                "Use C1 to C7, T1 to T12, L1 to L5 or S1",
            )


def _measure(
    code: str, body: Mapping[str, Any], ranges: Mapping[str, tuple[Decimal, Decimal]]
) -> Iterator[Doubt]:  # fmt: skip
    """The number of a finding, in an Observation of its own or in a component of a panel."""
    if code not in _DATUM:
        return
    quantity = body.get("valueQuantity")
    value = number(body.get("valueInteger"))
    if isinstance(quantity, Mapping):
        value = number(quantity.get("value"))
        unit = quantity.get("code") or quantity.get("unit")
        if unit not in _UNITS[code] and not (unit is None and _UNITS[code] is _SCORES):
            right = " or ".join(sorted(_UNITS[code]))
            yield Doubt(
                "value", "Observation.valueQuantity.code", f"the unit does not fit {code}", f"Use {right} (UCUM)"
            )
    elif value is None and any(key.startswith("value") for key in body) and not _coded(code, body):
        yield Doubt("value", "Observation.value[x]", f"{code} is a number", "Send valueQuantity or valueInteger")
    lo, hi = ranges[_DATUM[code]]
    if value is not None and code in _WHOLE and value != value.to_integral_value():
        yield Doubt("value", "Observation.value[x]", f"{code} is a whole number", _WHOLE[code])
    if value is not None and not lo <= value <= hi:
        yield Doubt("value", "Observation.value[x]", f"not plausible for {code}", f"It lies between {lo} and {hi}")


def _coded(code: str, body: Mapping[str, Any]) -> bool:
    """Height loss may be told as present or absent where nobody has measured it."""
    return code == "vertebral-height-loss" and ("valueCodeableConcept" in body or "valueBoolean" in body)
