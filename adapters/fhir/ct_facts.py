"""Whether a cemented vertebra, or the chest, was looked at by CT: the report counts, of a study that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from adapters.fhir.findings import COUNTS
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import ORDER, code_in, codings, happened, reference_of
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED

_Shows = Callable[[Mapping[str, Any]], bool | None]
"""Whether a study shows what is asked about; None where it does not say."""


def ct_after(chart: KnownChart, level: str, over_at: datetime) -> Fact:
    """A CT of a vertebra after an instant, read in a final report; unconfirmed without one, or without a place."""
    silent = "it does not say which vertebrae it shows"
    return _ct(chart, "ct-after-cement", lambda study: _shows(chart, study, level), over_at, silent)


def chest_ct_after(chart: KnownChart, over_at: datetime) -> Fact:
    """A CT of the chest after an instant, in the same way. One of the spine shows no lungs."""
    silent = "it does not say that it shows the chest"
    return _ct(chart, "chest-ct-after-cement", lambda study: _shows_chest(chart, study), over_at, silent)


def _ct(chart: KnownChart, datum: str, shows: _Shows, over_at: datetime, silent: str) -> Fact:
    found = unknown(datum)
    for study in chart.of_type("ImagingStudy"):
        when = happened(study.body, chart.zone)
        if study.body.get("status") != "available" or when is None or when.earliest < over_at:
            continue
        seen = shows(study.body) if chart.terms.match("ct-modality", _modalities(study.body)) else False
        if seen is False:
            continue
        report = _report(chart, study.reference, study.body)
        if seen and report:
            return Fact(datum, True, at=when.earliest, sources=tuple(sorted((study.reference, report))))
        why = {"why": "no final report of it is on record" if seen else silent}
        doubt = Reason.UNCONFIRMED
        found = unknown(datum, doubt, candidate=True, at=when.earliest, sources=(study.reference,), detail=why)
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
    ordered = {code_in(ORDER, order.get("code")) for order in orders}
    return True if "spine-ct" in ordered else False if "chest-ct" in ordered else None


def _shows_chest(chart: KnownChart, body: Mapping[str, Any]) -> bool | None:
    """Whether a study shows the chest, by its body sites or its order; None where neither says anything."""
    orders = [r.body for r in chart.of_type("ServiceRequest") if r.reference in _orders(body)]
    own = [part["bodySite"] for part in objects(body, "series") if part.get("bodySite")]
    sites = own or [site for order in orders for site in codings(order.get("bodySite"))]
    ordered = {code_in(ORDER, order.get("code")) for order in orders}
    if chart.terms.match("chest-site", sites) or "chest-ct" in ordered:
        return True
    return False if sites or "spine-ct" in ordered else None


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


def spine_studies(chart: KnownChart, modalities: Iterable[str]) -> Iterator[tuple[datetime, str, bool]]:
    """The available studies of the spine of some modalities (value sets): when, which, and whether it was read."""
    wanted = tuple(modalities)
    for study in chart.of_type("ImagingStudy"):
        when, kinds = happened(study.body, chart.zone), _modalities(study.body)
        seen = study.body.get("status") == "available" and any(chart.terms.match(one, kinds) for one in wanted)
        if seen and when is not None and _shows_spine(chart, study.body):
            yield when.earliest, study.reference, bool(_report(chart, study.reference, study.body))


def _shows_spine(chart: KnownChart, body: Mapping[str, Any]) -> bool:
    sites = [part["bodySite"] for part in objects(body, "series") if part.get("bodySite")]
    return any(chart.terms.match(name, sites) is not None for name in ("spine-site", "vertebral-level"))
