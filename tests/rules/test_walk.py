"""The walk gives the same counts as trying every combination one by one."""

import random
from collections import Counter
from itertools import product

import pytest

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op
from pathway.kleene import fold
from pathway.vocabulary import Datum, Kind, Scope
from tests.rules.walk import Verdict, walk

ANSWERS = ("met", "not-met", "unknown", "unheard")
DATA = [Datum(f"d{n}", "x", Kind.CODE, Scope.PATIENT, "x", "x", "x", values=ANSWERS) for n in range(5)]


def condition(rng: random.Random, depth: int) -> Condition:
    if depth == 0 or rng.random() < 0.25:
        return Leaf(rng.choice(DATA), Op.IN, tuple(rng.sample(ANSWERS, rng.randint(1, 3))))
    if rng.random() < 0.2:
        return Not(condition(rng, depth - 1))
    return rng.choice((All, AnyOf))(tuple(condition(rng, depth - 1) for _ in range(rng.randint(1, 4))))


def judge(leaf: Leaf, answer: str) -> Verdict:
    return None if answer == "unheard" else answer in tuple(leaf.operand)


@pytest.mark.parametrize("seed", range(20))
def test_the_walk_counts_what_trying_every_combination_counts(seed: int) -> None:
    rng = random.Random(seed)
    conditions = [condition(rng, 3) for _ in range(3)]
    counted: Counter[tuple[Verdict, ...]] = Counter()
    for answers in product(ANSWERS, repeat=len(DATA)):
        row = {datum.id: answer for datum, answer in zip(DATA, answers, strict=True)}
        counted[tuple(fold(c, lambda leaf: judge(leaf, row[leaf.datum.id])) for c in conditions)] += 1  # noqa: B023
    groups = walk(conditions, {datum.id: ANSWERS for datum in DATA}, judge)
    assert {verdicts: group.count for verdicts, group in groups.items()} == counted


@pytest.mark.parametrize("seed", range(5))
def test_the_example_of_a_group_belongs_to_it(seed: int) -> None:
    rng = random.Random(seed)
    conditions = [condition(rng, 3) for _ in range(2)]
    for verdicts, group in walk(conditions, {datum.id: ANSWERS for datum in DATA}, judge).items():
        row = dict(group.example)
        assert tuple(fold(c, lambda leaf: judge(leaf, str(row[leaf.datum.id]))) for c in conditions) == verdicts  # noqa: B023
