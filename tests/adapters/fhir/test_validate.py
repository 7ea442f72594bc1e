"""What is not R4 is found and told without its values; what is R4 passes. The samples are small and invented."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.fhir import resources
from adapters.fhir.resources import READ, WRITTEN, model
from adapters.fhir.validate import MAX_ISSUES, Issue, _definitions, check_resource, check_written
from pathway.errors import BadInputError, PathwayError

THO = "http://terminology.hl7.org/CodeSystem"
SUBJECT = {"reference": "Patient/p1"}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def status(system: str, code: str) -> dict[str, Any]:
    return concept(f"{THO}/{system}", code)


SAMPLES: dict[str, dict[str, Any]] = {
    "Patient": {
        "id": "p1",
        "gender": "female",
        "birthDate": "1941-05",
        "name": [{"given": [None, "Ann"], "_given": [{"id": "a"}, None], "family": "Example"}],
        "deceasedBoolean": False,
        "multipleBirthInteger": 2,
        "link": [{"other": {"reference": "Patient/p0"}, "type": "replaces"}],
    },
    "Encounter": {
        "id": "e1",
        "status": "in-progress",
        "class": {"system": f"{THO}/v3-ActCode", "code": "IMP"},
        "subject": SUBJECT,
        "period": {"start": "2026-11-20T08:00:00+01:00"},
    },
    "Coverage": {"id": "c1", "status": "active", "beneficiary": SUBJECT, "payor": [{"display": "A payer"}]},
    "AllergyIntolerance": {
        "id": "a1",
        "clinicalStatus": status("allergyintolerance-clinical", "active"),
        "verificationStatus": status("allergyintolerance-verification", "confirmed"),
        "category": ["medication"],
        "code": {"text": "Bone cement"},
        "patient": SUBJECT,
    },
    "Condition": {
        "id": "f1",
        "clinicalStatus": status("condition-clinical", "active"),
        "verificationStatus": status("condition-ver-status", "confirmed"),
        "category": [status("condition-category", "encounter-diagnosis")],
        "code": concept("http://hl7.org/fhir/sid/icd-10-cm", "M80.08XA"),
        "subject": SUBJECT,
        "onsetDateTime": "2026-10-03",
    },
    "ImagingStudy": {
        "id": "i1",
        "status": "available",
        "subject": {"reference": "urn:uuid:0b2e1a3c-6b0e-4b9e-9f0a-1c2d3e4f5a6b"},
        "started": "2026-11-01T10:00:00Z",
        "numberOfSeries": 3,
    },
    "DiagnosticReport": {
        "id": "r1",
        "status": "final",
        "code": {"text": "MRI of the spine"},
        "subject": SUBJECT,
        "conclusion": "Wedge of L1.",
    },
    "Observation": {
        "id": "o1",
        "status": "final",
        "code": concept("http://loinc.org", "72514-3"),
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-18T09:30:00.250Z",
        "valueQuantity": {
            "value": Decimal("7.50"),
            "comparator": ">=",
            "system": "http://unitsofmeasure.org",
            "code": "{score}",
        },
        "derivedFrom": [{"reference": "https://ehr.example/fhir/ImagingStudy/i1/_history/2"}],
    },
    "Procedure": {
        "id": "v1",
        "status": "completed",
        "code": concept("http://www.ama-assn.org/go/cpt", "22514"),
        "subject": SUBJECT,
        "performedPeriod": {"start": "2026-11-19", "end": "2026-11-19"},
    },
    "Medication": {"id": "x1", "status": "active", "code": {"text": "A tablet"}},
    "MedicationAdministration": {
        "id": "m3",
        "status": "completed",
        "medicationReference": {"reference": "Medication/x1"},
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-20T08:00:00Z",
    },
    "MedicationDispense": {
        "id": "m4",
        "status": "completed",
        "medicationCodeableConcept": {"text": "A tablet"},
        "subject": SUBJECT,
        "whenHandedOver": "2026-11-20",
    },
    "MedicationRequest": {
        "id": "m1",
        "status": "active",
        "intent": "order",
        "contained": [{"resourceType": "Medication", "id": "drug", "code": {"text": "A tablet"}}],
        "medicationReference": {"reference": "#drug"},
        "subject": SUBJECT,
    },
    "MedicationStatement": {
        "id": "m2",
        "status": "active",
        "medicationCodeableConcept": {"text": "A tablet"},
        "subject": SUBJECT,
    },
    "ServiceRequest": {"id": "s1", "status": "active", "intent": "order", "priority": "urgent", "subject": SUBJECT},
    "Appointment": {
        "id": "b1",
        "status": "booked",
        "start": "2026-12-01T09:00:00Z",
        "end": "2026-12-01T09:20:00Z",
        "participant": [{"actor": SUBJECT, "status": "accepted"}],
    },
    "Task": {
        "id": "t1",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "for": SUBJECT,
        "authoredOn": "2026-11-20T08:00:00Z",
        "lastModified": "2026-11-20T09:00:00+01:00",
    },
    "QuestionnaireResponse": {"id": "q1", "status": "completed", "subject": SUBJECT},
    "CarePlan": {
        "id": "k1",
        "status": "active",
        "intent": "plan",
        "subject": SUBJECT,
        "activity": [{"reference": {"reference": "Task/t1"}}, {"detail": {"status": "scheduled"}}],
    },
    "Location": {"id": "l1", "status": "active", "address": {"state": "MA", "country": "US"}},
    "Organization": {"id": "g1", "name": "A house", "address": [{"state": "MA", "country": "US"}]},
}


def sample(kind: str) -> dict[str, Any]:
    return {"resourceType": kind} | copy.deepcopy(SAMPLES[kind])


def keys(resource: Any) -> set[str]:
    return {issue.key for issue in check_resource(resource)}


def errors(resource: Any) -> list[Issue]:
    return [issue for issue in check_resource(resource) if issue.severity == "error"]


# --- what passes


def test_there_is_a_sample_of_every_type_that_is_read() -> None:
    assert SAMPLES.keys() == READ


@pytest.mark.parametrize("kind", sorted(READ))
def test_a_valid_resource_has_no_issue_and_is_left_as_it_came(kind: str) -> None:
    resource = sample(kind)
    assert check_resource(resource) == []
    assert resource == sample(kind)


@pytest.mark.parametrize("kind", ["Immunization", "Practitioner", "Bundle", "MedicinalProduct"])
def test_a_type_that_no_rule_reads_is_reported_and_no_error(kind: str) -> None:
    issues = check_resource({"resourceType": kind, "id": "x", "anything": [{}]})
    assert [(i.severity, i.key, i.expression) for i in issues] == [("information", "not-read", kind)]


def test_the_id_of_a_type_that_no_rule_reads_is_checked() -> None:
    assert keys({"resourceType": "Immunization", "id": "a b"}) == {"id", "not-read"}


# --- what does not pass


@pytest.mark.parametrize(
    "resource",
    [
        {},
        [],
        None,
        "Patient",
        {"id": "x"},
        {"resourceType": None},
        {"resourceType": ["Patient"]},
        {"resourceType": "Foo"},
        {"resourceType": "patient"},
        {"resourceType": "DomainResource"},
        {"resourceType": "Transport"},  # R5
    ],
)
def test_what_is_no_r4_resource_is_an_issue_and_never_the_key_error_of_fhir_resources(resource: Any) -> None:
    assert [(i.severity, i.code, i.key) for i in check_resource(resource)] == [("error", "structure", "resource-type")]


Change = Callable[[dict[str, Any]], Any]


def put(path: str, value: Any) -> Change:
    """Set an element: `code.coding.0.code`."""

    def change(resource: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        node: Any = resource
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
        node[int(last) if isinstance(node, list) else last] = value

    return change


def drop(name: str) -> Change:
    return lambda resource: resource.pop(name)


# fmt: off
# name: type, change, place below the type, key
BROKEN: dict[str, tuple[str, Change, str, str]] = {
    "unknown element": ("Patient", put("colour", "red"), ".colour", "model:extra_forbidden"),
    "required element missing": ("Observation", drop("code"), ".code", "model:missing"),
    "required status missing": ("Observation", drop("status"), ".status", "model:model_field_validation.missing"),
    "one value of a choice too many": ("Observation", put("valueString", "x"), "", "model:value_error"),
    "no medication": ("MedicationStatement", drop("medicationCodeableConcept"), "", "model:value_error"),
    "not a date": ("Patient", put("birthDate", "1941-13"), ".birthDate", "model:value_error"),
    "a time without a zone":
        ("Encounter", put("period.start", "2026-11-20T08:00:00"), ".period.start", "model:value_error"),
    "an empty string": ("DiagnosticReport", put("code.text", ""), ".code.text", "model:string_pattern_mismatch"),
    "an object where an array belongs": ("Condition", put("category", {"text": "x"}), ".category", "model:list_type"),
    "text for a number": ("Observation", put("valueQuantity.value", "7.5"), ".valueQuantity.value", "json-type"),
    "text for an integer": ("ImagingStudy", put("numberOfSeries", "3"), ".numberOfSeries", "json-type"),
    "a decimal for an integer": ("ImagingStudy", put("numberOfSeries", Decimal("3.0")), ".numberOfSeries", "json-type"),
    "one for true": ("Patient", put("deceasedBoolean", 1), ".deceasedBoolean", "json-type"),
    "yes for true": ("Patient", put("active", "yes"), ".active", "json-type"),
    "a number for a date": ("Patient", put("birthDate", 0), ".birthDate", "json-type"),
    "JSON in text for an object": ("Observation", put("code", '{"text":"x"}'), ".code", "json-type"),
    "a name that only fhir.resources has": ("Encounter", lambda r: r.update(class_fhir=r.pop("class")), ".?", "name"),
    "comments of DSTU2": ("Patient", put("fhir_comments", "x"), ".?", "name"),
    "null": ("Patient", put("gender", None), ".gender", "null"),
    "null in an array": ("Patient", put("identifier", [None]), ".identifier[0]", "null"),
    "an empty array": ("Condition", put("category", []), ".category", "empty"),
    "an empty object": ("Condition", put("code", {}), ".code", "empty"),
    "an array of an empty object": ("Condition", put("category", [{}]), ".category[0]", "empty"),
    "an array in an array": ("Patient", put("identifier", [[]]), ".identifier[0]", "array"),
    "an id of 65 letters": ("Patient", put("id", "a" * 65), ".id", "id"),
    "an id with an underscore": ("Patient", put("id", "a_b"), ".id", "id"),
    "a contained id with a space": ("MedicationRequest", put("contained.0.id", "a b"), ".contained[0].id", "id"),
    "a reference to no type": ("Condition", put("subject.reference", "Person1"), ".subject.reference", "reference"),
    "a reference to an unknown type":
        ("Condition", put("subject.reference", "Human/1"), ".subject.reference", "reference"),
    "a reference with a space":
        ("Condition", put("subject.reference", "Patient/p 1"), ".subject.reference", "reference"),
    "a urn that is no uuid": ("Condition", put("subject.reference", "urn:uuid:1"), ".subject.reference", "reference"),
    "a reference to what is not contained":
        ("MedicationRequest", put("subject.reference", "#other"), ".subject.reference", "reference"),
    "an unknown type contained":
        ("MedicationRequest", put("contained.0.resourceType", "Foo"), ".contained[0]", "contained"),
    "no type contained": ("MedicationRequest", put("contained", [{"id": "drug"}]), ".contained[0]", "contained"),
    "contained in contained":
        ("MedicationRequest", put("contained.0.contained", [{"resourceType": "Patient"}]), ".contained[0].contained[0]",
         "contained"),
    "a type of R4 that R4B dropped, contained":
        ("MedicationRequest", put("contained.0", {"resourceType": "MedicinalProduct", "id": "drug"}), "", "model"),
    "a comparator that does not exist":
        ("Observation", put("valueQuantity.comparator", "~"), ".valueQuantity.comparator", "binding"),
    "a key that is no string": ("Patient", lambda r: r.update({5: "x"}), "", "key"),
}
# fmt: on


@pytest.mark.parametrize("case", BROKEN)
def test_a_fault_is_found_at_its_place(case: str) -> None:
    kind, change, place, key = BROKEN[case]
    resource = sample(kind)
    change(resource)
    found = errors(resource)
    assert (kind + place, key) in {(i.expression, i.key) for i in found}
    allowed = next(codes for path, codes in _definitions().codes["OperationOutcome"] if path == ["issue", "code"])
    assert {i.code for i in found} <= set(allowed)


BOUND = [
    ("Patient", "gender", "woman"),
    ("Patient", "link.0.type", "same"),
    ("Encounter", "status", "done"),
    ("Coverage", "status", "on"),
    ("AllergyIntolerance", "clinicalStatus", status("allergyintolerance-clinical", "on")),
    ("AllergyIntolerance", "verificationStatus", status("allergyintolerance-verification", "sure")),
    ("AllergyIntolerance", "category", ["medication", "pollen"]),
    ("Condition", "clinicalStatus", status("condition-clinical", "chronic")),
    ("Condition", "clinicalStatus", status("condition-ver-status", "active")),
    ("Condition", "clinicalStatus", {"text": "active"}),
    ("Condition", "verificationStatus", status("condition-ver-status", "sure")),
    ("ImagingStudy", "status", "final"),
    ("DiagnosticReport", "status", "done"),
    ("Observation", "status", "partial"),
    ("Procedure", "status", "finished"),
    ("MedicationRequest", "intent", "directive"),
    ("MedicationStatement", "status", "paused"),
    ("ServiceRequest", "status", "open"),
    ("ServiceRequest", "intent", "wish"),
    ("ServiceRequest", "priority", "high"),
    ("Appointment", "status", "done"),
    ("Task", "status", "open"),
    ("Task", "intent", "directive"),
    ("Task", "priority", "high"),
    ("QuestionnaireResponse", "status", "done"),
    ("CarePlan", "status", "open"),
    ("Location", "status", "open"),
    ("Location", "mode", "room"),
    ("CarePlan", "intent", "directive"),
    ("CarePlan", "activity.1.detail.status", "open"),
]


@pytest.mark.parametrize(("kind", "path", "value"), BOUND)
def test_a_code_outside_a_required_binding_is_an_error(kind: str, path: str, value: Any) -> None:
    resource = sample(kind)
    put(path, value)(resource)
    found = errors(resource)
    assert [(i.code, i.key) for i in found] == [("code-invalid", "binding")]
    assert found[0].expression.startswith(f"{kind}.{path.split('.')[0]}")


def test_a_contained_resource_is_held_to_its_bindings_and_invariants() -> None:
    resource = sample("MedicationRequest")
    inner = sample("Condition") | {"clinicalStatus": status("condition-clinical", "on"), "abatementString": "gone"}
    resource["contained"].append(inner)
    found = {(i.expression, i.key) for i in errors(resource)}
    place = "MedicationRequest.contained[1].clinicalStatus"
    assert found == {(place, "binding"), (place, "con-4")}


@pytest.mark.parametrize("kind", sorted(READ))
def test_the_code_lists_agree_with_what_fhir_resources_knows_of_them(kind: str) -> None:
    """An independent source: fhir.resources keeps the codes that each element's short description names."""
    for path, codes in _definitions().codes.get(kind, []):
        if len(path) > 1:
            continue
        known = model(kind).model_fields[path[0]].json_schema_extra or {}
        named = set(known.get("enum_values", [])) - {"+"}  # a plus sign stands for "and more"
        assert named, path
        assert named <= set(codes), path


