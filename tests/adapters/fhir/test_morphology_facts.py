"""What films show of a fractured vertebra: of that vertebra and that fracture, the latest, or nothing."""

from __future__ import annotations

import pytest

from pathway.facts import Reason, Value
from tests.adapters.fhir.vertebrae import facts, likely, silent, two

SHOWN: list[tuple[str, str, str, Value]] = [
    ("ct-acuity", "ct-acuity", "present", "fresh"), ("ct-acuity", "ct-acuity", "absent", "not-fresh"),
    ("morphology", "fracture-morphology", "wedge", "wedge"),
    ("morphology", "fracture-morphology", "biconcave", "biconcave"),
    ("morphology", "fracture-morphology", "crush", "crush"), ("morphology", "fracture-morphology", "burst", "burst"),
    ("cleft", "intravertebral-cleft", "present", True), ("cleft", "intravertebral-cleft", "absent", False),
    ("cortical-defect", "cortical-defect", "present", True), ("cortical-defect", "cortical-defect", "absent", False),
    ("endplate-break", "endplate-break", "present", True), ("endplate-break", "endplate-break", "absent", False),
    ("posterior-wall", "posterior-wall", "intact", "intact"),
    ("posterior-wall", "posterior-wall", "disrupted", "disrupted"),
    ("tumour-lesion", "tumour-lesion", "lytic", "lytic"), ("tumour-lesion", "tumour-lesion", "mixed", "mixed"),
    ("tumour-lesion", "tumour-lesion", "blastic", "blastic"),
    ("surgeon-opinion", "surgeon-opinion", "yes", True), ("surgeon-opinion", "surgeon-opinion", "no", False),
]  # fmt: skip
PAIRS = [
    ("ct-acuity", "ct-acuity", "present", "absent"), ("morphology", "fracture-morphology", "wedge", "burst"),
    ("cleft", "intravertebral-cleft", "present", "absent"), ("cortical-defect", "cortical-defect", "present", "absent"),
    ("endplate-break", "endplate-break", "present", "absent"),
    ("posterior-wall", "posterior-wall", "intact", "disrupted"),
    ("tumour-lesion", "tumour-lesion", "lytic", "blastic"), ("surgeon-opinion", "surgeon-opinion", "yes", "no"),
]  # fmt: skip


@pytest.mark.parametrize(("datum", "code", "answer", "value"), SHOWN)
def test_what_was_seen_is_known_of_its_vertebra_and_of_no_other(
    datum: str, code: str, answer: str, value: Value
) -> None:
    record = two().finding(code, answer, 1, level="L1")
    assert facts(record)[datum].value == value
    assert facts(record)[datum].sources == (f"Observation/p1-{code}-1",)
    assert silent(facts(record, "L3")[datum])


@pytest.mark.parametrize(("datum", "code", "answer", "value"), SHOWN)
def test_a_preliminary_reading_is_a_candidate_and_a_mistaken_one_nothing(
    datum: str, code: str, answer: str, value: Value
) -> None:
    assert likely(facts(two().finding(code, answer, 1, level="L1", status="preliminary"))[datum], value)
    assert silent(facts(two().finding(code, answer, 1, level="L1", status="entered-in-error"))[datum])


@pytest.mark.parametrize(("datum", "code", "one", "other"), PAIRS)
def test_the_latest_reading_counts_and_two_of_one_instant_conflict(datum: str, code: str, one: str, other: str) -> None:
    assert silent(facts(two())[datum])
    for rows in ([(one, 9), (other, 1)], [(other, 1), (one, 9)]):
        record = two()
        for answer, days in rows:
            record.finding(code, answer, days, level="L1")
        assert facts(record)[datum].value == facts(two().finding(code, other, 1, level="L1"))[datum].value
    at_once = facts(two().finding(code, one, 1, level="L1").finding(code, other, 1, level="L1"))[datum]
    assert at_once.reason is Reason.CONFLICTING


