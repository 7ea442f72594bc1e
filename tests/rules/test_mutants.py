"""The cases are strong enough: each slightly wrong version of a rule fails at least one of its cases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pathway.casebook import answer
from pathway.casefiles import AS_OF, CaseFile, Example
from pathway.completions import representatives
from pathway.conditions import Condition, Leaf, leaves
from pathway.facts import Fact, Reason, unknown
from pathway.kleene import evaluate, verdict_of
from pathway.rulebook import Rule
from pathway.verdicts import Verdict
from tests.rules.book import BOOK, FILES
from tests.rules.mutants import mutants
from tests.rules.walk import walk

WORDS = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.UNKNOWN}

pytestmark = pytest.mark.slow  # every slip of the pen in every rule


def wrong_rules(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with each wrong version of its conditions."""
    yield from ((f"when: {what}", replace(rule, when=wrong)) for what, wrong in mutants(rule.when))
    if rule.closed_by is not None:
        yield from ((f"closed-by: {what}", replace(rule, closed_by=wrong)) for what, wrong in mutants(rule.closed_by))
    for outcome in rule.lasts_through:
        yield f"lasts-through: {outcome} left out", replace(rule, lasts_through=())


def came_to(rule: Rule, example: Example) -> str:
    def judged(condition: Condition) -> Verdict:
        return WORDS[evaluate(condition, example.view, AS_OF)]

    return answer(rule, example, judged(rule.when), judged(rule.closed_by) if rule.closed_by else None)


def all_facts(asked: list[Leaf]) -> list[Fact]:
    """Facts of one datum that differ for its comparisons: every value at every age, unknown, unconfirmed."""
    datum = asked[0].datum
    if datum.id not in BOOK.vocabulary.data:
        return [Fact(datum.id, value) for value in datum.values]
    limits = {leaf.within for leaf in asked if leaf.within is not None}
    ages = [timedelta(0), *(timedelta(seconds=limit) + timedelta(days=late) for limit in limits for late in (0, 1, 2))]
    facts = [unknown(datum.id)]
    for value in representatives(datum, asked):
        facts += [Fact(datum.id, value, at=AS_OF - age) for age in ages]
        facts += [unknown(datum.id, Reason.UNCONFIRMED, candidate=value, at=AS_OF - age) for age in ages]
    return facts


def differs(rule: Rule, wrong: Rule) -> bool:
    """Whether any facts at all tell the two apart; where none do, they are the same rule in other words."""
    conditions = [*rule.conditions(), *wrong.conditions()]
    by_datum: dict[str, list[Leaf]] = {}
    for leaf in (leaf for condition in conditions for leaf in leaves(condition)):
        by_datum.setdefault(leaf.datum.id, []).append(leaf)
    answers = {datum: all_facts(asked) for datum, asked in by_datum.items()}
    groups = walk(conditions, answers, lambda leaf, fact: verdict_of(leaf, fact, AS_OF))
    half = len(rule.conditions())
    return rule.lasts_through != wrong.lasts_through or any(
        _answer(rule, verdicts[:half]) != _answer(wrong, verdicts[half:]) for verdicts in groups
    )


def _answer(rule: Rule, verdicts: tuple[bool | None, ...]) -> str:
    """What a rule comes to while no task stands."""
    when, closed = (*verdicts, None)[:2]
    return answer(rule, Example("", {}, frozenset(), ""), WORDS[when], WORDS[closed])


def plain(file: CaseFile) -> list[Example]:
    """The cases of the rule as it stands in its file, without those of rule sets that have a shorter list."""
    return [example for example in file.examples if example.listed is None]


def survivors(file: CaseFile) -> list[str]:
    return [
        what
        for what, wrong in wrong_rules(file.rule)
        if all(came_to(wrong, example) == example.expect for example in plain(file)) and differs(file.rule, wrong)
    ]


@pytest.mark.parametrize("rule", sorted(FILES))
def test_each_slip_of_the_pen_fails_a_case(rule: str) -> None:
    assert all(came_to(FILES[rule].rule, example) == example.expect for example in plain(FILES[rule]))
    assert survivors(FILES[rule]) == []