# --- invariants


def resolved(**elements: Any) -> dict[str, Any]:
    return sample("Condition") | {"abatementDateTime": "2026-11-01"} | elements


WRONG = status("condition-ver-status", "entered-in-error")
PROBLEM = [status("condition-category", "problem-list-item")]
BLOOD = concept("http://loinc.org", "85354-9")


@pytest.mark.parametrize(
    ("key", "broken", "whole"),
    [
        ("con-4", resolved(), resolved(clinicalStatus=status("condition-clinical", "resolved"))),
        ("con-4", resolved(), resolved(clinicalStatus=status("condition-clinical", "inactive"))),
        (
            "con-5",
            sample("Condition") | {"verificationStatus": WRONG},
            {k: v for k, v in sample("Condition").items() if k != "clinicalStatus"} | {"verificationStatus": WRONG},
        ),
        (
            "obs-6",
            sample("Observation") | {"dataAbsentReason": {"text": "asleep"}},
            {k: v for k, v in sample("Observation").items() if not k.startswith("value")}
            | {"dataAbsentReason": {"text": "asleep"}},
        ),
        (
            "obs-7",
            sample("Observation") | {"code": BLOOD, "component": [{"code": BLOOD, "valueInteger": 1}]},
            sample("Observation") | {"code": BLOOD, "component": [{"code": {"text": "upper"}, "valueInteger": 1}]},
        ),
        (
            "cpl-3",
            sample("CarePlan")
            | {"activity": [{"reference": {"reference": "Task/t1"}, "detail": {"status": "scheduled"}}]},
            sample("CarePlan"),
        ),
        (
            "inv-1",
            sample("Task") | {"lastModified": "2026-11-20T08:59:59+01:00"},
            sample("Task") | {"lastModified": "2026-11-20T08:00:00Z"},
        ),
    ],
)
def test_a_broken_invariant_is_an_error_and_a_whole_one_is_none(
    key: str, broken: dict[str, Any], whole: dict[str, Any]
) -> None:
    assert [(i.code, i.key) for i in errors(broken)] == [("invariant", key)]
    assert check_resource(whole) == []


