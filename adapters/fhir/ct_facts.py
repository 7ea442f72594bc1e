"""Whether a cemented vertebra was looked at by CT: the report counts, of a study that shows this vertebra."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.fhir.findings import COUNTS
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import ORDER, code_in, codings, happened, reference_of
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED

_DATUM: Final = "ct-after-cement"


def ct_after(chart: KnownChart, level: str, over_at: datetime) -> Fact:
    """A CT of a vertebra after an instant, read in a final report; unconfirmed without one, or without a place."""
    found = unknown(_DATUM)
    for study in chart.of_type("ImagingStudy"):
        when = happened(study.body, chart.zone)
        if study.body.get("status") != "available" or when is None or when.earliest < over_at:
            continue
        shows = _shows(chart, study.body, level) if chart.terms.match("ct-modality", _modalities(study.body)) else False
        if shows is False:
            continue
        report = _report(chart, study.reference, study.body)
        if shows and report:
            return Fact(_DATUM, True, at=when.earliest, sources=tuple(sorted((study.reference, report))))
        why = {"why": "no final report of it is on record" if shows else "it does not say which vertebrae it shows"}
        doubt = Reason.UNCONFIRMED
        found = unknown(_DATUM, doubt, candidate=True, at=when.earliest, sources=(study.reference,), detail=why)
    return found


def _shows(chart: KnownChart, body: Mapping[str, Any], level: str) -> bool | None:
    """Whether a study shows this vertebra, by its body sites, else by those of its order; None if they do not say.

    The spine as a whole shows it. A study of other vertebrae by name does not.
    """
    orders = [r.body for r in chart.of_type("ServiceRequest") if r.reference in _orders(body)]
    own = [part["bodySite"] for part in objects(body, "series") if part.get("bodySite")]
    sites = own or [site for order in orders for site in codings(order.get("bodySite"))]
    named = [m.levels for site in sites if (m := chart.terms.match("vertebral-level", [site])) and m.levels]
    if chart.terms.match("spine-site", sites) or any(level != UNSPECIFIED and one.holds(level) for one in named):
        return True
    if sites:
        return None if named and level == UNSPECIFIED else False
    return True if any(code_in(ORDER, order.get("code")) == "spine-ct" for order in orders) else None


def _report(chart: KnownChart, study: str, body: Mapping[str, Any]) -> str:
    """The report of a study that somebody stands by: it names the study, or was ordered with it."""
    for report in chart.of_type("DiagnosticReport"):
        names = {reference_of(one) for one in objects(report.body, "imagingStudy")}
        same = study in names or (not names and bool(_orders(report.body) & _orders(body)))
        if same and report.body.get("status") in COUNTS:
            return report.reference
    return ""


def _orders(body: Mapping[str, Any]) -> set[str]:
    return {reference for one in objects(body, "basedOn") if (reference := reference_of(one))}


def _modalities(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The modalities of a study and of its series."""
    return [*objects(body, "modality"), *(part["modality"] for part in objects(body, "series") if part.get("modality"))]
