"""The check of a condition against the truth: is it ever unknown although every answer leads to the same verdict?

It runs when rules are checked, never while deciding. The search is bounded: beyond `STEPS` it raises CompileError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, NamedTuple

from pathway.completions import STEPS, Completions, Steps, Verdicts, by_datum, representatives, state_of, verdicts, ways
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, leaves
from pathway.errors import CompileError, PathwayError, RuleBookError
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.kleene import View, fold
from pathway.rulebook import RuleBook
from pathway.vocabulary import Datum

_AS_OF: Final = datetime(2000, 1, 1, tzinfo=UTC)


def weaker_than_truth(condition: Condition, limit: int = STEPS) -> View | None:
    """A view on which Kleene's logic says unknown though all completions agree, or None if there is none.

    Raises CompileError if the search would take more than `limit` steps.
    """
    signs = dict(_signs(condition, True))
    kinds = [_telling(list(_kinds(datum, asked)), signs) for datum, asked in by_datum(leaves(condition)).items()]
    return _weak(Completions((condition,)), kinds, {}, {}, Steps(limit))


def too_weak(book: RuleBook) -> tuple[PathwayError, ...]:
    """The conditions of a rule book that are weaker than the truth, as every rule set has them, with an example."""
    found: dict[tuple[str, Condition], None] = {}
    for rule in (rule for rule_set in book.sets.values() for rule in rule_set.rules()):
        found |= dict.fromkeys((rule.id, condition) for condition in rule.conditions())
    return tuple(fault for id, condition in found for fault in _faults(id, condition))


def _faults(id: str, condition: Condition) -> Iterator[PathwayError]:
    where = f"{id.replace('.', '/')}.yaml: {id}"
    try:
        view = weaker_than_truth(condition)
    except CompileError as fault:
        yield CompileError(fault.what, where=where, fix=fault.fix)
        return
    if view is not None:
        facts = (f"{name} {fact.value if fact.known else 'unknown'}" for name, fact in view.items())
        yield RuleBookError(
            "it is unknown although every answer leads to the same verdict",
            where=where,
            why=f"for example with {', '.join(facts)}",
            fix="Write the simpler condition: instead of `worse, or not worse and hot` say `worse, or hot`",
        )


class _Kind(NamedTuple):
    """A fact that stands for all that give these verdicts now, and these combinations once completed."""

    fact: Fact
    now: Verdicts
    ways: frozenset[tuple[bool | None, ...]]


def _weak(
    condition: Completions,
    kinds: Sequence[Sequence[_Kind]],
    view: Mapping[str, Fact],
    known: Verdicts,
    steps: Steps,
) -> View | None:
    steps.take()
    if fold(condition.conditions[0], lambda leaf: known.get(id(leaf))) is not None:
        return None  # whatever else becomes known, it stays so
    if not kinds:
        states = condition.states(view, _AS_OF)
        return view if len(condition.reached(states, answered=False, steps=steps)) == 1 else None
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
        states = [state_of(leaf, fact, _AS_OF) for leaf in asked]
        now = verdicts(asked, states)
        found = ways(datum, asked, states, answered=False)
        kind = _Kind(fact, now, frozenset(tuple(way.values()) for way in found))
        if (tuple(now.values()), kind.ways) not in seen:
            seen.add((tuple(now.values()), kind.ways))
            yield kind
