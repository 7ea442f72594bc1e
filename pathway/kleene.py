"""Three-valued evaluation of conditions in plain Python: the reasons of every verdict, the engine's oracle.

It shares no code with the compiler and the engine, so that a fault in one of them shows as a disagreement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.errors import BadInputError
from pathway.facts import DOUBTED, Fact, Interval, Reason, Value
from pathway.vocabulary import NUMERIC

View = Mapping[str, Fact]
"""All that one instance of a rule may see: every datum of its sheets, by id, known or not."""

UNDATED: Final = "undated"
PARTLY_KNOWN: Final = "partly-known"


@dataclass(frozen=True, slots=True)
class Because:
    """One comparison as it came out: what was asked, the verdict (None: unknown), and the fact it rests on.

    `reason` is empty for a plain value. Otherwise it is a `Reason`, `stale` also for a fact older than the
    rule allows; `undated` where its age cannot be told; or `partly-known` for an interval across the bound.
    """

    datum: str
    op: str
    operand: str
    verdict: bool | None
    reason: str
    fact: Fact


def evaluate(condition: Condition, view: View, as_of: datetime) -> bool | None:
    """Whether a condition holds on a view at an instant; None where that is unknown.

    Raises BadInputError for a datum that the view does not hold, ValueError for more decimals than declared.
    """
    return fold(condition, lambda leaf: verdict_of(leaf, fact_for(leaf, view), as_of))


def explain(condition: Condition, view: View, as_of: datetime) -> tuple[Because, ...]:
    """Every comparison of a condition with its verdict and reason, in written order; raises as `evaluate`."""
    return tuple(_because(leaf, fact_for(leaf, view), as_of) for leaf in leaves(condition))


def fold(condition: Condition, verdict: Callable[[Leaf], bool | None]) -> bool | None:
    """A condition from the verdicts of its comparisons, by Kleene's strong logic."""
    match condition:
        case Leaf():
            return verdict(condition)
        case Not(part):
            inner = fold(part, verdict)
            return None if inner is None else not inner
        case All(parts):
            return _joined(parts, verdict, decisive=False)
        case AnyOf(parts):
            return _joined(parts, verdict, decisive=True)


def _joined(parts: tuple[Condition, ...], verdict: Callable[[Leaf], bool | None], *, decisive: bool) -> bool | None:
    """`decisive` as soon as one part is; else unknown if one part is; else the opposite."""
    result: bool | None = not decisive
    for part in parts:
        inner = fold(part, verdict)
        if inner is decisive:
            return decisive
        if inner is None:
            result = None
    return result


def fact_for(leaf: Leaf, view: View) -> Fact:
    """The fact that a comparison reads; raises BadInputError where the sheet was not filled in."""
    try:
        return view[leaf.datum.id]
    except KeyError:
        raise BadInputError(
            f"no fact about {leaf.datum.id!r} on the sheet", fix="Fill the sheet: an unknown is a fact too"
        ) from None


def verdict_of(leaf: Leaf, fact: Fact, as_of: datetime) -> bool | None:
    """One comparison on one fact."""
    value, _ = usable(leaf, fact, as_of)
    if leaf.op is Op.RECORDED:
        return (value is not None) is leaf.operand
    return None if value is None else compare(leaf, value)


def reason_of(leaf: Leaf, fact: Fact, as_of: datetime) -> str:
    """Why one comparison has no plain answer; empty where it has one. The words are those of `Because`."""
    value, reason = usable(leaf, fact, as_of)
    return PARTLY_KNOWN if value is not None and verdict_of(leaf, fact, as_of) is None else reason


def usable(leaf: Leaf, fact: Fact, as_of: datetime) -> tuple[Value | None, str]:
    """The value that a comparison may use, if any, and the reason why it is none or not a plain one.

    A fact exactly as old as `within` still counts.
    """
    if fact.known:
        value, reason = fact.value, ""
    elif leaf.unconfirmed and fact.reason in DOUBTED and fact.candidate is not None:
        value, reason = fact.candidate, str(fact.reason)
    else:
        return None, str(fact.reason)
    if leaf.within is not None:
        if fact.at is None:
            return None, UNDATED
        if as_of - fact.at > timedelta(seconds=leaf.within):
            return None, str(Reason.STALE)
    return value, reason


def compare(leaf: Leaf, value: Value) -> bool | None:
    """A comparison other than `recorded` with a value; None where an interval reaches over the bound."""
    datum, operand = leaf.datum, leaf.operand
    if isinstance(operand, tuple):
        return value in operand
    if datum.kind not in NUMERIC:
        return value == operand
    ends = (value.lo, value.hi) if isinstance(value, Interval) else (value, value)
    lo, hi = (datum.scaled(end) for end in ends if isinstance(end, int | Decimal))
    bound = int(operand)
    match leaf.op:
        case Op.AT_LEAST:
            surely, never = lo >= bound, hi < bound
        case Op.MORE_THAN:
            surely, never = lo > bound, hi <= bound
        case Op.AT_MOST:
            surely, never = hi <= bound, lo > bound
        case Op.LESS_THAN:
            surely, never = hi < bound, lo >= bound
        case _:
            surely, never = lo == bound == hi, not lo <= bound <= hi
    return True if surely else False if never else None


def _because(leaf: Leaf, fact: Fact, as_of: datetime) -> Because:
    verdict, reason = verdict_of(leaf, fact, as_of), reason_of(leaf, fact, as_of)
    return Because(leaf.datum.id, leaf.op.replace("-", " "), _shown(leaf), verdict, reason, fact)


def _shown(leaf: Leaf) -> str:
    """The operand as a person reads it: a number with its unit (UCUM), unless that is 1 or an annotation."""
    operand, datum = leaf.operand, leaf.datum
    if isinstance(operand, bool):
        return "true" if operand else "false"
    if isinstance(operand, tuple):
        return ", ".join(operand)
    if isinstance(operand, int):
        unit = "" if datum.unit == "1" or datum.unit.startswith("{") else datum.unit
        return f"{format(Decimal(operand).scaleb(-datum.places), 'f')} {unit}".rstrip()
    return operand