def test_con_3_is_a_warning_as_in_r4() -> None:
    condition = {k: v for k, v in sample("Condition").items() if k != "clinicalStatus"} | {"category": PROBLEM}
    assert [(i.severity, i.key) for i in check_resource(condition)] == [("warning", "con-3")]
    assert check_resource(condition | {"verificationStatus": WRONG}) == []


def test_an_abated_condition_can_be_withdrawn() -> None:
    withdrawn = resolved(verificationStatus=WRONG)
    del withdrawn["clinicalStatus"]
    assert check_resource(withdrawn) == []


def test_a_date_and_an_instant_are_not_compared() -> None:
    assert check_resource(sample("Task") | {"authoredOn": "2026-12-01"}) == []


# --- how it is told


def test_a_conditional_reference_is_a_warning_because_a_transaction_may_resolve_it() -> None:
    resource = sample("Condition") | {"subject": {"reference": "Patient?identifier=x|1"}}
    assert [(i.severity, i.key) for i in check_resource(resource)] == [("warning", "reference")]


def test_where_stands_at_the_head_of_the_expression() -> None:
    resource = sample("Task") | {"status": "open"}
    assert [i.expression for i in check_resource(resource, "Bundle.entry[3].resource")] == [
        "Bundle.entry[3].resource.status"
    ]


