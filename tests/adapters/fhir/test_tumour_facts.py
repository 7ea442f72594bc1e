"""The kind of tumour, signs of one not yet found, and the ten signs that raise the suspicion of a fracture."""

from __future__ import annotations

import pytest

from adapters.demo.record import SNOMED, Record
from pathway.facts import Fact, Interval, Reason
from tests.world import case_of, person

ITEMS = ("adl-limited", "relief-at-rest", "minor-trauma", "activity-pain", "osteoporosis", "earlier-fracture",
         "steroids", "tenderness", "position-change", "midline-pain")  # fmt: skip
LASTING = {"osteoporosis", "earlier-fracture", "steroids"}


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def kind(record: Record) -> Fact:
    return fact(record, "tumour-kind")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("C90.00", "myeloma"), ("C90.02", "myeloma"), ("C79.51", "metastasis"), ("C79.52", "metastasis"),
        ("C41.2", "other-tumour"), ("C90.30", "other-tumour"),
    ],
)  # fmt: skip
def test_the_kind_is_that_of_the_active_diagnosis(code: str, value: str) -> None:
    assert kind(person().condition(code, 90)).value == value
    assert kind(person().condition(code, 90, verification="provisional")).candidate == value
    for about in ({"status": "resolved"}, {"verification": "refuted"}, {"verification": "entered-in-error"}):
        assert kind(person().condition(code, 90, **about)).reason is Reason.NOT_RECORDED


def test_two_kinds_conflict_until_a_statement_decides() -> None:
    record = person().condition("C90.00", 90).condition("94222008", 80, SNOMED)
    assert kind(record).reason is Reason.CONFLICTING
    assert kind(record.finding("tumour-kind", "metastasis", 200)).value == "metastasis"
    assert kind(record.finding("tumour-kind", "myeloma", 200)).reason is Reason.CONFLICTING


@pytest.mark.parametrize("value", ["myeloma", "metastasis", "other-tumour"])
def test_a_statement_of_the_kind_is_the_latest(value: str) -> None:
    assert kind(person().finding("tumour-kind", "other-tumour", 9).finding("tumour-kind", value, 2)).value == value
    assert kind(person().finding("tumour-kind", value, 2, status="preliminary")).candidate == value
    assert kind(person().finding("tumour-kind", value, 2, status="entered-in-error")).reason is Reason.NOT_RECORDED
    doubted = person().condition("C79.51", 90).finding("tumour-kind", value, 2, status="preliminary")
    assert kind(doubted).value == "metastasis"


def test_signs_of_an_unfound_tumour_are_the_worst_of_finding_and_diagnosis() -> None:
    datum = "occult-tumour-signs"
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    assert fact(person().finding(datum, "absent", 2), datum).value is False
    assert fact(person().finding(datum, "absent", 9).finding(datum, "present", 2), datum).value is True
    for code in ("E83.52", "D47.2", "C80.1"):
        assert fact(person().condition(code, 90).finding(datum, "absent", 2), datum).value is True
        assert fact(person().condition(code, 90, verification="provisional"), datum).candidate is True
    assert fact(person().condition("D64.9", 90), datum).reason is Reason.NOT_RECORDED
    both = person().finding(datum, "absent", 2).finding(datum, "present", 2)
    assert fact(both, datum).reason is Reason.CONFLICTING


# --- the ten signs


def signs(record: Record) -> Fact:
    return fact(record, "suspicion-findings")


def test_nothing_recorded_is_unknown_and_no_interval() -> None:
    assert signs(person()).reason is Reason.NOT_RECORDED


def test_what_is_not_recorded_widens_the_interval_and_is_never_rounded() -> None:
    answers = dict.fromkeys((f"suspicion-{item}" for item in ITEMS[:6]), "present")
    record = person().panel("fracture-suspicion", answers | {"suspicion-steroids": "absent"}, 2)
    read = signs(record)
    assert read.value == Interval(6, 9)
    assert read.detail["recorded"] == "7 of 10"
    assert read.detail["silent"] == "tender spinous process, pain on change of position, midline pain"
    assert "long-term steroids" in read.detail["absent"]
    assert read.sources == ("Observation/p1-fracture-suspicion-1",)


@pytest.mark.parametrize("item", ITEMS)
def test_each_of_the_ten_is_counted_once(item: str) -> None:
    code = f"suspicion-{item}"
    assert signs(person().finding(code, "present", 2)).value == Interval(1, 10)
    assert signs(person().finding(code, "absent", 2)).value == Interval(0, 9)
    assert signs(person().finding(code, "present", 9).finding(code, "absent", 2)).value == Interval(0, 9)
    assert signs(person().finding(code, "present", 2, status="preliminary")).reason is Reason.NOT_RECORDED
    assert signs(person().finding(code, "present", 2).finding(code, "absent", 2)).reason is Reason.NOT_RECORDED
    before = signs(person().finding(code, "present", 99).fracture("L1", 20, "M48.50XA"))
    assert before.value == (Interval(1, 10) if item in LASTING else None)


def test_all_ten_leave_no_room() -> None:
    record = person().attest(dict.fromkeys((f"suspicion-{item}" for item in ITEMS), "present"), 2)
    assert signs(record).value == Interval(10, 10)
    assert signs(record).detail["silent"] == "none"


def test_other_records_show_that_a_sign_is_there_and_never_that_it_is_not() -> None:
    record = person().condition("M81.0", 900).condition("Z79.52", 90).tender("L1", True, 2)
    record.finding("fracture-mechanism", "low-energy", 5)
    assert signs(record).value == Interval(4, 10)
    assert signs(person().tender("L1", False, 2)).reason is Reason.NOT_RECORDED
    assert signs(record.finding("suspicion-osteoporosis", "absent", 1)).value == Interval(3, 9)
