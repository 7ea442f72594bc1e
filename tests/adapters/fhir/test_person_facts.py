"""Facts about the person: what counts as a yes, what counts as a no, and what stays unknown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.demo.record import Record
from pathway.facts import Fact, Reason
from tests.world import NOW, case_of, person


def fact(record: Record, datum: str, days_ago: float = 0) -> Fact:
    return case_of(record, NOW - timedelta(days=days_ago)).person.facts[datum]


def test_an_empty_record_knows_only_age_and_what_age_settles() -> None:
    facts = case_of(person(age=80)).person.facts
    assert {key for key, value in facts.items() if value.known} == {
        "age", "deceased", "pregnancy", "procedure-planned", "unusable-results", "cement-in-canal",
        "second-height-loss", "fractured-vertebrae",
    }  # fmt: skip
    assert {f.reason for f in facts.values() if not f.known} == {Reason.NOT_RECORDED}


def test_age_is_counted_in_completed_years_and_never_too_old_from_a_partial_date() -> None:
    record = person()
    record.resources[0]["birthDate"] = "1950-11-23"
    assert fact(record, "age").value == 75
    record.resources[0]["birthDate"] = "1950-11-22"
    assert fact(record, "age").value == 76
    record.resources[0]["birthDate"] = "1950"
    assert fact(record, "age").value == 75


@pytest.mark.parametrize(
    ("born", "age"),
    [("2008", None), ("2008-11", None), ("2008-12", 17), ("2008-10", 18), ("2007", None), ("2001", None), ("2000", 25)],
)
def test_a_birth_year_that_allows_two_ages_of_the_young_is_unconfirmed(born: str, age: int | None) -> None:
    """17 or 18 on 22 November 2026: neither a child nor an adult, until somebody records the day."""
    record = person()
    record.resources[0]["birthDate"] = born
    found = fact(record, "age")
    assert found.value == age
    if age is None:
        assert found.reason is Reason.UNCONFIRMED
        assert found.candidate == 2025 - int(born[:4])
    assert not fact(record, "pregnancy").known


@pytest.mark.parametrize(("gender", "age", "known"), [("male", 30, True), ("female", 59, False), ("female", 60, True)])
def test_pregnancy_is_never_asked_of_a_man_or_above_the_age_limit(gender: str, age: int, known: bool) -> None:
    assert fact(person(gender=gender, age=age), "pregnancy").known is known


def test_a_recorded_pregnancy_outweighs_every_no() -> None:
    record = person(age=40).finding("pregnancy-status", "not-pregnant", 1).condition("Z33.1", 3)
    assert fact(record, "pregnancy").value is True


def test_a_score_on_movement_is_preferred_on_the_same_day_and_a_later_day_wins() -> None:
    assert fact(person().pain(3, 0.1, moving=False).pain(7, 0.2), "pain-score").value == Decimal(7)
    assert fact(person().pain(7, 2).pain(3, 0.1, moving=False), "pain-score").value == Decimal(3)


def test_two_scores_of_one_instant_that_differ_conflict() -> None:
    assert fact(person().pain(3, 1).pain(7, 1), "pain-score").reason is Reason.CONFLICTING


def test_a_preliminary_score_or_one_without_a_place_is_only_a_candidate() -> None:
    for record in (person().pain(7, 1, status="preliminary"), person().pain(7, 1, site=False)):
        found = fact(record, "pain-score")
        assert (found.reason, found.candidate) == (Reason.UNCONFIRMED, Decimal(7))


def test_a_pain_score_shows_that_the_person_can_report_pain_unless_it_is_said_otherwise() -> None:
    assert fact(person().pain(7, 1), "self-report").value is True
    assert fact(person().pain(7, 1).finding("self-report-ability", "unable", 2), "self-report").value is False


def test_no_word_about_infection_is_unknown_and_never_a_no() -> None:
    assert fact(person(), "infection").reason is Reason.NOT_RECORDED


def test_an_active_infection_outweighs_a_negative_screen_and_a_resolved_one_does_not() -> None:
    screened = person().finding("infection-screen", "absent", 1)
    assert fact(screened, "infection").value is False
    assert fact(screened.condition("M46.46", 30), "infection").value is True
    resolved = person().finding("infection-screen", "absent", 1).condition("M46.46", 30, status="resolved")
    assert fact(resolved, "infection").value is False


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_denied_infection_is_neither_a_yes_nor_a_no(verification: str) -> None:
    record = person().condition("M46.46", 3, verification=verification)
    assert fact(record, "infection").reason is Reason.NOT_RECORDED


WORRIES = [("infection", "infection-screen", "present", "absent", "M46.46"),
           ("pregnancy", "pregnancy-status", "pregnant", "not-pregnant", "Z33.1")]  # fmt: skip


@pytest.mark.parametrize(("datum", "finding", "bad", "good", "code"), WORRIES)
def test_a_suspected_diagnosis_weakens_no_confirmed_yes_and_a_later_no_settles_it(
    datum: str, finding: str, bad: str, good: str, code: str
) -> None:
    def read(answer: str, days: float, **about: str) -> Fact:
        record = person(age=40).condition(code, 3, verification="provisional")
        return fact(record.finding(finding, answer, days, **about), datum)

    assert read(bad, 1).value is True
    assert read(bad, 9).value is True
    assert read(good, 1).value is False
    for doubted in (read(good, 9), read(good, 1, status="preliminary"), read(bad, 1, status="preliminary")):
        assert (doubted.reason, doubted.candidate) == (Reason.UNCONFIRMED, True)
    sure = person(age=40).condition(code, 3).finding(finding, good, 1)
    assert fact(sure, datum).value is True, "what is confirmed is not settled by a screen"


@pytest.mark.parametrize(("gender", "age"), [("male", 30), ("female", 60), ("female", 74)])
def test_a_recorded_pregnancy_counts_for_everybody(gender: str, age: int) -> None:
    def read(answer: str, **about: str) -> Fact:
        return fact(person(gender=gender, age=age).finding("pregnancy-status", answer, 1, **about), "pregnancy")

    assert read("pregnant").value is True
    assert read("pregnant", status="preliminary").candidate is True
    assert "does not apply" in read("not-pregnant").detail["finding"]


def test_the_latest_neurological_examination_decides_and_a_diagnosis_outweighs_it() -> None:
    record = person().finding("neurological-examination", "deficit", 3).finding("neurological-examination", "normal", 1)
    assert fact(record, "neurology").value == "normal"
    assert fact(record.condition("G83.4", 2), "neurology").value == "cord-or-cauda"


def test_a_suspected_cauda_outweighs_a_normal_examination_as_unconfirmed() -> None:
    record = person().finding("neurological-examination", "normal", 1)
    found = fact(record.condition("G83.4", 1, verification="provisional"), "neurology")
    assert (found.reason, found.candidate) == (Reason.UNCONFIRMED, "cord-or-cauda")


def test_in_hospital_is_known_only_from_encounters() -> None:
    assert fact(person(), "hospitalised").reason is Reason.NOT_RECORDED
    assert fact(person().encounter("AMB", 3, ended=3), "hospitalised").value is False
    assert fact(person().encounter("IMP", 3), "hospitalised").value is True
    stay = person().encounter("IMP", 9, ended=4)
    assert fact(stay, "hospitalised").value is False
    assert fact(stay, "hospitalised", days_ago=5).value is True


def test_every_fact_names_its_source() -> None:
    record = person().pain(7, 1).well(1).encounter("IMP", 2).finding("mobility", "bed-bound", 1)
    facts = case_of(record).person.facts
    # that there is none is a statement about the record
    silent = {"procedure-planned", "unusable-results", "cement-in-canal", "second-height-loss", "fractured-vertebrae"}
    assert all(f.sources for f in facts.values() if f.known and f.datum not in silent)


def test_more_digits_than_we_keep_are_rounded_and_never_break_a_decision() -> None:
    record = person().pain(7, 1)
    record.resources[-1]["valueQuantity"]["value"] = 7.256
    assert fact(record, "pain-score").value == Decimal("7.26")
