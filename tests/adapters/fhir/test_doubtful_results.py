"""Results that look like numbers and may not be: strange units, sizes, dates and flags never make anything normal."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from adapters.demo.ordinary import _in_order
from adapters.demo.record import LOINC, SIGNED, Record, concept
from adapters.fhir.reading import FINDING, LEVEL
from adapters.fhir.sins_facts import whole
from adapters.fhir.to_facts import ChartReader
from pathway.facts import Fact, Interval, Reason
from tests.world import NOW, book, case_of, decision_on, person, read, reader, terms

INR, PLATELETS, TEMPERATURE, CRP = "6301-6", "777-3", "8310-5", "1988-5"


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def crp(quantity: dict[str, Any], high: dict[str, Any], **more: Any) -> Fact:
    record = person().lab(CRP, 1, "mg/L", 2)
    record.resources[-1] |= {"valueQuantity": quantity, "referenceRange": [{"high": high}], **more}
    return fact(record, "inflammation-markers")


def refusals(record: Record) -> list[str]:
    return [entry.why for entry in read(record).entries if not entry.accepted]


# --- inflammation


@pytest.mark.parametrize(
    ("quantity", "high", "value"),
    [
        ({"value": 8, "unit": "mg/dL"}, {"value": 10, "unit": "mg/L"}, None),
        ({"value": 8, "unit": "mg/L"}, {"value": 10, "unit": "mg/L"}, "normal"),
        ({"value": 80, "unit": "mg/L"}, {"value": 10, "unit": "mg/L"}, "raised"),
        ({"value": 8}, {"value": 10}, None),
        ({"value": 8, "code": "mg/L"}, {"value": 10, "unit": "mg/dL"}, None),
        ({"value": 8, "code": "mg/L"}, {"value": 10, "unit": "mg/L"}, None),
        ({"value": 8, "unit": "mg/l", "code": "mg/L"}, {"value": 10, "unit": "mg/L", "code": "mg/L"}, "normal"),
        ({"value": 8, "unit": "mg/L", "code": "mg/dL"}, {"value": 10, "unit": "mg/L", "code": "mg/L"}, None),
    ],
)  # fmt: skip
def test_a_range_counts_only_in_a_unit_that_both_name(
    quantity: dict[str, Any], high: dict[str, Any], value: str | None
) -> None:
    found = crp(quantity, high)
    assert found.value == value
    assert found.reason is (None if value else Reason.UNPARSEABLE)


def test_a_marker_below_zero_is_not_normal_whatever_the_laboratory_says() -> None:
    flag = [concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N")]
    for more in ({}, {"interpretation": flag}):
        found = crp({"value": -8, "code": "mg/L"}, {"value": 10, "code": "mg/L"}, **more)
        assert found.reason is Reason.UNPARSEABLE


@pytest.mark.parametrize(("amount", "value"), [(8, None), (80, "raised")])
def test_a_flag_that_is_not_understood_may_not_be_cleared_by_the_range(amount: int, value: str | None) -> None:
    quantity, high = {"value": amount, "code": "mg/L"}, {"value": 10, "code": "mg/L"}
    for flag in ({"text": "HIGH!"}, concept("urn:site", "N")):
        assert crp(quantity, high, interpretation=[flag]).value == value


# --- numbers of any size


@pytest.mark.parametrize("size", [1e22, -1e22, 1e23, 1e30])
@pytest.mark.parametrize(
    ("code", "unit", "datum"),
    [(PLATELETS, "10*3/uL", "platelets"), (PLATELETS, "/uL", "platelets"), (INR, "{INR}", "inr"),
     (TEMPERATURE, "Cel", "body-temperature"), (TEMPERATURE, "[degF]", "body-temperature")],
)  # fmt: skip
def test_a_huge_number_is_out_of_range_and_stops_nobody(code: str, unit: str, datum: str, size: float) -> None:
    assert fact(person().lab(code, size, unit, 2), datum).reason is Reason.UNPARSEABLE


@pytest.mark.parametrize("panel", ["consent", "fracture-suspicion", "attestation"])
def test_a_number_with_more_digits_than_a_decimal_keeps_stops_nobody(panel: str) -> None:
    record = person().panel(panel, {"consent-leak": "present"}, 2)
    part = record.resources[-1]["component"][0]
    del part["valueCodeableConcept"]
    part["valueQuantity"] = {"value": 12345.5, "unit": "x"}
    text = json.dumps(record.bundle()).replace("12345.5", "1234567890123456789012345678901.5")
    (delivery,) = reader().submission(text.encode(), "bundle.json").deliveries
    chart = [resource for resource, _ in delivery.resources]
    case = ChartReader(book().vocabulary, terms()).build(delivery.patient, chart, NOW, aside=delivery.set_aside)
    assert case.person.facts["consent-leak"].known is False


# --- panels


@pytest.mark.parametrize("panel", ["attestation", "consent", "fracture-suspicion"])
@pytest.mark.parametrize(
    ("code", "amount", "unit"),
    [("sins-total", 99, "{score}"), ("sins-total", -5, "{score}"), ("sins-total", 6.5, "{score}"),
     ("vertebral-height-loss", 500, "%"), ("disability-score", 50, "{score}"), ("pain-score", 50, "{score}")],
)  # fmt: skip
def test_a_number_that_cannot_be_is_set_aside_in_every_panel(panel: str, code: str, amount: float, unit: str) -> None:
    record = person().fracture("L1", 30).panel(panel, {"consent-leak": "present"}, 2)
    record.resources[-1] |= {
        "performer": [SIGNED], "bodySite": concept(LEVEL, "L1"),
        "component": [{"code": concept(FINDING, code), "valueQuantity": {"value": amount, "code": unit}}],
    }  # fmt: skip
    assert len(refusals(record)) == 1
    case_of(record)


# --- what is last


def test_a_later_result_without_a_value_is_not_passed_over_for_an_older_one() -> None:
    record = person().lab(INR, 1.1, "{INR}", 5).lab(INR, 1.1, "{INR}", 1)
    late = record.resources[-1]
    del late["valueQuantity"]
    late["dataAbsentReason"] = concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error")
    found = fact(record, "inr")
    assert (found.reason, found.candidate) == (Reason.UNPARSEABLE, Decimal("1.10"))
    record = person().lab(CRP, 3, "mg/L", 5, flag="N").lab(CRP, 3, "mg/L", 1)
    record.resources[-1] = {**late, "id": "late", "code": concept(LOINC, CRP)}
    assert fact(record, "inflammation-markers").reason is Reason.UNPARSEABLE


def test_a_result_of_a_day_may_be_later_than_one_of_an_hour_of_that_day() -> None:
    record = person().lab(INR, 2.3, "{INR}", 1).lab(INR, 1.1, "{INR}", 1)
    record.resources[-2]["effectiveDateTime"] = record.at(1)[:10]
    found = fact(record, "inr")
    assert (found.reason, found.candidate) == (Reason.CONFLICTING, Decimal("2.30"))


def timed(**when: Any) -> Record:
    record = person().lab(INR, 1.1, "{INR}", 1)
    del record.resources[-1]["effectiveDateTime"]
    record.resources[-1] |= when
    return record


def test_of_several_events_a_result_is_of_the_last() -> None:
    events = ["2026-11-20T08:00:00Z", "2024-11-20T08:00:00Z"]
    for order in (events, events[::-1]):
        found = fact(timed(effectiveTiming={"event": order}), "inr")
        assert found.at is not None
        assert found.at.isoformat() == "2026-11-20T08:00:00+00:00"
    assert refusals(timed(effectiveTiming={"event": [*events, "2027-01-01T08:00:00Z"]}))


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    start = "2026-11-21T08:00:00Z"
    (why,) = refusals(timed(effectivePeriod={"start": start, "end": "2020-11-20T08:00:00Z"}))
    assert "ends before it begins" in why
    for end in (start, "2026-11-21", "2026-11", "2026-11-22T08:00:00Z"):
        assert refusals(timed(effectivePeriod={"start": start, "end": end})) == []


def test_a_total_that_is_no_whole_number_is_not_cut_to_one() -> None:
    assert whole(Decimal("6.5")) == Interval(6, 7)
    assert whole(Decimal(6)) == Interval(6, 6)


# --- verdicts


def test_ready_is_not_said_on_results_that_nobody_can_read() -> None:
    def outcomes(record: Record) -> set[str]:
        return {row["outcome"] for row in decision_on(record)["levels"] if row["policy"] == "pre-procedure"}

    assert outcomes(_in_order(NOW)) == {"ready"}
    raised = _in_order(NOW).lab(CRP, 8, "mg/dL", 0.2)
    raised.resources[-1] |= {
        "valueQuantity": {"value": 8, "unit": "mg/dL"}, "referenceRange": [{"high": {"value": 10, "unit": "mg/L"}}],
    }  # fmt: skip
    assert "ready" not in outcomes(raised)
    assert "ready" not in outcomes(_in_order(NOW).lab(PLATELETS, 1e30, "10*3/uL", 0.1))
    lost = _in_order(NOW).lab(INR, 1.0, "{INR}", 0.1)
    del lost.resources[-1]["valueQuantity"]
    lost.resources[-1]["dataAbsentReason"] = {"text": "clotted"}
    assert "ready" not in outcomes(lost)
