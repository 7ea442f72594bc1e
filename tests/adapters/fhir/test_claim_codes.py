"""Both codes of a claim for a tumour fracture: the fracture of this vertebra, and one of the six tumours."""

from __future__ import annotations

import pytest

from adapters.demo.record import Record
from pathway.facts import Fact, Value
from tests.adapters.fhir.vertebrae import facts, likely
from tests.world import person

TUMOURS = ["C41.2", "C79.51", "C79.52", "C90.00", "C90.01", "C90.02"]


def broken(code: str = "M84.58XA", *, verification: str = "confirmed") -> Record:
    return person().fracture("L1", 30, code, verification=verification)


def codes(record: Record, level: str = "L1") -> Fact:
    return facts(record, level)["tumour-claim-codes"]


@pytest.mark.parametrize("code", TUMOURS)
def test_the_fracture_with_any_of_the_six_tumours_is_both(code: str) -> None:
    assert codes(broken().condition(code, 200)).value == "both"
    assert codes(broken("M80.08XA").condition(code, 200)).value == "tumour-only"


@pytest.mark.parametrize("code", ["C90.30", "C50.911", "C79.50", "C41.0", "C79.89", "D16.6", "C90.10"])
def test_another_tumour_is_none_of_the_six(code: str) -> None:
    assert codes(broken().condition(code, 200)).value == "fracture-only"


@pytest.mark.parametrize(
    ("code", "value"),
    [("M84.58XA", "fracture-only"), ("M84.58XD", "fracture-only"), ("M84.58", "fracture-only"),
     ("M80.08XA", "neither"), ("M48.56XA", "neither"), ("M84.68XA", "neither")],
)  # fmt: skip
def test_the_fracture_code_alone_or_none_of_both(code: str, value: Value) -> None:
    assert codes(broken(code)).value == value


def test_what_is_left_of_the_fracture_is_coded_for_a_claim_too() -> None:
    record = person().fracture("L1", 30, "M48.56XA").fracture("L1", 30, "M84.58XS").condition("C79.51", 200)
    assert codes(record).value == "both"


def test_the_fracture_of_another_vertebra_is_not_this_ones() -> None:
    record = broken().fracture("L3", 30, "M80.08XA").condition("C79.51", 200)
    assert (codes(record).value, codes(record, "L3").value) == ("both", "tumour-only")


def test_a_fracture_code_that_names_no_vertebra_may_be_this_ones() -> None:
    record = person().fracture("L1", 30).fracture("", 30, "M84.58XA").condition("C79.51", 200)
    assert likely(codes(record), "both")
    assert codes(record, "unspecified").value == "both"
    joined = person().fracture("L1", 30, encounter="e").fracture("", 30, "M84.58XA", encounter="e")
    assert codes(joined.condition("C79.51", 200)).value == "both"


def test_suspected_codes_are_candidates_and_denied_or_healed_ones_nothing() -> None:
    assert likely(codes(broken().condition("C79.51", 200, verification="provisional")), "both")
    assert likely(codes(broken(verification="provisional").condition("C79.51", 200)), "both")
    assert codes(broken().condition("C79.51", 200, verification="refuted")).value == "fracture-only"
    assert codes(broken().condition("C79.51", 200, status="resolved")).value == "fracture-only"
    assert codes(broken().condition("C90.01", 200, status="remission")).value == "both"


def test_the_sources_are_the_codes_that_were_counted() -> None:
    assert codes(broken().condition("C79.51", 200)).sources == ("Condition/p1-fx-1", "Condition/p1-fx-2")
