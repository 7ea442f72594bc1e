"""Statements to shards of durable rules, and views to flat sheets of integers: pure functions.

A condition becomes rules `<id>#met/1…n` and `<id>#not-met/1…n`, one for each way to be surely true or false;
where none fires it is unknown. Every rule is one pattern on one sheet: nothing is joined, nothing rests on
absence, every value is an integer. Why, and where the limits come from: docs/adr/0003-engine-driver.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, NamedTuple

from pathway.branches import MICROSECONDS, Column, Comparison, Part, branches
from pathway.conditions import Condition, Leaf, Op, leaves
from pathway.errors import CompileError, EngineError
from pathway.facts import DOUBTED, Fact, Interval, Value
from pathway.vocabulary import NUMERIC, Datum, Kind, Scope

MAX_RULES: Final = 100  # of one shard; the engine drops the 257th rule on one pattern without a word
MAX_MATCHES: Final = 60  # that one sheet may have pending; the engine stops at 64
MAX_FIELDS: Final = 200  # of one sheet; the engine fails from about 250
LIMIT: Final = 2**62  # no number may reach it; the engine saturates at 63 bits
SID: Final = "1"
SHEET: Final = "s"
READ: Final = "#read"
"""The rule that every sheet fires, so that a sheet which the engine passed over is noticed."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_GO: Final = {"go": 1}
_HOLDS: Final = {"": eq, "$neq": ne, "$gte": ge, "$gt": gt, "$lte": le, "$lt": lt}
_MICROSECOND: Final = timedelta(seconds=1) / MICROSECONDS


@dataclass(frozen=True, slots=True)
class Statement:
    """A condition to be judged, under its id, on every view of its scope."""

    id: str
    scope: Scope
    condition: Condition


@dataclass(frozen=True, slots=True)
class Slot:
    """The fields that one fact fills; empty where no rule looks. `codes` are a coded datum's values by their number."""

    datum: Datum
    unconfirmed: bool
    known: str
    value: str
    lo: str
    hi: str
    age: str
    codes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Shard:
    """Rules of one scope that share one handle of the engine.

    `ruleset` is the durable-rules definition; `rules` leads a rule's name back to what follows from it: statements,
    each with its verdict. A way that several statements have in common is one rule, under the name that the first one
    gives it. `statements` are the ids judged here, in given order; `slots` say which fields each fact fills.
    """

    scope: Scope
    ruleset: Mapping[str, Any]
    rules: Mapping[str, tuple[tuple[str, bool], ...]]
    statements: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def ways(self) -> int:
        """The ways to be surely met or surely not met, those in common counted for each statement."""
        return sum(map(len, self.rules.values()))

    def project(self, view: Mapping[str, Fact], as_of: datetime, number: int) -> dict[str, int | str]:
        """The flat sheet that stands for a view: integers only, known under a small number.

        Raises EngineError, without the value, for a fact that is missing or is not what its datum declares.
        """
        sheet: dict[str, int | str] = {"id": number, "sid": SID, **_GO}
        for slot in self.slots:
            fact = view.get(slot.datum.id)
            if fact is None:
                raise EngineError(f"no fact about {slot.datum.id!r}", fix="Fill the sheet: an unknown is a fact too")
            _fill(sheet, slot, fact, as_of)
        return sheet


def compile_statements(statements: Iterable[Statement]) -> tuple[Shard, ...]:
    """The shards that judge the statements: each wholly in one, in an order that depends on theirs alone.

    Raises CompileError, naming the statement and the fix, for what the engine cannot be trusted to run.
    """
    data: dict[str, Datum] = {}
    compiled: dict[str, _Compiled] = {}
    for statement in statements:
        if statement.id in compiled:
            raise CompileError("two statements have this id", where=statement.id, fix="Rename one")
        compiled[statement.id] = _compiled(statement, data)
    return tuple(
        _shard(scope, group, data)
        for scope in Scope
        for group in _groups([one for one in compiled.values() if one.scope is scope])
    )


class _Compiled(NamedTuple):
    id: str
    scope: Scope
    rules: Mapping[str, tuple[Comparison, ...]]


