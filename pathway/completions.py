"""Completions: what is not known answered in every way that matters, to see what an answer could change.

An answer is a fresh value. What a rule may use today stays as it is; what it may not (unknown, too old, undated, or
an interval across a bound) runs through the values that its comparisons can tell apart; so does an unconfirmed
candidate, even one that counts, for it can still be confirmed or refuted. The work is bounded in steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations, product
from operator import ne
from typing import Final, NamedTuple

from pathway.comparisons import folded
from pathway.conditions import Condition, Leaf, Op, leaves
from pathway.errors import CompileError
from pathway.facts import Fact, Interval, Value
from pathway.kleene import View, compare, fact_for, usable
from pathway.vocabulary import Datum, Kind

STEPS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Doubted:
    """What a comparison comes to on an unconfirmed candidate that counts: so for now, until an answer replaces it."""

    verdict: bool


State = bool | Interval | Doubted | None
"""How a comparison stands: decided; an interval that reaches over its bound; decided by a candidate that an answer
may still confirm or refute; or None, nothing that it may use.

For `recorded` it is whether there is anything.
"""

Verdicts = Mapping[int, bool | None]
"""Verdicts of comparisons, by the identity of the leaf in its condition."""

Reached = tuple[bool | None, ...]
"""The verdicts of several conditions, None where they are still open."""


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


def open_data(condition: Condition, view: View, as_of: datetime) -> tuple[str, ...]:
    """The data, and only the data, whose answer could still change the verdict, in order of first use.

    A datum counts if for some completion of the others its answer makes a difference; to a comparison with
    `recorded`, having an answer is one.
    """
    one = Completions((condition,))
    return one.open(one.states(view, as_of))


class Completions:
    """Conditions completed together: a datum that several of them read has one answer. Threads may share it."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(conditions)
        self.leaves = tuple({id(leaf): leaf for part in self.conditions for leaf in leaves(part)}.values())
        self._by_datum = by_datum(self.leaves)
        self._folded = tuple(folded(part, id) for part in self.conditions)
        self._nothing: Reached = (None,) * len(self.conditions)

    def states(self, view: View, as_of: datetime) -> tuple[State, ...]:
        """How each comparison stands: all that completions depend on. In the order of `leaves`."""
        return tuple(state_of(leaf, fact_for(leaf, view), as_of) for leaf in self.leaves)

    def now(self, states: Sequence[State]) -> Reached:
        """The verdicts as they are, nothing completed."""
        return self._at(verdicts(self.leaves, states), self._nothing)

    def reached(
        self, states: Sequence[State], *, answered: bool = True, steps: Steps | None = None
    ) -> frozenset[Reached]:
        """The verdicts that completions lead to. CompileError if finding them takes too many steps.

        Without `answered` nothing becomes `recorded`, and a candidate that counts stands: nobody gave an answer.
        """
        known, choices = self._choices(states, answered=answered)
        return frozenset(self._ends(known, tuple(choices.values()), self._nothing, steps or Steps()))

    def open(
        self, states: Sequence[State], differ: Callable[[Reached, Reached], bool] = ne, steps: Steps | None = None
    ) -> tuple[str, ...]:
        """The data whose answer can lead, for some completion of the others, to verdicts that `differ`.

        Where finding that out takes too many steps, all data that have no final answer.
        """
        known, choices = self._choices(states, answered=True)
        steps = steps or Steps()
        try:
            return tuple(
                datum
                for datum, ways in choices.items()
                if self._matters(
                    _Choice(ways, [way for other, way in choices.items() if other != datum], differ),
                    known, self._nothing, steps,
                )
            )  # fmt: skip
        except CompileError:
            return tuple(choices)

    def _choices(self, states: Sequence[State], *, answered: bool) -> tuple[Verdicts, dict[str, tuple[Verdicts, ...]]]:
        """The verdicts that no answer can change, None for the others; and for each open datum what answers lead to."""
        by_leaf = {id(leaf): state for leaf, state in zip(self.leaves, states, strict=True)}
        known: dict[int, bool | None] = {}
        choices: dict[str, tuple[Verdicts, ...]] = {}
        for datum, asked in self._by_datum.items():
            found = ways(datum, asked, [by_leaf[id(leaf)] for leaf in asked], answered=answered)
            if len(found) == 1:
                known |= found[0]
            else:
                choices[datum.id] = found
                known |= {id(leaf): None for leaf in asked}
        return known, choices

    def _at(self, known: Verdicts, decided: Reached) -> Reached:
        """The verdicts as far as something is known; what is decided stays so."""
        return tuple(
            fold(known) if verdict is None else verdict for fold, verdict in zip(self._folded, decided, strict=True)
        )

    def _ends(
        self, known: Verdicts, choices: Sequence[Sequence[Verdicts]], decided: Reached, steps: Steps
    ) -> Iterator[Reached]:
        """The verdicts that completions lead to, some of them more than once."""
        steps.take()
        found = self._at(known, decided)
        if None not in found:
            yield found  # whatever the remaining answers are
            return
        for way in choices[0]:
            yield from self._ends({**known, **way}, choices[1:], found, steps)

    def _matters(self, choice: _Choice, known: Verdicts, decided: Reached, steps: Steps) -> bool:
        """Whether, for some completion of the others, one way leads to other verdicts than another way."""
        steps.take()
        decided = self._at(known, decided)
        if None not in decided:
            return False
        found = {self._at({**known, **way}, decided) for way in choice.ways}
        sure = [verdicts for verdicts in found if None not in verdicts]
        if any(choice.differ(one, other) for one, other in combinations(sure, 2)):
            return True
        if len(sure) == len(found):
            return False
        rest = choice._replace(others=choice.others[1:])
        return any(self._matters(rest, {**known, **way}, decided, steps) for way in choice.others[0])


