"""Several findings of one matter: a contradiction and what nobody has confirmed silence no warning."""

from __future__ import annotations

import pytest

from adapters.demo.record import Record
from pathway.facts import Fact, Reason
from tests.adapters.fhir.vertebrae import facts, two
from tests.world import case_of, person

PERSON = [
    ("cement-allergy", "cement-allergy", "present", "absent", True),
    ("occult-tumour-signs", "occult-tumour-signs", "present", "absent", True),
    ("coagulopathy", "coagulation-check", "abnormal", "normal", True),
    ("mri-unsafe", "mri-unsafe", "present", "absent", True),
    ("bleeding-risk", "bleeding-risk", "present", "absent", True),
    ("cardiopulmonary-disease", "cardiopulmonary-disease", "present", "absent", True),
    ("infection", "infection-screen", "present", "absent", True),
    ("pregnancy", "pregnancy-status", "pregnant", "not-pregnant", True),
    ("thrombotic-risk", "thrombotic-risk", "high", "not-high", "high"),
    ("prone-and-sedation", "prone-and-sedation", "doubtful", "tolerated", "doubtful"),
    ("antithrombotic", "antithrombotic", "anticoagulant", "none", "anticoagulant"),
]
LEVEL = [
    ("spinal-instability", "present", "absent", True), ("neural-impingement", "present", "absent", True),
    ("retropulsion", "present", "absent", True), ("atypical-pattern", "present", "absent", True),
    ("epidural-extension", "present", "absent", True), ("posterior-wall", "disrupted", "intact", "disrupted"),
    ("pain-attribution", "something-else", "this-fracture", "something-else"),
]  # fmt: skip


def patient(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


@pytest.mark.parametrize(("datum", "code", "bad", "good", "value"), PERSON)
@pytest.mark.parametrize("hours", [True, False], ids=["one instant", "one day"])
def test_both_answers_at_once_leave_the_worse_feared(
    datum: str, code: str, bad: str, good: str, value: object, hours: bool
) -> None:
    record = person(age=40).finding(code, good, 1).finding(code, bad, 1)
    for row in record.resources[-2:]:
        row["effectiveDateTime"] = row["effectiveDateTime"] if hours else row["effectiveDateTime"][:10]
    read = patient(record, datum)
    assert (read.reason, read.candidate) == (Reason.CONFLICTING, value)


@pytest.mark.parametrize(("datum", "bad", "good", "value"), LEVEL)
def test_both_answers_at_one_vertebra_leave_the_worse_feared(datum: str, bad: str, good: str, value: object) -> None:
    record = two().finding(datum, bad, 1, level="L1").finding(datum, good, 1, level="L1")
    read = facts(record)[datum]
    assert (read.reason, read.candidate) == (Reason.CONFLICTING, value)


def test_of_two_measures_at_once_the_greater_loss_is_feared() -> None:
    read = facts(two().height_loss("L1", 20, 1, "ct").height_loss("L1", 90, 1, "ct"))["height-loss"]
    assert (read.reason, read.candidate) == (Reason.CONFLICTING, 90)


@pytest.mark.parametrize(("datum", "code", "bad", "good", "value"), PERSON)
def test_an_unconfirmed_no_takes_no_confirmed_warning_back(
    datum: str, code: str, bad: str, good: str, value: object
) -> None:
    def after(status: str) -> Fact:
        return patient(person(age=40).finding(code, bad, 3).finding(code, good, 1, status=status), datum)

    assert after("preliminary").value == value
    assert after("final").value != value


def test_a_sign_on_record_by_its_diagnosis_is_not_weakened_by_an_unconfirmed_finding() -> None:
    for answer in ("present", "absent"):
        record = two().condition("M53.2X6", 3)
        record.resources[-1]["bodySite"] = [{"coding": [{"system": "https://pathway.example/none", "code": "x"}]}]
        seen = facts(record.finding("spinal-instability", answer, 1, level="L1", status="preliminary"))
        assert seen["spinal-instability"].candidate is True


@pytest.mark.parametrize("text", ["none", "None documented.", "N/A", "n.a.", "no reason", "Unknown", "-", " ? "])
def test_a_text_that_denies_a_reason_is_none(text: str) -> None:
    record = two().finding("spinal-instability", "present", 2, level="L1")
    read = facts(record.reason("instability", 1, level="L1", text=text))
    assert read["reason-despite-instability"].reason is Reason.NOT_RECORDED


def test_a_reason_that_begins_like_a_denial_is_one() -> None:
    record = two().finding("spinal-instability", "present", 2, level="L1")
    read = facts(record.reason("instability", 1, level="L1", text="None of the surgical options is possible"))
    assert read["reason-despite-instability"].value is True
