"""Orders and statements about the person: bone density, education, disability, reasons, and the plan's vertebrae."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.demo.record import CPT, LOINC, SNOMED, Record
from pathway.facts import Fact, Interval, Reason
from tests.world import candidate, case_of, person, read, settled


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def bone_density(record: Record) -> Fact:
    return fact(record, "bone-density-referral")


def planned(record: Record) -> Fact:
    return fact(record, "levels-planned")


@pytest.mark.parametrize(
    ("code", "system"), [("bone-density", None), ("38267-1", LOINC), ("24966-4", LOINC), ("312681000", SNOMED)]
)
def test_an_order_for_densitometry_is_a_referral(code: str, system: str | None) -> None:
    about = {"system": system} if system else {}
    assert bone_density(person().order(code, 3, **about)).value is True
    assert bone_density(person().order(code, 3, status="completed", **about)).value is True


@pytest.mark.parametrize(
    "about", [{"status": "revoked"}, {"status": "entered-in-error"}, {"intent": "proposal"}, {"code": "spine-mri"}]
)
def test_an_order_that_does_not_stand_or_is_for_something_else_is_none(about: dict[str, Any]) -> None:
    code = about.pop("code", "bone-density")
    assert bone_density(person().order(code, 3, **about)).reason is Reason.NOT_RECORDED


def test_an_order_not_to_do_it_is_no_referral_and_a_draft_is_a_candidate() -> None:
    against = person().order("bone-density", 3)
    against.resources[-1]["doNotPerform"] = True
    assert bone_density(against).reason is Reason.NOT_RECORDED
    draft = bone_density(person().order("bone-density", 3, status="draft"))
    assert (draft.reason, draft.candidate) == (Reason.UNCONFIRMED, True)


def test_a_result_shows_that_it_was_done_and_a_statement_answers_too() -> None:
    record = person().disability(3, 9)
    record.resources[-1]["code"] = {"coding": [{"system": LOINC, "code": "38267-1"}]}
    assert bone_density(record).value is True
    assert bone_density(person().finding("bone-density-referral", "no", 2)).value is False
    assert bone_density(person().finding("bone-density-referral", "yes", 2)).value is True
    assert bone_density(person().finding("bone-density-referral", "no", 2).order("bone-density", 1)).value is True


@pytest.mark.parametrize("datum", ["osteoporosis-education", "treatment-programme"])
def test_what_was_told_the_patient_is_the_latest_that_was_recorded(datum: str) -> None:
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    assert fact(person().finding(datum, "no", 9).finding(datum, "yes", 1), datum).value is True
    assert fact(person().finding(datum, "yes", 9).finding(datum, "no", 1), datum).value is False
    assert fact(person().finding(datum, "yes", 1, status="preliminary"), datum).candidate is True
    boolean = person().finding(datum, "yes", 1)
    del boolean.resources[-1]["valueCodeableConcept"]
    boolean.resources[-1]["valueBoolean"] = False
    assert fact(boolean, datum).value is False


@pytest.mark.parametrize("flag", ["level-count", "allergy", "coagulopathy", "neurology"])
def test_a_reason_is_documented_by_its_signed_text_and_the_text_is_not_carried_on(flag: str) -> None:
    datum = f"reason-despite-{flag}"
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    record = person().reason(flag, 1, text="a very private sentence")
    assert fact(record, datum).value is True
    assert "private" not in str(case_of(record).person.to_json())
    assert fact(person().finding(datum, "no", 1), datum).value is False
    assert fact(person().reason(flag, 1, text=" "), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("performer", [[], [{"reference": "Device/x"}], [{"reference": "Patient/p1"}]])
def test_a_statement_that_no_professional_signed_is_only_a_candidate(performer: list[dict[str, str]]) -> None:
    record = person().reason("allergy", 1)
    record.resources[-1]["performer"] = performer
    if not performer:
        del record.resources[-1]["performer"]
    said = fact(record, "reason-despite-allergy")
    assert (said.reason, said.candidate) == (Reason.UNCONFIRMED, True)


def test_one_signed_statement_answers_several_items_and_an_unsigned_one_answers_none_for_sure() -> None:
    answers = {"neurological-examination": "normal", "infection-screen": "absent", "coagulation-check": "normal"}
    facts = case_of(person().attest(answers, 1)).person.facts
    assert (facts["neurology"].value, facts["infection"].value, facts["coagulopathy"].value) == ("normal", False, False)
    facts = case_of(person().attest(answers, 1, signed=False)).person.facts
    assert {facts[d].reason for d in ("neurology", "infection", "coagulopathy")} == {Reason.UNCONFIRMED}


def test_disability_is_the_latest_total_and_never_a_fraction_or_out_of_range() -> None:
    assert fact(person().disability(9, 20).disability(18, 1), "disability-score").value == 18
    assert fact(person().disability(0, 1), "disability-score").value == 0
    assert fact(person().disability(18, 1, status="preliminary"), "disability-score").candidate == 18
    assert fact(person().disability(18, 1).disability(17, 1), "disability-score").reason is Reason.CONFLICTING
    for value in (25, -1, 17.5):
        record = person().disability(0, 1)
        del record.resources[-1]["valueInteger"]
        record.resources[-1]["valueQuantity"] = {"value": value, "code": "{score}"}
        (refused,) = (entry for entry in read(record).entries if not entry.accepted)
        assert refused.code == "value"
        assert "disability-score" in refused.why
        assert fact(record, "disability-score").reason is Reason.NOT_RECORDED


# --- the vertebrae of the procedure


def test_without_a_fracture_nothing_is_known_of_a_plan() -> None:
    assert planned(person()).reason is Reason.NOT_RECORDED


def test_without_a_plan_it_lies_between_the_proven_and_the_fractured() -> None:
    assert planned(candidate()).value == Interval(1, 1)
    assert planned(candidate().fracture("T12", 30)).value == Interval(1, 2)
    assert planned(candidate().fracture("", 200)).value == Interval(1, 2)
    assert planned(person().fracture("L1", 9)).value == Interval(0, 1)


def test_a_plan_decides_by_the_vertebrae_that_it_names() -> None:
    levels = ["T11", "T12", "L1", "L2"]
    assert planned(candidate().order("vertebral-augmentation", 1, levels=levels)).value == Interval(4, 4)
    both = candidate().order("22514", 1, system=CPT, levels=["L1"]).order("22515", 1, system=CPT, levels=["L2"])
    assert planned(both).value == Interval(2, 2)
    twice = candidate().order("22514", 1, system=CPT, levels=["L1"]).order("vertebral-augmentation", 2, levels=["L1"])
    assert planned(twice).value == Interval(1, 1)


def test_a_plan_that_names_no_vertebra_may_be_for_any_of_the_fractured_ones() -> None:
    record = candidate().fracture("T12", 30).fracture("T10", 30).order("22514", 1, system=CPT)
    assert planned(record).value == Interval(1, 3)


def test_a_plan_that_was_taken_back_or_carried_out_is_none_and_a_draft_is_a_candidate() -> None:
    for status in ("revoked", "entered-in-error", "completed"):
        record = candidate().order("vertebral-augmentation", 1, levels=["L1", "L2"], status=status)
        assert planned(record).value == Interval(1, 1)
    draft = planned(candidate().order("vertebral-augmentation", 1, levels=["L1", "L2"], status="draft"))
    assert (draft.reason, draft.candidate) == (Reason.UNCONFIRMED, Interval(2, 2))


def test_a_vertebra_that_has_its_cement_is_no_longer_planned() -> None:
    record = settled().order("vertebral-augmentation", 2, levels=["L1"]).cement("L1", 1)
    assert planned(record).reason is Reason.NOT_RECORDED
