"""Hints: which rules may give a card, what a decision says of one, and that it comes, goes, and replays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from pathway.canonical import parse
from pathway.case import Case
from pathway.casefiles import AS_OF
from pathway.decide import decide
from pathway.deciding import concluded
from pathway.errors import ReplayError, RuleBookError
from pathway.facts import Fact, Reason, unknown
from pathway.horizon import next_change
from pathway.rulebook import from_document
from pathway.strata import Machine
from pathway.trace import explain_decision
from pathway.vocabulary import Scope
from tests.rules.book import BOOK
from tests.rules.people import Person, known

LATE, ALARM = "after-cement.chest-late", "after-cement.chest-emergency"
SET = BOOK.sets["after-cement"]
YEARS = 1461


@cache
def machine() -> Machine:
    return Machine(SET)


def person(symptom: Fact, day: int = YEARS, level: str = "L1", **more: Fact) -> Person:
    made = Person({"deceased": known("deceased", False)}, {}, {level: {}})
    facts = (known("days-since-cement", day), symptom, known("chest-check-day", day), *more.values())
    for fact in facts:
        made = made.but(Scope.TREATED_LEVEL, level, fact)
    return made


def breathless(age: timedelta = timedelta(hours=1)) -> Fact:
    return Fact("chest-symptom-after-cement", True, None, None, AS_OF - age, ("Condition/c1",))


def decided(case: Case) -> Any:
    return parse(decide(case, [machine()]).to_bytes())


# --- which rules may give a card


def change(**keys: Any) -> Callable[[dict[str, Any]], None]:
    """Other keys for the card's rule in a release document; None takes one away."""

    def made(document: dict[str, Any]) -> None:
        rule = next(rule for rule in document["rules"] if rule["id"] == LATE)
        rule.update(keys)
        for key in [key for key, value in keys.items() if value is None]:
            del rule[key]

    return made


UNAGED = {"all": [{"chest-symptom-after-cement": {"is": True}}]}
TRAPS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("'task' belongs to a task, and this rule gives a card", change(task="chest-emergency")),
    ("'owner' belongs to a task, and this rule gives a card", change(owner="nurse")),
    ("'closed-by' belongs to a task, and this rule gives a card", change(**{"closed-by": UNAGED})),
    ("'indicator' belongs to a card", change(card=None)),
    ("indicator 'critical' is not known", change(indicator="critical")),
    ("key 'indicator' is missing", change(indicator=None)),
    ("say holds other messages than it should", change(say={"open": "x", "closed": "y"})),
    ("nothing ends this card", change(when=UNAGED)),
    ("it yields to 'after-cement.chest-late', which is no task", change(**{"yields-to": [LATE]})),
    ("it yields to 'candidacy.nothing', which is no task", change(**{"yields-to": ["candidacy.nothing"]})),
    ("only an obligation gives a card", change(stratum="criteria")),
]


@pytest.mark.parametrize(("says", "slip"), TRAPS, ids=[says for says, _ in TRAPS])
def test_the_rule_book_refuses_a_card_that_is_half_a_task_or_never_ends(
    says: str, slip: Callable[[dict[str, Any]], object]
) -> None:
    document = parse(SET.body)
    slip(document)
    with pytest.raises(RuleBookError) as fault:
        from_document(document)
    assert says in str(fault.value)


def test_no_card_stands_among_the_tasks() -> None:
    for rule in SET.obligations:
        assert bool(rule.card) is not bool(rule.task), rule.id
        assert bool(rule.card) is (rule.due is None), rule.id


# --- what a decision says


def test_a_hint_says_which_rule_what_and_on_which_sign() -> None:
    body = decided(person(breathless()).case())
    (hint,) = body["hints"]
    assert (hint["rule"], hint["code"], hint["indicator"]) == (LATE, "chest-symptoms-late", "warning")
    assert (hint["release"], hint["levels"], hint["sources"]) == (SET.release, ["L1"], ["Condition/c1"])
    assert hint["signAt"] == "2026-11-22T11:00:00Z"
    assert hint["why"][0].startswith("Day 1461 after cement at L1")
    assert LATE not in {wish["rule"] for wish in body["obligations"]}


def test_a_decision_without_a_hint_has_no_such_key() -> None:
    """Older decisions have none, and replay to the byte."""
    assert "hints" not in decided(person(known("chest-symptom-after-cement", False)).case())


def test_two_vertebrae_are_one_hint_with_the_newest_sign() -> None:
    two = person(breathless(timedelta(days=2))).but(Scope.TREATED_LEVEL, "T12", known("days-since-cement", 900))
    for fact in (breathless(timedelta(hours=3)), known("chest-check-day", 900)):
        two = two.but(Scope.TREATED_LEVEL, "T12", fact)
    (hint,) = decided(two.case())["hints"]
    assert hint["levels"] == ["T12", "L1"]
    assert hint["signAt"] == "2026-11-22T09:00:00Z"
    assert len(hint["why"]) == 2


def test_a_hint_yields_to_an_open_emergency_about_another_vertebra() -> None:
    both = person(breathless()).but(Scope.TREATED_LEVEL, "T12", known("days-since-cement", 4))
    for fact in (breathless(), known("chest-check-day", 4)):
        both = both.but(Scope.TREATED_LEVEL, "T12", fact)
    body = decided(both.case())
    assert [wish["state"] for wish in body["obligations"] if wish["rule"] == ALARM] == ["open"]
    assert "hints" not in body


def test_a_set_that_does_not_act_gives_no_hint() -> None:
    assert all(not rule.card for one in BOOK.sets.values() if one.kind == "clinical" for rule in one.obligations)


# --- it comes and goes


def test_a_hint_that_comes_or_goes_is_a_change_and_one_that_stays_is_none() -> None:
    with_it, again = (concluded(decided(person(breathless()).case())) for _ in range(2))
    without = concluded(decided(person(known("chest-symptom-after-cement", False)).case()))
    assert with_it == again
    assert set(with_it) - set(without) == {("hint", LATE, "L1")}


def test_the_day_on_which_the_sign_grows_old_is_foreseen() -> None:
    case = person(breathless()).case()
    ahead = next_change(case, [SET])
    assert ahead is not None
    assert ahead <= AS_OF - timedelta(hours=1) + timedelta(days=14, microseconds=1)


# --- why


def test_the_trace_of_a_hint_has_every_comparison_with_its_record() -> None:
    body = decided(person(breathless()).case())
    (traced,) = explain_decision(body, [SET]).hints
    assert (traced.rule.id, traced.verdict) == (LATE, "met")
    told = {item.datum: (item.verdict, item.sources) for item in traced.comparisons}
    assert told["chest-symptom-after-cement"] == ("met", ("Condition/c1",))
    assert told["shared.alive"][0] == "met"
    assert told["saturation-after-cement"][0] == "not-met"


def test_a_hint_that_does_not_follow_from_the_facts_is_found_out() -> None:
    body = decided(person(known("chest-symptom-after-cement", False)).case())
    planted = decided(person(breathless()).case())["hints"]
    with pytest.raises(ReplayError, match="the card does not follow"):
        explain_decision({**body, "hints": planted}, [SET])


def test_an_unconfirmed_sign_gives_the_card_with_its_record() -> None:
    said = unknown(
        "chest-symptom-after-cement", Reason.UNCONFIRMED, candidate=True, at=AS_OF, sources=("Observation/o1",)
    )
    (hint,) = decided(person(said).case())["hints"]
    assert hint["sources"] == ["Observation/o1"]
