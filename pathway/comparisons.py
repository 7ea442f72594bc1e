"""Comparisons of many rules on one sheet: each distinct one is looked at once, however many rules make it.

Most data of most sheets are plainly not known, and what a comparison comes to on nothing is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Final, Generic, TypeVar

from pathway.conditions import All, AnyOf, Condition, Leaf, Not
from pathway.facts import Fact, unknown
from pathway.kleene import View, fact_for
from pathway.vocabulary import Kind

T = TypeVar("T")
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)  # nothing has no age


class Comparisons(Generic[T]):
    """Distinct comparisons by number, and what `look` says of each on a sheet. Threads may share it once it is filled.

    An unknown fact without a candidate is nothing to a comparison, whatever the reason.
    """

    def __init__(self, look: Callable[[Leaf, Fact, datetime], T]) -> None:
        self._look = look
        self._numbers: dict[Leaf, int] = {}
        self._nothing: list[T] = []
        self._by_datum: dict[str, list[tuple[int, Leaf, Mapping[object, T]]]] = {}

    def number(self, leaf: Leaf) -> int:
        """The place of a comparison in what `on` gives; equal ones, by whatever rule, have one place."""
        number = self._numbers.setdefault(leaf, len(self._nothing))
        if number == len(self._nothing):
            self._nothing.append(self._look(leaf, unknown(leaf.datum.id), _ANY_TIME))
            self._by_datum.setdefault(leaf.datum.id, []).append((number, leaf, self._answers(leaf)))
        return number

    def _answers(self, leaf: Leaf) -> Mapping[object, T]:
        """What is said of each known value, where those are few and their age does not count: looked at beforehand."""
        values = (False, True) if leaf.datum.kind is Kind.BOOLEAN else leaf.datum.values
        if leaf.within is not None:
            return {}
        return {value: self._look(leaf, Fact(leaf.datum.id, value), _ANY_TIME) for value in values}

    def on(self, view: View, as_of: datetime) -> list[T]:
        """What `look` says of every comparison, by number; BadInputError where the sheet was not filled in."""
        found = self._nothing.copy()
        for datum, asked in self._by_datum.items():
            fact = view.get(datum) or fact_for(asked[0][1], view)
            if fact.reason is None:
                value = fact.value
                for number, leaf, answers in asked:
                    found[number] = answers[value] if value in answers else self._look(leaf, fact, as_of)
            elif fact.candidate is not None:
                for number, leaf, _ in asked:
                    found[number] = self._look(leaf, fact, as_of)
        return found


def places(numbers: Sequence[int]) -> Callable[[Sequence[T]], tuple[T, ...]]:
    """A function that takes these places of a row."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda row: tuple(row[number] for number in numbers)


Found = Sequence[bool | None] | Mapping[int, bool | None]
"""Verdicts of comparisons, by number."""


def folded(condition: Condition, number: Callable[[Leaf], int]) -> Callable[[Found], bool | None]:
    """A condition as a function of the verdicts of its comparisons: `kleene.fold`, prepared once for many answers."""
    match condition:
        case Leaf():
            return itemgetter(number(condition))
        case Not(part):
            return _opposite(folded(part, number))
        case All(parts):
            return _joined([folded(part, number) for part in parts], decisive=False)
        case AnyOf(parts):
            return _joined([folded(part, number) for part in parts], decisive=True)


def _opposite(part: Callable[[Found], bool | None]) -> Callable[[Found], bool | None]:
    def opposite(found: Found) -> bool | None:
        verdict = part(found)
        return None if verdict is None else not verdict

    return opposite


def _joined(parts: Sequence[Callable[[Found], bool | None]], *, decisive: bool) -> Callable[[Found], bool | None]:
    def joined(found: Found) -> bool | None:
        result: bool | None = not decisive
        for part in parts:
            verdict = part(found)
            if verdict is decisive:
                return decisive
            if verdict is None:
                result = None
        return result

    return joined
