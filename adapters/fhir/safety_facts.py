"""What makes cement or the needle dangerous for this person: allergies, and blood that does not clot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.antithrombotics import ANTICOAGULANT
from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.medicine_facts import Thinners
from adapters.fhir.person_facts import diagnosed
from adapters.fhir.reading import codings, status_code
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown

_CEMENT: Final = "cement-or-opacifier"
_DYE: Final = "contrast-allergy"
_NONE: Final = ("no-known-allergy", "no-known-drug-allergy")


def cement_allergy(chart: KnownChart) -> Fact:
    """An allergy to dye only makes one to the opacifier possible."""
    dyes = [*_allergies(chart, _DYE), *chart.conditions(_DYE)]
    why = "allergy to radiographic dye; the opacifier is not named"
    return _allergy(chart, "cement-allergy", list(_allergies(chart, _CEMENT)), (_active(dyes), why))


def contrast_allergy(chart: KnownChart) -> Fact:
    """By an allergy record or a diagnosis code."""
    return _allergy(chart, _DYE, [*_allergies(chart, _DYE), *chart.conditions(_DYE)])


def antibiotic_allergy(chart: KnownChart) -> Fact:
    """By a diagnosis code; an allergy to any medicine may be to an antibiotic, for no substance is told by its code."""
    told = {r.reference for value_set in (_CEMENT, _DYE, *_NONE) for r, _ in _allergies(chart, value_set)}
    others = [
        r for r in chart.of_type("AllergyIntolerance")
        if "medication" in (r.body.get("category") or ()) and r.reference not in told
        and chart.standing(r.body) in ("active", "suspected")
    ]  # fmt: skip
    why = "allergy to a medicine; whether it is an antibiotic is not told by a code that is known here"
    datum = "antibiotic-allergy"
    return _allergy(chart, datum, list(chart.conditions(datum)), (others, why), none=_NONE)


_Feared = tuple[list[ChartResource], str]


def _allergy(
    chart: KnownChart, datum: str, own: list[tuple[ChartResource, str]], *feared: _Feared,
    none: tuple[str, ...] = _NONE[:1],
) -> Fact:  # fmt: skip
    """Worst wins: a recorded allergy, a suspected one or what else is feared, a finding; then what says there is none.

    An explicit, confirmed answer settles what was suspected before it. "No known allergy" counts while no allergy at
    all is recorded beside it; a refuted allergy to the very substance is a no.
    """
    if active := _active(own):
        return _allergic(chart, datum, active, sure=True, why=f"active {datum.split('-')[0]} allergy")
    said = answered(datum, HOLDS, chart.named(datum))
    if said.value is True or said.candidate is True:
        return said
    for rows, why in (([r for r, s in own if s == "suspected"], "suspected allergy"), *feared):
        fear = _allergic(chart, datum, rows, sure=False, why=why) if rows else said
        if fear.at is not None and (not said.known or said.at is None or fear.at > said.at):
            return fear
    refuted = [r for r, s in own if s == "refuted"]
    clear = refuted or _no_known_allergy(chart, none)
    if said.reason is not Reason.NOT_RECORDED or not clear:
        return said
    detail = {"finding": "refuted" if refuted else "no known allergy"}
    return Fact(datum, False, None, None, max(chart.dated(r) for r in clear), _references(clear), detail)


def _active(rows: list[tuple[ChartResource, str]]) -> list[ChartResource]:
    return [resource for resource, standing in rows if standing == "active"]


def _allergic(chart: KnownChart, datum: str, rows: list[ChartResource], *, sure: bool, why: str) -> Fact:
    at, sources = max(chart.dated(r) for r in rows), _references(rows)
    if sure:
        return Fact(datum, True, None, None, at, sources, {"finding": why})
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail={"why": why})


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


def _no_known_allergy(chart: KnownChart, value_sets: tuple[str, ...]) -> list[ChartResource]:
    """The statements of these value sets that no allergy is known, unless an allergy is known."""
    rows = [r for value_set in value_sets for r in _active(list(_allergies(chart, value_set)))]
    denials = {r.reference for value_set in _NONE for r, _ in _allergies(chart, value_set)}
    others = [r for r in chart.of_type("AllergyIntolerance") if r.reference not in denials]
    known = any(chart.standing(r.body) in ("active", "suspected") for r in others)
    return [] if known else rows


def coagulopathy(chart: KnownChart, found: Thinners) -> Fact:
    """A defect on record, unless a later check found coagulation normal: then it is corrected.

    Anticoagulants are no defect and make none likely: the drug has its own gate before cement. But a check from before
    them says nothing of now, so coagulation is then not assessed.
    """
    datum = "coagulopathy"
    check = answered(datum, {"abnormal": True, "normal": False}, chart.named("coagulation-check"))
    defect = diagnosed(chart, datum, "coagulopathy") or _thinned(found)
    if defect is None or defect.at is None or check.value is True or (check.candidate is True and not defect.known):
        return check
    corrected = check.value is False and check.at is not None and check.at >= defect.at
    return check if corrected else defect


def _thinned(found: Thinners) -> Fact | None:
    rows = [row for row in found.rows if row.kind == ANTICOAGULANT]
    if not rows:
        return None
    at, sources = max(row.noted for row in rows), tuple(row.source for row in rows)
    why = {"why": "anticoagulants, and no later check of coagulation"}
    return unknown("coagulopathy", Reason.NOT_RECORDED, at=at, sources=sources, detail=why)
