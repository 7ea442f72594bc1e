"""The three strata of one rule set, run on a case: criteria, then the outcome per level, then obligations.

Each stratum is closed before the next begins, and every verdict is given twice, by the engine and by the evaluator.
Several rule sets on the same case share what they have in common: `pathway.panel`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pathway.case import Case, View
from pathway.compiler import Statement
from pathway.conditions import Condition
from pathway.errors import DecisionError
from pathway.facts import Fact, Sheet
from pathway.forms import VERDICTS
from pathway.lent import Lent
from pathway.missing import Search, States
from pathway.rulebook import Rule, RuleSet
from pathway.verdicts import Judge, Verdict
from pathway.vocabulary import Scope

OUTCOME: Final = "outcome"


@dataclass(frozen=True, slots=True)
class Judged:
    """One sheet with what a rule of its scope sees after the criteria stratum: facts and criteria."""

    sheet: Sheet
    view: View
    verdicts: Mapping[str, str]

    def with_outcome(self, outcome: str) -> Judged:
        """The same sheet as an obligation sees it."""
        return Judged(self.sheet, {**self.view, OUTCOME: Fact(OUTCOME, outcome)}, self.verdicts)


@dataclass(frozen=True, slots=True)
class Ran:
    """One rule set run on a case: what its three strata came to.

    `judged` are the sheets by scope. If the rule set gives outcomes, `picks` are the rules that gave them and `states`
    what `Search` rests on, one for each level. If it asks for anything, `asking` are the sheets as its obligations see
    them, those of levels with their outcome, and `holds` which of their conditions hold on each (`<rule>:when`,
    `<rule>:closed`).
    """

    machine: Machine
    judged: Mapping[Scope, Sequence[Judged]]
    picks: Sequence[Rule]
    states: Sequence[States]
    asking: Mapping[Scope, Sequence[Judged]]
    holds: Mapping[Scope, Sequence[Mapping[str, bool]]]


class Machine(Lent):
    """A rule set, compiled once and ready for any number of cases. Threads may share it, forked children too.

    `search` finds what is missing; a rule set without outcomes has none. `rules` are the criteria by id, `reads` the
    names that each rule compares, `below` the criteria that each obligation does, and `said` holds the verdicts of each
    criterion as a later stratum reads them.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.search = Search(rule_set) if rule_set.recommendations else None
        self.rules = {rule.id: rule for rule in rule_set.criteria}
        self.reads = {rule.id: rule.reads() for rule in rule_set.rules()}
        self.below = {
            rule.id: tuple(one for one in rule_set.criteria if one.id in self.reads[rule.id])
            for rule in rule_set.obligations
        }
        self.said = {rule.id: {word: Fact(rule.id, word) for word in VERDICTS} for rule in rule_set.criteria}
        self._criteria = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.criteria])
        self._recommend = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.recommendations])
        self._oblige = Judge([Statement(*one) for one in wishes(rule_set)])
        self._evaluations = self._disagreements = 0
        super().__init__(rule_set.release)

    def _free(self) -> None:
        for judge in (self._criteria, self._recommend, self._oblige):
            judge.close()

    @property
    def evaluations(self) -> int:
        """The verdicts on which engine and evaluator were compared."""
        own = sum(judge.evaluations for judge in (self._criteria, self._recommend, self._oblige))
        return own + self._evaluations

    @property
    def disagreements(self) -> int:
        """Those on which they differed; each was an error, and no decision."""
        own = sum(judge.disagreements for judge in (self._criteria, self._recommend, self._oblige))
        return own + self._disagreements

    def count(self, evaluations: int, disagreements: int) -> None:
        """Verdicts of this rule set that were given, and compared, together with those of others."""
        with self._lock:
            self._evaluations += evaluations
            self._disagreements += disagreements

    def run(self, case: Case, *, asks: bool = True) -> Ran:
        """All three strata, by this rule set alone; the third only if it `asks`."""
        judged = self.criteria(case)
        picks: tuple[Rule, ...] = ()
        states: list[States] = []
        if self.search is not None:
            picks = self.outcomes(case, judged[Scope.LEVEL])
            states = [self.search.states(row.view, case.as_of) for row in judged[Scope.LEVEL]]
        asking = with_outcomes(judged, picks) if asks else {}
        holds = {scope: self.obligations(case, scope, rows) for scope, rows in asking.items()}
        return Ran(self, judged, picks, states, asking, holds)

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
                every = {**person, **by_level.get(sheet.level, {}), **own}
                scoped.append(Judged(sheet, {**view, **self._as_facts(every)}, every))
                if scope is Scope.PATIENT:
                    person = own
                elif scope is Scope.LEVEL:
                    by_level[sheet.level] = own
            judged[scope] = tuple(scoped)
        return judged

    def outcomes(self, case: Case, levels: tuple[Judged, ...]) -> tuple[Rule, ...]:
        """Stratum two: for each level the first rule of the hit order that fired; none at all is an error."""
        views = [self._as_facts(judged.verdicts) for judged in levels]
        fired = self._recommend.judge(Scope.LEVEL, views, case.as_of)
        return tuple(self.pick({rule for rule, verdict in row.items() if verdict is Verdict.MET}) for row in fired)

    def pick(self, fired: Collection[str]) -> Rule:
        """The first rule of the hit order among those that fired; DecisionError if none did."""
        for outcome in self.rule_set.hit_order:
            for rule in self.rule_set.recommendations:
                if rule.outcome == outcome and rule.id in fired:
                    return rule
        raise DecisionError(
            "no outcome follows from the criteria", where=self.rule_set.release, fix="Cover every combination"
        )

    def obligations(self, case: Case, scope: Scope, judged: Sequence[Judged]) -> list[dict[str, bool]]:
        """Stratum three: for each sheet, which obligation conditions hold (`<rule>:when`, `<rule>:closed`)."""
        rows = self._oblige.judge(scope, [j.view for j in judged], case.as_of)
        return [{name: verdict is Verdict.MET for name, verdict in row.items()} for row in rows]

    def _as_facts(self, verdicts: Mapping[str, str]) -> dict[str, Fact]:
        return {rule: self.said[rule][verdict] for rule, verdict in verdicts.items()}


def with_outcomes(judged: Mapping[Scope, Sequence[Judged]], picks: Sequence[Rule]) -> dict[Scope, Sequence[Judged]]:
    """The sheets as obligations see them: levels with their outcome, if there is one."""
    if not picks:
        return dict(judged)
    levels = zip(judged[Scope.LEVEL], picks, strict=True)
    return {**judged, Scope.LEVEL: [row.with_outcome(pick.outcome) for row, pick in levels]}


def wishes(rule_set: RuleSet) -> list[tuple[str, Scope, Condition]]:
    """The conditions of a rule set's obligations, each under its name and scope."""
    opening = [(f"{r.id}:when", r.scope, r.when) for r in rule_set.obligations]
    return [*opening, *((f"{r.id}:closed", r.scope, r.closed_by) for r in rule_set.obligations if r.closed_by)]
