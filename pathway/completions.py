"""Completions: every unknown of a view answered in every way that matters, to see what an answer could change.

An answer is a fresh value. What a rule may use today stays as it is; what it may not (unknown, too old, undated, or
an interval across a bound) runs through the values that its comparisons can tell apart. The work is bounded: a search
that would take more than `STEPS` raises CompileError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Final, NamedTuple

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.errors import CompileError
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.kleene import View, compare, fact_for, fold, usable, verdict_of
from pathway.vocabulary import Datum, Kind

STEPS: Final = 200_000
_AS_OF: Final = datetime(2000, 1, 1, tzinfo=UTC)

Verdicts = Mapping[int, bool | None]
"""Verdicts of comparisons, by the identity of the leaf in its condition."""


def representatives(datum: Datum, leaves: Iterable[Leaf]) -> tuple[Value, ...]:
    """Values that stand for all plausible ones: to the comparisons, any other value is like one of these.

    A code or boolean: all its values. A number: each bound and one step to either side, kept to the plausible range;
    an interval likewise, as points.
    """
    if datum.kind is Kind.BOOLEAN:
        return (False, True)
    if datum.kind is Kind.CODE:
        return datum.values
    lo, hi = (None if end is None else datum.scaled(end) for end in (datum.lo, datum.hi))
    return tuple(_number(datum, number) for number in _near(leaves, lo, hi))


def settled(condition: Condition, view: View, as_of: datetime) -> bool | None:
    """The verdict if all completions of the view agree on it, else None.

    Whether something is `recorded` is taken as it stands: an answer that nobody gave is not recorded.
    """
    return _agreed(condition, view, as_of, _Steps())


def open_data(condition: Condition, view: View, as_of: datetime) -> tuple[str, ...]:
    """The data, and only the data, whose answer could still change the verdict, in order of first use.

    A datum counts if for some completion of the others its answer makes a difference; to a comparison with
    `recorded`, having an answer is one.
    """
    known, choices = _choices(condition, view, as_of, answered=True)
    steps = _Steps()
    return tuple(
        datum
        for datum, ways in choices.items()
        if _matters(condition, known, ways, [way for other, way in choices.items() if other != datum], steps)
    )


def weaker_than_truth(condition: Condition, limit: int = STEPS) -> View | None:
    """A view on which Kleene's logic says unknown though all completions agree, or None if there is none.

    Raises CompileError if the search would take more than `limit` steps.
    """
    signs = dict(_signs(condition, True))
    kinds = [_telling(list(_kinds(datum, asked)), signs) for datum, asked in _by_datum(condition).items()]
    return _weak(condition, kinds, {}, {}, _Steps(limit))


class _Kind(NamedTuple):
    """A fact that stands for all that give these verdicts now, and these combinations once completed."""

    fact: Fact
    now: Verdicts
    ways: frozenset[tuple[bool | None, ...]]


def _weak(
    condition: Condition,
    kinds: Sequence[Sequence[_Kind]],
    view: Mapping[str, Fact],
    known: Verdicts,
    steps: _Steps,
) -> View | None:
    steps.take()
    if fold(condition, lambda leaf: known.get(id(leaf))) is not None:
        return None  # whatever else becomes known, it stays so
    if not kinds:
        return view if _agreed(condition, view, _AS_OF, steps) is not None else None
    for fact, now, _ in kinds[0]:
        found = _weak(condition, kinds[1:], {**view, fact.datum: fact}, {**known, **now}, steps)
        if found is not None:
            return found
    return None


def _telling(kinds: Sequence[_Kind], signs: Mapping[int, bool | None]) -> list[_Kind]:
    """The kinds without the unknowns that no counterexample needs.

    Where all completions agree on true, an unknown may as well be what speaks most against it: logic in which each
    comparison counts in one direction only loses nothing by that. So too for false.
    """
    whole = {tuple(kind.now.values()) for kind in kinds}

    def speaks(kind: _Kind, truth: bool) -> tuple[bool | None, ...]:
        return tuple(
            verdict if verdict is not None or signs[leaf] is None else signs[leaf] is truth
            for leaf, verdict in kind.now.items()
        )

    return [
        kind
        for kind in kinds
        if None not in kind.now.values() or not {speaks(kind, True), speaks(kind, False)} <= whole & kind.ways
    ]


def _signs(condition: Condition, sign: bool) -> Iterator[tuple[int, bool | None]]:
    """In which direction each comparison counts: True for, False against, None both."""
    match condition:
        case Leaf():
            yield id(condition), sign
        case Not(part):
            yield from _signs(part, not sign)
        case All(parts) | AnyOf(parts):
            found: dict[int, bool | None] = {}
            for part in parts:
                for leaf, each in _signs(part, sign):
                    found[leaf] = each if found.get(leaf, each) is each else None
            yield from found.items()


@dataclass(slots=True)
class _Steps:
    """What a search may still spend."""

    left: int = STEPS

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise CompileError(
                "too many data to try out every answer", fix="Split the rule, or derive a datum from a part of it"
            )


def _agreed(condition: Condition, view: View, as_of: datetime, steps: _Steps) -> bool | None:
    known, choices = _choices(condition, view, as_of, answered=False)
    found: set[bool] = set()
    for verdict in _outcomes(condition, known, tuple(choices.values()), steps):
        found.add(verdict)
        if len(found) == 2:
            return None
    return found.pop()


def _outcomes(
    condition: Condition, known: Verdicts, choices: Sequence[Sequence[Verdicts]], steps: _Steps
) -> Iterator[bool]:
    """The verdicts that completions lead to, some of them more than once."""
    steps.take()
    verdict = fold(condition, lambda leaf: known[id(leaf)])
    if verdict is not None:
        yield verdict  # whatever the remaining answers are
        return
    for way in choices[0]:
        yield from _outcomes(condition, {**known, **way}, choices[1:], steps)


def _matters(
    condition: Condition,
    known: Verdicts,
    ways: Sequence[Verdicts],
    others: Sequence[Sequence[Verdicts]],
    steps: _Steps,
) -> bool:
    """Whether, for some completion of the others, one way leads to another verdict than another way."""
    steps.take()
    if fold(condition, lambda leaf: known[id(leaf)]) is not None:
        return False
    verdicts = {_with(condition, known, way) for way in ways}
    if {True, False} <= verdicts:
        return True
    if None not in verdicts:
        return False
    return any(_matters(condition, {**known, **way}, ways, others[1:], steps) for way in others[0])


def _with(condition: Condition, known: Verdicts, way: Verdicts) -> bool | None:
    return fold(condition, lambda leaf: way.get(id(leaf), known[id(leaf)]))


def _choices(
    condition: Condition, view: View, as_of: datetime, *, answered: bool
) -> tuple[Verdicts, dict[str, tuple[Verdicts, ...]]]:
    """The verdicts that no answer can change, None for the others; and for each open datum what answers lead to."""
    known: dict[int, bool | None] = {}
    choices: dict[str, tuple[Verdicts, ...]] = {}
    for datum, asked in _by_datum(condition).items():
        ways = _ways(datum, asked, fact_for(asked[0], view), as_of, answered=answered)
        if len(ways) == 1:
            known |= ways[0]
        else:
            choices[datum.id] = ways
            known |= {id(leaf): None for leaf in asked}
    return known, choices


def _ways(datum: Datum, asked: Sequence[Leaf], fact: Fact, as_of: datetime, *, answered: bool) -> tuple[Verdicts, ...]:
    """The verdicts that the comparisons on one datum can come to together, each combination once.

    `answered`: an answer also makes the datum recorded.
    """
    now = {id(leaf): verdict_of(leaf, fact, as_of) for leaf in asked}
    values = [(leaf, usable(leaf, fact, as_of)[0]) for leaf in asked]
    unusable = [leaf for leaf, value in values if value is None]
    fresh = [
        {id(leaf): compare(leaf, value) for leaf in unusable if leaf.op is not Op.RECORDED}
        for value in representatives(datum, asked)
    ]
    recorded = [{id(leaf): leaf.operand is True for leaf in unusable if leaf.op is Op.RECORDED}] if answered else []
    across = [(leaf, value) for leaf, value in values if now[id(leaf)] is None and isinstance(value, Interval)]
    points = _near(asked, across[0][1].lo, across[0][1].hi) if across else [0]
    inside = [{id(leaf): compare(leaf, Interval(point, point)) for leaf, _ in across} for point in points]
    every = ({**now, **a, **b, **c} for a, b, c in product(fresh, [{}, *recorded], inside))
    return tuple({tuple(way.values()): way for way in every}.values())


def _kinds(datum: Datum, asked: Sequence[Leaf]) -> Iterator[_Kind]:
    """The facts about a datum that its comparisons can tell apart, unknown first."""
    seen: set[object] = set()
    values = representatives(datum, asked)
    points = [value for value in values if isinstance(value, Interval)]
    values += tuple(Interval(a.lo, b.hi) for a, b in product(points, points) if a.lo < b.hi)
    ages = {0} | {leaf.within + 1 for leaf in asked if leaf.within is not None}
    facts = [unknown(datum.id)]
    for value, age in product(values, sorted(ages)):
        at = _AS_OF - timedelta(seconds=age)
        facts.append(Fact(datum.id, value, at=at))
        facts.append(unknown(datum.id, Reason.UNCONFIRMED, candidate=value, at=at))
    for fact in facts:
        now = {id(leaf): verdict_of(leaf, fact, _AS_OF) for leaf in asked}
        ways = _ways(datum, asked, fact, _AS_OF, answered=False)
        kind = _Kind(fact, now, frozenset(tuple(way.values()) for way in ways))
        if (tuple(now.values()), kind.ways) not in seen:
            seen.add((tuple(now.values()), kind.ways))
            yield kind


def _by_datum(condition: Condition) -> dict[Datum, list[Leaf]]:
    found: dict[Datum, list[Leaf]] = {}
    for leaf in leaves(condition):
        found.setdefault(leaf.datum, []).append(leaf)
    return found


def _near(leaves: Iterable[Leaf], lo: int | None, hi: int | None) -> list[int]:
    """Each bound and one step to either side, kept within the ends: one number at least for each answer."""
    bounds = {leaf.operand for leaf in leaves if type(leaf.operand) is int} or {0}
    near = {number for bound in bounds for number in (bound - 1, bound, bound + 1)}
    kept = {number if lo is None else max(number, lo) for number in near}
    return sorted({number if hi is None else min(number, hi) for number in kept})


def _number(datum: Datum, scaled: int) -> Value:
    if datum.kind is Kind.DECIMAL:
        return Decimal(scaled).scaleb(-datum.places)
    return Interval(scaled, scaled) if datum.kind is Kind.INTERVAL else scaled
