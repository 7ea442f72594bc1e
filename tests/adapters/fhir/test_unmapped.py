"""Codes that no value set knows: found where a code matters, counted, and told without anything of a patient."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.cli.codes import _told
from adapters.fhir.site_codes import SiteCode, SiteCodes
from adapters.fhir.terminology import Terminology, local_system
from adapters.fhir.unmapped import Census, unmapped
from pathway.chart import ChartResource
from tests.world import NOW, candidate, case_of, person, terms

CLINIC = "https://clinic.example/codes"
FINDING = local_system("finding")


def concept(code: str, system: str = CLINIC, **more: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, **more}]}


def found(body: Mapping[str, Any], tables: Terminology | None = None) -> list[tuple[str, str]]:
    return [(one.element, one.code) for one, _ in unmapped(body, tables or terms())]


KNOWN = concept("marrow-oedema", FINDING)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"resourceType": "Condition", "code": concept("X")}, [("Condition.code", "X")]),
        ({"resourceType": "Condition", "code": concept("M80.08XA", "http://hl7.org/fhir/sid/icd-10-cm")}, []),
        ({"resourceType": "Procedure", "code": concept("X")}, [("Procedure.code", "X")]),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": concept("X")},
         [("MedicationRequest.medicationCodeableConcept", "X")]),
        ({"resourceType": "AllergyIntolerance", "code": concept("X")}, [("AllergyIntolerance.code", "X")]),
        ({"resourceType": "Coverage", "type": concept("X")}, [("Coverage.type", "X")]),
        ({"resourceType": "ImagingStudy", "modality": [{"system": CLINIC, "code": "X"}]},
         [("ImagingStudy.modality", "X")]),
        ({"resourceType": "Observation", "code": KNOWN, "bodySite": concept("X")}, [("Observation.bodySite", "X")]),
        ({"resourceType": "Observation", "code": KNOWN, "valueCodeableConcept": concept("X")},
         [("Observation.valueCodeableConcept", "X")]),
        ({"resourceType": "Observation", "code": KNOWN, "component": [{"code": concept("X")}]},
         [("Observation.component.code", "X")]),
        ({"resourceType": "Encounter", "type": [concept("X")]}, []),
        ({"resourceType": "Condition", "code": {"text": "collapsed vertebra"}}, [("Condition.code", "")]),
        ({"resourceType": "Condition"}, []),
    ],
)  # fmt: skip
def test_a_code_is_told_where_it_would_matter(body: Mapping[str, Any], told: list[tuple[str, str]]) -> None:
    assert found(body) == told


def test_one_known_coding_is_enough_for_a_concept() -> None:
    both = {"coding": [*concept("X")["coding"], *KNOWN["coding"]]}
    assert found({"resourceType": "Observation", "code": both}) == []


def test_what_is_about_something_else_altogether_is_told_once() -> None:
    body = {"resourceType": "Observation", "code": concept("GAIT"), "valueCodeableConcept": concept("LIMPS")}
    assert found(body) == [("Observation.code", "GAIT")]


def test_a_mapped_code_and_one_that_the_site_has_looked_at_are_told_no_more() -> None:
    row = SiteCode(CLINIC, "EDEMA", FINDING, "marrow-oedema", False)
    tables = Terminology.load(site=SiteCodes([row], [(CLINIC, "GAIT")]))
    bodies = [{"resourceType": "Observation", "code": concept(code)} for code in ("EDEMA", "GAIT", "OTHER")]
    assert [code for body in bodies for _, code in found(tables.understood(body), tables)] == ["OTHER"]


def test_a_decision_says_how_many_and_a_usual_record_has_none() -> None:
    assert case_of(candidate()).set_aside == ()
    record = person().fracture("L1", 3, code="VCF", system=CLINIC).fracture("L2", 3, code="VCF", system=CLINIC)
    told = [item for item in case_of(record).set_aside if item.code == "unmapped"]
    assert [(item.where, item.why) for item in told] == [("Condition", "2 with a code that no value set knows")]


# --- over many charts


def chart(patient: str, *bodies: Mapping[str, Any]) -> list[ChartResource]:
    return [ChartResource({"id": f"{patient}-{n}", **body}, "", NOW) for n, body in enumerate(bodies)]


def condition(code: str, display: str = "", **about: Any) -> dict[str, Any]:
    shown = {"display": display} if display else {}
    return {"resourceType": "Condition", "code": {**concept(code, **shown), **about}}


def test_codes_are_counted_by_patient_and_by_resource_the_sites_own_first() -> None:
    census = Census(terms())
    other = {"resourceType": "Condition", "code": concept("I10", "http://hl7.org/fhir/sid/icd-10-cm")}
    for patient in "abc":
        census.add(chart(patient, other))
    census.add(chart("d", condition("VCF"), condition("VCF"), condition("RARE")))
    census.add(chart("e", condition("VCF")))
    rows = [(row["code"], row["patients"], row["resources"]) for row in census.rows()]
    assert rows == [("VCF", 2, 3), ("RARE", 1, 1), ("I10", 3, 3)]


def test_a_display_is_told_once_two_patients_have_it_and_text_never_is() -> None:
    census = Census(terms())
    census.add(chart("a", condition("VCF", "Vertebral fracture", text="of Mrs Quill"), condition("X", "Mrs Quill")))
    assert "Quill" not in json.dumps(census.rows())
    assert "Vertebral" not in json.dumps(census.rows())
    census.add(chart("b", condition("VCF", "Vertebral fracture")))
    assert {row["code"]: row["display"] for row in census.rows()} == {"VCF": "Vertebral fracture", "X": ""}


def test_one_patient_who_says_it_twice_is_one_patient() -> None:
    census = Census(terms())
    census.add(chart("a", condition("X", "Mrs Quill"), condition("X", "Mrs Quill")))
    assert census.rows()[0]["display"] == ""


def test_a_display_without_an_end_is_cut() -> None:
    long = "so long " * 20
    census = Census(terms())
    for patient in "ab":
        census.add(chart(patient, condition("X", long)))
    assert len(census.rows()[0]["display"]) == 60


NAMELIKE = (
    "MUELLER Anna 19420311", "Anna M", "MUELLER\tAnna", "MUELLER\u00a0Anna", "MUELLER-ANNA-BORN-1942",
    "MUELLER19420311", "\x1b[31mred", "Anna\u202eM",
)  # fmt: skip


@pytest.mark.parametrize("code", NAMELIKE)
def test_a_code_that_may_be_about_a_person_is_told_once_two_patients_have_it(code: str) -> None:
    census = Census(terms())
    census.add(chart("a", condition(code), condition(code)))
    (row,) = census.rows()
    assert (row["code"], row["withheld"], row["patients"], row["resources"]) == ("", True, 1, 2)
    assert row["system"] == CLINIC
    assert "19420311" not in json.dumps(row)
    census.add(chart("b", condition(code)))
    (row,) = census.rows()
    assert (row["withheld"], row["patients"]) == (False, 2)
    assert row["code"].startswith(code[:4].partition("\x1b")[0].partition("\t")[0])


def test_a_system_that_is_no_address_is_told_once_two_patients_have_it() -> None:
    census = Census(terms())
    for system in ("Anna Mueller", "mueller", "urn:clinic Anna"):
        census.add(chart("a", {"resourceType": "Condition", "code": concept("X", system)}))
    assert {row["system"] for row in census.rows()} == {""}
    assert all(row["withheld"] for row in census.rows())


@pytest.mark.parametrize("code", ["M80.08XA-LOCAL", "OSTEO-VCF-WEDGE", "1234567", ""])
def test_a_code_that_looks_like_one_is_told_of_one_patient(code: str) -> None:
    census = Census(terms())
    census.add(chart("a", condition(code)))
    assert [(row["code"], row["withheld"]) for row in census.rows()] == [(code, False)]


def test_a_long_number_of_a_public_system_is_told_of_one_patient() -> None:
    census = Census(terms())
    census.add(chart("a", {"resourceType": "Condition", "code": concept("123456789012", "http://snomed.info/sct")}))
    assert census.rows()[0]["code"] == "123456789012"


def test_what_a_terminal_would_obey_is_told_as_text() -> None:
    census = Census(terms())
    for patient in "ab":
        census.add(chart(patient, condition("\x1b[31mred\x9b0m\u202e", "bold\x1b[1m")))
    (row,) = census.rows()
    assert (row["code"], row["display"]) == (r"\x1b[31mred\x9b0m\u202e", r"bold\x1b[1m")


def test_the_command_says_that_a_code_is_withheld() -> None:
    census = Census(terms())
    census.add(chart("a", condition("MUELLER Anna 19420311"), {"resourceType": "Condition", "code": {"text": "x"}}))
    lines = list(_told(census.rows(), 50, 1))
    assert sum("withheld: one patient has it" in line for line in lines) == 1
    assert sum("(text alone, without a code)" in line for line in lines) == 1
    assert "MUELLER" not in "\n".join(lines)
