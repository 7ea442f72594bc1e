"""What makes cement or the needle dangerous for this person: allergy to the cement, and blood that does not clot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.fhir.answers import THERE, answered
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import diagnosed
from adapters.fhir.reading import codings, status_code
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown

_DATUM: Final = "cement-allergy"
_CEMENT: Final = "cement-or-opacifier"
_DYE: Final = "contrast-allergy"


def cement_allergy(chart: KnownChart) -> Fact:
    """Worst wins: a recorded allergy, a suspected one or one to dye, a finding; then what says that there is none.

    An explicit answer settles what was suspected before it. "No known allergy" counts while no allergy at all is
    recorded beside it; a refuted allergy to cement is a no.
    """
    own = list(_allergies(chart, _CEMENT))
    if active := [r for r, s in own if s == "active"]:
        return _allergic(chart, active, sure=True, why="active allergy")
    said = answered(_DATUM, THERE, chart.named(_DATUM))
    if said.value is True or said.candidate is True:
        return said
    dyes = [*_allergies(chart, _DYE), *chart.conditions(_DYE)]
    for rows, why in (
        ([r for r, s in own if s == "suspected"], "suspected allergy"),
        ([r for r, s in dyes if s == "active"], "allergy to radiographic dye; the opacifier is not named"),
    ):
        feared = _allergic(chart, rows, sure=False, why=why) if rows else said
        if feared.at is not None and (said.at is None or feared.at > said.at):
            return feared
    refuted = [r for r, s in own if s == "refuted"]
    none = refuted or _no_known_allergy(chart)
    if said.reason is not Reason.NOT_RECORDED or not none:
        return said
    detail = {"finding": "refuted" if refuted else "no known allergy"}
    return Fact(_DATUM, False, None, None, max(chart.dated(r) for r in none), _references(none), detail)


def _allergic(chart: KnownChart, rows: list[ChartResource], *, sure: bool, why: str) -> Fact:
    at, sources = max(chart.dated(r) for r in rows), _references(rows)
    if sure:
        return Fact(_DATUM, True, None, None, at, sources, {"finding": why})
    return unknown(_DATUM, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail={"why": why})


def _references(rows: list[ChartResource]) -> tuple[str, ...]:
    return tuple(r.reference for r in rows)


def _allergies(chart: KnownChart, value_set: str) -> Iterator[tuple[ChartResource, str]]:
    """Allergies to what a value set holds, with how they stand; a refuted one is told as such."""
    for resource in chart.of_type("AllergyIntolerance"):
        if chart.terms.match(value_set, _substances(resource)):
            refuted = status_code(resource.body.get("verificationStatus")) == "refuted"
            yield resource, "refuted" if refuted else chart.standing(resource.body)


def _substances(resource: ChartResource) -> list[Mapping[str, Any]]:
    """What an allergy is to: its code, or the substances of its reactions."""
    return list(codings(resource.body.get("code"), *(r.get("substance") for r in objects(resource.body, "reaction"))))


def _no_known_allergy(chart: KnownChart) -> list[ChartResource]:
    """The statements that no allergy is known, unless an allergy is known."""
    rows = [r for r, s in _allergies(chart, "no-known-allergy") if s == "active"]
    others = [r for r in chart.of_type("AllergyIntolerance") if r not in rows]
    known = any(chart.standing(r.body) in ("active", "suspected") for r in others)
    return [] if known else rows


def coagulopathy(chart: KnownChart) -> Fact:
    """A defect on record, unless a later check found coagulation normal: then it is corrected.

    Anticoagulants are no defect; until somebody has checked, they make one possible.
    """
    datum = "coagulopathy"
    check = answered(datum, {"abnormal": True, "normal": False}, chart.named("coagulation-check"))
    defect = diagnosed(chart, datum, "coagulopathy") or _thinned(chart)
    if defect is None or defect.at is None or check.value is True:
        return check
    corrected = check.value is False and check.at is not None and check.at >= defect.at
    return check if corrected else defect


def _thinned(chart: KnownChart) -> Fact | None:
    rows = [r for r, s in chart.conditions("anticoagulation") if s == "active"]
    if not rows:
        return None
    at, sources = max(chart.dated(r) for r in rows), _references(rows)
    why = {"why": "anticoagulants, and no later check of coagulation"}
    return unknown("coagulopathy", Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=why)
