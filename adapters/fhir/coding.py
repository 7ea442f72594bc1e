"""What makes two codes the same: the names of code systems that more than one module needs, and how codes compare."""

from __future__ import annotations

from typing import Final

BASE: Final = "https://pathway.example/fhir"  # a reserved domain; a site puts its own here and in fhir_profiles/
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10_PCS: Final = "http://www.cms.gov/Medicare/Coding/ICD10"
_ALIASES: Final = {
    "http://hl7.org/fhir/sid/icd-10-pcs": ICD_10_PCS,
    "urn:oid:2.16.840.1.113883.3.221.5": "https://nahdo.org/sopt",  # the same code system, HL7 Terminology says
}
_DOTTED: Final = frozenset({ICD_10_CM, ICD_10_PCS})  # systems whose codes are written with and without the dot


def local_system(name: str) -> str:
    """The URI of one of our own code systems, such as `finding`."""
    return f"{BASE}/CodeSystem/{name}"


def identity(system: str, code: str) -> tuple[str, str]:
    """A code as it is compared: its system in the canonical form, ICD without dots and in capitals, others as sent."""
    system = _ALIASES.get(system, system)
    return system, code.replace(".", "").upper() if system in _DOTTED else code
