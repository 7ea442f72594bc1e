"""The three strata of one rule set, run on a case: criteria, then the outcome per level, then obligations.

Each stratum is closed before the next begins, and every verdict is given twice, by the engine and by the evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Final

from pathway.case import Case, View
from pathway.compiler import Statement
from pathway.errors import DecisionError
from pathway.facts import Fact, Sheet
from pathway.kleene import evaluate
from pathway.rulebook import Rule, RuleSet
from pathway.verdicts import Judge, Verdict
from pathway.vocabulary import Scope

_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)  # verdicts have no age


@dataclass(frozen=True, slots=True)
class Judged:
    """One sheet with what a rule of its scope sees after the criteria stratum: facts and criteria."""

    sheet: Sheet
    view: View
    verdicts: Mapping[str, str]


class Machine:
    """A rule set, compiled once and ready for any number of cases. Threads may share it."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self._criteria = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.criteria])
        self._recommend = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.recommendations])
        wishes = [Statement(f"{r.id}:when", r.scope, r.when) for r in rule_set.obligations]
        closers = [Statement(f"{r.id}:closed", r.scope, r.closed_by) for r in rule_set.obligations if r.closed_by]
        self._oblige = Judge([*wishes, *closers])
        self.deciding = lru_cache(maxsize=4096)(self._deciding)

    def criteria(self, case: Case) -> dict[Scope, tuple[Judged, ...]]:
        """Stratum one: every criterion on every sheet of its scope; a criterion without a verdict is unknown."""
        judged: dict[Scope, tuple[Judged, ...]] = {}
        person: dict[str, str] = {}
        by_level: dict[str, dict[str, str]] = {}
        for scope in Scope:
            rows = case.views(scope)
            found = self._criteria.judge(scope, [view for _, view in rows], case.as_of)
            scoped: list[Judged] = []
            for (sheet, view), verdicts in zip(rows, found, strict=True):
                own = {rule: verdict.value for rule, verdict in verdicts.items()}
                inherited = {**person, **by_level.get(sheet.level, {})}
                scoped.append(Judged(sheet, {**view, **_as_facts({**inherited, **own})}, {**inherited, **own}))
                if scope is Scope.PATIENT:
                    person = own
                elif scope is Scope.LEVEL:
                    by_level[sheet.level] = own
            judged[scope] = tuple(scoped)
        return judged

    def outcomes(self, case: Case, levels: tuple[Judged, ...]) -> tuple[Rule, ...]:
        """Stratum two: for each level the first rule of the hit order that fired; none at all is an error."""
        views = [_as_facts(judged.verdicts) for judged in levels]
        fired = self._recommend.judge(Scope.LEVEL, views, case.as_of)
        return tuple(self._pick({rule for rule, verdict in row.items() if verdict is Verdict.MET}) for row in fired)

    def _pick(self, fired: set[str]) -> Rule:
        for outcome in self.rule_set.hit_order:
            for rule in self.rule_set.recommendations:
                if rule.outcome == outcome and rule.id in fired:
                    return rule
        raise DecisionError(
            "no outcome follows from the criteria", where=self.rule_set.release, fix="Cover every combination"
        )

    def obligations(self, case: Case, scope: Scope, judged: tuple[Judged, ...]) -> list[dict[str, bool]]:
        """Stratum three: for each sheet, which obligation conditions hold (`<rule>:when`, `<rule>:closed`)."""
        rows = self._oblige.judge(scope, [j.view for j in judged], case.as_of)
        return [{name: verdict is Verdict.MET for name, verdict in row.items()} for row in rows]

    def _deciding(self, statuses: tuple[tuple[str, str], ...]) -> frozenset[str]:
        """Which unknown criteria could still change the answer, whatever the other unknown ones turn out to be.

        Refusals count as one answer: what could only turn one of them into another decides nothing.
        """
        open_ids = [id for id, status in statuses if status == "unknown"]
        fixed = {id: status for id, status in statuses if status != "unknown"}
        answers: dict[tuple[str, ...], str] = {}
        for values in product(("met", "not-met"), repeat=len(open_ids)):
            answers[values] = self._answer({**fixed, **dict(zip(open_ids, values, strict=True))})
        found: set[str] = set()
        for place, id in enumerate(open_ids):
            for values, answer in answers.items():
                other = (*values[:place], "not-met", *values[place + 1 :])
                if values[place] == "met" and answers[other] != answer:
                    found.add(id)
                    break
        return frozenset(found)

    def _answer(self, verdicts: Mapping[str, str]) -> str:
        view = _as_facts(verdicts)
        for outcome in self.rule_set.hit_order:
            for rule in self.rule_set.recommendations:
                if rule.outcome == outcome and evaluate(rule.when, view, _ANY_TIME):
                    return "refusal" if outcome in self.rule_set.refusals else outcome
        raise DecisionError("no outcome follows from a completion", where=self.rule_set.release)


def _as_facts(verdicts: Mapping[str, str]) -> dict[str, Fact]:
    return {rule: Fact(rule, verdict) for rule, verdict in verdicts.items()}
