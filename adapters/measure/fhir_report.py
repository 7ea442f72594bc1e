"""Measures as FHIR R4: a MeasureReport of type summary for each, in one Bundle. It names no patient."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.terminology import BASE
from adapters.fhir.validate import check_written
from adapters.measure.report import Head
from pathway.canonical import instant
from pathway.measures import Standing, Tally, Window

_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
_WORDS: Final = {Standing.UNKNOWN: "Unknown", Standing.RUNNING: "Still running", Standing.IN_DOUBT: "In doubt"}
"""Parts of the denominator, and beside it, for which FHIR has no code."""


def bundle(tallies: Iterable[Tally], head: Head) -> dict[str, Any]:
    """The reports in a Bundle; PathwayError if one of them is not valid R4, which is a fault of ours."""
    reports = [report(tally, head) for tally in tallies]
    for one in reports:
        check_written(one)
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in reports]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def report(tally: Tally, head: Head) -> dict[str, Any]:
    """One MeasureReport. Its score is what is shown at least; what is unknown is a population of its own."""
    measure, window = tally.measure, head.window
    canonical = f"{BASE}/Measure/{measure.id}|{head.releases[0].partition('|')[2]}"
    group: dict[str, Any] = {
        "code": {"text": measure.title},
        "population": [
            *(_population(code, count) for code, count in (
                ("initial-population", tally.denominator), ("denominator", tally.denominator),
                ("denominator-exclusion", tally[Standing.EXCLUDED]), ("numerator", tally[Standing.DONE]),
            )),
            *({"code": {"text": words}, "count": tally[standing]} for standing, words in _WORDS.items()),
        ],
    }  # fmt: skip
    if tally.rates is not None:
        score = Decimal(f"{tally.rates[0]:.4f}")
        group["measureScore"] = {"value": score, "system": "http://unitsofmeasure.org", "code": "1"}
    name = f"{canonical}/{instant(window.as_of)}/{window.since}/{window.until}"
    return {
        "resourceType": "MeasureReport", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "status": "complete",
        "type": "summary", "measure": canonical, "date": instant(window.as_of), "period": _period(window),
        "group": [group],
    }  # fmt: skip


def _population(code: str, count: int) -> Mapping[str, Any]:
    return {"code": {"coding": [{"system": _POPULATION, "code": code}]}, "count": count}


def _period(window: Window) -> dict[str, str]:
    """The days of the events; an open end is that of the report."""
    until = window.until or window.day(window.as_of)
    return {"end": until.isoformat()} | ({"start": window.since.isoformat()} if window.since else {})
