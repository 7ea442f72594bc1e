"""Coverage from records to answers: payer and place are read, one determination answers, tasks stay as they were."""

from pathlib import Path
from typing import Any

import pytest

from adapters.demo.patients import demo_patients
from adapters.demo.record import Record
from pathway.canonical import parse
from tests.world import NOW, candidate, decision_on, ingest, make_house, outcomes, wishes

DEMO = {record.id: record for record in demo_patients(NOW)}


def coverage(record: Record) -> list[tuple[str, str]]:
    return [(row["lcd"], row["outcome"]) for row in decision_on(record)["levels"] if "lcd" in row]


def choice(record: Record) -> dict[str, Any]:
    (only,) = decision_on(record)["choices"]
    return only


def insured(state: str, payer: str = "original-medicare") -> Record:
    """A candidate in a hospital of a US state, with severe pain that is stated to come from this fracture."""
    record = candidate().encounter("IMP", 1).place(state).coverage(payer).pain(9, 0.5)
    return record.finding("pain-attribution", "this-fracture", 1, level="L1")


def test_the_demo_shows_a_covered_candidate_and_one_whose_documents_are_missing() -> None:
    for name, lcd, outcome in (
        ("demo-covered", "L34228", "met"),
        ("demo-documents-missing", "L38201", "documentation-missing"),
    ):
        assert outcomes(decision_on(DEMO[name])) == {"L1": "candidate"}
        assert coverage(DEMO[name]) == [(lcd, outcome)]


@pytest.mark.parametrize(
    ("state", "lcd"),
    [("CA", "L34228"), ("AZ", "L34106"), ("NY", "L33569"), ("IA", "L38213"), ("TX", "L35130"), ("OH", "L38201"),
     ("FL", "L34976"), ("GA", "L38737")],
)  # fmt: skip
def test_the_state_of_the_stay_chooses_the_determination(state: str, lcd: str) -> None:
    assert coverage(insured(state)) == [(lcd, "documentation-missing")]


def test_a_plan_of_another_payer_is_answered_once() -> None:
    assert coverage(insured("OH", "medicare-advantage")) == []
    assert choice(insured("OH", "medicare-advantage"))["outcome"] == "not-applicable"


def test_without_a_place_the_decision_asks_registration_for_it() -> None:
    record = candidate().coverage("original-medicare")
    assert coverage(record) == []
    assert [item["ask"] for item in choice(record)["missing"]] == ["record-place"]


@pytest.mark.parametrize("technique", ["ct", "radiograph"])
def test_oedema_said_of_a_ct_or_a_plain_film_proves_no_acuity(technique: str) -> None:
    record = Record("p1", NOW).encounter("IMP", 1).place("OH").coverage("original-medicare").fracture("L1", 30)
    record.tender("L1", True, 2).oedema("L1", True, 3, technique).well(2).pain(9, 0.5)
    record.finding("pain-attribution", "this-fracture", 1, level="L1")
    assert coverage(record) == [("L38201", "insufficient-data")]
    (row,) = (row for row in decision_on(record)["levels"] if "lcd" in row)
    assert [item["datum"] for item in row["missing"] if item["ask"] == "order-spine-mri"] == ["acuity-imaging"]


def test_payer_and_place_change_no_task() -> None:
    plain, covered = decision_on(candidate().encounter("IMP", 1).pain(9, 0.5)), decision_on(insured("OH"))
    assert sorted(wishes(plain)) == sorted(wishes(covered))
    assert outcomes(plain) == outcomes(covered)


def test_a_stored_decision_with_coverage_replays_under_all_its_releases(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    try:
        made = ingest(house, insured("OH")).decision
        assert house.service.replay(made.id).body_sha256 == made.body_sha256
        body = parse(made.body)
        assert body["choices"][0]["chosen"] == ["coverage-cms-lcd-l38201"]
        assert len([release for release in body["releases"] if release["id"].startswith("coverage-cms-lcd-")]) == 8
    finally:
        house.close()


def outpatient(state: str) -> Record:
    """A candidate who comes to a hospital's outpatient department, with cement ordered a day ago."""
    record = candidate().encounter("AMB", 0.1).place(state).coverage("original-medicare").pain(7, 0.5)
    record.finding("pain-attribution", "this-fracture", 1, level="L1")
    record.finding("care-setting", "hospital-outpatient", 0.5)
    return record.order("vertebral-augmentation", 1, levels=["L1"])


def test_cement_ordered_in_texas_makes_one_task_for_prior_authorization_with_its_gaps() -> None:
    task = wishes(decision_on(outpatient("TX")))["prior-authorization"]
    items = {item["id"].partition(".")[2]: item for item in task["items"]}
    assert items["oedema-or-uptake"]["message"] == "Acuity shown: marrow oedema at L1 on 2026-11-19 (STIR MRI)"
    assert items["pain-from-fracture"]["verdict"] == "met"
    gaps = ["optimal-care-documented", "bone-density-and-education", "programme-instruction"]
    assert [id_ for id_, item in items.items() if item["verdict"] != "met"] == gaps
    assert items["programme-instruction"]["ask"].startswith("Instruct the patient")


def test_an_answer_of_the_payer_ends_it_and_another_state_never_asks() -> None:
    assert "prior-authorization" not in wishes(decision_on(outpatient("CA")))
    answered = outpatient("TX").finding("prior-authorization", "affirmed", 0.2)
    assert "prior-authorization" not in wishes(decision_on(answered))