def _compiled(statement: Statement, data: dict[str, Datum]) -> _Compiled:
    where = statement.id
    if not _ID.fullmatch(where):
        raise CompileError("not an id", where=where, fix="Use letters, digits and . _ : / @ -")
    for leaf in leaves(statement.condition):
        _check(leaf, statement, data)
    rules: dict[str, tuple[Comparison, ...]] = {}
    for word, truth in (("met", True), ("not-met", False)):
        ways = branches(statement.condition, truth, where)
        rules |= {f"{where}#{word}/{n}": tuple(sorted(way)) for n, way in enumerate(ways, start=1)}
    one = _Compiled(where, statement.scope, rules)
    for count, limit, what in (
        (_matches([one]), MAX_MATCHES, "comparisons that one sheet can match at once"),
        (_width([one]), MAX_FIELDS, "fields"),
    ):
        if count > limit:
            raise CompileError(f"{count} {what}, {limit} are safe", where=where, fix="Split the rule")
    return one


def _check(leaf: Leaf, statement: Statement, data: dict[str, Datum]) -> None:
    """A comparison reads one declared datum in scope, and compares like with like."""
    datum, where = leaf.datum, f"{statement.id}: {leaf.datum.id}"
    if data.setdefault(datum.id, datum) != datum:
        raise CompileError("declared in two ways", where=where, fix="Use one vocabulary")
    if not statement.scope.sees(datum.scope):
        raise CompileError(f"a {statement.scope} rule sees no {datum.scope} datum", where=where, fix="Mend a scope")
    if not _comparable(leaf):
        raise CompileError(f"{leaf.op} cannot compare a {datum.kind} with this", where=where, fix="Mend the rule")
    if leaf.within is not None and not 0 <= leaf.within * MICROSECONDS < LIMIT:
        raise CompileError("the limit of age is no duration", where=where, fix="Use 0 seconds or more")


def _comparable(leaf: Leaf) -> bool:
    operand, datum = leaf.operand, leaf.datum
    if leaf.op is Op.RECORDED:
        return isinstance(operand, bool)
    if leaf.op is Op.IN:
        return datum.kind is Kind.CODE and isinstance(operand, tuple) and set(operand) <= set(datum.values)
    if datum.kind is Kind.BOOLEAN:
        return leaf.op is Op.IS and isinstance(operand, bool)
    if datum.kind is Kind.CODE:
        return leaf.op is Op.IS and operand in datum.values
    if datum.kind is Kind.INTERVAL and leaf.op is Op.IS:
        return False
    return datum.kind in NUMERIC and type(operand) is int and abs(operand) < LIMIT


def _groups(compiled: Sequence[_Compiled]) -> Iterator[list[_Compiled]]:
    """Statements in order, as many together as one handle of the engine can be trusted with."""
    group: list[_Compiled] = []
    for one in compiled:
        wider = [*group, one]
        if group and (_rules(wider) >= MAX_RULES or _matches(wider) > MAX_MATCHES or _width(wider) > MAX_FIELDS):
            yield group
            wider = [one]
        group = wider
    if group:
        yield group


def _rules(group: Iterable[_Compiled]) -> int:
    return len({rule for one in group for rule in one.rules.values()})


def _columns(group: Iterable[_Compiled]) -> tuple[Column, ...]:
    return tuple(dict.fromkeys(test.column for one in group for rule in one.rules.values() for test in rule))


def _width(group: Sequence[_Compiled]) -> int:
    return len(_columns(group)) + len(("id", "sid", "go"))


class _Tree(dict[Comparison, "_Tree"]):
    """The engine's own net of comparisons: rules that begin alike share their first ones."""


def _matches(group: Sequence[_Compiled]) -> int:
    """The most comparisons that one sheet can have pending in the engine, READ's included."""
    tree = _Tree()
    for one in group:
        for rule in one.rules.values():
            place = tree
            for test in rule:
                place = place.setdefault(test, _Tree())
    return 1 + _pending(tree)


def _pending(tree: _Tree) -> int:
    """All that match here wait together; then each in turn adds what follows it."""
    if not tree:
        return 0
    by_column: dict[Column, list[Comparison]] = {}
    for test in tree:
        by_column.setdefault(test.column, []).append(test)
    at_once = sum(map(_most, by_column.values()))
    return max(at_once, at_once - 1 + max(map(_pending, tree.values())))