@pytest.mark.parametrize(("datum", "code", "one", "other"), PAIRS)
def test_a_reading_from_before_this_fracture_or_one_that_is_no_answer_to_it_says_nothing(
    datum: str, code: str, one: str, other: str
) -> None:
    if datum != "tumour-lesion":
        assert silent(facts(two().finding(code, one, 40, level="L1"))[datum])
    assert silent(facts(two().finding(code, "symptoms", 1, level="L1"))[datum])


def test_the_lesion_is_the_tumours_and_may_be_older_than_the_fracture_that_it_made() -> None:
    assert facts(two().finding("tumour-lesion", "lytic", 40, level="L1"))["tumour-lesion"].value == "lytic"


def test_freshness_by_ct_is_not_told_by_a_plain_film() -> None:
    for technique, value in (("ct", "fresh"), ("radiograph", None), ("stir", None)):
        record = two().finding("ct-acuity", "present", 1, level="L1", technique=technique)
        assert facts(record)["ct-acuity"].value == value


def test_without_its_vertebra_a_shape_is_nobodys() -> None:
    record = two().finding("fracture-morphology", "burst", 1).finding("intravertebral-cleft", "present", 1)
    assert silent(facts(record)["morphology"])
    assert silent(facts(record)["cleft"])


def test_an_opinion_counts_only_with_the_name_of_who_holds_it() -> None:
    record = two().finding("surgeon-opinion", "yes", 1, level="L1")
    del record.resources[-1]["performer"]
    assert likely(facts(record)["surgeon-opinion"])
    attested = two().attest({"surgeon-opinion": "yes", "cortical-defect": "absent"}, 1, level="L1")
    assert (facts(attested)["surgeon-opinion"].value, facts(attested)["cortical-defect"].value) == (True, False)


# --- the posterior wall


def test_what_another_technique_shows_of_the_wall_is_only_possible() -> None:
    def wall(*rows: tuple[str, float, str]) -> object:
        record = two()
        for answer, days, technique in rows:
            record.finding("posterior-wall", answer, days, level="L1", technique=technique)
        fact = facts(record)["posterior-wall"]
        return fact.value or (fact.reason, fact.candidate)

    assert wall(("intact", 1, "radiograph")) == (Reason.UNCONFIRMED, "intact")
    assert wall(("disrupted", 1, "stir")) == (Reason.UNCONFIRMED, "disrupted")
    assert wall(("intact", 5, "ct"), ("disrupted", 1, "stir")) == (Reason.UNCONFIRMED, "disrupted")
    assert wall(("disrupted", 5, "stir"), ("intact", 1, "ct")) == "intact"
    assert wall(("disrupted", 5, "ct"), ("intact", 1, "radiograph")) == "disrupted"
    assert wall(("intact", 5, "ct"), ("intact", 1, "radiograph")) == "intact"


def test_a_broken_wall_of_no_named_vertebra_may_be_of_each_and_an_intact_one_is_nobodys() -> None:
    record = two().finding("posterior-wall", "disrupted", 1)
    assert likely(facts(record)["posterior-wall"], "disrupted")
    assert likely(facts(record, "L3")["posterior-wall"], "disrupted")
    assert silent(facts(two().finding("posterior-wall", "intact", 1))["posterior-wall"])
    looked = two().finding("posterior-wall", "disrupted", 9).finding("posterior-wall", "intact", 1, level="L1")
    assert facts(looked)["posterior-wall"].value == "intact"


def test_an_undated_broken_wall_warns_and_an_undated_intact_one_is_set_aside() -> None:
    for answer, warns in (("disrupted", True), ("intact", False)):
        record = two().finding("posterior-wall", answer, 1, level="L1")
        del record.resources[-1]["effectiveDateTime"]
        fact = facts(record)["posterior-wall"]
        assert likely(fact, "disrupted") if warns else silent(fact)
