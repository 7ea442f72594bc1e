"""The trace of a decision: every comparison behind every verdict. Made when somebody asks, from what was stored.

A decision keeps its facts and names its releases; from the two each comparison comes out again as it did then. Deciding
pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pathway.case import Case
from pathway.conditions import Condition
from pathway.errors import ReplayError
from pathway.facts import Fact
from pathway.kleene import View, evaluate, explain
from pathway.rulebook import Rule, RuleSet
from pathway.vocabulary import Scope, Vocabulary

_WORDS: Final[Mapping[bool | None, str]] = {True: "met", False: "not-met", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: which datum (or criterion), the test in words, how it ended, why that is no plain answer.

    `verdict` is `met`, `not-met` or `unknown`; `reason` is empty for a plain answer; `sources` are references such as
    `Observation/a1`; `fact` is what was compared.
    """

    datum: str
    test: str
    verdict: str
    reason: str
    sources: tuple[str, ...]
    fact: Fact

    def to_json(self) -> dict[str, Any]:
        """For canonical JSON, without the fact, which stands elsewhere; empty parts are left out."""
        body: dict[str, Any] = {"datum": self.datum, "test": self.test, "verdict": self.verdict}
        if self.reason:
            body["reason"] = self.reason
        if self.sources:
            body["sources"] = list(self.sources)
        return body


@dataclass(frozen=True, slots=True)
class TracedRule:
    """A rule with the verdict and the message of the decision, and every comparison behind them, in written order."""

    rule: Rule
    verdict: str
    message: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class TracedSheet:
    """A level, or a cemented level, under one rule set: its criteria, and the rules that gave its outcome, if any."""

    level: str
    episode: str
    rule_set: RuleSet
    outcome: str
    outcome_rules: tuple[TracedRule, ...]
    criteria: tuple[TracedRule, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """All of a decision, in its order; a card that is no task once for each sheet on which its rule holds."""

    levels: tuple[TracedSheet, ...]
    treated: tuple[TracedSheet, ...]
    considerations: tuple[TracedSheet, ...] = ()
    hints: tuple[TracedRule, ...] = ()


def explain_decision(body: Mapping[str, Any], rule_sets: Sequence[RuleSet]) -> Trace:
    """The trace of a decision of any form, from its body and the stored rule sets of its releases.

    Raises ReplayError where a verdict does not follow from the stored facts.
    """
    by_id = {rule_set.id: rule_set for rule_set in rule_sets}
    case = Case.from_decision(Vocabulary.union(rule_set.vocabulary for rule_set in rule_sets), body)
    levels = {sheet.level: view for sheet, view in case.views(Scope.LEVEL)}
    treated = {id: iter(case.views(Scope.TREATED_LEVEL)) for id in by_id}  # a row for each sheet, in order
    listed = {sheet.instance: view for scope in Scope for sheet, view in case.views(scope)}
    weighed = body.get("considerations", ())
    return Trace(
        tuple(_sheet(row, by_id[row["policy"]], levels[row["level"]], case) for row in body["levels"]),
        tuple(_sheet(row, by_id[row["ruleSet"]], next(treated[row["ruleSet"]])[1], case) for row in body["treated"]),
        tuple(_sheet(row, by_id[row["ruleSet"]], listed[row["instance"]], case) for row in weighed),
        tuple(one for row in body.get("hints", ()) for one in _hint(row, by_id, case)),
    )


def comparisons(condition: Condition, view: View, as_of: datetime) -> tuple[Comparison, ...]:
    """Every comparison of a condition on a view, in written order."""
    return tuple(
        Comparison(
            item.datum, f"{item.op} {item.operand}", _WORDS[item.verdict], item.reason,
            tuple(sorted(set(item.fact.sources))), item.fact,
        )
        for item in explain(condition, view, as_of)
    )  # fmt: skip


def _sheet(row: Mapping[str, Any], rule_set: RuleSet, view: View, case: Case) -> TracedSheet:
    said = {criterion["id"]: criterion for criterion in row["criteria"]}
    criteria = tuple(_rule(rule, said[rule.id], view, case) for rule in rule_set.criteria if rule.id in said)
    verdicts = {id: Fact(id, criterion["verdict"]) for id, criterion in said.items()}
    outcome = str(row.get("outcome", ""))
    fired = [
        rule
        for rule in rule_set.recommendations
        if rule.outcome == outcome and evaluate(rule.when, verdicts, case.as_of)
    ]
    if outcome and not fired:
        raise ReplayError("no rule gives this outcome", where=f"{rule_set.release}: {row['level']}")
    outcomes = tuple(
        TracedRule(rule, _WORDS[True], str(row["reason"]), comparisons(rule.when, verdicts, case.as_of))
        for rule in fired
    )
    return TracedSheet(row["level"], row["episode"], rule_set, outcome, outcomes, criteria)


def _hint(row: Mapping[str, Any], by_id: Mapping[str, RuleSet], case: Case) -> Iterator[TracedRule]:
    """Why a card is shown: its rule on each sheet on which it holds. ReplayError where it holds on none."""
    rule_set = by_id[row["release"].partition("|")[0]]
    rule = next(one for one in rule_set.obligations if one.id == row["rule"])
    seen = [one for one in rule_set.criteria if rule.scope.sees(one.scope)]
    held = False
    for _, view in case.views(rule.scope):
        verdicts = {one.id: Fact(one.id, _WORDS[evaluate(one.when, view, case.as_of)]) for one in seen}
        whole = {**view, **verdicts}
        if evaluate(rule.when, whole, case.as_of):
            held = True
            yield TracedRule(rule, _WORDS[True], " ".join(row["why"]), comparisons(rule.when, whole, case.as_of))
    if not held:
        raise ReplayError("the card does not follow from the stored facts", where=rule.id)


def _rule(rule: Rule, said: Mapping[str, Any], view: View, case: Case) -> TracedRule:
    if _WORDS[evaluate(rule.when, view, case.as_of)] != said["verdict"]:
        raise ReplayError("the verdict does not follow from the stored facts", where=rule.id)
    return TracedRule(rule, said["verdict"], said["message"], comparisons(rule.when, view, case.as_of))
