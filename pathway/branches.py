"""The ways in which a condition is surely true or surely false, each a plain conjunction of comparisons.

Negation is pushed to the comparisons: `not (x >= 5)` is "x is known, and x < 5". What is neither surely true
nor surely false is unknown, as in Kleene's logic, which keeps the laws of distribution and of de Morgan.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from typing import Final, NamedTuple

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op
from pathway.errors import CompileError
from pathway.vocabulary import Kind

MAX_BRANCHES: Final = 32  # rules for one polarity of one statement
MICROSECONDS: Final = 1_000_000  # in a second
_ON_THE_WAY: Final = 512  # branches before those that say nothing new are dropped
_OPPOSITE: Final = {
    Op.AT_LEAST: Op.LESS_THAN,
    Op.LESS_THAN: Op.AT_LEAST,
    Op.AT_MOST: Op.MORE_THAN,
    Op.MORE_THAN: Op.AT_MOST,
}
_ENGINE: Final = {Op.AT_LEAST: "$gte", Op.MORE_THAN: "$gt", Op.AT_MOST: "$lte", Op.LESS_THAN: "$lt"}


class Part(StrEnum):
    """What of a fact a field carries.

    `known` is 1 or 0. `age` is in microseconds, and beyond every limit where the fact is undated.
    """

    VALUE = "value"
    LO = "lo"
    HI = "hi"
    KNOWN = "known"
    AGE = "age"


class Column(NamedTuple):
    """A field before it has its short name. `unconfirmed`: an unconfirmed candidate stands for the value."""

    datum: str
    unconfirmed: bool
    part: Part


class Comparison(NamedTuple):
    """A field against an integer, in the engine's words; "" is equality. A field not on the sheet matches none."""

    column: Column
    op: str
    number: int


Branch = frozenset[Comparison]


def branches(condition: Condition, truth: bool, where: str) -> tuple[Branch, ...]:
    """The ways in which a condition is surely true (or surely false): any of them is enough.

    Raises CompileError, naming `where`, for more ways than one rule should have.
    """
    return _few(_ways(condition, truth, where), MAX_BRANCHES, where)


def _ways(condition: Condition, truth: bool, where: str) -> tuple[Branch, ...]:
    match condition:
        case Leaf():
            return _literal(condition, truth)
        case Not(part):
            return _ways(part, not truth, where)
        case All(parts) | AnyOf(parts):
            found = [_ways(part, truth, where) for part in parts]
    if isinstance(condition, All) is not truth:
        return _shortest(way for ways in found for way in ways)
    joined: tuple[Branch, ...] = (frozenset(),)
    for ways in found:
        joined = _few(_shortest(one | other for one, other in product(joined, ways)), _ON_THE_WAY, where)
    return joined


def _literal(leaf: Leaf, truth: bool) -> tuple[Branch, ...]:
    """How one comparison is surely true or surely false."""
    age = Column(leaf.datum.id, False, Part.AGE)
    limit = None if leaf.within is None else leaf.within * MICROSECONDS
    fresh = () if limit is None else (Comparison(age, "$lte", limit),)
    if leaf.op is not Op.RECORDED:
        return (frozenset((*_comparison(leaf, truth), *fresh)),)
    known = Column(leaf.datum.id, leaf.unconfirmed, Part.KNOWN)
    if leaf.operand is truth:
        return (frozenset((Comparison(known, "", 1), *fresh)),)
    old = () if limit is None else (frozenset((Comparison(age, "$gt", limit),)),)
    return (frozenset((Comparison(known, "", 0),)), *old)


def _comparison(leaf: Leaf, truth: bool) -> tuple[Comparison, ...]:
    """A comparison or its opposite, of a known value. "One of these codes" becomes "none of the others"."""
    datum, operand = leaf.datum, leaf.operand
    value = Column(datum.id, leaf.unconfirmed, Part.VALUE)
    if isinstance(operand, tuple):
        wrong = [n for n, code in enumerate(datum.values) if (code in operand) is not truth]
        return tuple(Comparison(value, "$neq", n) for n in wrong) or (Comparison(value, "$gte", 0),)
    number = datum.values.index(operand) if isinstance(operand, str) else int(operand)
    if datum.kind is Kind.BOOLEAN:
        return (Comparison(value, "", number if truth else 1 - number),)
    if leaf.op is Op.IS:
        return (Comparison(value, "" if truth else "$neq", number),)
    op = leaf.op if truth else _OPPOSITE[leaf.op]
    if datum.kind is Kind.INTERVAL:
        value = value._replace(part=Part.LO if op in (Op.AT_LEAST, Op.MORE_THAN) else Part.HI)
    return (Comparison(value, _ENGINE[op], number),)


def _shortest(ways: Iterable[Branch]) -> tuple[Branch, ...]:
    """The ways without those that only add comparisons to another, in order of first mention."""
    kept = tuple(dict.fromkeys(ways))
    return tuple(way for way in kept if not any(other < way for other in kept))


def _few(ways: tuple[Branch, ...], limit: int, where: str) -> tuple[Branch, ...]:
    if len(ways) > limit:
        raise CompileError(
            f"{len(ways)} ways to be true or false, {limit} are safe",
            where=where,
            fix="Split the rule, or derive a datum from a part of it",
        )
    return ways
