"""What a rule set comes to for every combination of verdicts of its criteria: three to the power of their number."""

from functools import cache

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.forms import VERDICTS
from pathway.rulebook import Rule, RuleSet
from pathway.vocabulary import Datum
from tests.rules.book import BOOK
from tests.rules.walk import Group, Verdict, walk

DECIDING = [rule_set for rule_set in BOOK.sets.values() if rule_set.recommendations]
"""The rule sets that give outcomes."""


def member(leaf: Leaf, answer: str | None) -> Verdict:
    """Whether a verdict is what a comparison asks for; None stands for a datum that may be anything."""
    if answer is None:
        return None
    return answer in leaf.operand if isinstance(leaf.operand, tuple) else answer == leaf.operand


@cache
def criteria_read(id_: str) -> dict[str, Datum]:
    """The criteria that the outcomes of a rule set rest on."""
    return {leaf.datum.id: leaf.datum for rule in BOOK.sets[id_].recommendations for leaf in leaves(rule.when)}


def verdict(rule_set: RuleSet, criterion: str, *codes: str) -> Leaf:
    """That a criterion has one of these verdicts."""
    return Leaf(criteria_read(rule_set.id)[criterion], Op.IN, codes)


def picked(rule_set: RuleSet, verdicts: tuple[Verdict, ...]) -> Rule | None:
    """The rule that the hit order picks, from the verdicts of the outcome rules in their order."""
    fired = [rule for rule, holds in zip(rule_set.recommendations, verdicts, strict=True) if holds]
    return min(fired, key=lambda rule: rule_set.hit_order.index(rule.outcome), default=None)


@cache
def grouped(id_: str, probes: tuple[Condition, ...] = ()) -> dict[tuple[Verdict, ...], Group]:
    """What outcome rules and probes come to, for all combinations; counted, so that none can be left out."""
    rule_set = BOOK.sets[id_]
    answers = dict.fromkeys((rule.id for rule in rule_set.criteria), VERDICTS)
    groups = walk([*(rule.when for rule in rule_set.recommendations), *probes], answers, member)
    assert sum(group.count for group in groups.values()) == 3 ** len(answers)
    return groups


@cache
def every_combination(id_: str, *probes: Condition) -> list[tuple[str, tuple[Verdict, ...], Group]]:
    """The outcome, what the probes come to, and the group, for all combinations of verdicts."""
    rule_set = BOOK.sets[id_]
    found: list[tuple[str, tuple[Verdict, ...], Group]] = []
    for verdicts, group in grouped(id_, probes).items():
        rule = picked(rule_set, verdicts[: len(rule_set.recommendations)])
        found.append((rule.outcome if rule else "none", verdicts[len(rule_set.recommendations) :], group))
    return found


def comes_to(rule_set: RuleSet, *outcomes: str) -> Condition:
    """That a rule set comes to one of these outcomes: a rule of it holds, and none of what the hit order puts first."""

    def any_of(outcome: str) -> Condition:
        return AnyOf(tuple(rule.when for rule in rule_set.recommendations if rule.outcome == outcome))

    places = [rule_set.hit_order.index(outcome) for outcome in outcomes if outcome in rule_set.hit_order]
    first = [(any_of(rule_set.hit_order[n]), rule_set.hit_order[:n]) for n in places]
    return AnyOf(tuple(All((here, *(Not(any_of(one)) for one in before))) for here, before in first))


def supposing(condition: Condition, criterion: str, answer: str) -> Condition:
    """A condition with one criterion answered: its comparisons become true or false."""
    match condition:
        case Leaf(datum):
            holds = member(condition, answer)
            return condition if datum.id != criterion else All(()) if holds else AnyOf(())
        case Not(part):
            return Not(supposing(part, criterion, answer))
        case All(parts) | AnyOf(parts):
            return type(condition)(tuple(supposing(part, criterion, answer) for part in parts))


def counterexample(rule_set: RuleSet, condition: Condition) -> object | None:
    """A combination of verdicts for which a condition holds, out of all there are; None proves that there is none."""
    answers = dict.fromkeys((rule.id for rule in rule_set.criteria), VERDICTS)
    group = walk([condition], answers, member).get((True,))
    return group.example if group else None
