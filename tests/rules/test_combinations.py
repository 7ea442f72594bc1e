"""Proofs over every combination of criterion verdicts of `candidacy`: three to the power of all its criteria.

`walk` groups the full product exactly; the engine and the evaluator confirm it on a sample.
"""

import random
from functools import cache

import pytest

from pathway.casefiles import AS_OF
from pathway.compiler import Statement
from pathway.conditions import All, AnyOf, Condition, Leaf, Op, leaves
from pathway.facts import Fact
from pathway.forms import VERDICTS
from pathway.rulebook import Rule
from pathway.verdicts import Judge
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, CANDIDACY, machines
from tests.rules.walk import Group, Verdict, walk

CRITERIA = {rule.id: rule for rule in CANDIDACY.criteria}
RULES = CANDIDACY.recommendations
ALL_VERDICTS = dict.fromkeys(CRITERIA, VERDICTS)
DATA = {leaf.datum.id: leaf.datum for rule in RULES for leaf in leaves(rule.when)}

ALTERNATIVES = {"candidacy.care-given-its-time": "candidacy.wait-may-be-shorter"}
"""The one gate with a way round it: in hospital or bed-bound with pain not controlled, the wait may be shorter."""

ASKED_ELSEWHERE = {
    "shared.adult": "a missing birth date is mended at registration; it stands under missing",
    "shared.spine-level": "unknown only together with the vertebra's name, which is asked for",
    "shared.level-named": "never not-met: no source records that a vertebra is not named",
    "shared.osteoporotic-fracture": "unknown only together with the cause, which is asked for",
    "candidacy.not-yet-cemented": "after-cement.name-cemented-level asks the operator",
    "candidacy.no-cement-before-onset": "a statement about the record, which the builder always makes",
    "shared.alive": "a statement about the record, which the builder always makes",
}
"""Gates whose gap opens no task in this rule set, and why."""


def member(leaf: Leaf, answer: str | None) -> Verdict:
    """Whether a verdict is what a comparison asks for; None stands for a datum that may be anything."""
    if answer is None:
        return None
    return answer in leaf.operand if isinstance(leaf.operand, tuple) else answer == leaf.operand


def verdict(criterion: str, *codes: str) -> Leaf:
    return Leaf(DATA[criterion], Op.IN, codes)


def picked(verdicts: tuple[Verdict, ...]) -> Rule | None:
    """The rule that the hit order picks, from the verdicts of the rules in their order."""
    fired = [rule for rule, holds in zip(RULES, verdicts, strict=True) if holds]
    return min(fired, key=lambda rule: CANDIDACY.hit_order.index(rule.outcome), default=None)


@cache
def every_combination(*probes: Condition) -> list[tuple[str, tuple[Verdict, ...], Group]]:
    """The outcome, what the probes come to, and the group, for all combinations of verdicts."""
    groups = walk([*(rule.when for rule in RULES), *probes], ALL_VERDICTS, member)
    assert sum(group.count for group in groups.values()) == 3 ** len(CRITERIA)
    found: list[tuple[str, tuple[Verdict, ...], Group]] = []
    for verdicts, group in groups.items():
        rule = picked(verdicts[: len(RULES)])
        found.append((rule.outcome if rule else "none", verdicts[len(RULES) :], group))
    return found


def test_every_combination_has_exactly_one_outcome() -> None:
    assert [group.example for outcome, _, group in every_combination() if outcome == "none"] == []
    assert sum(group.count for _, _, group in every_combination()) == 3 ** len(CRITERIA)


@pytest.mark.parametrize("outcome", CANDIDACY.hit_order)
def test_every_outcome_of_the_hit_order_is_reached(outcome: str) -> None:
    assert any(found == outcome for found, _, _ in every_combination())


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_no_outcome_rule_is_shadowed(rule: str) -> None:
    groups = walk([rule.when for rule in RULES], ALL_VERDICTS, member)
    assert any(found is not None and found.id == rule for found in map(picked, groups))


def test_the_hit_order_is_the_default_of_clinical_policies() -> None:
    assert CANDIDACY.hit_order == (
        "out-of-scope", "contraindicated", "not-a-candidate", "needs-specialist-review", "insufficient-data", "defer",
        "candidate",
    )  # fmt: skip


def test_candidate_needs_no_hit_order() -> None:
    """Where it is possible nothing else is, so that no slip in the order can let it overtake a refusal."""
    fired = list(walk([rule.when for rule in RULES], ALL_VERDICTS, member))
    place = [rule.outcome for rule in RULES].index("candidate")
    assert [verdicts for verdicts in fired if verdicts[place] and verdicts.count(True) > 1] == []


