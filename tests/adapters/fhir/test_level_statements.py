"""Statements and signs of one vertebra: they count for that vertebra alone, and a region never becomes a vertebra."""

from __future__ import annotations

import json

import pytest

from adapters.demo.record import Record, concept
from adapters.fhir.reading import LEVEL
from pathway.facts import Fact, Reason
from tests.world import ROOT, case_of, person

SIGNS = [
    ("kyphosis", "kyphotic-deformity"), ("spinal-instability", "spinal-instability"),
    ("neural-impingement", "neural-impingement"), ("retropulsion", "retropulsion"),
]  # fmt: skip


def two() -> Record:
    return person().fracture("L1", 30).fracture("L3", 30)


def facts(record: Record, level: str = "L1") -> dict[str, Fact]:
    (sheet,) = (s for s in case_of(record).levels if s.level == level)
    return dict(sheet.facts)


def likely(fact: Fact) -> bool:
    return fact.value is None and (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, True)


@pytest.mark.parametrize("answer", ["this-fracture", "something-else"])
def test_the_pain_is_attributed_to_the_vertebra_that_was_named(answer: str) -> None:
    record = two().finding("pain-attribution", answer, 1, level="L1")
    assert facts(record)["pain-attribution"].value == answer
    assert facts(record, "L3")["pain-attribution"].reason is Reason.NOT_RECORDED


def test_attribution_is_never_inferred_and_without_a_vertebra_it_is_nobodys() -> None:
    record = (
        two().pain(8, 1).tender("L1", True, 1).oedema("L1", True, 1).finding("pain-attribution", "this-fracture", 1)
    )
    assert facts(record)["pain-attribution"].reason is Reason.NOT_RECORDED


def test_the_latest_attribution_counts_and_two_of_one_instant_conflict() -> None:
    def said(*rows: tuple[str, float]) -> Fact:
        record = two()
        for answer, days in rows:
            record.finding("pain-attribution", answer, days, level="L1")
        return facts(record)["pain-attribution"]

    assert said(("this-fracture", 3), ("something-else", 1)).value == "something-else"
    assert said(("this-fracture", 1), ("something-else", 1)).reason is Reason.CONFLICTING
    assert said(("this-fracture", 40)).reason is Reason.NOT_RECORDED  # before this fracture
    assert said().reason is Reason.NOT_RECORDED


def test_an_unsigned_or_preliminary_attribution_is_only_a_candidate_and_a_mistake_is_nothing() -> None:
    unsigned = two().finding("pain-attribution", "this-fracture", 1, level="L1")
    del unsigned.resources[-1]["performer"]
    preliminary = two().finding("pain-attribution", "this-fracture", 1, level="L1", status="preliminary")
    for record in (unsigned, preliminary):
        fact = facts(record)["pain-attribution"]
        assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, "this-fracture")
    wrong = two().finding("pain-attribution", "this-fracture", 1, level="L1", status="entered-in-error")
    assert facts(wrong)["pain-attribution"].reason is Reason.NOT_RECORDED


def test_optimal_care_is_a_statement_and_care_that_was_given_does_not_make_it() -> None:
    assert facts(two().care(28))["care-optimal"].reason is Reason.NOT_RECORDED
    assert facts(two().finding("care-optimal", "yes", 1, level="L1"))["care-optimal"].value is True
    assert facts(two().finding("care-optimal", "no", 1, level="L1"))["care-optimal"].value is False
    assert facts(two().finding("care-optimal", "yes", 1, level="L3"))["care-optimal"].reason is Reason.NOT_RECORDED


def test_one_signed_statement_answers_several_items_of_its_vertebra() -> None:
    answers = {"pain-attribution": "this-fracture", "care-optimal": "yes", "retropulsion": "absent",
               "spinal-tenderness": "present"}  # fmt: skip
    record = two().attest(answers, 1, level="L1")
    found = facts(record)
    assert (found["pain-attribution"].value, found["care-optimal"].value) == ("this-fracture", True)
    assert (found["retropulsion"].value, found["tenderness"].value) == (False, "at-level")
    assert not any(facts(record, "L3")[datum].known for datum in ("pain-attribution", "care-optimal", "retropulsion"))


def test_the_example_in_the_documentation_does_what_it_says() -> None:
    text = (ROOT / "docs/what-to-send.md").read_text()
    record = two()
    record.resources.append(json.loads(text.split("```json")[1].split("```")[0]))
    found = facts(record)
    assert (found["pain-attribution"].value, found["retropulsion"].value) == ("this-fracture", False)


@pytest.mark.parametrize(("datum", "code"), SIGNS)
def test_a_sign_is_there_absent_or_not_looked_for_at_each_vertebra(datum: str, code: str) -> None:
    assert facts(two())[datum].reason is Reason.NOT_RECORDED
    assert facts(two().finding(code, "present", 1, level="L1"))[datum].value is True
    assert facts(two().finding(code, "absent", 1, level="L1"))[datum].value is False
    assert facts(two().finding(code, "present", 1, level="L1"), "L3")[datum].reason is Reason.NOT_RECORDED
    assert likely(facts(two().finding(code, "present", 1, level="L1", status="preliminary"))[datum])
    assert facts(two().finding(code, "absent", 9, level="L1").finding(code, "present", 1, level="L1"))[datum].value


@pytest.mark.parametrize(("datum", "code"), SIGNS)
def test_a_sign_without_its_vertebra_is_possible_at_each_and_its_absence_says_nothing(datum: str, code: str) -> None:
    record = two().finding(code, "present", 1)
    assert likely(facts(record)[datum])
    assert likely(facts(record, "L3")[datum])
    assert facts(two().finding(code, "absent", 1))[datum].reason is Reason.NOT_RECORDED
    assert facts(two().finding(code, "present", 9).finding(code, "absent", 1, level="L1"))[datum].value is False


