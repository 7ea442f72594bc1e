"""The FHIR files under fhir_profiles/ are made from their tables, are valid, and refuse what they must."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pyrofile_validator import Validator
from pyrofile_validator.config import ValidatorConfig
from pyrofile_validator.models import Severity

from adapters.fhir import build_profiles
from adapters.fhir.build_profiles import LEVELS, VERIFIED_BY, build, differing, main, write
from adapters.fhir.resources import model
from adapters.fhir.terminology import BASE, PROFILES, load_rows
from adapters.fhir.validate import check_resource, check_written

FOLDERS = ("structuredefinitions", "valuesets", "codesystems")
FILES = sorted(path for folder in FOLDERS for path in (PROFILES / folder).glob("*.json"))
EXAMPLES = sorted((PROFILES / "examples").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def file_name(path: Path) -> str:
    return path.relative_to(PROFILES).as_posix()


@cache
def validator() -> Validator:
    """The third-party validator with our profiles; it works offline."""
    paths = [str(PROFILES / folder) for folder in FOLDERS]
    return Validator(
        ValidatorConfig.load_dict(
            {"fhirVersion": "4.0.1", "localPackagePaths": paths, "terminology": {"mode": "local"}, "packages": []}
        )
    )


def faults(resource: dict[str, Any]) -> set[str]:
    """The codes of its errors; that the patient is not at hand is only a warning."""
    issues = validator().validate_resource(resource).issues
    assert {i.code for i in issues if i.severity == Severity.WARNING} <= {"reference.unresolved"}
    return {issue.code for issue in issues if issue.severity == Severity.ERROR}


# --- generated files


def test_the_files_are_what_the_tables_say() -> None:
    assert differing(build()) == [], "run: python -m adapters.fhir.build_profiles"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copied = tmp_path / "fhir_profiles"
    shutil.copytree(PROFILES, copied)
    made = build()
    monkeypatch.setattr(build_profiles, "build", lambda: made)
    monkeypatch.setattr(build_profiles, "differing", lambda made: differing(made, copied))
    monkeypatch.setattr(build_profiles, "write", lambda made, stale: write(made, stale, copied))
    return copied


def test_check_names_a_file_that_differs_is_missing_or_belongs_to_no_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, missing, extra = (folder / "valuesets" / f"{n}.json" for n in ("presence", "answer", "left-over"))
    changed.write_text(changed.read_text(encoding="utf-8").replace("Present", "present"), encoding="utf-8")
    missing.unlink()
    extra.write_text("{}", encoding="utf-8")
    assert main(["--check"]) == 1
    names = capsys.readouterr().out.split("\n")
    assert names == [f"differs: fhir_profiles/valuesets/{n}.json" for n in ("answer", "left-over", "presence")] + [""]
    assert extra.exists(), "--check changes nothing"
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert not extra.exists()


def test_a_concept_carries_how_it_was_verified_and_which_levels_it_allows() -> None:
    include = read(PROFILES / "valuesets" / "vertebral-level.json")["compose"]["include"]
    concepts = {c["code"]: {e["url"]: e["valueString"] for e in c["extension"]} for i in include for c in i["concept"]}
    assert concepts["66794005"][LEVELS] == "L1"
    assert "DICOM CID 7603" in concepts["66794005"][VERIFIED_BY]
    assert concepts["C1"] == {VERIFIED_BY: "local code, defined here", LEVELS: "C1"}


def test_each_stem_is_an_include_of_its_own_because_filters_of_one_include_must_all_hold() -> None:
    include = read(PROFILES / "valuesets" / "vertebral-fracture-osteoporotic.json")["compose"]["include"]
    assert [[(f["property"], f["op"], f["value"]) for f in i["filter"]] for i in include] == [
        [("concept", "is-a", "M80.08")],
        [("concept", "is-a", "M80.88")],
    ]


def test_every_row_of_the_tables_is_in_its_value_set() -> None:
    made: set[tuple[str, str, str]] = set()
    for path in (PROFILES / "valuesets").glob("*.json"):
        for include in read(path)["compose"]["include"]:
            codes = [c["code"] for c in include.get("concept", [])] + [f["value"] for f in include.get("filter", [])]
            made |= {(path.stem, include["system"], code) for code in codes}
    assert made == {(row.value_set, row.system, row.code) for row in load_rows()}


@pytest.mark.parametrize("path", FILES, ids=file_name)
def test_a_file_is_valid_r4_and_its_address_is_its_name(path: Path) -> None:
    resource = read(path)
    check_written(resource)
    assert resource["id"] == path.stem
    assert resource["url"] == f"{BASE}/{resource['resourceType']}/{path.stem}"
    assert resource["status"] == "draft"


@pytest.mark.parametrize("path", FILES + EXAMPLES, ids=file_name)
def test_a_file_names_no_address_of_ours_that_does_not_exist(path: Path) -> None:
    def addresses(node: Any) -> set[str]:
        if isinstance(node, dict):
            return set().union(*(addresses(child) for child in node.values()))
        if isinstance(node, list):
            return set().union(*(addresses(child) for child in node))
        return {node} if isinstance(node, str) and node.startswith(BASE) else set()

    assert addresses(read(path)) <= {read(file)["url"] for file in FILES}


@pytest.mark.parametrize("path", EXAMPLES, ids=file_name)
def test_an_example_holds_to_its_profile_and_to_r4(path: Path) -> None:
    resource = read(path)
    assert resource["meta"]["profile"][0].startswith(BASE)
    assert faults(resource) == set()
    assert check_resource(resource) == []
    assert "Synthetic" in resource["text"]["div"]
    model("Observation").model_validate(resource)


def test_there_is_an_example_of_each_profile_and_one_of_each_answer() -> None:
    examples = [read(path) for path in EXAMPLES]
    profiles = {path.stem for path in (PROFILES / "structuredefinitions").glob("*.json")}
    named = {url.rpartition("/")[2] for example in examples for url in example["meta"]["profile"]}
    assert named == profiles - {"verified-by", "vertebral-levels"}
    answers = {e.get("valueCodeableConcept", {"coding": [{}]})["coding"][0].get("code") for e in examples}
    assert answers >= {"present", "absent", "normal"}


# --- what the profiles refuse

Change = Callable[[dict[str, Any]], Any]


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system if "://" in system else f"{BASE}/CodeSystem/{system}", "code": code}]}


def without(*names: str) -> Change:
    return lambda resource: [resource.pop(name) for name in names]


def with_(**elements: Any) -> Change:
    return lambda resource: resource.update(elements)


def component(n: int, **elements: Any) -> Change:
    """Give one component these elements and no other than its code."""

    def change(resource: dict[str, Any]) -> None:
        resource["component"][n] = {"code": resource["component"][n]["code"]} | elements

    return change


OEDEMA, EXAMINATION, LEAK = "marrow-oedema-present", "neurological-examination-normal", "cement-leak-into-disc"
# fmt: off
BROKEN: dict[str, tuple[str, Change, str]] = {
    "no status": (OEDEMA, without("status"), "profile.required"),
    "no subject": (OEDEMA, without("subject"), "profile.required"),
    "no date": (OEDEMA, without("effectiveDateTime"), "profile.required"),
    "no level": (OEDEMA, without("bodySite"), "profile.required"),
    "level in words only": (OEDEMA, with_(bodySite={"text": "L1"}), "profile.invariant.level-1"),
    "spine instead of a vertebra":
        (OEDEMA, with_(bodySite=coded("http://snomed.info/sct", "421060004")), "profile.binding.required"),
    "level code of another system":
        (OEDEMA, with_(bodySite=coded("http://loinc.org", "66794005")), "profile.invariant.level-1"),
    "a finding without a level as one with":
        (OEDEMA, with_(code=coded("finding", "mobility")), "profile.binding.required"),
    "oedema without a technique": (OEDEMA, without("component"), "profile.invariant.pathway-1"),
    "technique without a value": (OEDEMA, component(0), "profile.invariant.pathway-1"),
    "technique in words": (OEDEMA, component(0, valueString="STIR"), "profile.invariant.pathway-1"),
    "nothing found nor missing": (EXAMINATION, without("valueCodeableConcept"), "profile.invariant.pathway-2"),
    "tenderness without a level":
        (EXAMINATION, with_(code=coded("finding", "spinal-tenderness")), "profile.invariant.pathway-3"),
    "a component as a finding":
        (EXAMINATION, with_(code=coded("finding", "pain-circumstance")), "profile.invariant.pathway-4"),
    "an unknown finding": (EXAMINATION, with_(code=coded("finding", "aura")), "profile.binding.required"),
    "leak of no procedure": (LEAK, without("partOf"), "profile.invariant.leak-1"),
    "leak of an imaging study":
        (LEAK, with_(partOf=[{"reference": "ImagingStudy/example"}]), "profile.invariant.leak-1"),
    "leak without a level": (LEAK, without("bodySite"), "profile.required"),
    "leak without destinations": (LEAK, without("component"), "profile.required"),
    "an unknown destination":
        (LEAK, component(0, code=coded("leak-destination", "liver"), valueCodeableConcept=coded("answer", "absent")),
         "profile.element.binding.required"),
    "a destination twice":
        (LEAK, lambda r: r["component"].__setitem__(1, r["component"][0]), "profile.invariant.leak-2"),
    "a destination without an answer": (LEAK, component(0), "profile.invariant.leak-3"),
    "an answer that is no concept": (LEAK, component(0, valueBoolean=True), "profile.invariant.leak-3"),
    "neither present nor absent":
        (LEAK, component(0, valueCodeableConcept=coded("answer", "normal")), "profile.element.binding.required"),
    "another finding as a leak":
        (LEAK, with_(code=coded("finding", "spinal-tenderness")), "profile.invariant.leak-4"),
}
# fmt: on


@pytest.mark.parametrize("fault", BROKEN)
def test_a_profile_refuses(fault: str) -> None:
    example, change, code = BROKEN[fault]
    resource = copy.deepcopy(read(PROFILES / "examples" / f"{example}.json"))
    change(resource)
    assert code in faults(resource)


ALLOWED: dict[str, tuple[str, Change]] = {
    "a reason why there is no value": (
        EXAMINATION,
        lambda r: (r.pop("valueCodeableConcept"), r.update(dataAbsentReason={"text": "not asked"})),
    ),
    "the procedure in focus": (LEAK, lambda r: r.update(focus=r.pop("partOf"))),
    "destinations that nobody stated": (LEAK, lambda r: r.update(component=r["component"][:2])),
    "height loss as a percentage": (
        OEDEMA,
        lambda r: (
            r.pop("valueCodeableConcept"),
            r.update(code=coded("finding", "vertebral-height-loss"), valueQuantity={"value": 30, "unit": "%"}),
        ),
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_profile_allows(case: str) -> None:
    example, change = ALLOWED[case]
    resource = copy.deepcopy(read(PROFILES / "examples" / f"{example}.json"))
    change(resource)
    assert faults(resource) == set()
