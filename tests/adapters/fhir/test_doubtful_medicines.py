"""Medicines that are not told clearly: none of them vanishes, and none of them leaves an older "none" standing."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.demo.ordinary import _in_order as in_order
from adapters.demo.record import SIGNED, Record
from pathway.facts import Fact, Reason
from tests.world import NOW, case_of, decision_on, person

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
KINDS = ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense")


def fact(record: Record) -> Fact:
    return case_of(record).person.facts["antithrombotic"]


def feared(record: Record) -> Any:
    read = fact(record)
    return read.candidate if read.reason is Reason.UNCONFIRMED else None


def reviewed(record: Record, days: float, answer: str = "none") -> Record:
    """A signed review."""
    record.finding("antithrombotic", answer, days)
    record.resources[-1]["performer"] = [SIGNED]
    return record


def silent(record: Record) -> Record:
    """The last record, with a status of which only is said that it is not known."""
    del record.resources[-1]["status"]
    record.resources[-1]["_status"] = ABSENT
    return record


# --- status


@pytest.mark.parametrize("kind", KINDS)
def test_a_medicine_without_a_status_may_be_taken(kind: str) -> None:
    record = reviewed(person(), 2)
    assert feared(silent(record.medicine("Apixaban", 1, kind=kind))) == "anticoagulant"


@pytest.mark.parametrize("status", ["Active", "current"])
def test_a_medicine_that_cannot_be_read_leaves_none_open(status: str) -> None:
    record = reviewed(person(), 2).medicine("Apixaban", 1, status=status)
    assert (fact(record).reason, fact(record).candidate) == (Reason.UNPARSEABLE, "none")
    record = reviewed(person(), 2, "antiplatelet").medicine("Apixaban", 1, status=status)
    assert (fact(record).reason, fact(record).candidate) == (Reason.UNPARSEABLE, "antiplatelet")
    record = reviewed(person(), 2, "anticoagulant").medicine("Apixaban", 1, status=status)
    assert fact(record).value == "anticoagulant"
    other = reviewed(person(), 2).finding("pain-score", "present", 1, status="Final")
    assert fact(other).value == "none"


def test_ready_is_not_said_beside_a_medicine_whose_status_nobody_can_read() -> None:
    def outcome(record: Record) -> list[str]:
        return [row["outcome"] for row in decision_on(record)["levels"] if row["policy"] == "pre-procedure"]

    assert "ready" in outcome(in_order(NOW))
    assert "ready" not in outcome(silent(in_order(NOW).medicine("Apixaban 5 mg", 0.1)))
    assert "ready" not in outcome(in_order(NOW).medicine("Apixaban 5 mg", 0.1, status="Active"))


# --- what it is of


def kit(ingredient: dict[str, Any], *contained: dict[str, Any]) -> Record:
    """A ward kit whose ingredient is another resource."""
    record = reviewed(person(), 9).medicine("", 3)
    body = record.resources[-1]
    del body["medicationCodeableConcept"]
    body["medicationReference"] = {"reference": "#kit"}
    made = {"resourceType": "Medication", "id": "kit", "code": {"text": "Ward kit 7"}, "ingredient": [ingredient]}
    body["contained"] = [made, *contained]
    return record


def test_an_ingredient_is_followed_to_where_it_is_described() -> None:
    drug = {"resourceType": "Medication", "id": "m", "code": {"text": "Apixaban"}}
    assert feared(kit({"itemReference": {"reference": "#m"}}, drug)) == "anticoagulant"
    beside = kit({"itemReference": {"reference": "Medication/m"}})
    beside.resources.append(drug)
    assert feared(beside) == "anticoagulant"
    assert feared(kit({"itemReference": {"display": "Apixaban"}})) == "anticoagulant"
    harmless = {"resourceType": "Medication", "id": "m", "code": {"text": "Metformin"}}
    assert fact(kit({"itemReference": {"reference": "#m"}}, harmless)).value == "none"


def test_an_ingredient_that_cannot_be_followed_is_not_told() -> None:
    loop = {"resourceType": "Medication", "id": "m", "code": {"text": "Kit"}, "ingredient": [
        {"itemReference": {"reference": "#kit"}}]}  # fmt: skip
    assert fact(kit({"itemReference": {"reference": "Medication/m"}})).reason is Reason.STALE
    assert fact(kit({"itemReference": {"reference": "#m"}})).reason is Reason.UNPARSEABLE  # refused at the door
    assert fact(kit({"itemReference": {"reference": "Substance/s"}})).reason is Reason.STALE
    assert fact(kit({"itemReference": {"reference": "#m"}}, loop)).value == "none"


def test_a_supply_is_counted_only_where_it_says_days() -> None:
    def handed(supply: dict[str, Any]) -> Any:
        record = person().medicine("Apixaban", 20, status="completed", kind="MedicationDispense")
        record.resources[-1]["daysSupply"] = supply
        return fact(record).candidate

    assert handed({"value": 12, "unit": "weeks"}) == "anticoagulant"
    assert handed({"value": 12}) == "anticoagulant"
    assert handed({"value": 12, "unit": "weeks", "code": "wk"}) == "anticoagulant"
    for days in ({"unit": "d"}, {"unit": "Days"}, {"unit": "day"}, {"unit": "whatever", "code": "d"}):
        assert handed({"value": 12} | days) is None


# --- which came last


def test_none_of_the_same_instant_as_a_medicine_does_not_outweigh_it() -> None:
    assert feared(reviewed(person().medicine("Apixaban", 10), 10)) == "anticoagulant"
    stopped = reviewed(person().medicine("Apixaban", 10, status="stopped"), 10)
    assert (fact(stopped).reason, fact(stopped).candidate) == (Reason.STALE, "none")
    assert fact(reviewed(person().medicine("Apixaban", 10, status="stopped"), 9)).value == "none"


# --- names


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Clexane 40 mg", "anticoagulant"), ("Lovenox", "anticoagulant"), ("Fragmin P", "anticoagulant"),
        ("Arixtra 2.5", "anticoagulant"), ("Marcumar 3 mg", "anticoagulant"), ("Argatroban", "anticoagulant"),
        ("ASS 100", "antiplatelet"), ("ASS-ratiopharm 100 mg", "antiplatelet"), ("HerzASS", "antiplatelet"),
        ("ASA 81 mg EC", "antiplatelet"), ("Acetylsalicylsäure", "antiplatelet"), ("Brilique", "antiplatelet"),
        ("Efient 10", "antiplatelet"), ("cilostazol 100", "antiplatelet"), ("drug_apixaban", "anticoagulant"),
        ("5mgapixaban", "anticoagulant"), ("5mg-apixaban", "anticoagulant"), ("Tab.Eliquis", "anticoagulant"),
    ],
)  # fmt: skip
def test_a_brand_is_told_by_its_text_alone(text: str, kind: str) -> None:
    assert feared(person().medicine(text, 3)) == kind


@pytest.mark.parametrize(
    "text", ["Assugrin", "Asacol", "mesalazine (5-ASA)", "Class A device", "Nasal spray", "Coefient"]
)
def test_a_short_name_is_told_only_as_a_whole_word(text: str) -> None:
    assert fact(reviewed(person(), 9).medicine(text, 3)).value == "none"
