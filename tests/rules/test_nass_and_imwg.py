"""NASS and IMWG on whole decisions: what few scenarios favour, what goes to a specialist, what is treated first."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given

from pathway.decide import decide
from pathway.facts import Interval
from pathway.strata import Machine
from tests.rules.book import BOOK
from tests.rules.people import POOLS, Person, people, rounds
from tests.rules.proofs import criteria_read
from tests.rules.test_coverage import NOT_KNOWN, Facts, missing, person

OSTEOPOROTIC, NEOPLASTIC, MYELOMA = "nass-osteoporotic", "nass-neoplastic", "imwg-2019"
TUMOUR: Facts = {
    "fracture-cause": "neoplastic", "sins": 6, "pain-score": 7, "acuity-imaging": NOT_KNOWN, "tenderness": NOT_KNOWN,
    "conservative-care-days": NOT_KNOWN,
}  # fmt: skip
"""A stable, painful metastasis, of which nobody asks for oedema, tenderness or weeks of care."""
PLASMA: Facts = {**TUMOUR, "tumour-kind": "myeloma"}


@cache
def machine(id_: str) -> Machine:
    return Machine(BOOK.sets[id_])


def row(id_: str, facts: Facts) -> dict[str, Any]:
    (found,) = decide(person("je", facts).case(), [machine(id_)]).body["levels"]
    return found


def outcome(id_: str, facts: Facts) -> tuple[str, list[str]]:
    found = row(id_, facts)
    return found["outcome"], missing(found)


@pytest.mark.parametrize(
    ("facts", "expected", "asked"),
    [
        ({"days-since-onset": 85, "pain-score": 6}, "not-a-candidate", []),
        ({"days-since-onset": 84, "pain-score": 6}, "needs-specialist-review", []),
        ({"days-since-onset": 85, "pain-score": "6.01"}, "needs-specialist-review", []),
        ({"days-since-onset": 112, "pain-score": 8}, "needs-specialist-review", []),
        ({"days-since-onset": 14, "pain-score": 8, "hospitalised": True}, "needs-specialist-review", []),
        ({"days-since-onset": 200, "pain-score": 4, "self-report": False}, "needs-specialist-review", []),
        ({"days-since-onset": NOT_KNOWN, "pain-score": 4}, "insufficient-data", ["days-since-onset"]),
        ({"days-since-onset": NOT_KNOWN, "pain-score": 8}, "needs-specialist-review", []),
        ({"pain-score": 0}, "not-a-candidate", []),
        ({"fracture-cause": "neoplastic"}, "out-of-scope", []),
        ({"infection": True}, "contraindicated", []),
        ({"cement-before-onset": True}, "needs-specialist-review", []),
    ],
)
def test_nass_on_osteoporosis_refuses_the_old_and_bearable_and_sends_the_rest_on(
    facts: Facts, expected: str, asked: list[str]
) -> None:
    assert outcome(OSTEOPOROTIC, facts) == (expected, asked)


@pytest.mark.parametrize(
    ("stenosis", "finding", "surgery"),
    [(True, "deficit", True), (True, "cord-or-cauda", True), (True, "normal", False), (False, "deficit", False)],
)
def test_stenosis_with_a_neurological_change_names_surgery(stenosis: bool, finding: str, surgery: bool) -> None:
    found = row(OSTEOPOROTIC, {"spinal-stenosis": stenosis, "neurology": finding})
    assert (found["outcome"], "surgery" in found["reason"]) == ("needs-specialist-review", surgery)


@given(people())
@rounds(1_000)
def test_nass_on_osteoporosis_makes_no_candidate_of_anybody(made: Person) -> None:
    """Which seven of its scenarios are appropriate was not read."""
    found = decide(made.case(), [machine(OSTEOPOROTIC)]).body["levels"]
    assert "candidate" not in {level["outcome"] for level in found}


@pytest.mark.parametrize(
    ("facts", "expected", "asked"),
    [
        ({}, "candidate", []),
        ({"pain-score": 6}, "needs-specialist-review", []),
        ({"spinal-stenosis": True}, "needs-specialist-review", []),
        ({"neurology": "deficit"}, "needs-specialist-review", []),
        ({"sins": 7}, "needs-specialist-review", []),
        ({"sins": Interval(4, 8)}, "insufficient-data", ["sins"]),
        ({"sins": Interval(2, 6)}, "candidate", []),
        ({"height-loss": 80, "reason-despite-collapse": True}, "needs-specialist-review", []),
        ({"height-loss": "79.99", "reason-despite-collapse": True}, "candidate", []),
        ({"posterior-wall": "disrupted"}, "needs-specialist-review", []),
        ({"posterior-wall": NOT_KNOWN}, "insufficient-data", ["posterior-wall"]),
        ({"tumour-kind": "other-tumour"}, "needs-specialist-review", []),
        ({"tumour-kind": "myeloma"}, "candidate", []),
        ({"fracture-cause": "osteoporotic"}, "out-of-scope", []),
        ({"pain-score": 5, "tumour-kind": "myeloma"}, "needs-specialist-review", []),
    ],
)
def test_nass_on_tumours_favours_one_kind_of_vertebra(facts: Facts, expected: str, asked: list[str]) -> None:
    assert outcome(NEOPLASTIC, {**TUMOUR, **facts}) == (expected, asked)


@pytest.mark.parametrize(
    ("facts", "expected", "asked"),
    [
        ({"pain-score": 6}, "candidate", []),
        ({"pain-score": 10}, "candidate", []),
        ({"pain-score": "5.99"}, "defer", []),
        ({"pain-score": 5}, "defer", []),
        ({"pain-score": 4}, "defer", []),
        ({"pain-score": "3.5"}, "defer", []),
        ({"pain-score": 3}, "not-a-candidate", []),
        ({"pain-score": 1}, "not-a-candidate", []),
        ({"pain-score": 0}, "not-a-candidate", []),
        ({"pain-score": 3, "self-report": False}, "needs-specialist-review", []),
        ({"performance-status-poor": True}, "defer", []),
        ({"hyperviscosity": True}, "defer", []),
        ({"infection": True}, "contraindicated", []),
        ({"performance-status-poor": NOT_KNOWN}, "insufficient-data", ["performance-status-poor"]),
        ({"performance-status-poor": NOT_KNOWN, "pain-score": 5}, "defer", []),
        ({"days-since-onset": 57}, "needs-specialist-review", []),
        ({"days-since-onset": 57, "pain-score": 5}, "defer", []),
        ({"tumour-kind": "metastasis"}, "out-of-scope", []),
        ({"fracture-cause": "osteoporotic"}, "out-of-scope", []),
        ({"levels-planned": 3}, "candidate", []),
        ({"levels-planned": 4}, "needs-specialist-review", []),
        ({"levels-planned": 4, "reason-despite-level-count": True}, "candidate", []),
        ({"levels-planned": NOT_KNOWN}, "candidate", []),
    ],
)
def test_imwg_goes_by_bands_of_pain(facts: Facts, expected: str, asked: list[str]) -> None:
    assert outcome(MYELOMA, {**PLASMA, **facts}) == (expected, asked)


@pytest.mark.parametrize("datum", ["performance-status-poor", "hyperviscosity"])
def test_chemotherapy_comes_first_and_the_reason_says_so(datum: str) -> None:
    assert row(MYELOMA, {**PLASMA, datum: True})["reason"].startswith("Chemotherapy first")


@pytest.mark.slow  # every way of not knowing each datum
@pytest.mark.parametrize(("id_", "facts"), [(NEOPLASTIC, TUMOUR), (MYELOMA, PLASMA)])
def test_no_gate_that_is_unknown_makes_a_candidate(id_: str, facts: Facts) -> None:
    rules = {rule.id: rule for rule in BOOK.sets[id_].criteria if rule.role == "gate"}
    data = {name for gate in criteria_read(id_) if gate in rules for name in rules[gate].reads()}
    data -= {"surgeon-opinion"}  # below a score of 7 no surgeon need be asked
    assert row(id_, facts)["outcome"] == "candidate"
    for datum in data:
        for fact in (fact for fact in POOLS[datum] if not fact.known):
            assert row(id_, {**facts, datum: fact})["outcome"] != "candidate", datum
