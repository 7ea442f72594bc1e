"""The three strata of one rule set, run on a case: criteria, then the outcome per level, then obligations.

Each stratum is closed before the next begins, and every verdict is given twice, by the engine and by the evaluator.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pathway.case import Case, View
from pathway.compiler import Statement
from pathway.errors import DecisionError, EngineError
from pathway.facts import Fact, Sheet
from pathway.forks import renew_in_child
from pathway.missing import Search
from pathway.rulebook import Rule, RuleSet
from pathway.verdicts import Judge, Verdict
from pathway.vocabulary import Scope


@dataclass(frozen=True, slots=True)
class Judged:
    """One sheet with what a rule of its scope sees after the criteria stratum: facts and criteria."""

    sheet: Sheet
    view: View
    verdicts: Mapping[str, str]


class Machine:
    """A rule set, compiled once and ready for any number of cases. Threads may share it, forked children too.

    `search` finds what is missing; a rule set without outcomes has none. `reads` are the names that each rule compares.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.search = Search(rule_set) if rule_set.recommendations else None
        self.reads = {rule.id: rule.reads() for rule in rule_set.rules()}
        self._criteria = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.criteria])
        self._recommend = Judge([Statement(r.id, r.scope, r.when) for r in rule_set.recommendations])
        wishes = [Statement(f"{r.id}:when", r.scope, r.when) for r in rule_set.obligations]
        closers = [Statement(f"{r.id}:closed", r.scope, r.closed_by) for r in rule_set.obligations if r.closed_by]
        self._oblige = Judge([*wishes, *closers])
        self._closed = False
        self.forget()
        renew_in_child(self)

    @contextmanager
    def in_use(self) -> Generator[None]:
        """For as long as this lasts the machine can be used, even if it is closed meanwhile; EngineError once freed."""
        with self._lock:
            if self._closed and not self._users:
                raise EngineError("this machine is closed", where=self.rule_set.release, fix="Take its successor")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                freeing = self._closed and not self._users
            if freeing:
                self._free()

    def close(self) -> None:
        """Give the engine's memory back once the last use is over; to close twice does no harm."""
        with self._lock:
            self._closed = True
            freeing = not self._users
        if freeing:
            self._free()

    def forget(self) -> None:
        """In a forked child: a lock of its own, and no use but its own."""
        self._lock = threading.Lock()
        self._users = 0

    def _free(self) -> None:
        for judge in (self._criteria, self._recommend, self._oblige):
            judge.close()

    @property
    def evaluations(self) -> int:
        """The verdicts on which engine and evaluator were compared."""
        return sum(judge.evaluations for judge in (self._criteria, self._recommend, self._oblige))

    @property
    def disagreements(self) -> int:
        """Those on which they differed; each was an error, and no decision."""
        return sum(judge.disagreements for judge in (self._criteria, self._recommend, self._oblige))

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


def _as_facts(verdicts: Mapping[str, str]) -> dict[str, Fact]:
    return {rule: Fact(rule, verdict) for rule, verdict in verdicts.items()}
