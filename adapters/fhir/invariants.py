"""Invariants of R4 that fhir.resources does not hold: the ones that change what a record means.

Texts and expressions are those of R4, each on its resource's page under "Constraints". Left out on purpose are ait-1
and ait-2 (an allergy without a clinicalStatus is still an allergy) and the rules of form of Appointment and Timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
Broken = Iterable[tuple[str, str, str]]  # key, place below the resource, what is wrong


def broken(resource: Mapping[str, Any], kind: str) -> Broken:
    """The invariants that a resource breaks. con-3 is a warning in R4, the others are errors."""
    return _INVARIANTS[kind](resource) if kind in _INVARIANTS else ()


def objects(node: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in an array element; none where the element is absent or no array."""
    items = node.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def codes_of(concept: Any, system: str) -> set[str]:
    """The codes of one system in a CodeableConcept."""
    codings = objects(concept, "coding") if isinstance(concept, Mapping) else []
    return {c["code"] for c in codings if c.get("system") == system and isinstance(c.get("code"), str)}


def _condition(resource: Mapping[str, Any]) -> Broken:
    stated = "clinicalStatus" in resource
    clinical = codes_of(resource.get("clinicalStatus"), f"{_TERMINOLOGY}condition-clinical")
    wrong = "entered-in-error" in codes_of(resource.get("verificationStatus"), f"{_TERMINOLOGY}condition-ver-status")
    if wrong and stated:
        yield "con-5", ".clinicalStatus", "must be absent when verificationStatus is entered-in-error"
    # con-4 and con-5 cannot both hold for an abated Condition that is withdrawn; to refuse it would keep the error.
    abated = not wrong and any(key.startswith("abatement") for key in resource)
    if abated and not clinical & {"inactive", "resolved", "remission"}:
        yield "con-4", ".clinicalStatus", "must be inactive, resolved or remission when there is an abatement"
    category = f"{_TERMINOLOGY}condition-category"
    on_problem_list = any("problem-list-item" in codes_of(c, category) for c in objects(resource, "category"))
    if on_problem_list and not stated and not wrong:
        yield "con-3", ".clinicalStatus", "should be present on an item of the problem list"


def _observation(resource: Mapping[str, Any]) -> Broken:
    if not any(key.startswith("value") for key in resource):
        return
    if "dataAbsentReason" in resource:
        yield "obs-6", ".dataAbsentReason", "must be absent when there is a value"
    code = resource.get("code")
    own = objects(code, "coding") if isinstance(code, Mapping) else []
    for n, component in enumerate(objects(resource, "component")):
        inner = component.get("code")
        if isinstance(inner, Mapping) and any(coding in own for coding in objects(inner, "coding")):
            yield "obs-7", f".component[{n}].code", "must differ from the code of the Observation, which has a value"


def _care_plan(resource: Mapping[str, Any]) -> Broken:
    for n, activity in enumerate(objects(resource, "activity")):
        if "detail" in activity and "reference" in activity:
            yield "cpl-3", f".activity[{n}]", "must have a reference or a detail, not both"


def _task(resource: Mapping[str, Any]) -> Broken:
    try:
        authored, modified = (datetime.fromisoformat(resource[key]) for key in ("authoredOn", "lastModified"))
        earlier = modified < authored
    except (KeyError, TypeError, ValueError):  # absent, not text, or a date beside an instant: R4 compares neither
        return
    if earlier:
        yield "inv-1", ".lastModified", "must not be before authoredOn"


_INVARIANTS: Final[dict[str, Callable[[Mapping[str, Any]], Broken]]] = {
    "Condition": _condition,
    "Observation": _observation,
    "CarePlan": _care_plan,
    "Task": _task,
}
