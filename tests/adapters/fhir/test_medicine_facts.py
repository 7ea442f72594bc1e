"""Antithrombotics: told by code, ATC group or text; what outweighs them; the plan for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.demo.record import ATC, RXNORM, SIGNED, Record
from adapters.fhir.antithrombotics import Names, names
from adapters.fhir.terminology import PROFILES
from pathway.errors import RuleBookError
from pathway.facts import Fact, Reason
from tests.world import case_of, person

APIXABAN, CLOPIDOGREL = "1364430", "32968"


def fact(record: Record, datum: str = "antithrombotic") -> Fact:
    return case_of(record).person.facts[datum]


def feared(record: Record) -> Any:
    """The candidate of an unconfirmed antithrombotic."""
    read = fact(record)
    return read.candidate if read.reason is Reason.UNCONFIRMED else None


def unmapped(record: Record) -> list[str]:
    return [item.where for item in case_of(record).set_aside if item.code == "unmapped" and "/" in item.where]


def test_apixaban_by_product_text_is_an_unconfirmed_anticoagulant() -> None:
    record = person().medicine("Apixaban 5 mg tablet", 200)
    assert feared(record) == "anticoagulant"
    assert fact(record).detail["finding"] == "apixaban"
    assert unmapped(record) == ["MedicationRequest/p1-medicine-1"]


def test_inr_1_1_says_nothing_about_apixaban() -> None:
    record = person().medicine("Apixaban 5 mg tablet", 200).lab("6301-6", 1.1, "{INR}", 1)
    assert str(fact(record, "inr").value) == "1.10"
    assert feared(record) == "anticoagulant"
    assert fact(record, "coagulopathy").reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ELIQUIS 2.5", "anticoagulant"), ("Héparine sodique", "anticoagulant"), ("Warfarine 3 mg", "anticoagulant"),
        ("enoxaparin sodium 40 mg/0.4 mL", "anticoagulant"), ("Acetylsalicylic acid 100 mg", "antiplatelet"),
        ("Aspirin 81 MG", "antiplatelet"), ("Clopidogrel 75 mg", "antiplatelet"),
        ("Aspirin 100 mg and rivaroxaban 2.5 mg", "anticoagulant"),
    ],
)  # fmt: skip
def test_a_name_in_the_text_is_told_and_of_two_the_worse(text: str, kind: str) -> None:
    assert feared(person().medicine(text, 3)) == kind


@pytest.mark.parametrize("text", ["Metformin 500 mg", "Amlodipine", "Paracetamol 1 g"])
def test_another_medicine_is_no_antithrombotic_and_is_no_none_either(text: str) -> None:
    assert fact(person().medicine(text, 3)).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(
    ("code", "kind"), [("B01AF02", "anticoagulant"), ("B01AC06", "antiplatelet"), ("b01ax05", "anticoagulant")]
)
def test_an_atc_group_without_a_verified_code_is_unconfirmed(code: str, kind: str) -> None:
    assert feared(person().medicine("", 3, code=code, system=ATC)) == kind
    assert feared(person().medicine("", 3, code=code, system="http://fhir.de/CodeSystem/bfarm/atc")) == kind
    assert feared(person().medicine("", 3, code=code, system="urn:x")) is None


def test_a_verified_code_is_known_and_not_reported_as_unmapped() -> None:
    record = person().medicine("", 200, code=APIXABAN)
    assert fact(record).value == "anticoagulant"
    assert unmapped(record) == []
    assert fact(person().medicine("", 3, code=CLOPIDOGREL)).value == "antiplatelet"


@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationStatement"])
@pytest.mark.parametrize(
    ("status", "value", "candidate"),
    [
        ("active", "anticoagulant", None), ("on-hold", "anticoagulant", None), ("completed", None, "anticoagulant"),
        ("unknown", None, "anticoagulant"), ("stopped", None, None), ("entered-in-error", None, None),
    ],
)  # fmt: skip
def test_a_status_is_read_for_what_it_means(kind: str, status: str, value: str | None, candidate: str | None) -> None:
    read = fact(person().medicine("", 3, code=APIXABAN, status=status, kind=kind))
    assert (read.value, read.candidate) == (value, candidate)


@pytest.mark.parametrize(
    ("kind", "status", "candidate"),
    [
        ("MedicationRequest", "draft", "anticoagulant"), ("MedicationRequest", "cancelled", None),
        ("MedicationStatement", "intended", "anticoagulant"), ("MedicationStatement", "not-taken", None),
        ("MedicationAdministration", "completed", "anticoagulant"), ("MedicationAdministration", "not-done", None),
        ("MedicationAdministration", "stopped", "anticoagulant"), ("MedicationDispense", "completed", "anticoagulant"),
        ("MedicationDispense", "declined", None), ("MedicationDispense", "preparation", "anticoagulant"),
    ],
)  # fmt: skip
def test_what_is_not_surely_taken_now_is_only_feared(kind: str, status: str, candidate: str | None) -> None:
    read = fact(person().medicine("", 3, code=APIXABAN, status=status, kind=kind))
    assert (read.value, read.candidate) == (None, candidate)


def test_a_prescription_that_nobody_asked_for_or_asked_not_to_give_is_none() -> None:
    for change in ({"intent": "proposal"}, {"doNotPerform": True}):
        record = person().medicine("Apixaban", 3)
        record.resources[-1] |= change
        assert fact(record).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(
    ("status", "end", "value", "candidate"),
    [
        ("completed", -30, "anticoagulant", None), ("completed", 2, None, None), ("active", 2, None, "anticoagulant"),
        ("active", -30, "anticoagulant", None),
    ],
)  # fmt: skip
def test_a_period_says_whether_it_is_over(status: str, end: float, value: str | None, candidate: str | None) -> None:
    record = person().medicine("", 40, code=APIXABAN, status=status)
    period = {"start": record.at(40), "end": record.at(end)}
    record.resources[-1]["dosageInstruction"] = [{"timing": {"repeat": {"boundsPeriod": period}}}]
    assert (fact(record).value, fact(record).candidate) == (value, candidate)
    record = person().medicine("", 40, code=APIXABAN, status=status, kind="MedicationStatement")
    record.resources[-1]["effectivePeriod"] = period
    assert (fact(record).value, fact(record).candidate) == (value, candidate)


def test_a_box_lasts_as_long_as_its_supply_and_what_ended_long_ago_is_over() -> None:
    record = person().medicine("", 40, code=APIXABAN, status="completed", kind="MedicationDispense")
    record.resources[-1]["daysSupply"] = {"value": 60, "code": "d"}
    assert fact(record).value == "anticoagulant"
    record.resources[-1]["daysSupply"] = {"value": 30, "code": "d"}
    assert fact(record).reason is Reason.NOT_RECORDED
    assert feared(person().medicine("Apixaban", 90, status="completed")) == "anticoagulant"
    assert fact(person().medicine("Apixaban", 91, status="completed")).reason is Reason.NOT_RECORDED


def test_the_medicine_may_be_contained_sent_beside_or_only_named() -> None:
    def refer(reference: dict[str, str]) -> Record:
        record = person().medicine("", 3)
        del record.resources[-1]["medicationCodeableConcept"]
        record.resources[-1]["medicationReference"] = reference
        return record

    held = refer({"reference": "#drug"})
    held.resources[-1]["contained"] = [{"resourceType": "Medication", "id": "drug", "code": {"text": "Apixaban"}}]
    assert feared(held) == "anticoagulant"
    beside = refer({"reference": "Medication/m"})
    ingredient = {"itemCodeableConcept": {"coding": [{"system": RXNORM, "code": APIXABAN}]}}
    beside.resources.append({"resourceType": "Medication", "id": "m", "ingredient": [ingredient]})
    assert fact(beside).value == "anticoagulant"
    assert feared(refer({"display": "Xarelto 20 mg"})) == "anticoagulant"


def none(record: Record, days: float, *, signed: bool = True) -> Record:
    record.finding("antithrombotic", "none", days)
    if signed:
        record.resources[-1]["performer"] = [SIGNED]
    return record


@pytest.mark.parametrize(("text", "code"), [("", APIXABAN), ("Eliquis", "")])
@pytest.mark.parametrize("days", [30, 2 / 24])
def test_none_ends_no_order_that_stands(text: str, code: str, days: float) -> None:
    def drug() -> Record:
        return person().medicine(text, days, code=code)

    unsigned, signed = fact(none(drug(), 0.05, signed=False)), fact(none(drug(), 0.05))
    assert "anticoagulant" in (unsigned.value, unsigned.candidate)
    assert (signed.reason, signed.candidate) == (Reason.CONFLICTING, "anticoagulant")
    assert {source.split("/")[0] for source in signed.sources} == {"MedicationRequest", "Observation"}


def test_a_later_signed_review_that_finds_none_clears_what_ended_or_is_doubtful_and_an_earlier_one_does_not() -> None:
    for status in ("completed", "stopped", "unknown"):
        drug = person().medicine("Apixaban 5 mg", 10, status=status)
        assert fact(none(drug, 2)).value == "none"
        nobody = fact(none(person().medicine("Apixaban 5 mg", 10, status=status), 2, signed=False))
        assert nobody.reason is Reason.UNCONFIRMED
        assert nobody.candidate == ("none" if status == "stopped" else "anticoagulant")
    early = person().medicine("Apixaban 5 mg", 2).finding("antithrombotic", "none", 10)
    assert feared(early) == "anticoagulant"
    doubted = person().medicine("", 10, code=APIXABAN).finding("antithrombotic", "none", 2, status="preliminary")
    assert fact(doubted).value == "anticoagulant"


def test_none_from_before_a_drug_that_was_stopped_or_that_nobody_can_tell_is_stale() -> None:
    stopped = person().finding("antithrombotic", "none", 10).medicine("Apixaban", 2, status="stopped")
    assert (fact(stopped).reason, fact(stopped).candidate) == (Reason.STALE, "none")
    riddle = person().finding("antithrombotic", "none", 10).medicine("", 2, code="999999999")
    assert fact(riddle).reason is Reason.STALE
    assert unmapped(riddle) == ["MedicationRequest/p1-medicine-1"]
    assert fact(person().finding("antithrombotic", "none", 10).medicine("Metformin", 2)).value == "none"


def test_a_review_alone_answers_and_says_why_where_it_does_not() -> None:
    assert fact(person()).reason is Reason.NOT_RECORDED
    for answer in ("none", "antiplatelet", "anticoagulant"):
        assert fact(person().finding("antithrombotic", answer, 2)).value == answer
        assert fact(person().finding("antithrombotic", answer, 2, status="preliminary")).candidate == answer
    both = person().finding("antithrombotic", "none", 2).finding("antithrombotic", "antiplatelet", 2)
    assert fact(both).reason is Reason.CONFLICTING
    assert fact(person().finding("antithrombotic", "none", 9).finding("antithrombotic", "antiplatelet", 2)).value == (
        "antiplatelet"
    )
    assert fact(person().finding("antithrombotic", "none", 2, status="entered-in-error")).reason is Reason.NOT_RECORDED


def test_the_worst_wins_and_an_unconfirmed_anticoagulant_is_worse_than_a_known_antiplatelet() -> None:
    both = person().medicine("", 9, code=CLOPIDOGREL).medicine("Rivaroxaban", 9)
    assert feared(both) == "anticoagulant"
    assert fact(both.finding("antithrombotic", "antiplatelet", 2)).candidate == "anticoagulant"


def test_a_diagnosis_of_long_term_use_counts_until_a_later_review() -> None:
    assert fact(person().condition("Z79.01", 40)).value == "anticoagulant"
    assert fact(person().condition("Z79.02", 40)).value == "antiplatelet"
    assert fact(none(person().condition("Z79.01", 40), 3)).value == "none"
    assert fact(none(person().condition("Z79.01", 40), 3, signed=False)).value == "anticoagulant"
    assert fact(person().condition("Z79.01", 40, status="resolved")).reason is Reason.NOT_RECORDED
    assert feared(person().condition("Z79.01", 40, verification="provisional")) == "anticoagulant"


def test_an_undated_prescription_is_as_of_when_it_came() -> None:
    record = person().medicine("Apixaban", 3).finding("antithrombotic", "none", 1)
    del record.resources[-2]["authoredOn"]
    assert feared(record) == "anticoagulant"


def test_anticoagulants_are_no_coagulopathy_but_leave_coagulation_unassessed_until_somebody_has_checked() -> None:
    record = person().finding("coagulation-check", "normal", 60).medicine("Apixaban", 30)
    assert fact(record, "coagulopathy").reason is Reason.NOT_RECORDED
    assert fact(record.finding("coagulation-check", "normal", 2), "coagulopathy").value is False
    assert fact(person().medicine("Aspirin", 30), "coagulopathy").reason is Reason.NOT_RECORDED


# --- the plan


@pytest.mark.parametrize("answer", ["hold", "continue"])
def test_a_signed_plan_is_read_with_its_date_of_restart(answer: str) -> None:
    record = person().medicine("Apixaban", 30).hold(2, restart=5, answer=answer)
    assert fact(record, "antithrombotic-plan").value == answer
    assert fact(record, "antithrombotic-restart").value is True
    assert "2026-11-27" in fact(record, "antithrombotic-restart").detail["finding"]
    assert fact(person().hold(2, answer=answer), "antithrombotic-restart").value is False


def test_without_a_plan_nothing_is_known_of_a_restart() -> None:
    for datum in ("antithrombotic-plan", "antithrombotic-restart"):
        assert fact(person().medicine("Apixaban", 30), datum).reason is Reason.NOT_RECORDED
        assert (
            fact(person().hold(2, restart=5).hold(2, restart=9, answer="continue"), datum).reason is Reason.CONFLICTING
        )
    unsigned = person().hold(2, restart=5)
    del unsigned.resources[-1]["performer"]
    assert fact(unsigned, "antithrombotic-plan").candidate == "hold"
    assert fact(unsigned, "antithrombotic-restart").candidate is True


def test_a_plan_from_before_the_drug_is_stale_and_so_is_its_restart() -> None:
    early = person().hold(9, restart=5).medicine("Apixaban", 3)
    assert (fact(early, "antithrombotic-plan").reason, fact(early, "antithrombotic-plan").candidate) == (
        Reason.STALE, "hold",
    )  # fmt: skip
    assert fact(early, "antithrombotic-restart").reason is Reason.STALE
    again = person().medicine("Apixaban", 90).hold(9, restart=5).medicine("Apixaban", 3)
    assert fact(again, "antithrombotic-plan").value == "hold", "prescribed again, it is no new drug"
    assert fact(person().medicine("Apixaban", 3).hold(3, restart=5), "antithrombotic-plan").value == "hold"


def test_the_latest_plan_counts_with_its_own_restart() -> None:
    record = person().hold(9, restart=5).hold(2)
    assert fact(record, "antithrombotic-restart").value is False
    assert fact(person().hold(9).hold(2, restart=5), "antithrombotic-restart").value is True


def test_a_restart_before_the_plan_itself_is_not_believed() -> None:
    assert fact(person().hold(2, restart=-9), "antithrombotic-restart").reason is Reason.UNPARSEABLE


def test_a_plan_may_be_part_of_an_attestation_with_its_restart() -> None:
    record = person().attest({"antithrombotic-plan": "hold", "thrombotic-risk": "not-high"}, 1)
    day = {"code": record.resources[-1]["component"][0]["code"], "valueDateTime": "2026-11-29"}
    system = day["code"]["coding"][0]["system"]
    record.resources[-1]["component"].append(day | {"code": {"coding": [{"system": system, "code": "restart-on"}]}})
    assert fact(record, "antithrombotic-plan").value == "hold"
    assert fact(record, "antithrombotic-restart").value is True


# --- the table


def test_every_name_says_where_it_was_read_and_matches_itself() -> None:
    for name, kind in names().kinds.items():
        assert feared(person().medicine(f"{name.upper()} forte", 3)) == kind


@pytest.mark.parametrize(
    ("old", "new"), [("source: [fda-ndc, synthetic]", "source: [hearsay]"), ("{kind: antiplatelet,", "{kind: thin,")]
)
def test_a_row_without_a_source_or_of_no_known_kind_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = (PROFILES / "antithrombotics.yaml").read_text(encoding="utf-8")
    (tmp_path / "antithrombotics.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RuleBookError):
        Names.load(tmp_path)


@pytest.mark.parametrize("answer", ["hold", "continue"])
def test_a_plan_from_before_the_present_order_is_stale(answer: str) -> None:
    def plan(days: float) -> Fact:
        record = person().fracture("L1", 30).medicine("", 700, code=APIXABAN).hold(days, restart=5, answer=answer)
        return fact(record.order("vertebral-augmentation", 2, levels=["L1"]), "antithrombotic-plan")

    assert plan(1).value == plan(2).value == answer
    assert (plan(3).reason, plan(3).candidate) == (Reason.STALE, answer)


def test_a_plan_to_hold_is_over_when_its_restart_has_come_and_no_cement_was_given() -> None:
    def plan(restart: float, answer: str = "hold", cemented: float | None = None) -> Fact:
        record = person().fracture("L1", 30).medicine("", 700, code=APIXABAN).hold(10, restart=restart, answer=answer)
        if cemented is not None:
            record.cement("L1", cemented)
        return fact(record, "antithrombotic-plan")

    assert plan(0).value == "hold", "today it may still be done"
    assert (plan(-1).reason, plan(-1).candidate) == (Reason.STALE, "hold")
    assert plan(-1, "continue").value == "continue"
    assert plan(-1, cemented=5).value == "hold"
    assert plan(-1, cemented=20).reason is Reason.STALE