@pytest.mark.parametrize(
    ("datum", "code", "level", "there"),
    [
        ("spinal-instability", "M53.2X6", "L1", True), ("spinal-instability", "M53.2X4", "L1", False),
        ("spinal-instability", "M53.2X5", "L1", True), ("spinal-instability", "M53.2X5", "L3", False),
        ("spinal-instability", "M53.2X9", "L3", True), ("kyphosis", "M40.295", "L1", True),
        ("kyphosis", "M40.14", "L1", False), ("kyphosis", "M40.209", "L3", True),
        ("kyphosis", "M40.05", "L1", False),  # postural: no deformity of a fracture
    ],
)  # fmt: skip
def test_a_code_of_a_region_makes_it_possible_within_the_region_and_nowhere_true(
    datum: str, code: str, level: str, there: bool
) -> None:
    fact = facts(two().condition(code, 9), level)[datum]
    assert likely(fact) if there else fact.reason is Reason.NOT_RECORDED


def test_a_diagnosis_that_names_its_vertebra_is_true_there_alone() -> None:
    record = two().condition("M53.2X6", 9)
    record.resources[-1]["bodySite"] = [concept(LEVEL, "L1")]
    assert facts(record)["spinal-instability"].value is True
    assert facts(record, "L3")["spinal-instability"].reason is Reason.NOT_RECORDED


def test_what_was_looked_for_at_the_vertebra_stands_against_an_older_diagnosis_of_the_region() -> None:
    looked = two().condition("M53.2X6", 9).finding("spinal-instability", "absent", 1, level="L1")
    assert facts(looked)["spinal-instability"].value is False
    later = two().finding("spinal-instability", "absent", 9, level="L1").condition("M53.2X6", 1)
    assert likely(facts(later)["spinal-instability"])
    for about in ({"verification": "refuted"}, {"status": "resolved"}):
        assert facts(two().condition("M53.2X6", 9, **about))["spinal-instability"].reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("flag", ["instability", "impingement", "retropulsion"])
def test_a_reason_counts_for_its_vertebra(flag: str) -> None:
    record = two().reason(flag, 1, level="L1")
    assert facts(record)[f"reason-despite-{flag}"].value is True
    assert facts(record, "L3")[f"reason-despite-{flag}"].reason is Reason.NOT_RECORDED
    assert facts(two().reason(flag, 1))[f"reason-despite-{flag}"].reason is Reason.NOT_RECORDED


# --- progressive loss of height


def progress(*rows: tuple[int, float, str], level: str = "L1", status: str = "final") -> Fact:
    record = two()
    for percent, days, technique in rows:
        record.height_loss(level, percent, days, technique, status=status)
    return facts(record)["progressive-height-loss"]


def test_two_films_of_one_technique_show_progress_or_none() -> None:
    assert progress((20, 20, "radiograph"), (30, 2, "radiograph")).value is True
    assert progress((20, 20, "radiograph"), (25, 2, "radiograph")).value is True
    assert progress((20, 20, "radiograph"), (20, 2, "radiograph")).value is False
    assert progress((30, 20, "radiograph"), (20, 2, "radiograph")).value is False
    assert likely(progress((20, 20, "radiograph"), (24, 2, "radiograph")))  # within the error of measuring


@pytest.mark.parametrize(
    "rows",
    [
        [(30, 2, "radiograph")], [(20, 20, "radiograph"), (30, 2, "ct")], [(20, 20, ""), (30, 2, "")],
        [(20, 2.5, "ct"), (30, 2, "ct")], [(20, 40, "ct"), (30, 2, "ct")],
    ],
    ids=["one film", "two techniques", "no technique", "one day", "before this fracture"],
)  # fmt: skip
def test_without_two_comparable_films_of_this_fracture_nothing_is_known(rows: list[tuple[int, float, str]]) -> None:
    assert progress(*rows).reason is Reason.NOT_RECORDED


def test_films_of_another_vertebra_do_not_count_and_preliminary_ones_are_candidates() -> None:
    assert progress((20, 20, "ct"), (30, 2, "ct"), level="L3").reason is Reason.NOT_RECORDED
    assert likely(progress((20, 20, "ct"), (30, 2, "ct"), status="preliminary"))


def test_two_comparisons_of_one_day_that_differ_conflict() -> None:
    rows = [(20, 20, "ct"), (30, 2, "ct"), (20, 20, "radiograph"), (20, 2, "radiograph")]
    assert progress(*rows).reason is Reason.CONFLICTING  # type: ignore[arg-type]


def test_a_statement_as_late_as_the_films_outweighs_them_and_an_older_one_does_not() -> None:
    films = two().height_loss("L1", 20, 20, "ct").height_loss("L1", 30, 2, "ct")
    films.finding("progressive-height-loss", "absent", 5, level="L1")
    assert facts(films)["progressive-height-loss"].value is True
    films.finding("progressive-height-loss", "absent", 1, level="L1")
    assert facts(films)["progressive-height-loss"].value is False
    alone = two().finding("progressive-height-loss", "present", 5, level="L1")
    assert facts(alone)["progressive-height-loss"].value is True


def test_a_fracture_without_a_vertebra_has_no_statements() -> None:
    record = person().fracture("", 30).finding("kyphotic-deformity", "present", 1).attest({"care-optimal": "yes"}, 1)
    found = facts(record, "unspecified")
    assert not any(found[d].known or found[d].candidate for d in ("kyphosis", "care-optimal", "retropulsion"))
