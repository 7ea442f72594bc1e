"""What broke a vertebra: said by a clinician, by codes, or by a mechanism; never guessed against a tumour on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from adapters.fhir.answers import agreed
from adapters.fhir.events import Fracture
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, LevelRange

_BY_SET: Final = {"vertebral-fracture-osteoporotic": "osteoporotic", "vertebral-fracture-neoplastic": "neoplastic"}
_BY_CODE: Final = {"443165006": "osteoporotic", "366908006": "neoplastic", "M8468": "other-disease"}
"""Codes for any bone that state a cause: SNOMED CT ids, or the first five characters of ICD-10-CM without its dot."""
_STATED: Final = ("osteoporotic", "neoplastic", "other-disease")


def cause(chart: KnownChart, level: str, own: Sequence[Fracture]) -> Fact:
    """The cause of a level's fracture. A clinician's statement decides; else all that speaks must agree."""
    rows = [f for f in chart.named("fracture-cause", "fracture-mechanism") if f.level in (level, UNSPECIFIED)]
    rows = [f for f in rows if f.at >= chart.since(level)]
    stated = latest([f for f in rows if f.code == "fracture-cause" and f.answer in _STATED])
    if stated:
        said_so = agreed("fracture-cause", stated, lambda f: f.answer)
        feared = said_so.reason is Reason.CONFLICTING and any(f.answer == "neoplastic" for f in stated)
        return replace(said_so, candidate="neoplastic") if feared else said_so
    said: dict[str, str] = {cause: f.sighting.source for f in own for cause in _of_codes(f.codes)}
    for finding in (f for f in rows if f.answer == "high-energy"):
        said["high-energy"] = finding.source
    tumour = list(_tumour_signs(chart, level))
    if len(said) > 1 or (tumour and "osteoporotic" in said):
        feared = "neoplastic" if tumour or "neoplastic" in said else None  # what an alert may not lose sight of
        return unknown("fracture-cause", Reason.CONFLICTING, candidate=feared, sources=[*said.values(), *tumour])
    if said:
        ((answer, source),) = said.items()
        if any(f.confirmed for f in own) or answer == "high-energy":
            return Fact("fracture-cause", answer, at=chart.as_of, sources=(source,))
        return unknown("fracture-cause", Reason.UNCONFIRMED, candidate=answer, sources=[source])
    return _from_history(chart, rows, tumour, own)


def _of_codes(codes: Iterable[tuple[str, str]]) -> Iterable[str]:
    """The causes that a Condition's codes state: one, none, or several that then conflict."""
    for value_set, code in codes:
        plain = code.replace(".", "")
        found = _BY_SET.get(value_set)
        if value_set == "fracture-other-site":
            found = _BY_CODE.get(plain) or _BY_CODE.get(plain[:5])
        if found:
            yield found


def _tumour_signs(chart: KnownChart, level: str) -> Iterable[str]:
    """Cancer on record, in remission too, or a tumour fracture that may be at this level."""
    for value_set in ("neoplasm", "malignancy"):
        yield from (resource.reference for resource, _ in chart.conditions(value_set))
    for fracture in chart.fractures:
        place = fracture.sighting.place
        maybe_here = place.lo != place.hi and (level == UNSPECIFIED or place.meet(LevelRange.of(level)))
        if maybe_here and "neoplastic" in _of_codes(fracture.codes):
            yield fracture.sighting.source


def _from_history(chart: KnownChart, rows: Sequence[Finding], tumour: Sequence[str], own: Sequence[Fracture]) -> Fact:
    """Low energy with recorded osteoporosis and no tumour on record (catalogue I-01); less than that is not enough."""
    if tumour:
        return unknown("fracture-cause", Reason.UNCONFIRMED, candidate="neoplastic", sources=tumour)
    bone = [resource.reference for resource, standing in chart.conditions("osteoporosis") if standing != "suspected"]
    low = [f.source for f in rows if f.answer == "low-energy" and f.confirmed]
    if low and bone and any(f.confirmed for f in own):
        return Fact("fracture-cause", "osteoporotic", at=chart.as_of, sources=(*low, *bone))
    if low or bone:
        return unknown("fracture-cause", Reason.UNCONFIRMED, candidate="osteoporotic", sources=[*low, *bone])
    return unknown("fracture-cause")
