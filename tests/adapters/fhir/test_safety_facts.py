"""Allergy to cement, and coagulation: what forbids, what clears, and what only makes one careful."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.demo.record import SNOMED, Record
from pathway.facts import Fact, Reason
from tests.world import NOW, case_of, person

NKA = "716186003"
ASPIRIN = "387458008"
NKDA = "409137002"


def allergy(record: Record) -> Fact:
    return case_of(record).person.facts["cement-allergy"]


def coagulopathy(record: Record) -> Fact:
    return case_of(record).person.facts["coagulopathy"]


def likely(fact: Fact) -> bool:
    return fact.value is None and (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, True)


@pytest.mark.parametrize("substance", ["bone-cement", "cement-opacifier"])
def test_a_recorded_allergy_outweighs_every_no(substance: str) -> None:
    record = person().finding("cement-allergy", "absent", 1).allergy(substance, 300).allergy(NKA, 2, SNOMED)
    assert allergy(record).value is True


def test_the_substance_of_a_reaction_counts_as_what_the_allergy_is_to() -> None:
    record = person().allergy(ASPIRIN, 30, SNOMED)
    cement = {"coding": [{"system": "https://pathway.example/fhir/CodeSystem/allergen", "code": "bone-cement"}]}
    record.resources[-1]["reaction"] = [{"substance": cement, "manifestation": [{"text": "rash"}]}]
    assert allergy(record).value is True


def test_a_suspected_allergy_is_a_candidate_until_somebody_has_asked() -> None:
    record = person().allergy("bone-cement", 30, verification="unconfirmed")
    assert likely(allergy(record))
    assert allergy(record.finding("cement-allergy", "absent", 1)).value is False
    later = person().finding("cement-allergy", "absent", 40).allergy("bone-cement", 30, verification="unconfirmed")
    assert likely(allergy(later))


@pytest.mark.parametrize(
    "about", [{"verification": "entered-in-error"}, {"status": "resolved"}, {"status": "inactive"}]
)
def test_an_allergy_that_does_not_stand_is_neither_yes_nor_no(about: dict[str, str]) -> None:
    assert allergy(person().allergy("bone-cement", 30, **about)).reason is Reason.NOT_RECORDED  # type: ignore[arg-type]


def test_a_refuted_allergy_to_cement_is_a_no_and_one_to_something_else_is_not() -> None:
    assert allergy(person().allergy("bone-cement", 30, verification="refuted")).value is False
    assert allergy(person().allergy(ASPIRIN, 30, SNOMED, verification="refuted")).reason is Reason.NOT_RECORDED


def test_no_known_allergy_is_a_no_unless_some_allergy_is_known() -> None:
    assert allergy(person().allergy(NKA, 30, SNOMED)).value is False
    assert allergy(person().allergy(NKA, 30, SNOMED).allergy(ASPIRIN, 3, SNOMED)).reason is Reason.NOT_RECORDED
    assert allergy(person().allergy(NKA, 30, SNOMED, status="resolved")).reason is Reason.NOT_RECORDED
    assert allergy(person().allergy("409137002", 30, SNOMED)).reason is Reason.NOT_RECORDED  # drugs alone


def test_an_allergy_to_dye_asks_about_the_opacifier_and_one_to_a_drug_does_not() -> None:
    assert likely(allergy(person().condition("Z91.041", 300)))
    assert likely(allergy(person().condition("Z91.041", 300).allergy(NKA, 2, SNOMED)))
    assert allergy(person().condition("Z91.041", 300).finding("cement-allergy", "absent", 2)).value is False
    assert allergy(person().condition("Z88.8", 300)).reason is Reason.NOT_RECORDED


def test_a_finding_answers_and_a_preliminary_one_only_warns() -> None:
    assert allergy(person().finding("cement-allergy", "present", 1)).value is True
    assert allergy(person().finding("cement-allergy", "absent", 1)).value is False
    assert likely(allergy(person().finding("cement-allergy", "present", 1, status="preliminary")))
    assert allergy(person().finding("cement-allergy", "present", 1, status="entered-in-error")).reason is (
        Reason.NOT_RECORDED
    )


def test_an_undated_allergy_finding_warns_and_an_undated_no_says_nothing() -> None:
    for answer, reason in (("present", Reason.UNCONFIRMED), ("absent", Reason.NOT_RECORDED)):
        record = person().finding("cement-allergy", answer, 1)
        del record.resources[-1]["effectiveDateTime"]
        assert allergy(record).reason is reason


def test_what_is_recorded_after_the_decisions_instant_is_not_known() -> None:
    record = person().allergy("bone-cement", 1)
    assert case_of(record, NOW - timedelta(days=2)).person.facts["cement-allergy"].reason is Reason.NOT_RECORDED


# --- coagulation


@pytest.mark.parametrize("code", ["D68.9", "D68.32", "D66", "D68.020", "D68311", "D65"])
def test_a_defect_on_record_is_a_coagulopathy(code: str) -> None:
    assert coagulopathy(person().condition(code, 30)).value is True


@pytest.mark.parametrize("code", ["D68.51", "D68.61", "Z79.02", "D69.6"])
def test_thrombophilia_and_platelets_are_no_defect_of_coagulation(code: str) -> None:
    assert coagulopathy(person().condition(code, 30)).reason is Reason.NOT_RECORDED


def test_a_normal_check_after_the_diagnosis_means_corrected_and_one_before_it_does_not() -> None:
    assert coagulopathy(person().condition("D68.9", 30).finding("coagulation-check", "normal", 1)).value is False
    assert coagulopathy(person().finding("coagulation-check", "normal", 31).condition("D68.9", 30)).value is True
    assert coagulopathy(person().condition("D68.9", 30).finding("coagulation-check", "abnormal", 1)).value is True


def test_anticoagulants_alone_are_no_coagulopathy_and_outdate_a_check_from_before_them() -> None:
    alone = coagulopathy(person().condition("Z79.01", 300))
    assert (alone.reason, alone.candidate) == (Reason.NOT_RECORDED, None)
    assert coagulopathy(person().condition("Z79.01", 300).finding("coagulation-check", "normal", 1)).value is False
    before = coagulopathy(person().finding("coagulation-check", "normal", 400).condition("Z79.01", 300))
    assert before.reason is Reason.NOT_RECORDED


def test_a_diagnosis_that_is_suspected_denied_or_over_is_read_for_what_it_means() -> None:
    assert likely(coagulopathy(person().condition("D68.9", 30, verification="provisional")))
    for about in ({"verification": "refuted"}, {"verification": "entered-in-error"}, {"status": "resolved"}):
        assert coagulopathy(person().condition("D68.9", 30, **about)).reason is Reason.NOT_RECORDED


def test_nothing_recorded_is_not_a_clean_check() -> None:
    assert coagulopathy(person()).reason is Reason.NOT_RECORDED
    preliminary = person().finding("coagulation-check", "normal", 1, status="preliminary")
    assert (coagulopathy(preliminary).reason, coagulopathy(preliminary).candidate) == (Reason.UNCONFIRMED, False)


# --- other allergies


def other(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


@pytest.mark.parametrize("datum", ["cement-allergy", "contrast-allergy", "antibiotic-allergy"])
def test_no_known_allergy_is_a_no_only_beside_no_allergy(datum: str) -> None:
    assert other(person(), datum).reason is Reason.NOT_RECORDED
    assert other(person().allergy(NKA, 30, SNOMED), datum).value is False
    assert other(person().allergy(NKA, 30, SNOMED).allergy(ASPIRIN, 3, SNOMED), datum).value is not False
    assert other(person().allergy(NKA, 30, SNOMED, status="resolved"), datum).reason is Reason.NOT_RECORDED
    assert other(person().allergy(NKA, 30, SNOMED).allergy(NKDA, 30, SNOMED), datum).value is False
    assert other(person().finding(datum, "absent", 2), datum).value is False
    assert other(person().finding(datum, "present", 2), datum).value is True
    assert other(person().finding(datum, "absent", 9).finding(datum, "present", 2), datum).value is True
    assert likely(other(person().finding(datum, "present", 2, status="preliminary"), datum))
    both = person().finding(datum, "absent", 2).finding(datum, "present", 2)
    assert other(both, datum).reason is Reason.CONFLICTING
    assert other(person().finding(datum, "present", 2, status="entered-in-error"), datum).reason is Reason.NOT_RECORDED


def test_an_allergy_to_contrast_medium_is_told_by_its_diagnosis_code() -> None:
    datum = "contrast-allergy"
    assert other(person().condition("Z91.041", 300), datum).value is True
    assert likely(other(person().condition("Z91.041", 300, verification="provisional"), datum))
    assert other(person().condition("Z91.041", 300).finding(datum, "absent", 2), datum).value is True
    assert other(person().condition("Z91.041", 300, status="resolved"), datum).reason is Reason.NOT_RECORDED


def test_an_allergy_to_some_medicine_may_be_to_an_antibiotic() -> None:
    datum = "antibiotic-allergy"

    def medicine(code: str = ASPIRIN, system: str = SNOMED, **about: str) -> Record:
        record = person().allergy(code, 30, system, **about)  # type: ignore[arg-type]
        record.resources[-1]["category"] = ["medication"]
        return record

    assert other(person().condition("Z88.0", 300), datum).value is True
    assert likely(other(medicine(), datum))
    assert likely(other(medicine(verification="unconfirmed"), datum))
    assert other(medicine(status="resolved"), datum).reason is Reason.NOT_RECORDED
    assert other(medicine().finding(datum, "absent", 2), datum).value is False
    assert other(person().allergy(ASPIRIN, 30, SNOMED), datum).reason is Reason.NOT_RECORDED
    assert other(medicine(NKDA), datum).value is False, "no known drug allergy is filed under medicines, too"
    assert other(medicine(NKDA), "contrast-allergy").reason is Reason.NOT_RECORDED