class _Choice(NamedTuple):
    """What one datum can come to, what the others can, in order, and which verdicts count as different."""

    ways: Sequence[Verdicts]
    others: Sequence[Sequence[Verdicts]]
    differ: Callable[[Reached, Reached], bool]


@dataclass(slots=True)
class Steps:
    """What a search may still spend; CompileError once it is spent."""

    left: int = STEPS

    def take(self) -> bool:
        """Spend one; always true, so that a filter can pay for what it lets through."""
        self.left -= 1
        if self.left < 0:
            raise CompileError(
                "too many data to try out every answer", fix="Split the rule, or derive a datum from a part of it"
            )
        return True


def state_of(leaf: Leaf, fact: Fact, as_of: datetime) -> State:
    """How one comparison stands on one fact."""
    value, _ = usable(leaf, fact, as_of)
    if leaf.op is Op.RECORDED:
        return value is not None
    if value is None:
        return None
    verdict = compare(leaf, value)
    if not fact.known:
        return None if verdict is None else Doubted(verdict)
    return value if verdict is None and isinstance(value, Interval) else verdict


def verdicts(asked: Iterable[Leaf], states: Iterable[State]) -> Verdicts:
    """What the comparisons come to as they stand."""
    return {id(leaf): _verdict(leaf, state) for leaf, state in zip(asked, states, strict=True)}


def _verdict(leaf: Leaf, state: State) -> bool | None:
    if leaf.op is Op.RECORDED:
        return state is leaf.operand
    if isinstance(state, Doubted):
        return state.verdict
    return state if isinstance(state, bool) else None


def ways(datum: Datum, asked: Sequence[Leaf], states: Sequence[State], *, answered: bool) -> tuple[Verdicts, ...]:
    """The verdicts that the comparisons on one datum can come to together, each combination once.

    `answered`: an answer also makes the datum recorded, and replaces a candidate that counts.
    """
    now = verdicts(asked, states)
    across = [(leaf, state) for leaf, state in zip(asked, states, strict=True) if isinstance(state, Interval)]
    mute = [
        leaf
        for leaf, state in zip(asked, states, strict=True)
        if state is None or (answered and isinstance(state, Doubted))
    ]
    silent = [leaf for leaf, state in zip(asked, states, strict=True) if leaf.op is Op.RECORDED and state is False]
    if not (across or mute or silent):
        return (now,)
    fresh = [{id(leaf): compare(leaf, value) for leaf in mute} for value in representatives(datum, asked)]
    recorded = [{id(leaf): leaf.operand is True for leaf in silent}] if answered else []
    points = _near(asked, across[0][1].lo, across[0][1].hi) if across else [0]
    inside = [{id(leaf): compare(leaf, Interval(point, point)) for leaf, _ in across} for point in points]
    every = ({**now, **a, **b, **c} for a, b, c in product(fresh, [{}, *recorded], inside))
    return tuple({tuple(way.values()): way for way in every}.values())


def by_datum(asked: Iterable[Leaf]) -> dict[Datum, list[Leaf]]:
    """Comparisons by the datum that they read, in order of first use."""
    found: dict[Datum, list[Leaf]] = {}
    for leaf in asked:
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
