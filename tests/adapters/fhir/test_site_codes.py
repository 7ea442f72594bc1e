"""A site's own codes: read as ours wherever they stand, never as more than was said; a bad file says what and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import code_tables
from adapters.demo.record import Record, concept
from adapters.fhir import concept_map
from adapters.fhir.deliver import Reader
from adapters.fhir.site_codes import SiteCode, SiteCodes
from adapters.fhir.terminology import Terminology, load_rows, local_system
from adapters.fhir.to_facts import ChartReader
from adapters.http.cds_hooks.catalogue import services
from adapters.settings import ROOT, Settings
from pathway.case import Case
from pathway.errors import BadInputError
from pathway.facts import Fact
from tests.adapters.ingesting import deliver
from tests.world import NOW, book, candidate, make_house, settled, terms

EXAMPLE = ROOT / "docs" / "site-codes.example.json"
CLINIC = "https://clinic.example/codes"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
OWN = {
    (local_system("finding"), "marrow-oedema"): (CLINIC, "MRI-EDEMA"),
    (local_system("finding"), "spinal-tenderness"): (CLINIC, "SPINE-TENDER"),
    (local_system("answer"), "present"): (CLINIC, "SEEN"),
    (local_system("technique"), "stir"): (CLINIC, "T2-STIR"),
    (ICD, "M80.08XA"): ("https://clinic.example/diagnoses", "OSTEO-VCF-ACUTE"),
}
"""Codes of ours, and what the clinic of the example sends instead."""


def localised(value: Any) -> Any:
    """The same record in the words of the clinic."""
    if isinstance(value, list):
        return [localised(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    system, code = OWN.get((str(value.get("system")), str(value.get("code"))), ("", ""))
    return {"system": system, "code": code} if code else {key: localised(part) for key, part in value.items()}


def case_of(bundle: Mapping[str, Any], tables: Terminology) -> Case:
    vocabulary = book().vocabulary
    (delivery,) = Reader("test", NOW, tables, vocabulary).submission(json.dumps(bundle).encode(), "x").deliveries
    chart = [resource for resource, _ in delivery.resources]
    return ChartReader(vocabulary, tables).build(delivery.patient, chart, NOW, aside=delivery.set_aside)


def example() -> Terminology:
    return code_tables(Settings(site_codes=EXAMPLE))


def level_facts(case: Case) -> dict[str, Fact]:
    (level,) = case.levels
    return dict(level.facts)


def mapped(*rows: SiteCode, reviewed: tuple[tuple[str, str], ...] = ()) -> Terminology:
    return Terminology.load(site=SiteCodes(rows, reviewed))


def row(code: str, target: str, *, system: str = "finding", wide: bool = False) -> SiteCode:
    return SiteCode(CLINIC, code, local_system(system), target, wide)


def test_a_record_in_the_clinics_words_says_what_it_says_in_ours() -> None:
    ours = candidate().bundle()
    theirs = localised(ours)
    assert json.dumps(theirs).count("clinic.example") >= 5
    assert level_facts(case_of(theirs, example())) == level_facts(case_of(ours, terms()))
    assert case_of(theirs, terms()).levels == ()  # without the map there is not even a fracture


def test_the_clinics_fracture_oedema_and_tenderness_make_a_candidate_through_the_door(tmp_path: Path) -> None:
    house = make_house(tmp_path, site_codes=EXAMPLE)
    try:
        decision = json.loads(deliver(house, localised(candidate().bundle()), "x").decision.body)
        assert [row["outcome"] for row in decision["levels"] if row["policy"] == "candidacy"] == ["candidate"]
        assert decision["valueSets"] == example().sha256
        with house.store.read() as ledger:  # the tables that this decision was made with are kept, the site's part too
            assert b"OSTEO-VCF-ACUTE" in ledger.bytes_of(decision["valueSets"])
            stored = json.dumps([str(r.body) for r in ledger.chart("local|p1")])
            assert "M80.08XA" not in stored  # the chart stays as it came
    finally:
        house.close()


def test_a_decision_made_under_another_map_replays(tmp_path: Path) -> None:
    house = make_house(tmp_path, site_codes=EXAMPLE)
    made = deliver(house, localised(candidate().bundle()), "x").decision
    house.close()
    bare = make_house(tmp_path)
    try:
        assert bare.service.replay(made.id).body_sha256 == made.body_sha256
    finally:
        bare.close()


def test_what_a_site_code_measures_is_held_to_the_same_bounds() -> None:
    tables = mapped(SiteCode(CLINIC, "VAS", "http://loinc.org", "72514-3", False))
    pain = {
        "resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": CLINIC, "code": "VAS"}]}, "effectiveDateTime": "2026-11-21T10:00:00Z",
        "valueInteger": 15,
    }  # fmt: skip
    bundle = settled().bundle()
    bundle["entry"].append({"resource": pain})
    assert "not plausible for pain-score" in str(case_of(bundle, tables).set_aside)


def test_the_clinics_temperature_is_a_temperature() -> None:
    theirs = json.dumps(settled().lab("8310-5", 38.6, "Cel", 1).bundle())
    theirs = json.loads(
        theirs.replace('"http://loinc.org", "code": "8310-5"', '"https://clinic.example/vitals", "code": "TEMP"')
    )
    assert "TEMP" in json.dumps(theirs)
    assert case_of(theirs, example()).person.facts["body-temperature"].value == Decimal("38.6")
    assert not case_of(theirs, terms()).person.facts["body-temperature"].known
    hot = json.loads(json.dumps(theirs).replace("38.6", "386"))
    assert not case_of(hot, example()).person.facts["body-temperature"].known


def test_a_product_of_the_clinic_is_its_ingredient() -> None:
    """Our code says less (any strength), so the map is wider; a medicine that is not taken stays as it came."""
    apixaban = SiteCode(CLINIC, "ELI-5MG", "http://www.nlm.nih.gov/research/umls/rxnorm", "1364430", True)
    tables = mapped(apixaban)
    taken = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": concept(CLINIC, "ELI-5MG"),
    }
    assert "1364430" in json.dumps(tables.understood(taken))
    assert "1364430" not in json.dumps(tables.understood({**taken, "status": "not-taken"}))


def test_without_a_map_nothing_changes_and_with_one_the_hash_does() -> None:
    assert mapped().sha256 == terms().sha256
    assert mapped(row("A", "marrow-oedema")).sha256 != terms().sha256
    assert mapped(reviewed=((CLINIC, "GAIT"),)).sha256 != terms().sha256
    body = {"resourceType": "Condition", "code": {"coding": [{"system": CLINIC, "code": "A"}]}}
    assert terms().understood(body) is body


# --- a wider target


WIDE = SiteCode(CLINIC, "ODD", local_system("finding"), "marrow-oedema", True)
WIDE_FRACTURE = SiteCode(CLINIC, "ODD", ICD, "M80.08XA", True)


def understood(body: Mapping[str, Any], *rows: SiteCode) -> str:
    return json.dumps(mapped(*rows).understood(body))


ODD = {"coding": [{"system": CLINIC, "code": "ODD"}]}


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Condition", "code": ODD},
        {"resourceType": "Procedure", "status": "completed", "code": ODD},
        {"resourceType": "Observation", "valueCodeableConcept": ODD},
        {"resourceType": "Bundle", "contained": [{"resourceType": "Condition", "code": ODD}]},
    ],
)
def test_what_has_the_sites_narrower_code_has_ours_too(body: Mapping[str, Any]) -> None:
    assert "M80.08XA" in understood(body, WIDE_FRACTURE)


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Observation", "code": ODD},
        {"resourceType": "Observation", "code": {}, "component": [{"code": ODD}]},
        {"resourceType": "Condition", "code": ODD, "verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"resourceType": "AllergyIntolerance", "code": ODD, "verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"resourceType": "Procedure", "status": "not-done", "code": ODD},
        {"resourceType": "ServiceRequest", "doNotPerform": True, "code": ODD},
        {"resourceType": "ServiceRequest", "status": "revoked", "code": ODD},
        {"resourceType": "Encounter", "contained": [{"resourceType": "Procedure", "status": "not-done", "code": ODD}]},
    ],
)
def test_a_no_to_the_sites_narrower_code_is_no_to_nothing_of_ours(body: Mapping[str, Any]) -> None:
    assert "marrow-oedema" not in understood(body, WIDE)
    assert "marrow-oedema" in understood(body, WIDE._replace(wide=False))


def test_a_narrower_question_answered_no_leaves_ours_open() -> None:
    """Oedema in the left pedicle, absent: says nothing of oedema in the vertebra."""
    record = settled().bundle()
    theirs = json.loads(json.dumps(record).replace('"marrow-oedema"', '"ODD"').replace('"present"', '"absent"'))
    theirs = json.loads(
        json.dumps(theirs).replace(f'"{local_system("finding")}", "code": "ODD"', f'"{CLINIC}", "code": "ODD"')
    )
    assert "ODD" in json.dumps(theirs)
    assert not level_facts(case_of(theirs, mapped(WIDE)))["acuity-imaging"].known


def test_a_coding_by_itself_is_replaced() -> None:
    study = {"resourceType": "ImagingStudy", "series": [{"bodySite": {"system": CLINIC, "code": "L-1"}}]}
    assert '"code": "L1"' in understood(study, row("L-1", "L1", system="level"))


def test_a_hook_asks_for_what_the_site_observes_in_its_own_codes() -> None:
    def asked(site: SiteCodes) -> str:
        return services(site)["candidacy", "patient-view"].prefetch["observations"]

    own = (f"{CLINIC}|MRI-EDEMA", f"{CLINIC}|SPINE-TENDER", "https://clinic.example/vitals|TEMP")
    assert asked(example().site) == ",".join((asked(SiteCodes()), *own))
    assert asked(SiteCodes([WIDE])) == asked(SiteCodes())
    assert asked(SiteCodes([row("A,B|C&d", "marrow-oedema")])).endswith(f",{CLINIC}|A%5C%2CB%5C%7CC%26d")


def test_meta_and_text_are_left_alone() -> None:
    body = {"resourceType": "Condition", "meta": {"tag": [{"coding": ODD["coding"]}]}, "text": ODD}
    assert understood(body, WIDE_FRACTURE) == json.dumps(body)


# --- a file that cannot be used


def bad(change: Mapping[str, Any], **target: Any) -> dict[str, Any]:
    aim = {"code": "marrow-oedema", "equivalence": "equivalent"} | target
    group = {"source": CLINIC, "target": local_system("finding"), "element": [{"code": "X", "target": [aim]}]}
    return {"resourceType": "ConceptMap", "status": "active", "group": [group | change]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"resourceType": "ValueSet"}, "site.json: this is no ConceptMap"),
        ({"resourceType": "ConceptMap", "status": "retired"}, "site.json: its status is not active or draft"),
        ({"resourceType": "ConceptMap", "status": "draft", "group": "x"}, "site.json: group is no list"),
        (bad({"source": ""}), r"site.json: group\[0\]: source is missing"),
        (bad({"source": local_system("finding")}), r"group\[0\]: its source is one of this service's own"),
        (bad({"unmapped": {"mode": "fixed", "code": "a"}}), r"group\[0\]: group.unmapped would map"),
        (bad({"element": [{"code": "X"}, {"code": "X"}]}), r"group\[0\].element\[1\]: the code stands twice"),
        (
            bad({}, code="marrow-edema"),
            r"group\[0\].element\[0\].target\[0\]: code 'X': no value set knows .*'marrow-edema'",
        ),
        (bad({"target": "http://snomed.info/sct"}), "no value set knows the target 'marrow-oedema' of http://snomed"),
        (bad({}, equivalence="narrower"), "'narrower' does not map: the target says more"),
        (bad({}, equivalence="specializes"), "says more"),
        (bad({}, equivalence="relatedto"), "is not said"),
        (bad({}, equivalence="inexact"), "only overlap"),
        (bad({}, equivalence=None), "none of R4's"),
        (bad({}, dependsOn=[{"property": "x"}]), "dependsOn is not supported"),
    ],
)
def test_a_bad_file_says_what_where_and_how_to_mend_it(tmp_path: Path, document: Any, says: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInputError, match=says) as fault:
        code_tables(Settings(site_codes=path))
    assert fault.value.fix


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        concept_map.read(tmp_path / "none.json", terms())


@pytest.mark.parametrize("equivalence", ["unmatched", "disjoint"])
def test_what_matches_nothing_maps_to_nothing(tmp_path: Path, equivalence: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(bad({}, equivalence=equivalence)))
    site = concept_map.read(path, terms())
    assert site.rows == ()
    assert site.reviewed == {(CLINIC, "X")}


def test_a_record_is_the_same_however_often_it_is_understood() -> None:
    tables = example()
    for entry in localised(Record("p1", NOW).fracture("L1", 3).oedema("L1", True, 2).bundle())["entry"]:
        once = tables.understood(entry["resource"])
        assert tables.understood(once) == once


# --- two targets of one code, and a narrower no


def groups(*targets: tuple[str, str, str], code: str = "POS", apart: bool = False) -> dict[str, Any]:
    """A map of one code to targets, each its system, code and equivalence; `apart` in a group of its own."""
    rows = [
        {"source": CLINIC, "target": system, "element": [{"code": code, "target": [{"code": aim, "equivalence": how}]}]}
        for system, aim, how in targets
    ]
    if not apart:
        for row in rows[1:]:
            rows[0]["element"][0]["target"] += row["element"][0]["target"]
        rows = rows[:1]
    return {"resourceType": "ConceptMap", "status": "active", "group": rows}


def loaded(tmp_path: Path, document: Any) -> SiteCodes:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(document))
    return concept_map.read(path, terms())


ANSWER, FINDING, SNOMED = local_system("answer"), local_system("finding"), "http://snomed.info/sct"


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("system", "aims"),
    [
        (ANSWER, ("present", "absent")), (ANSWER, ("absent", "present")), (FINDING, ("marrow-oedema", "tracer-uptake")),
        (local_system("technique"), ("stir", "t1")), (local_system("level"), ("L1", "L2")),
    ],
)  # fmt: skip
def test_a_code_stands_for_one_code_of_each_of_our_systems(
    tmp_path: Path, system: str, aims: tuple[str, str], apart: bool
) -> None:
    document = groups(*((system, aim, "equivalent") for aim in aims), apart=apart)
    with pytest.raises(BadInputError, match=rf"code 'POS': .*'{aims[1]}'.*'{aims[0]}'") as fault:
        loaded(tmp_path, document)
    assert "group[" in fault.value.where
    assert fault.value.fix


def test_the_same_target_twice_or_of_two_systems_is_one_meaning(tmp_path: Path) -> None:
    ct = (ANSWER, "ct", "equivalent"), (local_system("technique"), "ct", "equivalent")
    assert len(loaded(tmp_path, groups(*ct, apart=True)).rows) == 2
    twice = (ANSWER, "present", "equivalent"), (ANSWER, "present", "equal")
    assert len(loaded(tmp_path, groups(*twice)).rows) == 1


@pytest.mark.parametrize(
    ("system", "code"),
    [
        *((ANSWER, code) for code in (
            "absent", "no", "normal", "none", "not-pregnant", "not-high", "unable", "intact", "pain-free",
        )),
        (SNOMED, "716186003"), (SNOMED, "409137002"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("equivalence", ["wider", "subsumes"])
def test_a_narrower_no_is_not_mapped_to_ours(tmp_path: Path, system: str, code: str, equivalence: str) -> None:
    """No known penicillin allergy is narrower than no known allergy, and says nothing of cement."""
    with pytest.raises(BadInputError, match=f"code 'NKPEN': .*{code!r} denies") as fault:
        loaded(tmp_path, groups((system, code, equivalence), code="NKPEN"))
    assert fault.value.fix
    assert loaded(tmp_path, groups((system, code, "equivalent"), code="NKPEN")).rows


def test_a_narrower_yes_is_mapped_as_before(tmp_path: Path) -> None:
    for system, code in ((ANSWER, "present"), (ANSWER, "deficit"), (ICD, "M80.08XA")):
        (one,) = loaded(tmp_path, groups((system, code, "wider"))).rows
        assert one.wide


def test_every_answer_of_ours_was_looked_at_for_whether_it_denies() -> None:
    """A new answer belongs into one of the two lists."""
    answers = {row.code for row in load_rows() if row.value_set == "answer"}
    assert answers - concept_map.DENYING == AFFIRMING


AFFIRMING = {
    "peripheral", "central", "treat", "observe", "stop",
    "present", "symptoms", "deficit", "cord-or-cauda-sign", "low-energy", "high-energy", "able", "ambulant",
    "bed-bound", "analgesia", "brace", "physiotherapy", "bed-rest", "on-movement", "at-rest", "pregnant",
    "osteoporotic", "neoplastic", "other-disease", "abnormal", "yes", "this-fracture", "something-else", "wedge",
    "biconcave", "crush", "burst", "disrupted", "lytic", "mixed", "blastic", "mechanical", "subluxation",
    "new-deformity", "over-half", "under-half", "body-involved", "bilateral", "unilateral", "fluoroscopy", "ct",
    "other", "transpedicular", "local", "moderate", "deep", "general", "antiplatelet", "anticoagulant", "hold",
    "continue", "high", "raised", "tolerated", "doubtful", "inpatient", "hospital-outpatient", "ambulatory-surgery",
    "office", "requested", "affirmed", "myeloma", "metastasis", "other-tumour", "haematoma", "discharge",
}  # fmt: skip