def test_no_value_and_no_odd_name_is_repeated() -> None:
    secret = "Jane Roe"
    resource = sample("Observation") | {
        "id": secret,
        "status": secret,
        secret: 1,
        "effectiveDateTime": secret,
        "subject": {"reference": secret},
        "valueQuantity": {"value": secret, "comparator": secret, secret: {}},
        "contained": [{"resourceType": secret}],
    }
    for told in (resource, {k: v for k, v in resource.items() if k != "contained"}):
        issues = check_resource(told)
        assert len(issues) > 3
        assert not [issue for issue in issues if secret in str(issue)]


def test_a_long_list_of_faults_is_cut_after_its_errors() -> None:
    resource = sample("Observation") | {
        "derivedFrom": [{"reference": "Patient?a=b"}] * (2 * MAX_ISSUES),
        "status": "open",
    }
    issues = check_resource(resource)
    assert len(issues) == MAX_ISSUES
    assert issues[0].key == "binding"


@pytest.mark.parametrize("levels", [70, 5_000])
def test_a_deep_resource_is_an_issue_and_not_a_recursion_error(levels: int) -> None:
    inner: dict[str, Any] = {"url": "https://ehr.example/x"}
    for _ in range(levels):
        inner = {"url": "https://ehr.example/x", "extension": [inner]}
    assert keys(sample("Patient") | {"extension": [inner]}) == {"depth"}


