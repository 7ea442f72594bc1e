"""What one finding answers by itself, panels and attestations, and that every declared datum has a reader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from adapters.demo.record import Record
from adapters.fhir import to_facts
from adapters.fhir.readiness_facts import PLAIN
from pathway import strict_yaml
from pathway.facts import Fact, Reason, Sheet
from pathway.vocabulary import Scope
from tests.world import ROOT, book, candidate, case_of, person

TABLE = [(datum, code, answer, value) for datum, code, answers in PLAIN for answer, value in answers.items()]
SIGNED = ("team-discussion",)
RISKY = {
    "mri-unsafe": "present", "cardiopulmonary-disease": "present", "bleeding-risk": "present",
    "contrast-allergy": "present", "antibiotic-allergy": "present", "hyperviscosity": "yes",
    "occult-tumour-signs": "present", "thrombotic-risk": "high", "performance-status-poor": "present",
    "prone-and-sedation": "doubtful", "antithrombotic": "anticoagulant", "inflammation-markers": "raised",
}  # fmt: skip


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


@pytest.mark.parametrize(("datum", "code", "answer", "value"), TABLE)
def test_each_answer_of_a_finding_is_the_value_of_its_datum(datum: str, code: str, answer: str, value: Any) -> None:
    read = fact(person().finding(code, answer, 2), datum)
    assert (read.value, read.sources) == (value, (f"Observation/p1-{code}-1",))
    assert read.at is not None


@pytest.mark.parametrize(("datum", "code", "answers"), PLAIN)
def test_a_datum_of_one_finding_is_unknown_with_its_reason(datum: str, code: str, answers: dict[str, Any]) -> None:
    one, other = next(iter(answers)), list(answers)[-1]
    assert fact(person(), datum).reason is Reason.NOT_RECORDED
    doubted = fact(person().finding(code, one, 2, status="preliminary"), datum)
    assert (doubted.reason, doubted.candidate) == (Reason.UNCONFIRMED, answers[one])
    assert fact(person().finding(code, one, 2).finding(code, other, 2), datum).reason is Reason.CONFLICTING
    assert fact(person().finding(code, one, 9).finding(code, other, 2), datum).value == answers[other]
    assert fact(person().finding(code, other, 9).finding(code, one, 2), datum).value == answers[one]
    assert fact(person().finding(code, one, 2, status="entered-in-error"), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("code", SIGNED)
def test_a_statement_counts_only_with_the_name_of_who_holds_it(code: str) -> None:
    record = person().finding(code, "yes", 1)
    assert fact(record, code).value is True
    del record.resources[-1]["performer"]
    assert (fact(record, code).reason, fact(record, code).candidate) == (Reason.UNCONFIRMED, True)


def test_an_attestation_answers_several_items_at_once() -> None:
    answers = {
        "mri-unsafe": "absent", "bleeding-risk": "absent", "antithrombotic": "none", "prone-and-sedation": "tolerated",
        "surgical-rescue": "yes", "contrast-allergy": "absent", "tumour-kind": "myeloma", "team-discussion": "yes",
    }  # fmt: skip
    facts = case_of(person().attest(answers, 1)).person.facts
    assert {datum: facts[datum].value for datum in answers} == {
        "mri-unsafe": False, "bleeding-risk": False, "antithrombotic": "none", "prone-and-sedation": "tolerated",
        "surgical-rescue": True, "contrast-allergy": False, "tumour-kind": "myeloma", "team-discussion": True,
    }  # fmt: skip
    assert {facts[datum].sources for datum in answers} == {("Observation/p1-attestation-1",)}
    facts = case_of(person().attest(answers, 1, signed=False)).person.facts
    assert {facts[datum].reason for datum in answers} == {Reason.UNCONFIRMED}


def test_consent_is_read_item_by_item_and_what_was_kept_silent_about_is_not_recorded() -> None:
    facts = case_of(person().consent(1, silent=["embolism"])).person.facts
    told = {datum: fact for datum, fact in facts.items() if datum.startswith("consent-")}
    assert {datum for datum, fact in told.items() if fact.value is True} == told.keys() - {"consent-embolism"}
    assert told["consent-embolism"].reason is Reason.NOT_RECORDED
    later = person().consent(9).panel("consent", {"consent-leak": "absent"}, 1)
    assert (fact(later, "consent-leak").value, fact(later, "consent-infection").value) == (False, True)
    assert fact(person().consent(3).finding("consent-leak", "absent", 3), "consent-leak").reason is Reason.CONFLICTING


def test_a_panel_does_not_lend_its_components_a_signature() -> None:
    record = person().panel("consent", {"team-discussion": "yes", "consent-leak": "present"}, 1)
    assert fact(record, "team-discussion").reason is Reason.UNCONFIRMED
    assert fact(record, "consent-leak").value is True


@pytest.mark.parametrize(("code", "answer"), RISKY.items())
def test_an_undated_sign_of_danger_still_warns(code: str, answer: str) -> None:
    record = person().finding(code, answer, 1)
    del record.resources[-1]["effectiveDateTime"]
    datum = fact(record, code)
    assert datum.reason is Reason.UNCONFIRMED
    assert datum.candidate in (True, answer)
    assert [(item.code, item.where) for item in case_of(record).set_aside if item.code == "invalid"] == [
        ("invalid", f"Observation/p1-{code}-1")
    ]


@pytest.mark.parametrize("code", sorted(RISKY.keys() - {"thrombotic-risk", "prone-and-sedation", "antithrombotic"}))
def test_an_undated_no_says_nothing(code: str) -> None:
    record = person().finding(code, "normal" if code == "inflammation-markers" else "absent", 1)
    del record.resources[-1]["effectiveDateTime"]
    assert fact(record, code).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("scope", Scope)
def test_every_declared_datum_has_a_reader(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[Scope, set[str]] = {}
    fill = Sheet.fill

    def watched(vocabulary: Any, scope: Scope, facts: Iterable[Fact], **about: str) -> Sheet:
        rows = list(facts)
        given.setdefault(scope, set()).update(row.datum for row in rows)
        return fill(vocabulary, scope, rows, **about)

    monkeypatch.setattr(to_facts.Sheet, "fill", watched)
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9)
    case_of(record.finding("neurological-examination", "normal", 0.8).finding("chest-check", "normal", 0.8))
    measured = strict_yaml.read_file(ROOT / "rules/vocabulary/measures.yaml", ROOT / "rules")["data"].keys()
    assert {datum.id for datum in book().vocabulary.of_scope(scope)} - given[scope] - measured == set()


def test_a_reason_to_go_on_in_spite_of_heart_or_lungs_is_read_like_the_others() -> None:
    datum = "reason-despite-cardiopulmonary-disease"
    ill = person().finding("cardiopulmonary-disease", "present", 5)
    assert fact(ill, datum).reason is Reason.NOT_RECORDED
    assert fact(ill.reason("cardiopulmonary-disease", 2), datum).value is True
    early = person().reason("cardiopulmonary-disease", 9).finding("cardiopulmonary-disease", "present", 5)
    assert fact(early, datum).reason is Reason.STALE


@pytest.mark.parametrize(("sex", "age"), [("male", 40), ("male", 78), ("female", 78)])
def test_pregnancy_does_not_apply_to_a_man_or_to_a_woman_of_78(sex: str, age: int) -> None:
    assert fact(person(gender=sex, age=age), "pregnancy").value is False
    assert fact(person(gender="female", age=45), "pregnancy").reason is Reason.NOT_RECORDED