GATES = [rule.id for rule in CANDIDACY.criteria if rule.role == "gate"]


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_that_is_unknown_or_not_met_yields_candidate(gate: str) -> None:
    probe: Condition = verdict(gate, "unknown", "not-met")
    if gate in ALTERNATIVES:
        probe = All((probe, verdict(ALTERNATIVES[gate], "unknown", "not-met")))
    assert [g.example for outcome, (open_,), g in every_combination(probe) if open_ and outcome == "candidate"] == []


@pytest.mark.parametrize("criterion", ["shared.no-infection", "shared.not-pregnant"])
def test_an_absolute_contraindication_never_coexists_with_candidate(criterion: str) -> None:
    probe = verdict(criterion, "not-met")
    outcomes = {outcome for outcome, (forbidden,), _ in every_combination(probe) if forbidden}
    assert outcomes == {"out-of-scope", "contraindicated"}


def test_what_is_fully_known_is_never_insufficient() -> None:
    known = All(tuple(verdict(id_, "met", "not-met") for id_ in DATA if id_ != "shared.level-named"))
    probe = All((known, verdict("shared.level-named", "met")))
    assert "insufficient-data" not in {outcome for outcome, (holds,), _ in every_combination(probe) if holds}


def test_notes_decide_nothing() -> None:
    notes = {rule.id for rule in CANDIDACY.criteria if rule.role == "note"}
    assert notes.isdisjoint(DATA)
    assert notes | set(DATA) == set(CRITERIA), "a criterion that decides nothing is a note"


def test_insufficient_data_on_a_current_fracture_always_has_a_task() -> None:
    """Someone is asked for what is missing, whatever else is known; the gates asked elsewhere say where."""
    tasks = [condition for rule in CANDIDACY.obligations for condition in rule.conditions()]
    names = {leaf.datum.id for condition in tasks for leaf in leaves(condition)}
    answers: dict[str, tuple[str | None, ...]] = dict.fromkeys(CRITERIA, VERDICTS)
    answers |= {"candidacy.spoken-of-lately": ("met",), "outcome": ("insufficient-data",)}
    answers |= dict.fromkeys(names & set(BOOK.vocabulary.data), (None,))
    elsewhere = AnyOf(tuple(verdict(gate, "unknown", "not-met") for gate in ASKED_ELSEWHERE))
    groups = walk([*(rule.when for rule in RULES), *tasks, elsewhere], answers, member)
    silent: list[object] = []
    for verdicts, group in groups.items():
        rule, rest = picked(verdicts[: len(RULES)]), verdicts[len(RULES) :]
        opened = any(rest[n] is True and rest[n + 1] is not True for n in range(0, len(tasks), 2))
        if rule is not None and rule.outcome == "insufficient-data" and not opened and rest[-1] is not True:
            silent.append(group.example)
    assert silent == []


def test_engine_and_evaluator_agree_with_the_walk() -> None:
    rng = random.Random(20261122)
    rows = [{id_: rng.choice(VERDICTS) for id_ in DATA} for _ in range(400)]
    near = [
        {**dict.fromkeys(DATA, "met"), **{id_: rng.choice(VERDICTS) for id_ in rng.sample(list(DATA), 3)}} for _ in rows
    ]
    judge = Judge([Statement(rule.id, rule.scope, rule.when) for rule in RULES])
    views = [{id_: Fact(id_, found) for id_, found in row.items()} for row in (*rows, *near)]
    for row, judged in zip((*rows, *near), judge.judge(Scope.LEVEL, views, AS_OF), strict=True):
        ((verdicts, _),) = walk([r.when for r in RULES], {id_: (found,) for id_, found in row.items()}, member).items()
        assert [judged[rule.id] == "met" for rule in RULES] == list(verdicts)
    judge.close()


@pytest.mark.parametrize("seed", range(40))
def test_insufficient_data_never_asks_in_vain(seed: int) -> None:
    """Where data are missing, some answer to the unknown criteria changes the outcome, and those are asked for."""
    machine = next(m for m in machines() if m.rule_set is CANDIDACY)
    rng = random.Random(seed)
    row = {**dict.fromkeys(DATA, "met"), **{id_: rng.choice(VERDICTS) for id_ in rng.sample(list(DATA), 5)}}
    ((verdicts, _),) = walk([r.when for r in RULES], {id_: (found,) for id_, found in row.items()}, member).items()
    rule = picked(verdicts)
    assert rule is not None
    if rule.outcome == "insufficient-data" and row["shared.level-named"] != "not-met":
        assert machine.deciding(tuple(row.items()))