NAMES = st.sampled_from(
    [*sorted({k for s in SAMPLES.values() for k in s}), "contained", "extension", "text", "_status"]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["Patient", "Foo", "#a", "2026", "active", ""])
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(READ)), st.dictionaries(NAMES, TREES, max_size=4))
def test_no_json_makes_it_raise(kind: str, changes: dict[str, Any]) -> None:
    for issue in check_resource(sample(kind) | changes):
        assert issue.severity in {"error", "warning", "information"}


# --- what we write


@pytest.mark.parametrize("kind", ["Task", "CarePlan", "ServiceRequest"])
def test_a_valid_resource_of_ours_is_written(kind: str) -> None:
    check_written(sample(kind))


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        (sample("Task") | {"status": "open"}, "Task.status is not one of: draft, requested"),
        ({"resourceType": "Practitioner", "id": "x"}, "its type is not one that we write"),
        ({"id": "x"}, "its type is not one that we write"),
        (
            {"resourceType": "PlanDefinition", "status": "draft", "subjectCanonical": "https://pathway.example/x"},
            "an element is of R4B only",
        ),
        ({"resourceType": "PlanDefinition"}, "PlanDefinition.status is required"),
        ({"resourceType": "OperationOutcome", "issue": [{"severity": "bad", "code": "value"}]}, "is not one of: fatal"),
    ],
)
def test_what_is_not_r4_is_never_written(resource: dict[str, Any], says: str) -> None:
    with pytest.raises(PathwayError, match="that we wrote is not valid R4") as caught:
        check_written(resource)
    assert says in caught.value.why


def test_a_warning_does_not_stop_a_write() -> None:
    check_written(sample("Task") | {"focus": {"reference": "Condition?identifier=x|1"}})


# --- the import surface


@pytest.mark.parametrize("kind", sorted(WRITTEN))
def test_every_model_can_be_had_by_name_and_by_import(kind: str) -> None:
    assert getattr(importlib.import_module("adapters.fhir.resources"), kind) is model(kind)
    assert model(kind).__module__ == f"fhir.resources.R4B.{kind.lower()}"


@pytest.mark.parametrize("kind", ["Foo", "Practitioner", "os", "fhirtypes", "../patient"])
def test_a_name_from_outside_imports_nothing(kind: str) -> None:
    with pytest.raises(BadInputError, match="no model"):
        model(kind)
    with pytest.raises(AttributeError):
        getattr(resources, kind)
