"""Measurements in the units that we know, and the markers of inflammation by the laboratory's own word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.demo.record import LOINC, Record
from pathway.facts import Fact, Reason
from tests.world import case_of, person

INR, PLATELETS, TEMPERATURE = "6301-6", "777-3", "8310-5"
CRP, ESR, LEUCOCYTES = "1988-5", "4537-7", "6690-2"
KINDS = [("inr", INR, "{INR}", 1.1, 2.3), ("platelets", PLATELETS, "10*9/L", 210, 48),
         ("body-temperature", TEMPERATURE, "Cel", 36.8, 38.4)]  # fmt: skip


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def markers(record: Record) -> Fact:
    return fact(record, "inflammation-markers")


def crp(days: float, flag: str = "", code: str = CRP, **about: Any) -> Record:
    return person().lab(code, 12, "mg/L", days, flag=flag, **about)


@pytest.mark.parametrize(
    ("code", "datum", "value", "unit", "expected"),
    [
        (INR, "inr", 1.1, "{INR}", "1.10"), (INR, "inr", 1.8, "1", "1.80"), (INR, "inr", 1.804, "{INR}", "1.81"),
        (PLATELETS, "platelets", 210, "10*9/L", "210"), (PLATELETS, "platelets", 49.9, "10*3/uL", "49"),
        (PLATELETS, "platelets", 150000, "/uL", "150"), (PLATELETS, "platelets", 50, "10*3/mm3", "50"),
        (TEMPERATURE, "body-temperature", 37, "Cel", "37.0"), (TEMPERATURE, "body-temperature", 37.96, "Cel", "38.0"),
        (TEMPERATURE, "body-temperature", 100.4, "[degF]", "38.0"),
        (TEMPERATURE, "body-temperature", 98.6, "[degF]", "37.0"),
    ],
)  # fmt: skip
def test_a_number_is_read_in_its_unit_and_rounded_towards_what_warns(
    code: str, datum: str, value: float, unit: str, expected: str
) -> None:
    assert str(fact(person().lab(code, value, unit, 2), datum).value) == expected


@pytest.mark.parametrize(
    ("code", "datum", "value", "unit"),
    [
        (PLATELETS, "platelets", 210, "K/uL"), (PLATELETS, "platelets", 210, "g/L"),
        (PLATELETS, "platelets", 210000, "10*9/L"), (INR, "inr", 12, "s"), (INR, "inr", 40, "{INR}"),
        (INR, "inr", "1.1", ""), (TEMPERATURE, "body-temperature", 98.6, "Cel"),
        (TEMPERATURE, "body-temperature", 37, "K"),
    ],
)  # fmt: skip
def test_a_unit_that_is_not_known_or_a_value_out_of_range_is_never_guessed(
    code: str, datum: str, value: float | str, unit: str
) -> None:
    read = fact(person().lab(code, value, unit, 2), datum)
    assert (read.reason, read.sources) == (Reason.UNPARSEABLE, ("Observation/p1-lab-1",))


def test_platelets_without_a_unit_or_as_a_bound_are_not_read() -> None:
    for change in ({"value": 210}, {"value": 100, "code": "10*9/L", "comparator": "<"}):
        record = person().lab(PLATELETS, 210, "10*9/L", 2)
        record.resources[-1]["valueQuantity"] = change
        assert fact(record, "platelets").reason is Reason.UNPARSEABLE


@pytest.mark.parametrize(("datum", "code", "unit", "one", "other"), KINDS)
def test_a_measurement_is_the_latest_confirmed_one(
    datum: str, code: str, unit: str, one: float, other: float
) -> None:  # fmt: skip
    def lab(*rows: tuple[float, float, str]) -> Fact:
        record = person()
        for value, days, status in rows:
            record.lab(code, value, unit, days, status=status)
        return fact(record, datum)

    value = Decimal(str(other))
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    assert lab((one, 9, "final"), (other, 2, "final")).value == value
    assert lab((other, 2, "final"), (one, 9, "final")).value == value
    assert lab((one, 2, "final"), (other, 2, "final")).reason is Reason.CONFLICTING
    assert lab((other, 2, "preliminary")).candidate == value
    assert lab((other, 9, "corrected"), (one, 2, "entered-in-error")).value == value
    assert lab((other, 9, "amended"), (one, 2, "cancelled")).value == value


def test_a_later_result_that_cannot_be_read_is_not_passed_over_for_an_older_one() -> None:
    record = person().lab(INR, 1.1, "{INR}", 9).lab(INR, 3, "s", 2)
    assert fact(record, "inr").reason is Reason.UNPARSEABLE
    assert fact(record.lab(INR, 1.1, "{INR}", 2), "inr").reason is Reason.UNPARSEABLE, "nor for one of the same instant"


def test_a_result_of_a_report_that_was_taken_back_is_taken_back() -> None:
    record = person().lab(INR, 1.1, "{INR}", 2)
    report: dict[str, Any] = {"resourceType": "DiagnosticReport", "id": "r", "status": "entered-in-error",
                              "code": {"text": "coagulation"}, "subject": {"reference": "Patient/p1"},
                              "result": [{"reference": "Observation/p1-lab-1"}]}  # fmt: skip
    record.resources.append(report)
    assert fact(record, "inr").reason is Reason.NOT_RECORDED


def test_a_result_that_says_only_when_it_was_issued_is_unconfirmed_and_one_without_any_date_is_set_aside() -> None:
    record = person().lab(INR, 2.4, "{INR}", 2)
    issued = record.resources[-1].pop("effectiveDateTime")
    assert fact(record, "inr").reason is Reason.NOT_RECORDED
    assert [item.where for item in case_of(record).set_aside if item.code == "invalid"] == ["Observation/p1-lab-1"]
    record.resources[-1]["issued"] = issued
    assert fact(record, "inr").candidate == Decimal("2.4")


# --- inflammation


@pytest.mark.parametrize("code", [CRP, ESR, LEUCOCYTES])
@pytest.mark.parametrize(("flag", "value"), [("N", "normal"), ("H", "raised"), ("HH", "raised"), ("A", "raised")])
def test_the_laboratory_says_whether_a_marker_is_raised(code: str, flag: str, value: str) -> None:
    assert markers(crp(2, flag, code)).value == value
    doubted = markers(crp(2, flag, code, status="preliminary"))
    assert (doubted.reason, doubted.candidate) == (Reason.UNCONFIRMED, value)
    assert markers(crp(2, flag, code, status="entered-in-error")).reason is Reason.NOT_RECORDED


def test_without_its_word_the_laboratorys_own_range_counts_and_without_both_nothing_is_guessed() -> None:
    assert markers(crp(2, high=8)).value == "raised"
    assert markers(crp(2, high=12)).value == "normal"
    assert markers(crp(2)).reason is Reason.UNPARSEABLE
    below = crp(2, high=8)
    below.resources[-1]["valueQuantity"] |= {"value": 5, "comparator": "<"}
    assert markers(below).value == "normal"
    other = crp(2, high=8)
    other.resources[-1]["referenceRange"][0]["high"]["code"] = "mg/dL"
    assert markers(other).reason is Reason.UNPARSEABLE


def test_too_few_leucocytes_are_not_normal() -> None:
    assert markers(crp(2, "L", LEUCOCYTES)).reason is Reason.UNPARSEABLE
    assert markers(crp(2, "L", CRP)).value == "normal"


def test_one_marker_that_is_normal_takes_nothing_back_of_another_that_is_raised() -> None:
    record = crp(3, "H").lab(LEUCOCYTES, 7, "10*9/L", 1, flag="N")
    assert markers(record).value == "raised"
    assert markers(record.lab(CRP, 3, "mg/L", 1, flag="N")).value == "normal"
    unsaid = crp(1, "N").lab(LEUCOCYTES, 7, "10*9/L", 1)
    assert markers(unsaid).reason is Reason.UNPARSEABLE


def test_a_marker_that_one_word_or_its_own_range_calls_raised_is_not_normal_by_another_word() -> None:
    assert markers(crp(2, "N", high=8)).value == "raised"
    assert markers(crp(2, "N", high=12)).value == "normal"
    record = crp(2, "N")
    (coding,) = record.resources[-1]["interpretation"][0]["coding"]
    record.resources[-1]["interpretation"][0]["coding"] = [coding, {**coding, "code": "H"}]
    assert markers(record).value == "raised"


def test_a_finding_outweighs_the_markers_before_its_day() -> None:
    assert markers(person()).reason is Reason.NOT_RECORDED
    assert markers(person().finding("inflammation-markers", "raised", 2)).value == "raised"
    assert markers(crp(9, "H").finding("inflammation-markers", "normal", 2)).value == "normal"
    assert markers(crp(2, "H").finding("inflammation-markers", "normal", 9)).value == "raised"
    assert markers(crp(2, "H").finding("inflammation-markers", "normal", 2)).value == "raised"
    both = person().finding("inflammation-markers", "normal", 2).finding("inflammation-markers", "raised", 2)
    assert markers(both).reason is Reason.CONFLICTING


def test_inflammation_is_explained_by_a_signed_statement_from_its_day_on() -> None:
    datum = "inflammation-explained"
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    assert fact(crp(3, "H").finding(datum, "yes", 2), datum).value is True
    assert fact(crp(3, "H").finding(datum, "no", 3), datum).value is False
    early = fact(crp(3, "H").finding(datum, "yes", 9), datum)
    assert (early.reason, early.candidate) == (Reason.STALE, True)
    assert fact(crp(3, "N").finding(datum, "yes", 9), datum).value is True
    unsigned = crp(3, "H").finding(datum, "yes", 2)
    del unsigned.resources[-1]["performer"]
    assert fact(unsigned, datum).reason is Reason.UNCONFIRMED


@pytest.mark.parametrize(("warm", "reason"), [(37.5, None), (37.6, Reason.STALE)])
def test_a_new_fever_is_not_covered_by_an_older_explanation(warm: float, reason: Reason | None) -> None:
    record = person().finding("inflammation-explained", "yes", 4).lab(TEMPERATURE, warm, "Cel", 1)
    assert fact(record, "inflammation-explained").reason is reason


def test_codes_of_other_tests_are_not_read() -> None:
    record = person().lab("718-7", 11, "g/dL", 1)
    assert record.resources[-1]["code"]["coding"][0]["system"] == LOINC
    for datum in ("inr", "platelets", "body-temperature", "inflammation-markers"):
        assert fact(record, datum).reason is Reason.NOT_RECORDED


def at_once(code: str, *rows: tuple[float | str, str, str]) -> Record:
    record = person()
    for value, unit, status in rows:
        record.lab(code, value, unit, 1, status=status)
    return record


@pytest.mark.parametrize(
    ("code", "datum", "rows", "reason", "feared"),
    [
        (INR, "inr", [("4.5", "", "final")], "unparseable", "4.50"),
        (INR, "inr", [("> 8", "", "final")], "unparseable", "8.00"),
        (INR, "inr", [(5, "ratio", "final")], "unparseable", "5.00"),
        (INR, "inr", [(25, "{INR}", "final")], "unparseable", "20.00"),
        (INR, "inr", [("clotted", "", "final")], "unparseable", "None"),
        (INR, "inr", [(12, "s", "final")], "unparseable", "None"),
        (INR, "inr", [(6, "{INR}", "preliminary")], "unconfirmed", "6.00"),
        (INR, "inr", [(1.1, "{INR}", "final"), (4, "{INR}", "final")], "conflicting", "4.00"),
        (PLATELETS, "platelets", [(30, "10*9/L", "final"), (210, "10*9/L", "final")], "conflicting", "30"),
        (PLATELETS, "platelets", [(30, "K/uL", "final")], "unparseable", "None"),
        (TEMPERATURE, "body-temperature", [(39.5, "Cel", "preliminary")], "unconfirmed", "39.5"),
        (TEMPERATURE, "body-temperature", [(103, "F", "final")], "unparseable", "39.5"),
        (TEMPERATURE, "body-temperature", [(98.6, "Cel", "final")], "unparseable", "37.0"),
        (TEMPERATURE, "body-temperature", [("39,2", "", "final")], "unparseable", "39.2"),
    ],
)
def test_a_result_that_cannot_be_used_is_on_record_all_the_same_and_keeps_what_it_makes_feared(
    code: str, datum: str, rows: list[tuple[float | str, str, str]], reason: str, feared: str
) -> None:
    read = fact(at_once(code, *rows), datum)
    assert (read.value, read.reason, str(read.candidate)) == (None, reason, feared)


def test_a_bound_is_kept_as_what_is_feared() -> None:
    record = person().lab(INR, 8, "{INR}", 1)
    record.resources[-1]["valueQuantity"]["comparator"] = ">"
    assert (fact(record, "inr").reason, fact(record, "inr").candidate) == (Reason.UNPARSEABLE, Decimal(8))


@pytest.mark.parametrize(("datum", "code", "unit", "good", "bad"), KINDS)
def test_what_nobody_has_confirmed_takes_no_confirmed_result_back(
    datum: str, code: str, unit: str, good: float, bad: float
) -> None:  # fmt: skip
    def after(value: float | str, status: str) -> Fact:
        return fact(person().lab(code, bad, unit, 2).lab(code, value, unit, 1, status=status), datum)

    assert after(good, "final").value == Decimal(str(good))
    assert after(good, "preliminary").candidate == Decimal(str(bad))
    assert after("see comment", "final").candidate == Decimal(str(bad))


def test_a_marker_that_is_preliminary_or_says_nothing_takes_no_raised_one_back() -> None:
    assert markers(crp(2, "H").lab(CRP, 3, "mg/L", 1, flag="N")).value == "normal"
    assert markers(crp(2, "H").lab(CRP, 3, "mg/L", 1, flag="N", status="preliminary")).value == "raised"
    assert markers(crp(2, "H").lab(CRP, 3, "mg/L", 1)).value == "raised"
    said = crp(2, "H").finding("inflammation-markers", "normal", 1, status="preliminary")
    assert markers(said).value == "raised"
    both = person().finding("inflammation-markers", "normal", 2).finding("inflammation-markers", "raised", 2)
    assert markers(both).candidate == "raised"