def _most(tests: Sequence[Comparison]) -> int:
    """How many of the comparisons on one field can hold for the same number."""
    if len(tests) == 1:
        return 1
    near = {test.number + step for test in tests for step in (-1, 0, 1)}
    return max(sum(_HOLDS[test.op](number, test.number) for test in tests) for number in near)


def _shard(scope: Scope, group: Sequence[_Compiled], data: Mapping[str, Datum]) -> Shard:
    names = {column: f"f{n}" for n, column in enumerate(_columns(group))}
    ruleset: dict[str, Any] = {READ: _rule([_GO])}
    rules: dict[tuple[Comparison, ...], tuple[str, list[tuple[str, bool]]]] = {}
    for one in group:
        for name, tests in one.rules.items():
            if tests not in rules:
                ruleset[name] = _rule([_pattern(names[test.column], test) for test in tests] or [_GO])
            rules.setdefault(tests, (name, []))[1].append((one.id, name.startswith(f"{one.id}#met/")))
    fields: dict[tuple[str, bool], dict[Part, str]] = {}
    for column, name in names.items():
        fields.setdefault((column.datum, column.unconfirmed), {})[column.part] = name
    slots = tuple(_slot(data[datum], unconfirmed, parts) for (datum, unconfirmed), parts in fields.items())
    follows = {name: tuple(verdicts) for name, verdicts in rules.values()}
    return Shard(scope, ruleset, follows, tuple(one.id for one in group), slots)


def _rule(patterns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One pattern on the sheet, a comparison to a key: of two keys in one the engine tests only the first."""
    return {"all": [{SHEET: {"$and": patterns}}]}


def _pattern(field: str, test: Comparison) -> dict[str, Any]:
    equal = {field: test.number}
    return {test.op: equal} if test.op else equal


def _slot(datum: Datum, unconfirmed: bool, parts: Mapping[Part, str]) -> Slot:
    names = {part.value: parts.get(part, "") for part in Part}
    codes = {code: number for number, code in enumerate(datum.values)} if datum.kind is Kind.CODE else {}
    return Slot(datum, unconfirmed, codes=codes, **names)


def _fill(sheet: dict[str, int | str], slot: Slot, fact: Fact, as_of: datetime) -> None:
    """The hottest lines of all: every datum of every sheet comes by here, so that nothing is built on the way."""
    value = fact.value
    if fact.reason is not None:
        value = fact.candidate if slot.unconfirmed and fact.reason in DOUBTED else None
    if slot.known:
        sheet[slot.known] = 0 if value is None else 1
    if slot.age:
        sheet[slot.age] = LIMIT if fact.at is None else (as_of - fact.at) // _MICROSECOND
    if isinstance(value, Interval):
        if slot.datum.kind is not Kind.INTERVAL or value.lo > value.hi:
            raise _misfit(slot.datum)
        for name, bound in ((slot.lo, value.lo), (slot.hi, value.hi)):
            number = _scaled(slot.datum, bound)
            if name:
                sheet[name] = number
    elif value is not None:
        number = _number(slot, value)
        if slot.value:
            sheet[slot.value] = number


def _number(slot: Slot, value: Value) -> int:
    """A value as the engine's integer; raises EngineError where it is not what the datum declares."""
    kind = slot.datum.kind
    if isinstance(value, bool):
        if kind is Kind.BOOLEAN:
            return int(value)
    elif isinstance(value, str):
        if value in slot.codes:
            return slot.codes[value]
    elif (kind is Kind.INTEGER and isinstance(value, int)) or (kind is Kind.DECIMAL and isinstance(value, Decimal)):
        return _scaled(slot.datum, value)
    raise _misfit(slot.datum)


def _scaled(datum: Datum, value: Decimal | int) -> int:
    try:
        number = value * 10**datum.places if isinstance(value, int) else datum.scaled(value)
    except (ValueError, ArithmeticError):
        raise _misfit(datum) from None
    if abs(number) >= LIMIT:
        raise _misfit(datum)
    return number


def _misfit(datum: Datum) -> EngineError:
    return EngineError(f"the value of {datum.id!r} is no {datum.kind} that the engine can compare")
