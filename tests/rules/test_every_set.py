"""Proofs that hold for every rule set that gives outcomes, over every combination of criterion verdicts.

`walk` groups the full product exactly; the engine and the evaluator confirm it on a sample.
"""

import random

import pytest

from pathway.casefiles import AS_OF
from pathway.compiler import Statement
from pathway.facts import Fact
from pathway.forms import VERDICTS
from pathway.rulebook import Rule, RuleSet
from pathway.verdicts import Judge
from pathway.vocabulary import Scope
from tests.rules.book import machines
from tests.rules.proofs import DECIDING, criteria_read, every_combination, grouped, member, picked
from tests.rules.walk import walk

pytestmark = pytest.mark.slow  # every combination of every set

every_deciding_set = pytest.mark.parametrize("rule_set", DECIDING, ids=lambda rule_set: rule_set.id)


def test_there_are_clinical_coverage_and_safety_sets() -> None:
    assert {rule_set.kind for rule_set in DECIDING} == {"clinical", "coverage", "safety"}


@every_deciding_set
def test_every_combination_has_exactly_one_outcome(rule_set: RuleSet) -> None:
    found = every_combination(rule_set.id)
    assert [group.example for outcome, _, group in found if outcome == "none"] == []
    assert sum(group.count for _, _, group in found) == 3 ** len(rule_set.criteria)


@every_deciding_set
def test_every_outcome_of_the_hit_order_is_reached(rule_set: RuleSet) -> None:
    assert {outcome for outcome, _, _ in every_combination(rule_set.id)} == set(rule_set.hit_order)


@pytest.mark.parametrize(
    ("rule_set", "rule"),
    [(rule_set, rule) for rule_set in DECIDING for rule in rule_set.recommendations],
    ids=lambda part: part.id,
)
def test_no_outcome_rule_is_shadowed(rule_set: RuleSet, rule: Rule) -> None:
    assert any(picked(rule_set, verdicts) is rule for verdicts in grouped(rule_set.id))


@every_deciding_set
def test_notes_decide_nothing(rule_set: RuleSet) -> None:
    notes = {rule.id for rule in rule_set.criteria if rule.role == "note"}
    read = set(criteria_read(rule_set.id))
    assert notes.isdisjoint(read)
    assert notes | read == {rule.id for rule in rule_set.criteria}, "a criterion that decides nothing is a note"


def near(rng: random.Random, rule_set: RuleSet, most: int) -> dict[str, str]:
    """Verdicts that are met but for some."""
    read = list(criteria_read(rule_set.id))
    return {**dict.fromkeys(read, "met"), **{id_: rng.choice(VERDICTS) for id_ in rng.sample(read, most)}}


@every_deciding_set
def test_engine_and_evaluator_agree_with_the_walk(rule_set: RuleSet) -> None:
    rng, rules, read = random.Random(20261122), rule_set.recommendations, criteria_read(rule_set.id)
    rows = [{id_: rng.choice(VERDICTS) for id_ in read} for _ in range(200)]
    rows += [near(rng, rule_set, 3) for _ in range(200)]
    judge = Judge([Statement(rule.id, rule.scope, rule.when) for rule in rules])
    views = [{id_: Fact(id_, found) for id_, found in row.items()} for row in rows]
    for row, judged in zip(rows, judge.judge(Scope.LEVEL, views, AS_OF), strict=True):
        ((verdicts, _),) = walk([r.when for r in rules], {id_: (found,) for id_, found in row.items()}, member).items()
        assert [judged[rule.id] == "met" for rule in rules] == list(verdicts)
    judge.close()


@every_deciding_set
@pytest.mark.parametrize("seed", range(20))
def test_insufficient_data_never_asks_in_vain(rule_set: RuleSet, seed: int) -> None:
    """Where data are missing, some answer to the unknown criteria changes the outcome, and those are asked for."""
    machine = next(m for m in machines() if m.rule_set is rule_set)
    row = near(random.Random(seed), rule_set, 5)
    one = {id_: (found,) for id_, found in row.items()}
    ((verdicts, _),) = walk([rule.when for rule in rule_set.recommendations], one, member).items()
    rule = picked(rule_set, verdicts)
    assert rule is not None
    assert machine.search is not None
    if rule.outcome == "insufficient-data" and row.get("shared.level-named") != "not-met":
        assert machine.search.deciding(row)
