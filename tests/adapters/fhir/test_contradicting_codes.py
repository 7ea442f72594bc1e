"""One concept with two answers answers nothing, whichever comes first; a warning among them is still heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from adapters.demo.record import Record
from adapters.fhir.reading import ANSWER, TECHNIQUE
from pathway.facts import Fact, Reason
from tests.world import candidate, case_of, decision_on, outcomes, person, settled, wishes

ORDERS = [0, 1]


def both(system: str, codes: Sequence[str], order: int) -> dict[str, Any]:
    """A concept with two codes of one system, in one order or the other."""
    return {"coding": [{"system": system, "code": code} for code in (codes if order == 0 else reversed(codes))]}


def saying(record: Record, codes: Sequence[str], order: int) -> Record:
    """The record, its last finding with two answers in one concept."""
    record.resources[-1]["valueCodeableConcept"] = both(ANSWER, codes, order)
    return record


def said(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("finding", "answers", "datum", "candidate"),
    [
        ("infection-screen", ("absent", "present"), "infection", True),
        ("cement-allergy", ("absent", "present"), "cement-allergy", True),
        ("antithrombotic", ("none", "anticoagulant"), "antithrombotic", "anticoagulant"),
        ("coagulation-check", ("normal", "abnormal"), "coagulopathy", True),
        ("pregnancy-status", ("not-pregnant", "pregnant"), "pregnancy", True),
        ("pain-control", ("no", "yes"), "pain-controlled", None),
    ],
)
def test_two_answers_in_one_concept_are_no_answer_and_warn_where_one_of_them_does(
    finding: str, answers: tuple[str, str], datum: str, candidate: Any, order: int
) -> None:
    read = said(saying(person().finding(finding, answers[0], 1), answers, order), datum)
    assert (read.value, read.candidate) == (None, candidate)
    assert read.reason in (Reason.CONFLICTING, Reason.UNCONFIRMED)
    assert len(read.sources) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_nobody_is_a_candidate_by_an_infection_screen_that_says_both(order: int) -> None:
    assert outcomes(decision_on(candidate())) == {"L1": "candidate"}
    record = saying(candidate().finding("infection-screen", "absent", 0.1), ("absent", "present"), order)
    assert outcomes(decision_on(record))["L1"] not in ("candidate", "not-a-candidate")


@pytest.mark.parametrize("order", ORDERS)
def test_an_examination_that_says_both_is_an_emergency_all_the_same(order: int) -> None:
    record = saying(candidate().finding("neurological-examination", "normal", 0.1), ("normal", "deficit"), order)
    assert "neurology-emergency" in wishes(decision_on(record))


@pytest.mark.parametrize("order", ORDERS)
def test_oedema_that_is_there_and_not_there_proves_nothing(order: int) -> None:
    record = saying(settled().oedema("L1", True, 0.5), ("present", "absent"), order)
    (level,) = case_of(record).levels
    assert level.facts["acuity-imaging"].value is None


@pytest.mark.parametrize("order", ORDERS)
def test_oedema_by_two_techniques_is_proven_by_neither(order: int) -> None:
    record = person().fracture("L1", 30).oedema("L1", True, 0.5)
    (level,) = case_of(record).levels
    assert level.facts["acuity-imaging"].known
    record.resources[-1]["component"][0]["valueCodeableConcept"] = both(TECHNIQUE, ("stir", "radiograph"), order)
    (level,) = case_of(record).levels
    assert not level.facts["acuity-imaging"].known


@pytest.mark.parametrize("order", ORDERS)
def test_an_item_of_a_panel_that_says_both_leaves_the_other_items_as_they_are(order: int) -> None:
    record = person().attest({"bleeding-risk": "absent", "surgical-rescue": "yes"}, 1)
    record.resources[-1]["component"][0]["valueCodeableConcept"] = both(ANSWER, ("absent", "present"), order)
    assert said(record, "surgical-rescue").value is True
    assert (said(record, "bleeding-risk").value, said(record, "bleeding-risk").candidate) == (None, True)


@pytest.mark.parametrize("order", ORDERS)
def test_a_leak_that_is_there_and_not_there_is_an_unconfirmed_leak(order: int) -> None:
    record = person().fracture("L1", 30).cement("L1", 2).leak_statement("L1", 1.9)
    part = record.resources[-1]["component"][0]
    part["valueCodeableConcept"] = both(ANSWER, ("absent", "present"), order)
    (treated,) = case_of(record).treated
    read = treated.facts[f"leak-{part['code']['coding'][0]['code']}"]
    assert (read.reason, read.candidate) == (Reason.UNCONFIRMED, True)


def test_the_same_answer_twice_or_beside_a_code_of_the_site_is_one_answer() -> None:
    record = person().finding("bleeding-risk", "absent", 1)
    coding = record.resources[-1]["valueCodeableConcept"]["coding"]
    coding += [dict(coding[0]), {"system": "https://clinic.example/codes", "code": "present"}]
    assert said(record, "bleeding-risk").value is False
