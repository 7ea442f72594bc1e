"""A crowd of different cases, and the rule sets to decide them: for tests of many threads, processes and decisions."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache

from pathway.case import Case
from pathway.facts import Fact
from pathway.levels import LEVELS, UNSPECIFIED
from pathway.rulebook import RuleSet
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK
from tests.rules.people import POOLS, VOCABULARY, Person

FEW = 9
"""Odd facts on a sheet: enough for every outcome, verdict and reason to come up."""


@cache
def rule_sets() -> tuple[RuleSet, ...]:
    """Candidacy, a policy beside it that shares most of its rules, and one rule set of each other kind."""
    others = {one.kind: one for one in BOOK.sets.values() if one.kind != "clinical"}
    return (BOOK.sets["candidacy"], BOOK.sets["nice-ta279"], *others.values())


def machines(chosen: Iterable[RuleSet] = ()) -> tuple[Machine, ...]:
    """Newly compiled."""
    return tuple(Machine(rule_set) for rule_set in chosen or rule_sets())


def case(seed: int) -> Case:
    """One person of the crowd: one to three levels, some of them cemented, with odd facts on every sheet."""
    rng = random.Random(seed)
    levels = rng.sample([*LEVELS, UNSPECIFIED], rng.randint(1, 3))
    cemented = levels[: rng.randint(0, 1)]
    return Person(
        _odd(rng, Scope.PATIENT),
        {level: _odd(rng, Scope.LEVEL) for level in levels},
        {level: _odd(rng, Scope.TREATED_LEVEL) for level in cemented},
        standing=rng.random() < 0.3,
    ).case()


def _odd(rng: random.Random, scope: Scope) -> dict[str, Fact]:
    names = [datum.id for datum in VOCABULARY.of_scope(scope)]
    return {name: rng.choice(POOLS[name]) for name in rng.sample(names, rng.randint(0, FEW))}
