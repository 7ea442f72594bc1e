"""What is known before a drug for the bone, from charts: kidneys, calcium, cautions, density, fractures on record."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.demo.record import Record
from pathway.facts import Fact, Interval, Reason
from tests.world import candidate, case_of, person

EGFR, CLEARANCE, CALCIUM, VITAMIN_D = "98979-8", "2164-2", "17861-6", "62292-8"
SURFACE = "mL/min/{1.73_m2}"
CAUTIONS = (
    "skeletal-malignancy", "recent-heart-attack-or-stroke", "paget-disease", "skeletal-radiotherapy",
    "oesophageal-disease", "cannot-sit-upright", "dental-review", "fall-risk-high", "atypical-femur-fracture",
    "jaw-necrosis",
)  # fmt: skip

FOR_LIFE = ("skeletal-malignancy", "paget-disease", "skeletal-radiotherapy", "atypical-femur-fracture", "jaw-necrosis")


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def told(record: Record, datum: str) -> tuple[Any, Any, Any]:
    found = fact(record, datum)
    return found.value, found.reason, found.candidate


# --- kidneys


@pytest.mark.parametrize(
    ("datum", "code", "unit"),
    [("egfr", EGFR, SURFACE), ("egfr", "33914-3", SURFACE), ("creatinine-clearance", CLEARANCE, "mL/min")],
)
def test_the_kidneys_are_read_by_their_own_codes_and_rounded_down(datum: str, code: str, unit: str) -> None:
    assert told(person().lab(code, 34.9, unit, 3), datum) == (34, None, None)
    assert told(person().lab(code, 80, unit, 9).lab(code, 29, unit, 3), datum) == (29, None, None)
    assert fact(person(), datum).reason is Reason.NOT_RECORDED


def test_a_filtration_rate_is_no_clearance_nor_the_other_way_about() -> None:
    assert fact(person().lab(EGFR, 62, SURFACE, 3), "creatinine-clearance").reason is Reason.NOT_RECORDED
    assert fact(person().lab(CLEARANCE, 62, "mL/min", 3), "egfr").reason is Reason.NOT_RECORDED
    assert fact(person().lab("2160-0", 1.1, "mg/dL", 3), "egfr").reason is Reason.NOT_RECORDED


def test_a_clearance_that_was_worked_out_is_the_local_code() -> None:
    record = person().finding("creatinine-clearance", "present", 3)
    del record.resources[-1]["valueCodeableConcept"]
    record.resources[-1]["valueQuantity"] = {"value": 41, "system": "http://unitsofmeasure.org", "code": "mL/min"}
    assert told(record, "creatinine-clearance") == (41, None, None)


@pytest.mark.parametrize(
    ("comparator", "value", "reason", "candidate"), [(">", 60, None, None), ("<", None, Reason.UNPARSEABLE, 60)]
)
def test_a_rate_above_a_bound_is_at_least_that_and_one_below_it_is_feared(
    comparator: str, value: int | None, reason: Reason | None, candidate: int | None
) -> None:
    record = person().lab(EGFR, 60, SURFACE, 3)
    record.resources[-1]["valueQuantity"]["comparator"] = comparator
    assert told(record, "egfr") == (value, reason, candidate)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "preliminary"}, Reason.UNCONFIRMED),
        ({"unit": "ml/min/1.73 m2"}, Reason.UNPARSEABLE),
        ({"value": 900}, Reason.UNPARSEABLE),
    ],
    ids=["preliminary", "loose unit", "out of range"],
)
def test_a_rate_that_cannot_be_relied_on_is_unknown(change: dict[str, Any], reason: Reason) -> None:
    given: dict[str, Any] = {"value": 62, "unit": SURFACE, **change}
    record = person().lab(EGFR, given.pop("value"), given.pop("unit"), 3, **given)
    assert fact(record, "egfr").reason is reason


@pytest.mark.parametrize(("code", "unit"), [(EGFR, SURFACE), (CLEARANCE, "mL/min"), (CALCIUM, "mg/dL")])
def test_a_result_without_any_date_is_listed_and_not_passed_over_in_silence(code: str, unit: str) -> None:
    record = person().lab(code, 12, unit, 3)
    del record.resources[-1]["effectiveDateTime"]
    aside = {(item.where, item.why) for item in case_of(record).set_aside}
    reference = f"Observation/{record.resources[-1]['id']}"
    assert (reference, "a measurement without a date cannot be placed in time") in aside


# --- calcium and vitamin D


@pytest.mark.parametrize(
    ("flag", "calcium"), [("L", "low"), ("LL", "low"), ("N", "normal"), ("H", "high"), ("HH", "high")]
)
def test_calcium_is_what_its_laboratory_says(flag: str, calcium: str) -> None:
    assert told(person().lab(CALCIUM, 9, "mg/dL", 3, flag=flag), "blood-calcium") == (calcium, None, None)


@pytest.mark.parametrize(("value", "calcium"), [(2.09, "low"), (2.1, "normal"), (2.56, "high")])
def test_calcium_in_moles_has_its_own_code_and_range(value: float, calcium: str) -> None:
    record = person().lab("2000-8", value, "mmol/L", 3, low=2.1, high=2.55)
    assert told(record, "blood-calcium") == (calcium, None, None)
    record.resources[-1]["referenceRange"][0]["low"]["code"] = "mg/dL"
    assert fact(record, "blood-calcium").value == ("high" if calcium == "high" else None), "a range in another unit"


@pytest.mark.parametrize(("value", "calcium"), [(8.4, "low"), (8.5, "normal"), (10.2, "normal"), (10.3, "high")])
def test_without_its_word_calcium_is_held_to_its_own_range(value: float, calcium: str) -> None:
    record = person().lab(CALCIUM, value, "mg/dL", 3, low=8.5, high=10.2)
    assert told(record, "blood-calcium") == (calcium, None, None)


def test_calcium_with_half_a_range_is_not_called_normal() -> None:
    assert fact(person().lab(CALCIUM, 9, "mg/dL", 3, low=8.5), "blood-calcium").reason is Reason.UNPARSEABLE
    assert fact(person().lab(CALCIUM, 9, "mg/dL", 3, high=10.2), "blood-calcium").reason is Reason.UNPARSEABLE
    assert fact(person().lab(CALCIUM, 8, "mg/dL", 3, low=8.5), "blood-calcium").value == "low"
    assert fact(person().lab(CALCIUM, 9, "mg/dL", 3, flag="A"), "blood-calcium").reason is Reason.UNPARSEABLE
    assert fact(person().lab(CALCIUM, 9, "mg/dL", 3), "blood-calcium").reason is Reason.UNPARSEABLE


def interpreted(value: float, *codes: str, **limits: Any) -> Record:
    """A calcium with several codes of interpretation in one concept."""
    record = person().lab(CALCIUM, value, "mg/dL", 3, flag="N", **limits)
    (coding,) = record.resources[-1]["interpretation"][0]["coding"]
    record.resources[-1]["interpretation"][0]["coding"] = [{**coding, "code": code} for code in codes]
    return record


def test_two_words_of_one_interpretation_are_both_heard() -> None:
    assert told(interpreted(9, "N", "N"), "blood-calcium") == ("normal", None, None)
    assert told(interpreted(9, "N", "L"), "blood-calcium") == ("low", None, None)
    assert fact(interpreted(9, "L", "H"), "blood-calcium").reason is Reason.UNPARSEABLE
    assert fact(interpreted(9, "N", "A"), "blood-calcium").reason is Reason.UNPARSEABLE


def test_a_result_outside_its_own_range_is_not_normal_by_a_word() -> None:
    assert told(interpreted(6.1, "N", low=8.5, high=10.5), "blood-calcium") == ("low", None, None)
    assert told(interpreted(13, "N", low=8.5, high=10.5), "blood-calcium") == ("high", None, None)
    assert told(interpreted(9, "L", low=8.5, high=10.5), "blood-calcium") == ("low", None, None)
    assert fact(interpreted(6.1, "H", low=8.5, high=10.5), "blood-calcium").reason is Reason.UNPARSEABLE


def test_a_later_calcium_counts_and_a_preliminary_one_takes_no_low_one_back() -> None:
    low = person().lab(CALCIUM, 7, "mg/dL", 9, flag="L")
    assert told(low, "blood-calcium") == ("low", None, None)
    assert told(low.lab(CALCIUM, 9, "mg/dL", 2, flag="N", status="preliminary"), "blood-calcium") == (
        None, Reason.UNCONFIRMED, "low",
    )  # fmt: skip
    assert told(low.lab(CALCIUM, 9, "mg/dL", 1, flag="N"), "blood-calcium") == ("normal", None, None)


def test_two_results_of_one_time_conflict_and_the_low_one_is_feared() -> None:
    record = person().lab(CALCIUM, 7, "mg/dL", 2, flag="L").lab(CALCIUM, 9, "mg/dL", 2, flag="N")
    assert told(record, "blood-calcium") == (None, Reason.CONFLICTING, "low")


@pytest.mark.parametrize(("value", "low"), [(19.9, True), (20, False), (90, False)])
def test_vitamin_d_needs_but_the_lower_end(value: float, low: bool) -> None:
    assert told(person().lab(VITAMIN_D, value, "ng/mL", 3, low=20), "vitamin-d-low") == (low, None, None)
    assert told(person().lab(VITAMIN_D, value, "ng/mL", 3, flag="L"), "vitamin-d-low") == (True, None, None)
    assert told(person().lab(VITAMIN_D, value, "ng/mL", 3, flag="H"), "vitamin-d-low") == (False, None, None)


# --- what speaks against a drug


@pytest.mark.parametrize("code", CAUTIONS)
def test_a_caution_is_what_was_asked_for_and_answered(code: str) -> None:
    assert fact(person(), code).reason is Reason.NOT_RECORDED
    assert told(person().finding(code, "present", 3), code) == (True, None, None)
    assert told(person().finding(code, "absent", 3), code) == (False, None, None)
    both = told(person().finding(code, "present", 9).finding(code, "absent", 3), code)
    assert both == ((None, Reason.CONFLICTING, True) if code in FOR_LIFE else (False, None, None))


@pytest.mark.parametrize("code", FOR_LIFE)
def test_what_nobody_confirmed_is_settled_by_a_later_no(code: str) -> None:
    record = person().finding(code, "present", 9, status="preliminary").finding(code, "absent", 3)
    assert told(record, code) == (False, None, None)


@pytest.mark.parametrize("code", [code for code in CAUTIONS if code != "dental-review"])
def test_an_undated_caution_warns_all_the_same(code: str) -> None:
    record = person().finding(code, "present", 1)
    del record.resources[-1]["effectiveDateTime"]
    assert told(record, code) == (None, Reason.UNCONFIRMED, True)


def test_an_attestation_answers_all_cautions_at_once() -> None:
    facts = case_of(person().attest(dict.fromkeys(CAUTIONS, "absent"), 1)).person.facts
    assert {facts[code].value for code in CAUTIONS} == {False}


@pytest.mark.parametrize(
    ("code", "datum"),
    [
        ("I21.4", "recent-heart-attack-or-stroke"), ("I63.9", "recent-heart-attack-or-stroke"),
        ("I61.9", "recent-heart-attack-or-stroke"), ("M88.9", "paget-disease"), ("K22.0", "oesophageal-disease"),
        ("K20.90", "oesophageal-disease"), ("M84.750A", "atypical-femur-fracture"), ("M87.180", "jaw-necrosis"),
    ],
)  # fmt: skip
def test_a_diagnosis_outweighs_an_answer_that_denies_it(code: str, datum: str) -> None:
    assert told(person().condition(code, 30), datum) == (True, None, None)
    assert told(person().condition(code, 30).finding(datum, "absent", 2), datum) == (True, None, None)
    suspected = person().condition(code, 30, verification="provisional")
    assert told(suspected, datum) == (None, Reason.UNCONFIRMED, True)
    assert told(suspected.finding(datum, "absent", 2), datum) == (False, None, None)
    assert fact(person().condition(code, 30, verification="refuted"), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(("days", "recent"), [(364, True), (365, True), (366, None)])
@pytest.mark.parametrize("status", ["active", "resolved"])
def test_a_heart_attack_speaks_against_a_drug_for_a_year_though_it_is_over(
    days: int, recent: bool | None, status: str
) -> None:
    assert fact(person().condition("I21.4", days, status=status), "recent-heart-attack-or-stroke").value is recent


def test_reflux_alone_and_an_oesophagus_that_healed_are_no_disease_and_paget_does_not_heal() -> None:
    assert fact(person().condition("K21.9", 30), "oesophageal-disease").value is None
    assert fact(person().condition("K22.0", 300, status="resolved"), "oesophageal-disease").value is None
    assert fact(person().condition("M88.9", 300, status="resolved"), "paget-disease").value is True


def test_irradiation_of_an_unnamed_place_is_feared_until_somebody_says_where() -> None:
    record = person().condition("Z92.3", 900)
    assert told(record, "skeletal-radiotherapy") == (None, Reason.UNCONFIRMED, True)
    assert fact(record.finding("skeletal-radiotherapy", "absent", 1), "skeletal-radiotherapy").value is False


@pytest.mark.parametrize("code", ["C79.51", "C90.00", "C41.2"])
def test_a_tumour_in_bone_is_told_by_its_diagnosis(code: str) -> None:
    assert fact(candidate().condition(code, 30), "skeletal-malignancy").value is True
    assert told(candidate().condition(code, 30, verification="provisional"), "skeletal-malignancy") == (
        None,
        Reason.UNCONFIRMED,
        True,
    )


def test_a_vertebra_that_a_tumour_broke_is_a_tumour_in_bone() -> None:
    record = person().fracture("L1", 30, code="M84.58XA").finding("fracture-cause", "neoplastic", 3, level="L1")
    assert fact(record, "skeletal-malignancy").value is True
    assert fact(record.finding("skeletal-malignancy", "absent", 1), "skeletal-malignancy").value is True


def test_a_fracture_is_osteoporotic_by_any_vertebra_and_not_only_by_all() -> None:
    assert fact(person(), "fragility-fracture").reason is Reason.NOT_RECORDED
    assert fact(person().fracture("L1", 30), "fragility-fracture").value is True
    both = person().fracture("L1", 30).fracture("L3", 30, code="M84.58XA")
    assert fact(both, "fragility-fracture").value is True
    assert (
        fact(person().fracture("L1", 30, code="M84.58XA").condition("C79.51", 30), "fragility-fracture").value is False
    )
    assert fact(person().fracture("L1", 30, code="S32.010A"), "fragility-fracture").value is None


# --- how likely another fracture is


def test_the_lowest_t_score_of_the_latest_of_each_site_counts() -> None:
    record = person().lab("38267-1", -3.4, "{T-score}", 900).lab("38267-1", -2.1, "{T-score}", 9)
    assert told(record, "t-score") == (Decimal("-2.1"), None, None)
    record.lab("38264-8", -2.74, "{T-score}", 40)
    assert told(record, "t-score") == (Decimal("-2.8"), None, None)
    record.lab("38263-0", "severe", "", 3)
    assert told(record, "t-score") == (None, Reason.UNPARSEABLE, Decimal("-2.8"))


@pytest.mark.parametrize(
    ("datum", "unit", "value", "read"),
    [
        ("frax-major", "%", 30.01, Decimal("30.1")),
        ("frax-hip", "%", 4.5, Decimal("4.5")),
        ("hounsfield-units", "[hnsf'U]", 64.9, 64),
    ],
)
def test_a_local_number_is_rounded_towards_what_warns(datum: str, unit: str, value: float, read: Any) -> None:
    record = person().finding(datum, "present", 3)
    del record.resources[-1]["valueCodeableConcept"]
    record.resources[-1]["valueQuantity"] = {"value": value, "system": "http://unitsofmeasure.org", "code": unit}
    assert told(record, datum) == (read, None, None)
    record.resources[-1]["valueQuantity"]["code"] = "mm"
    assert fact(record, datum).reason is Reason.UNPARSEABLE


def test_body_mass_is_its_loinc_code() -> None:
    assert told(person().lab("39156-5", 21.39, "kg/m2", 3), "body-mass-index") == (Decimal("21.3"), None, None)


def test_the_last_fracture_is_the_latest_of_all_and_may_be_later_where_a_day_is_not_known() -> None:
    assert fact(person().fracture("L1", 30).fracture("T12", 400), "days-since-last-fracture").value == Interval(30, 30)
    assert fact(person(), "days-since-last-fracture").reason is Reason.NOT_RECORDED


def test_broken_vertebrae_are_counted_and_one_without_a_name_may_be_one_of_them() -> None:
    assert fact(person(), "fractured-vertebrae").value == Interval(0, 0)
    assert fact(person().fracture("L1", 30).fracture("T12", 400), "fractured-vertebrae").value == Interval(2, 2)
    assert fact(person().fracture("L1", 30).fracture("", 900), "fractured-vertebrae").value == Interval(1, 2)
    assert fact(person().fracture("", 30), "fractured-vertebrae").value == Interval(1, 1)


def test_the_second_loss_of_height_is_open_while_a_vertebra_was_not_measured() -> None:
    one = person().fracture("L1", 30).height_loss("L1", 40, 20)
    assert fact(one, "second-height-loss").value == Interval(0, 0)
    two = one.fracture("T12", 30)
    assert fact(two, "second-height-loss").value == Interval(0, 100)
    assert fact(two.height_loss("T12", 26, 20), "second-height-loss").value == Interval(26, 26)


def test_the_time_on_treatment_is_the_longest_of_all_vertebrae() -> None:
    assert fact(person().fracture("L1", 30), "days-treated-at-fracture").reason is Reason.NOT_RECORDED
    treated = person().fracture("L1", 30)
    for days in range(500, 20, -30):
        treated.medicine("", days, code="77655", kind="MedicationDispense", status="completed")
    value = fact(treated, "days-treated-at-fracture").value
    assert isinstance(value, Interval)
    assert value.lo > 300


def test_much_height_restored_is_of_this_procedure_and_vertebra() -> None:
    record = candidate().cement("L1", 3)
    (sheet,) = case_of(record).treated
    assert sheet.facts["much-height-restored"].reason is Reason.NOT_RECORDED
    (sheet,) = case_of(record.of_procedure("much-height-restored", "present", 2, level="L1")).treated
    assert sheet.facts["much-height-restored"].value is True
