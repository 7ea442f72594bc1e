"""Signs of danger at one vertebra: seen, feared, or looked for and absent; never lost for want of a date."""

from __future__ import annotations

import pytest

from adapters.demo.record import Record, concept
from adapters.fhir.reading import LEVEL
from pathway.facts import Fact, Reason
from tests.adapters.fhir.vertebrae import facts, likely, silent, two
from tests.world import person

SIGNS = ["atypical-pattern", "spinal-stenosis", "epidural-extension"]


def seen(sign: str, *rows: tuple[str, float], level: str = "L1", status: str = "final") -> Fact:
    record = two()
    for answer, days in rows:
        record.finding(sign, answer, days, level=level, status=status)
    return facts(record)[sign]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_is_there_absent_conflicting_or_not_looked_for_at_each_vertebra(sign: str) -> None:
    assert silent(seen(sign))
    assert seen(sign, ("present", 1)).value is True
    assert seen(sign, ("absent", 1)).value is False
    assert seen(sign, ("absent", 9), ("present", 1)).value is True
    assert seen(sign, ("present", 9), ("absent", 1)).value is False
    assert seen(sign, ("present", 1), ("absent", 1)).reason is Reason.CONFLICTING
    assert silent(seen(sign, ("present", 1), level="L3"))


@pytest.mark.parametrize("sign", SIGNS)
def test_a_preliminary_undated_or_unplaced_sign_still_warns(sign: str) -> None:
    assert likely(seen(sign, ("present", 1), status="preliminary"))
    assert likely(seen(sign, ("present", 1), level=""))
    undated = two().finding(sign, "present", 1, level="L1")
    del undated.resources[-1]["effectiveDateTime"]
    assert likely(facts(undated)[sign])
    assert silent(facts(undated, "L3")[sign])
    absent = two().finding(sign, "absent", 1, level="L1")
    del absent.resources[-1]["effectiveDateTime"]
    assert silent(facts(absent)[sign])
    assert silent(seen(sign, ("absent", 1), level=""))


@pytest.mark.parametrize("sign", SIGNS)
def test_what_does_not_go_away_by_itself_is_possible_from_before_the_fracture_on(sign: str) -> None:
    assert likely(seen(sign, ("present", 60)))
    assert silent(seen(sign, ("absent", 60)))
    assert seen(sign, ("present", 60), ("absent", 1)).value is False
    assert silent(seen(sign, ("present", 60), ("absent", 50)))


@pytest.mark.parametrize("sign", SIGNS)
def test_a_mistake_is_nothing_and_a_fracture_without_a_vertebra_has_no_signs(sign: str) -> None:
    assert silent(seen(sign, ("present", 1), status="entered-in-error"))
    assert silent(facts(person().fracture("", 30).finding(sign, "present", 1), "unspecified")[sign])


@pytest.mark.parametrize(
    ("code", "level", "there"),
    [
        ("M48.061", "L1", True), ("M48.062", "L3", True), ("M48.06", "L1", True), ("M48.04", "L1", False),
        ("M48.05", "L1", True), ("M48.05", "L3", False), ("M48.07", "L3", False), ("M48.00", "L3", True),
        ("M48.02", "L1", False), ("M48.50XA", "L1", False),
    ],
)  # fmt: skip
def test_stenosis_as_a_diagnosis_names_a_region_and_makes_it_possible_there(code: str, level: str, there: bool) -> None:
    fact = facts(two().condition(code, 900), level)["spinal-stenosis"]
    assert likely(fact) if there else silent(fact)


def test_stenosis_of_a_named_vertebra_is_true_there_and_a_look_after_it_clears_it() -> None:
    def placed() -> Record:
        record = two().condition("M48.061", 9)
        record.resources[-1]["bodySite"] = [concept(LEVEL, "L1")]
        return record

    assert facts(placed())["spinal-stenosis"].value is True
    assert silent(facts(placed(), "L3")["spinal-stenosis"])
    assert facts(placed().finding("spinal-stenosis", "absent", 1, level="L1"))["spinal-stenosis"].value is False
    assert silent(facts(two().condition("M48.061", 9, verification="refuted"))["spinal-stenosis"])
