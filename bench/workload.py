"""The same rules in three languages: ours, zen-engine's and Python. One seed, any number of rules.

A criterion is a conjunction of two or three comparisons, one of them often a choice of two; a quarter of them take
values of 30 days at most. A third of the facts are unknown, so that each verdict is true, false or unknown.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pathway.compiler import Statement, compile_statements
from pathway.conditions import All, AnyOf, Condition, Leaf, Op
from pathway.facts import Fact, Reason, unknown
from pathway.kleene import View, evaluate
from pathway.vocabulary import Datum, Kind, Scope

AS_OF: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAYS: Final = 30
SEED: Final = 20261122
_DATA: Final = 36
_SIGNS: Final = {Op.AT_LEAST: (">=", "<"), Op.AT_MOST: ("<=", ">")}
Verdicts = list[bool | None]


def data() -> list[Datum]:
    """A dozen each of yes-or-no, coded and numeric data."""
    parts: dict[str, Any] = {"found": "x", "negative": "x", "combine": "latest", "scope": Scope.PATIENT}
    made: list[Datum] = []
    for n in range(_DATA):
        name = f"d{n}"
        if n % 3 == 0:
            made.append(Datum(id=name, title=name, kind=Kind.BOOLEAN, **parts))
        elif n % 3 == 1:
            made.append(Datum(id=name, title=name, kind=Kind.CODE, values=("a", "b", "c", "d"), **parts))
        else:
            bounds = {"lo": Decimal(0), "hi": Decimal(100), "unit": "1"}
            made.append(Datum(id=name, title=name, kind=Kind.INTEGER, **bounds, **parts))
    return made


def statements(count: int) -> list[Statement]:
    """So many criteria, always the same."""
    rng, known = random.Random(SEED), data()
    return [Statement(f"r{n}", Scope.PATIENT, _condition(rng, known)) for n in range(count)]


def of_rules(count: int) -> list[Statement]:
    """Criteria that compile to at least so many rules, one for each way to be surely met or not met."""
    made: list[Statement] = []
    compiled = 0
    for one in statements(count):
        if compiled >= count:
            break
        made.append(one)
        compiled += sum(shard.ways for shard in compile_statements([one]))
    return made


def _condition(rng: random.Random, known: Sequence[Datum]) -> Condition:
    chosen = rng.sample(known, 4)
    parts: list[Condition] = [_leaf(rng, one) for one in chosen[: rng.choice((2, 2, 3))]]
    if rng.random() < 0.4:
        parts[-1] = AnyOf((parts[-1], _leaf(rng, chosen[3])))
    return All(tuple(parts))


def _leaf(rng: random.Random, what: Datum) -> Leaf:
    within = DAYS * 86400 if rng.random() < 0.25 else None
    if what.kind is Kind.BOOLEAN:
        return Leaf(what, Op.IS, rng.random() < 0.5, within)
    if what.kind is Kind.CODE:
        return Leaf(what, Op.IS, rng.choice(what.values), within)
    return Leaf(what, rng.choice((Op.AT_LEAST, Op.AT_MOST)), rng.randint(10, 90), within)


def views(count: int) -> list[View]:
    """So many sheets of facts, always the same."""
    rng, known = random.Random(SEED + 1), data()
    return [{one.id: _fact(rng, one) for one in known} for _ in range(count)]


def _fact(rng: random.Random, what: Datum) -> Fact:
    at = AS_OF - timedelta(days=rng.choice((1, 10, 29, 31, 90)))
    if rng.random() < 1 / 3:
        return unknown(what.id, Reason.NOT_RECORDED)
    value: bool | str | int = rng.randint(0, 100)
    if what.kind is Kind.BOOLEAN:
        value = rng.random() < 0.5
    elif what.kind is Kind.CODE:
        value = rng.choice(what.values)
    return Fact(what.id, value, at=at)


def context(view: View) -> dict[str, Any]:
    """A sheet as the others take it: the value or null, and its age in days, or null."""
    plain: dict[str, Any] = {}
    for name, fact in view.items():
        plain[name] = fact.value
        plain[f"{name}_age"] = None if fact.at is None else (AS_OF - fact.at).days
    return plain


def signs(op: Op) -> tuple[str, str]:
    """A comparison and its opposite."""
    return _SIGNS[op]


class Language:
    """How a comparison is written: where a name stands, and the words for and, or, null."""

    def __init__(self, name: Callable[[str], str], both: str, either: str, known: str) -> None:
        self.name, self.both, self.either, self.known = name, both, either, known

    def surely(self, condition: Condition, truth: bool) -> str:
        """The expression that holds where a condition is surely true, or surely false."""
        if isinstance(condition, Leaf):
            return self._leaf(condition, truth)
        assert isinstance(condition, All | AnyOf)
        word = self.both if isinstance(condition, All) is truth else self.either
        return "(" + f" {word} ".join(self.surely(part, truth) for part in condition.parts) + ")"

    def _leaf(self, leaf: Leaf, truth: bool) -> str:
        name = self.name(leaf.datum.id)
        parts = [f"{name} {self.known}"]
        if leaf.within is not None:
            parts.append(f"{self.name(leaf.datum.id + '_age')} <= {DAYS}")
        if leaf.op is Op.IS:
            parts.append(f"{name} {'==' if truth else '!='} {json.dumps(leaf.operand)}")
        else:
            parts.append(f"{name} {signs(leaf.op)[not truth]} {leaf.operand}")
        return "(" + f" {self.both} ".join(parts) + ")"


ZEN: Final = Language(lambda name: name, "and", "or", "!= null")
PYTHON: Final = Language(lambda name: f"s[{name!r}]", "and", "or", "is not None")


def zen_verdict(condition: Condition) -> str:
    """One rule as a zen expression: true, false, or null for unknown; the second half only where the first fails."""
    return f"{ZEN.surely(condition, True)} ? true : ({ZEN.surely(condition, False)} ? false : null)"


def generated(rules: Sequence[Statement]) -> Callable[[Mapping[str, Any]], Verdicts]:
    """All rules as one Python function, the limit for anything that is called from Python."""
    lines = [_python_verdict(one.condition) for one in rules]
    text = "def judge(s):\n    return [\n" + "".join(f"        {line},\n" for line in lines) + "    ]\n"
    made: dict[str, Any] = {}
    exec(compile(text, "<generated>", "exec"), made)
    return made["judge"]


def _python_verdict(condition: Condition) -> str:
    sure = PYTHON.surely(condition, True).replace("true", "True").replace("false", "False")
    never = PYTHON.surely(condition, False).replace("true", "True").replace("false", "False")
    return f"True if {sure} else False if {never} else None"


def oracle(rules: Sequence[Statement], view: View) -> Verdicts:
    """Every verdict by the plain evaluator, to hold all languages against before anything is timed."""
    return [evaluate(one.condition, view, AS_OF) for one in rules]
