"""The plan: ordered or not, how, where, what the payer said, the state of care, and the referral for bone care."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.demo.record import CPT, Record
from adapters.fhir.places import places
from adapters.fhir.to_facts import ChartReader
from pathway.facts import Fact, Reason
from tests.world import NOW, book, candidate, case_of, person, read, terms

ORDER = "vertebral-augmentation"


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def planned(record: Record) -> Fact:
    return fact(record, "procedure-planned")


def test_that_no_order_stands_is_a_statement_about_the_record() -> None:
    assert planned(person()).value is False
    assert planned(person().order("bone-density", 2)).value is False


@pytest.mark.parametrize(
    ("about", "value", "candidate"),
    [
        ({}, True, None), ({"status": "on-hold"}, True, None), ({"status": "draft"}, None, True),
        ({"status": "unknown"}, None, True), ({"status": "revoked"}, False, None),
        ({"status": "completed"}, False, None), ({"status": "entered-in-error"}, False, None),
        ({"intent": "proposal"}, False, None),
    ],
)  # fmt: skip
def test_an_order_for_cement_counts_as_it_stands(about: dict[str, Any], value: Any, candidate: Any) -> None:
    read = planned(candidate_with(about))
    assert (read.value, read.candidate) == (value, candidate)


def candidate_with(about: dict[str, Any]) -> Record:
    return candidate().order(ORDER, 2, levels=["L1"], **about)


def test_an_order_that_was_carried_out_is_no_plan() -> None:
    assert planned(candidate().order(ORDER, 3, levels=["L1"]).cement("L1", 1)).value is False
    assert planned(candidate().order(ORDER, 3).cement("L1", 1)).value is False
    assert planned(candidate().cement("L1", 9).order(ORDER, 3)).value is True
    based = candidate().order(ORDER, 3, levels=["L2"]).cement("", 1)
    based.resources[-1]["basedOn"] = [{"reference": "ServiceRequest/p1-order-1"}]
    assert planned(based).value is False


@pytest.mark.parametrize(("code", "technique"), [
    ("22510", "vertebroplasty"), ("22511", "vertebroplasty"), ("22512", "vertebroplasty"),
    ("22513", "kyphoplasty"), ("22514", "kyphoplasty"), ("22515", "kyphoplasty"),
])  # fmt: skip
def test_the_technique_is_that_of_the_orders_code(code: str, technique: str) -> None:
    datum = "planned-technique"
    assert fact(person().order(code, 2, system=CPT), datum).value == technique
    assert fact(person().order(code, 2, system=CPT, status="draft"), datum).candidate == technique
    assert fact(person().order(code, 2, system=CPT, status="revoked"), datum).reason is Reason.NOT_RECORDED


def test_orders_for_both_techniques_conflict_and_a_local_order_names_none() -> None:
    datum = "planned-technique"
    assert (
        fact(person().order("22511", 2, system=CPT).order("22514", 2, system=CPT), datum).reason is Reason.CONFLICTING
    )
    assert fact(person().order(ORDER, 2), datum).reason is Reason.NOT_RECORDED
    assert fact(person().order(ORDER, 2).order("22514", 2, system=CPT), datum).value == "kyphoplasty"


@pytest.mark.parametrize("answer", ["requested", "affirmed", "not-affirmed"])
def test_the_payers_latest_answer_counts_since_the_order(answer: str) -> None:
    datum = "prior-authorization"
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    assert fact(person().finding(datum, answer, 2), datum).value == answer
    assert fact(person().finding(datum, "requested", 9).finding(datum, answer, 2), datum).value == answer
    assert fact(person().order(ORDER, 5).finding(datum, answer, 2), datum).value == answer
    assert fact(person().order(ORDER, 2).finding(datum, answer, 2), datum).value == answer
    stale = fact(person().finding(datum, answer, 9).order(ORDER, 5), datum)
    assert (stale.reason, stale.candidate) == (Reason.STALE, answer)
    assert fact(person().finding(datum, answer, 2, status="preliminary"), datum).candidate == answer
    assert fact(person().finding(datum, answer, 2, status="entered-in-error"), datum).reason is Reason.NOT_RECORDED


def test_two_answers_of_the_payer_at_once_conflict() -> None:
    record = person().finding("prior-authorization", "affirmed", 2).finding("prior-authorization", "not-affirmed", 2)
    assert fact(record, "prior-authorization").reason is Reason.CONFLICTING


@pytest.mark.parametrize("answer", ["inpatient", "hospital-outpatient", "ambulatory-surgery", "office"])
def test_the_setting_is_the_one_stated_else_that_of_the_stay(answer: str) -> None:
    datum = "care-setting"
    assert fact(person().finding(datum, answer, 2), datum).value == answer
    assert fact(person().encounter("IMP", 1).finding(datum, answer, 9), datum).value == answer
    assert fact(person().finding(datum, answer, 2, status="preliminary"), datum).candidate == answer


def test_a_stay_answers_where_nobody_stated_the_setting() -> None:
    datum = "care-setting"
    assert fact(person().encounter("IMP", 1), datum).value == "inpatient"
    assert fact(person().encounter("IMP", 200), datum).candidate == "inpatient"
    assert fact(person().encounter("AMB", 1), datum).reason is Reason.NOT_RECORDED
    both = person().finding(datum, "office", 2).finding(datum, "inpatient", 2)
    assert fact(both, datum).reason is Reason.CONFLICTING


# --- the state where care is given


def state(record: Record, home: str = "") -> Fact:
    (delivery,) = read(record).deliveries
    chart = [resource for resource, _ in delivery.resources]
    reader = ChartReader(book().vocabulary, terms(), state=home)
    return reader.build(delivery.patient, chart, NOW).person.facts["state-of-care"]


def test_the_state_is_that_of_the_encounter_else_the_sites_own() -> None:
    assert state(person()).reason is Reason.NOT_RECORDED
    assert state(person(), "OH").value == "oh"
    assert state(person(), "jm").reason is Reason.NOT_RECORDED, "an area names no state"
    assert state(person(), "elsewhere").value == "elsewhere"
    assert state(person().encounter("AMB", 0.1).place("NJ"), "OH").value == "nj"
    assert state(person().encounter("AMB", 0.1).place("", "AT")).value == "elsewhere"
    assert state(person().encounter("AMB", 0.1).place("Atlantis")).reason is Reason.UNPARSEABLE


def test_a_state_that_two_contractors_share_is_sure_as_a_state() -> None:
    record = person().encounter("AMB", 0.1).place("VA")
    assert state(record).value == "va"
    assert fact(record, "place-of-service").reason is Reason.UNCONFIRMED


def test_two_states_of_one_encounter_conflict_and_an_ended_one_says_nothing() -> None:
    both = person().encounter("AMB", 0.1).place("OH").encounter("AMB", 0.1).place("KY")
    assert state(both).reason is Reason.CONFLICTING
    assert state(person().encounter("AMB", 3, ended=2).place("OH")).reason is Reason.NOT_RECORDED


def test_every_state_of_the_table_is_one_of_the_vocabulary() -> None:
    values = set(book().vocabulary["state-of-care"].values)
    assert values == {code.lower() for code in places().states} | {"elsewhere"}


# --- the referral for bone care


@pytest.mark.parametrize(
    ("status", "value", "candidate"),
    [
        ("active", "placed", None), ("on-hold", "placed", None), ("completed", "kept", None), ("draft", None, "placed"),
        ("revoked", None, None), ("entered-in-error", None, None),
    ],
)  # fmt: skip
def test_a_referral_is_placed_by_its_order_and_kept_when_it_is_completed(
    status: str, value: Any, candidate: Any
) -> None:
    read = fact(person().fracture("L1", 30).referral(status, 3), "bone-care-referral")
    assert (read.value, read.candidate) == (value, candidate)


def test_kept_outweighs_placed_and_a_referral_from_before_the_fracture_is_none() -> None:
    datum = "bone-care-referral"
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    record = person().fracture("L1", 30).referral("completed", 20).referral("active", 2)
    assert fact(record, datum).value == "kept"
    assert fact(person().fracture("L1", 30).referral("completed", 31), datum).reason is Reason.NOT_RECORDED
    assert fact(person().fracture("L1", 30).referral("completed", 30), datum).value == "kept"
    old = person().fracture("T12", 700).fracture("L1", 30).referral("completed", 600)
    assert fact(old, datum).reason is Reason.NOT_RECORDED
    bout = person().fracture("T12", 50).fracture("L1", 30).referral("active", 40)
    assert fact(bout, datum).value == "placed"
