"""Measures as FHIR R4: a MeasureReport of type summary for each, in one Bundle. It names no patient."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.terminology import BASE
from adapters.fhir.validate import check_written
from adapters.measure.report import DRAFT, Head
from pathway.canonical import instant
from pathway.measures import Standing, Tally, Window

_POPULATION: Final = "http://terminology.hl7.org/CodeSystem/measure-population"
_BETTER: Final = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
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
    """One MeasureReport. Its score is what is shown at least; what is unknown is a population of its own.

    Who is still running is in the initial population alone, so that the score follows from the other counts. A harm has
    no score while some of it is unknown: the least of it would read as if all of these were well.
    """
    measure, window = tally.measure, head.window
    canonical = f"{BASE}/Measure/{measure.id}|{head.releases[0].partition('|')[2]}"
    group: dict[str, Any] = {
        "code": {"text": measure.title},
        "population": [
            *(_population(code, count) for code, count in (
                ("initial-population", tally.denominator), ("denominator", tally.denominator - tally[Standing.RUNNING]),
                ("denominator-exclusion", tally[Standing.EXCLUDED]), ("numerator", tally[Standing.DONE]),
            )),
            *({"code": {"text": words}, "count": tally[standing]} for standing, words in _WORDS.items()),
        ],
    }  # fmt: skip
    if tally.rates is not None and not (measure.harm and tally[Standing.UNKNOWN]):
        score = Decimal(f"{tally.rates[0]:.4f}")
        group["measureScore"] = {"value": score, "system": "http://unitsofmeasure.org", "code": "1"}
    name = f"{canonical}/{instant(window.as_of)}/{window.since}/{window.until}"
    draft = {"meta": {"tag": [{"display": DRAFT}]}} if head.draft else {}
    return {
        "resourceType": "MeasureReport", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "status": "complete",
        "type": "summary", "measure": canonical, "date": instant(window.as_of), "period": _period(window),
        "improvementNotation": {"coding": [{"system": _BETTER, "code": "decrease" if measure.harm else "increase"}]},
        "group": [group], **draft,
    }  # fmt: skip


def _population(code: str, count: int) -> Mapping[str, Any]:
    return {"code": {"coding": [{"system": _POPULATION, "code": code}]}, "count": count}


def _period(window: Window) -> dict[str, str]:
    """The days of the events; an open end is that of the report."""
    until = window.until or window.day(window.as_of)
    return {"end": until.isoformat()} | ({"start": window.since.isoformat()} if window.since else {})
