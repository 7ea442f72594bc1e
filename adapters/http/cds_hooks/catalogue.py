"""The services offered and the data that each wants: what discovery publishes, and what a missing key is fetched by.

A service is found by its id and its hook: one id may stand under several hooks (CDS Hooks 2.0.1, Discovery).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from adapters.fhir.coding import identity
from adapters.fhir.site_codes import NO_SITE_CODES, SiteCodes
from adapters.fhir.terminology import load_rows
from pathway.errors import PathwayError

PATIENT_TOKEN: Final = "{{context.patientId}}"
_READ: Final = re.compile(r"[A-Z][A-Za-z]+/\{\{(\w+(?:\.\w+)?)\}\}")
_SEARCH: Final = re.compile(r"[A-Z][A-Za-z]+\?(.+)")
_TOKEN: Final = re.compile(r"\{\{(.*?)\}\}")
_TOKENS: Final = {"patient-view": frozenset({"context.userId", "context.patientId", "context.encounterId"})}
_PARAMETERS: Final = frozenset({"patient", "code", "category", "status", "date", "_count", "_sort"})
_SEPARATOR: Final = re.compile(r"([\\,|$])")  # in a search they divide values unless a backslash stands before
_ESCAPED: Final = r"\\\1"
_OBSERVED: Final = (
    "finding", "pain-score-0-10", "bone-density", "inr", "platelets", "body-temperature", "c-reactive-protein",
    "sedimentation-rate", "leucocytes", "oxygen-saturation", "heart-rate", "estimated-filtration",
    "creatinine-clearance", "calcium", "vitamin-d", "body-mass-index",
)  # fmt: skip
"""The value sets by which observations are read."""


@dataclass(frozen=True, slots=True)
class HookService:
    """One service under one hook. `prefetch` is template by key; without a key of `required` there is no answer."""

    id: str
    hook: str
    title: str
    description: str
    usage: str
    prefetch: Mapping[str, str]
    required: frozenset[str]

    def to_json(self) -> dict[str, Any]:
        """The service as discovery tells of it."""
        return {
            "hook": self.hook, "id": self.id, "title": self.title, "description": self.description,
            "usageRequirements": self.usage, "prefetch": dict(self.prefetch),
        }  # fmt: skip

    def query(self, key: str, patient_id: str) -> str:
        """The read or search behind a key, for one patient."""
        return self.prefetch[key].replace(PATIENT_TOKEN, patient_id)


@cache
def services(site: SiteCodes = NO_SITE_CODES) -> Mapping[tuple[str, str], HookService]:
    """All services by id and hook, their templates linted. Raises PathwayError for one that must not be published.

    Observations are asked for by code, so those that a site writes in codes of its own are asked for by these as well.
    """
    offered = (_candidacy(site),)
    for service in offered:
        for template in service.prefetch.values():
            lint(template, service.hook)
    return {(service.id, service.hook): service for service in offered}


def _candidacy(site: SiteCodes) -> HookService:
    observed = list(dict.fromkeys((row.system, row.code) for row in load_rows() if row.value_set in _OBSERVED))
    codes = ",".join((*(f"{system}|{code}" for system, code in observed), *_of_the_site(site, observed)))
    of_patient = f"?patient={PATIENT_TOKEN}"
    return HookService(
        id="candidacy",
        hook="patient-view",
        title="Candidacy for cement in a fractured vertebra",
        description="For each vertebra with a recent fracture: is it the one that hurts, is it fresh, has conservative "
        "care been given its time, does anything forbid cement, and what is missing to decide. "
        "Draft rules: not approved for clinical use.",
        usage="Needs patient, conditions and observations, in prefetch or from a FHIR server that this service has "
        "been told of. Any other key may be missing: what rests on it is then unknown.",
        prefetch={
            "patient": f"Patient/{PATIENT_TOKEN}",
            "conditions": f"Condition{of_patient}",
            "observations": f"Observation{of_patient}&code={codes}",
            "imaging": f"ImagingStudy{of_patient}",
            "reports": f"DiagnosticReport{of_patient}",
            "procedures": f"Procedure{of_patient}",
            "encounters": f"Encounter{of_patient}",
            "allergies": f"AllergyIntolerance{of_patient}",
            "requests": f"ServiceRequest{of_patient}",
            "medications": f"MedicationRequest{of_patient}",
            "medicationStatements": f"MedicationStatement{of_patient}",
            "coverage": f"Coverage{of_patient}&status=active",
        },
        required=frozenset({"patient", "conditions", "observations"}),
    )


def _of_the_site(site: SiteCodes, observed: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The site's codes for what is observed, as a search writes them; none with a wider target, which is not read."""
    ours = {identity(system, code) for system, code in observed}
    for row in site.rows:
        if not row.wide and identity(row.target_system, row.target_code) in ours:
            yield f"{quote(row.system, safe=':/.')}|{quote(_SEPARATOR.sub(_ESCAPED, row.code), safe='')}"


def lint(template: str, hook: str) -> None:
    """Raise PathwayError unless a template keeps to what every client can carry out (Prefetch Query Restrictions).

    A read by id, or a search of one type by plain parameters: no modifier but `:in`, no chain, no `_include`, no
    `_has`; tokens only of fields that the hook's definition marks as such.
    """
    search = _SEARCH.fullmatch(template)
    fault = "" if search or _READ.fullmatch(template) else "neither a read by a token nor a search of one type"
    for pair in search[1].split("&") if search else ():
        name = pair.partition("=")[0].removesuffix(":in")
        if name not in _PARAMETERS:
            fault = "a parameter, modifier or chain that clients need not carry out"
    if not set(_TOKEN.findall(template)) <= _TOKENS[hook]:
        fault = f"a token that {hook} does not have"
    if fault:
        raise PathwayError(f"a prefetch template has {fault}", where=template, fix="Mend the template")
