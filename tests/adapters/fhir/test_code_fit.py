"""CPT codes and vertebrae: each code is for a region, at whose ends it begins and stops to fit."""

from __future__ import annotations

import pytest

from adapters.demo.record import CPT, Record, concept
from adapters.fhir.reading import LEVEL
from adapters.fhir.terminology import ICD_10_PCS
from pathway.facts import Fact
from pathway.levels import LEVELS, LevelRange
from tests.adapters.fhir.vertebrae import facts, likely, silent, treated, two
from tests.world import case_of, person

REGIONS = {
    "22510": "C1-T12", "22511": "L1-S1", "22513": "T1-T12", "22514": "L1-L5",
    "22512": "C1-S1", "22515": "T1-L5",
}  # fmt: skip
ENDS = [
    ("22510", "C1", True), ("22510", "T12", True), ("22510", "L1", False),
    ("22511", "T12", False), ("22511", "L1", True), ("22511", "S1", True),
    ("22513", "C7", False), ("22513", "T1", True), ("22513", "T12", True), ("22513", "L1", False),
    ("22514", "T12", False), ("22514", "L1", True), ("22514", "L5", True), ("22514", "S1", False),
    ("22512", "C1", True), ("22512", "S1", True),
    ("22515", "T1", True), ("22515", "L5", True), ("22515", "C7", False), ("22515", "S1", False),
]  # fmt: skip


def ordered(record: Record, level: str = "L1") -> Fact:
    return facts(record, level)["order-code-fits"]


def done(record: Record, level: str = "L1") -> Fact:
    return treated(record, level)["procedure-code-fits"]


def at(level: str) -> Record:
    return person().fracture(level, 30)


@pytest.mark.parametrize(("code", "level", "fits"), ENDS)
def test_a_code_fits_from_one_end_of_its_region_to_the_other(code: str, level: str, fits: bool) -> None:
    assert ordered(at(level).order(code, 1, levels=[level], system=CPT), level).value is fits
    assert done(at(level).cement(level, 1, code), level).value is fits


@pytest.mark.slow
@pytest.mark.parametrize(("code", "region"), REGIONS.items())
def test_every_vertebra_fits_where_the_region_holds_it(code: str, region: str) -> None:
    for level in LEVELS:
        fits = LevelRange.parse(region).holds(level)
        assert ordered(at(level).order(code, 1, levels=[level], system=CPT), level).value is fits
        assert done(at(level).cement(level, 1, code), level).value is fits


# --- orders


def test_an_order_is_of_the_vertebrae_that_it_names() -> None:
    record = two().order("22514", 1, levels=["L1"], system=CPT)
    assert ordered(record).value is True
    assert silent(ordered(record, "L3"))
    assert silent(ordered(two()))
    assert silent(ordered(two().order("22513", 1, system=CPT)))


def test_an_order_without_a_code_of_a_region_says_nothing() -> None:
    assert silent(ordered(two().order("vertebral-augmentation", 1, levels=["L1"])))
    assert silent(ordered(two().order("0QU03JZ", 1, levels=["L1"], system=ICD_10_PCS)))


def test_all_orders_of_a_vertebra_must_fit_and_those_that_stand_outweigh_drafts() -> None:
    both = two().order("22514", 2, levels=["L1"], system=CPT).order("22513", 1, levels=["L1"], system=CPT)
    assert ordered(both).value is False
    drafts = two().order("22513", 1, levels=["L1"], system=CPT, status="draft")
    assert likely(ordered(drafts), False)
    assert ordered(drafts.order("22514", 2, levels=["L1"], system=CPT)).value is True
    for about in ({"status": "revoked"}, {"status": "entered-in-error"}, {"intent": "proposal"}):
        assert silent(ordered(two().order("22513", 1, levels=["L1"], system=CPT, **about)))


def test_one_order_of_two_regions_fits_where_its_code_does() -> None:
    record = person().fracture("T12", 30).fracture("L1", 30).order("22514", 1, levels=["T12", "L1"], system=CPT)
    assert (ordered(record, "T12").value, ordered(record).value) == (False, True)


def test_an_add_on_beside_a_first_code_that_fits_none_of_its_vertebrae_carries_nothing() -> None:
    def plan(first: str, *levels: str) -> list[object]:
        record = person()
        for level in levels:
            record.fracture(level, 30)
        record.order(first, 1, levels=levels, system=CPT)
        record.resources[-1]["code"]["coding"] += concept(CPT, "22515")["coding"]
        return [ordered(record, level).value for level in levels]

    assert plan("22513", "T12", "L1") == [True, True]
    assert plan("22513", "L1", "L2") == [False, False]
    assert plan("22514", "L1", "L2") == [True, True]


# --- procedures


def test_one_event_with_several_codes_is_read_as_a_whole() -> None:
    claim = at("L1").cement("L1", 1, "0QU03JZ", ICD_10_PCS)
    assert silent(done(claim))
    assert done(claim.cement("", 1, "22514")).value is True
    assert done(at("L1").cement("L1", 1, "0QU03JZ", ICD_10_PCS).cement("", 1, "22513")).value is False
    assert done(at("L1").cement("L1", 1, "22514").cement("", 1, "22513")).value is False
    assert done(at("L1").cement("L1", 1, "22514").cement("L1", 1, "22513")).value is False


def test_an_add_on_code_is_for_the_second_vertebra() -> None:
    record = person().fracture("T12", 30).fracture("L1", 30).cement("T12", 1, "22513")
    named = record.cement("L1", 1, "22515")
    assert (done(named, "T12").value, done(named).value) == (True, True)
    unnamed = person().fracture("T12", 30).cement("T12", 1, "0PU43JZ", ICD_10_PCS)
    unnamed.cement("L1", 1, "0QU03JZ", ICD_10_PCS).cement("", 1, "22513")
    assert done(unnamed, "T12").value is True
    assert silent(done(unnamed))  # its own code may be to come
    unnamed.cement("", 1, "22515")
    assert (done(unnamed, "T12").value, done(unnamed).value) == (True, True)


def test_an_earlier_procedure_is_another_event() -> None:
    record = at("L1").cement("L1", 20, "22513").cement("L1", 1, "22514")
    found = [sheet.facts["procedure-code-fits"].value for sheet in case_of(record).treated]
    assert sorted(found, key=str) == [False, True]


def test_cement_of_no_named_vertebra_fits_nothing_and_a_mistaken_record_is_no_event() -> None:
    assert silent(done(at("L1").cement("", 1, "22514"), "unspecified"))
    record = at("L1").cement("L1", 1, "22514").cement("L1", 1, "22513", status="entered-in-error")
    assert done(record).value is True


def test_one_procedure_of_two_vertebrae_fits_each_for_itself() -> None:
    record = person().fracture("T12", 30).cement("T12", 1, "22513")
    record.resources[-1]["bodySite"].append(concept(LEVEL, "L1"))
    assert (done(record, "T12").value, done(record).value) == (True, False)
