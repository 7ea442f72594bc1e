"""Every combination of answers, without trying each: what is left of the conditions is merged where it is the same.

After the first answers are given, a condition is a smaller one (or true, false, unknown). Combinations that leave the
same remainders behave alike from there on, so they walk on as one, counted. The result is exact: it is the full product
of the answers, grouped by what the conditions come to. It shares no code with the engine or the evaluator.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pathway.conditions import All, AnyOf, Condition, Leaf, Not

Answer = TypeVar("Answer", bound=Hashable)
Verdict = bool | None


@dataclass(frozen=True, slots=True)
class _Joined:
    """What is left of an all (`decisive` False) or an any (`decisive` True)."""

    decisive: bool
    parts: frozenset["_Rest"]


@dataclass(frozen=True, slots=True)
class _Opposite:
    part: "_Rest"


_Rest = Verdict | Leaf | _Joined | _Opposite


@dataclass(frozen=True, slots=True)
class Group:
    """Combinations that come to the same: how many they are, and one of them."""

    count: int
    example: tuple[tuple[str, Hashable], ...]


def walk(
    conditions: Sequence[Condition],
    answers: Mapping[str, Sequence[Answer]],
    judge: Callable[[Leaf, Answer], Verdict],
) -> dict[tuple[Verdict, ...], Group]:
    """What the conditions come to, in order, for every combination of one answer per datum."""
    groups: dict[tuple[_Rest, ...], Group] = {tuple(_rest(c) for c in conditions): Group(1, ())}
    for datum, choices in answers.items():
        after: dict[tuple[_Rest, ...], Group] = {}
        for rests, group in groups.items():
            for answer in choices:
                key = tuple(_given(rest, datum, answer, judge) for rest in rests)
                known = after.get(key)
                example = known.example if known else (*group.example, (datum, answer))
                after[key] = Group(group.count + (known.count if known else 0), example)
        groups = after
    for rests in groups:
        assert all(rest is None or isinstance(rest, bool) for rest in rests), "a datum was given no answers"
    return groups  # type: ignore[return-value] -- the line above shows it


def _rest(condition: Condition) -> _Rest:
    match condition:
        case Leaf():
            return condition
        case Not(part):
            return _Opposite(_rest(part))
        case All(parts) | AnyOf(parts):
            return _joined(isinstance(condition, AnyOf), [_rest(part) for part in parts])


def _given(rest: _Rest, datum: str, answer: Answer, judge: Callable[[Leaf, Answer], Verdict]) -> _Rest:
    match rest:
        case Leaf():
            return judge(rest, answer) if rest.datum.id == datum else rest
        case _Opposite(part):
            inner = _given(part, datum, answer, judge)
            return None if inner is None else not inner if isinstance(inner, bool) else _Opposite(inner)
        case _Joined(decisive, parts):
            return _joined(decisive, [_given(part, datum, answer, judge) for part in parts])
        case _:
            return rest


def _joined(decisive: bool, parts: list[_Rest]) -> _Rest:
    """An all or any, as small as it gets: a decisive part decides, idle parts go, one part stands for itself."""
    if any(part is decisive for part in parts):
        return decisive
    left = frozenset(part for part in parts if part is not (not decisive))
    if not left:
        return not decisive
    return next(iter(left)) if len(left) == 1 else _Joined(decisive, left)
