"""How long a treatment ran without a break, what steroids and hormones are on record, and how denosumab goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.demo.record import ATC, Record
from adapters.fhir.bone_courses import run_holding
from pathway.facts import Fact, Reason
from tests.world import NOW, case_of, person

DAY0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return DAY0 + timedelta(days=day)


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8)


@given(spans, st.integers(0, 100))
def test_a_run_is_what_day_by_day_was_covered_without_a_break(rows: list[tuple[int, int]], day: int) -> None:
    """By the slow way: go back from the instant for as long as some span covers the day before."""
    covered = {d for first, long in rows for d in range(first + 1, first + long + 1)}
    begun = day if day in covered else None
    while begun is not None and begun in covered:
        begun -= 1
    expected = None if begun is None else at(begun)
    assert run_holding([(at(first), at(first + long)) for first, long in rows], at(day)) == expected


def of_person(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def of_level(record: Record, datum: str) -> Fact:
    (sheet,) = case_of(record).levels
    return sheet.facts[datum]


def drug(record: Record, days: float, kind: str, status: str, **period: float) -> Record:
    record.medicine("", days, code="M05BA04", system=ATC, kind=kind, status=status)
    if period:
        record.resources[-1]["effectivePeriod"] = {end: record.at(day) for end, day in period.items()}
    return record


def test_a_statement_runs_from_its_period_and_as_long_as_it_is_active() -> None:
    taken = drug(person().fracture("L1", 10), 5, "MedicationStatement", "active", start=400)
    assert of_level(taken, "fracture-on-treatment").value == 390
    ended = drug(person().fracture("L1", 10), 5, "MedicationStatement", "completed", start=400, end=6)
    assert of_level(ended, "fracture-on-treatment").value == 390
    before = drug(person().fracture("L1", 10), 5, "MedicationStatement", "completed", start=400, end=20)
    assert of_level(before, "fracture-on-treatment").reason is Reason.NOT_RECORDED


def test_a_yearly_infusion_lasts_longer_than_a_box() -> None:
    given = {"kind": "MedicationAdministration", "status": "completed", "system": ATC}
    record = person().fracture("L1", 10).medicine("", 380, code="M05BA08", **given)
    assert of_level(record, "fracture-on-treatment").value == 370
    record = person().fracture("L1", 10).medicine("", 380, code="M05BA04", **given)
    assert of_level(record, "fracture-on-treatment").reason is Reason.NOT_RECORDED


def test_a_drug_by_its_name_and_one_that_is_only_prescribed() -> None:
    named = person().fracture("L1", 10).medicine("Alendronate 70 mg", 60, kind="MedicationDispense", status="completed")
    fact = of_level(named, "fracture-on-treatment")
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, 50)
    ordered = person().fracture("L1", 10).medicine("", 60, code="M05BA04", system=ATC)
    assert of_level(ordered, "fracture-on-treatment").reason is Reason.NOT_RECORDED


def test_steroids_count_from_the_stated_onset_and_are_a_candidate_without_one() -> None:
    fact = of_person(person().condition("Z79.52", 120), "steroid-days")
    assert (fact.value, fact.since) == (120, NOW - timedelta(days=120))
    unstated = person().fracture("", 5, "Z79.52", stated=False)
    fact = of_person(unstated, "steroid-days")
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, 5)
    assert of_person(person().condition("Z79.52", 120, status="resolved"), "steroid-days").reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(("text", "code"), [("Prednisone 5 mg", ""), ("", "H02AB06")])
def test_a_steroid_by_text_or_group_is_a_candidate_and_one_that_ended_is_none(text: str, code: str) -> None:
    system = ATC if code else ""
    fact = of_person(person().medicine(text, 100, code=code, system=system), "steroid-days")
    assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, 100)
    stopped = person().medicine(text, 300, code=code, system=system, status="stopped")
    assert of_person(stopped, "steroid-days").reason is Reason.NOT_RECORDED


def test_hormones_by_code_by_finding_and_by_text() -> None:
    datum = "hormone-therapy"
    assert of_person(person().condition("Z79.811", 90), datum).value is True
    assert of_person(person().finding(datum, "no", 9), datum).value is False
    assert of_person(person().finding(datum, "yes", 9), datum).value is True
    named = of_person(person().medicine("Leuprorelin", 9), datum)
    assert (named.reason, named.candidate) == (Reason.UNCONFIRMED, True)
    assert of_person(person().medicine("Leuprorelin", 9, status="stopped"), datum).reason is Reason.NOT_RECORDED


def test_osteoporosis_on_record_is_a_yes_or_nothing() -> None:
    datum = "osteoporosis-recorded"
    assert of_person(person(), datum).reason is Reason.NOT_RECORDED
    assert of_person(person().condition("M81.0", 900), datum).value is True
    assert of_person(person().fracture("L1", 9), datum).value is True
    suspected = of_person(person().condition("M81.0", 900, verification="provisional"), datum)
    assert (suspected.reason, suspected.candidate) == (Reason.UNCONFIRMED, True)


def test_the_course_of_denosumab() -> None:
    def course(record: Record) -> object:
        fact = of_person(record, "denosumab-course")
        return fact.value or fact.candidate

    def dosed() -> Record:
        given = {"kind": "MedicationAdministration", "status": "completed", "system": ATC}
        return person().medicine("", 100, code="M05BX04", **given)

    assert of_person(person(), "denosumab-course").reason is Reason.NOT_RECORDED
    assert course(dosed()) == "running"
    assert course(dosed().finding("denosumab-plan", "stop", 120)) == "running", "it was given all the same"
    assert course(dosed().finding("denosumab-plan", "stop", 20)) == "stopped"
    assert course(dosed().finding("denosumab-plan", "stop", 20).finding("denosumab-plan", "continue", 9)) == "running"
    assert course(drug(dosed(), 9, "MedicationDispense", "completed")) == "followed"
    ordered = of_person(dosed().medicine("", 9, code="M05BA04", system=ATC), "denosumab-course")
    assert (ordered.value, ordered.candidate) == (None, "followed")
    builder = dosed().medicine("Teriparatide", 9, kind="MedicationDispense", status="completed")
    assert course(builder) == "running", "what builds bone does not follow denosumab"
    old = dosed().medicine("", 700, code="M05BX04", system=ATC, status="stopped")
    assert course(old) == "running", "an order of years ago, stopped, says nothing of a dose that was given since"
    own = dosed().medicine("", 110, code="M05BX04", system=ATC, status="stopped")
    assert course(own) == "stopped"
    assert course(own.finding("denosumab-plan", "continue", 9)) == "running", "what somebody signed outweighs it"


def injected(record: Record, days: float) -> Record:
    kind = {"kind": "MedicationAdministration", "status": "completed", "system": ATC}
    return record.medicine("", days, code="M05BX04", **kind)


def test_a_list_that_still_names_denosumab_is_no_dose_of_it() -> None:
    listed = drug_of(injected(person(), 300), 2)
    assert of_person(listed, "denosumab-gap-days").value == 300
    dated = drug_of(injected(person(), 300), 2, effectiveDateTime=40)
    assert of_person(dated, "denosumab-gap-days").value == 40
    planned = drug_of(injected(person(), 300), 2, effectiveDateTime=-30)
    assert of_person(planned, "denosumab-gap-days").value == 300
    alone = drug_of(person(), 2)
    assert of_person(alone, "denosumab-gap-days").value == 2, "nothing else is known of a dose"


def test_a_dose_of_an_unknown_day_is_none_of_today() -> None:
    handed = {"kind": "MedicationDispense", "status": "completed", "system": ATC}
    record = injected(person(), 300).medicine("", 2, code="M05BX04", **handed)
    del record.resources[-1]["whenHandedOver"]
    assert of_person(record, "denosumab-gap-days").value == 300
    del record.resources[-2]
    fact = of_person(record, "denosumab-gap-days")
    assert (fact.value, fact.reason, "day" in fact.detail["why"]) == (None, Reason.UNCONFIRMED, True)


def test_a_list_that_names_another_drug_follows_denosumab_only_where_it_says_that_it_was_begun_since() -> None:
    def course(**period: float) -> Fact:
        return of_person(
            drug(injected(person(), 300), 2, "MedicationStatement", "active", **period), "denosumab-course"
        )

    assert (course().value, course().candidate) == (None, "followed")
    assert course(start=900).candidate == "followed", "it was on the list before, and may be there by oversight"
    assert course(start=250).value == "followed"


def drug_of(record: Record, asserted: float, **days: float) -> Record:
    record.medicine("", asserted, code="M05BX04", system=ATC, kind="MedicationStatement", status="active")
    record.resources[-1] |= {name: record.at(day) for name, day in days.items()}
    return record


def test_a_result_counts_when_it_is_final_and_an_order_is_none() -> None:
    datum = "parathyroid-hormone"
    assert of_person(person().lab("2731-8", 50, "pg/mL", 3), datum).value is True
    draft = of_person(person().lab("2731-8", 50, "pg/mL", 3, status="preliminary"), datum)
    assert (draft.reason, draft.candidate) == (Reason.UNCONFIRMED, True)
    assert of_person(person().finding("electrophoresis", "abnormal", 3), "electrophoresis").value is True


def test_a_plan_and_a_review_count_from_the_present_fracture_on_and_signed() -> None:
    for name in ("oncology-bone-plan", "treatment-review"):
        assert of_person(person().fracture("L1", 20).finding(name, "yes", 3), name).value is True
        old = person().fracture("L1", 20).finding(name, "yes", 30)
        assert of_person(old, name).reason is Reason.NOT_RECORDED
        unsigned = person().fracture("L1", 20).finding(name, "yes", 3)
        del unsigned.resources[-1]["performer"]
        assert of_person(unsigned, name).reason is Reason.UNCONFIRMED
