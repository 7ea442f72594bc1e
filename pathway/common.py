"""One stratum of several rule sets: each distinct statement under one name, judged once for all that have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from pathway.compiler import Statement
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, leaves
from pathway.forms import VERDICTS
from pathway.kleene import View
from pathway.verdicts import Judge, Verdict
from pathway.vocabulary import Datum, Kind, Scope

Group = str
"""Statements that are judged together or not at all: those in common, or those of one rule set that is chosen."""
EVERYBODY: Final[Group] = ""


class Common:
    """Statements by content. First named, then compiled, then judged; threads may share it from then on."""

    def __init__(self) -> None:
        self.names: dict[str, Statement] = {}
        self._known: dict[Group, dict[tuple[str, Scope, Condition], str]] = {EVERYBODY: {}}
        self._judges: dict[Group, list[Judge]] = {}

    def name(self, group: Group, id: str, scope: Scope, condition: Condition) -> str:
        """The name under which a statement is judged: its id, unless another one has that already."""
        content = (id, scope, condition)
        known = self._known[EVERYBODY].get(content) or self._known.setdefault(group, {}).get(content)
        if known is not None:
            return known
        name = id if id not in self.names else f"{id}@{len(self.names)}"
        self.names[name] = Statement(name, scope, condition)
        self._known[group][content] = name
        return name

    def compile(self) -> None:
        """Make what judges; raises CompileError as a rule set by itself does."""
        for group, known in self._known.items():
            # Rules of like name ask alike: side by side they share ways to be true, and each way fires once.
            alike = sorted(known.values(), key=lambda name: name.partition("@")[0].rpartition(".")[2])
            self._judges[group] = [Judge(part) for part in _apart(self.names[name] for name in alike)]

    def judge(
        self, groups: Iterable[Group], scope: Scope, views: Sequence[View], as_of: datetime
    ) -> list[dict[str, Verdict]]:
        """For each view the verdict of every statement of these groups, by name; raises as `Judge.judge`."""
        found: list[dict[str, Verdict]] = [{} for _ in views]
        for judge in (judge for group in groups for judge in self._judges.get(group, ())):
            for row, more in zip(found, judge.judge(scope, views, as_of), strict=True):
                row.update(more)
        return found

    def close(self) -> None:
        """Give the engine's memory back."""
        for judges in self._judges.values():
            for judge in judges:
                judge.close()


def verdict_datum(name: str, scope: Scope) -> Datum:
    """A criterion as the later strata read it."""
    return Datum(name, name, Kind.CODE, scope, "decided", "not-met", "decided", values=VERDICTS)


def renamed(condition: Condition, name: Callable[[Datum], Datum]) -> Condition:
    """The same condition on data of other names."""
    match condition:
        case Leaf(datum):
            return replace(condition, datum=name(datum))
        case Not(part):
            return Not(renamed(part, name))
        case All(parts):
            return All(tuple(renamed(part, name) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(renamed(part, name) for part in parts))


def _apart(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """Statements that may share a sheet: two releases can declare a datum in two ways, and a sheet has one of them."""
    parts: list[tuple[dict[str, Datum], list[Statement]]] = []
    for statement in statements:
        data = {leaf.datum.id: leaf.datum for leaf in leaves(statement.condition)}
        fitting = (part for part in parts if all(part[0].get(id, datum) == datum for id, datum in data.items()))
        part = next(fitting, None)
        if part is None:
            part = dict[str, Datum](), list[Statement]()
            parts.append(part)
        part[0].update(data)
        part[1].append(statement)
    return iter([part for _, part in parts])
