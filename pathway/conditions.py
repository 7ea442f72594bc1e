"""Conditions of rules: comparisons on data, joined by all, any, not and count. No expressions, no arithmetic.

A leaf compares one name on the sheet. In the criteria stratum names are data; in the recommendation stratum they are
criteria (`shared.adult`); in the obligations stratum also `outcome`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from itertools import combinations
from typing import Any, Final, cast

from pathway.errors import RuleBookError
from pathway.vocabulary import NUMERIC, Datum, Kind


class Op(StrEnum):
    """The comparisons a leaf may make."""

    IS = "is"
    IN = "in"
    AT_LEAST = "at-least"
    AT_MOST = "at-most"
    MORE_THAN = "more-than"
    LESS_THAN = "less-than"
    RECORDED = "recorded"


ORDERED: Final = frozenset({Op.AT_LEAST, Op.AT_MOST, Op.MORE_THAN, Op.LESS_THAN})
SECONDS: Final = {"min": 60, "h": 3600, "d": 86400, "wk": 604800, "a": 31557600}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison. `operand` is a code, boolean, scaled integer, or a tuple of codes.

    `within` is the greatest age in seconds at which the value still counts (older: unknown, stale).
    `unconfirmed` makes the candidate of something doubted (`facts.DOUBTED`) count as the value: for caution only.
    """

    datum: Datum
    op: Op
    operand: bool | int | str | tuple[str, ...]
    within: int | None = None
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when one part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    part: Condition


Condition = Leaf | All | AnyOf | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every comparison that is written in a condition, once and in written order, wherever a count repeats it."""
    return iter({id(leaf): leaf for leaf in _leaves(condition)}.values())


def _leaves(condition: Condition) -> Iterator[Leaf]:
    match condition:
        case Leaf():
            yield condition
        case Not(part):
            yield from _leaves(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _leaves(part)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated, cited number or duration that rules compare with; a site may override it, visibly."""

    id: str
    value: Decimal
    unit: str
    status: str
    set_on: str

    @property
    def seconds(self) -> int:
        """The parameter as a duration; KeyError where its unit is not one of time."""
        return int(self.value * SECONDS[self.unit])


Lists = Mapping[str, tuple[str, ...]]
"""Which items of a count hold in a rule set, by the list's name."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads conditions of one rule: which names it may use, its parameters, and where it stands for messages.

    `lists` are the rule set's; a list that it does not have holds every item that the rule writes.
    """

    names: Mapping[str, Datum]
    parameters: Mapping[str, Parameter]
    where: str
    lists: Lists = field(default_factory=dict[str, tuple[str, ...]])

    def read(self, raw: Any) -> Condition:
        """A condition from parsed YAML; raises RuleBookError that names the place, the fault and the fix."""
        if not isinstance(raw, Mapping) or len(cast(Mapping[str, Any], raw)) != 1:
            raise self._fault("a condition is one key", "Write all:, any:, not: or one datum with its comparison")
        ((key, body),) = cast(Mapping[str, Any], raw).items()
        match key:
            case "all":
                return All(self._parts(key, body))
            case "any":
                return AnyOf(self._parts(key, body))
            case "not":
                return Not(self.read(body))
            case "count" if isinstance(body, Mapping) and "of" in body:
                return self._count(cast(Mapping[str, Any], body))
            case _:
                return self._leaf(key, body)

    def _count(self, body: Mapping[str, Any]) -> Condition:
        """At least so many of some named items: any of their combinations, which says the same in three values too."""
        strange = [key for key in body if key not in ("at-least", "of", "listed-in")]
        of = body["of"]
        if strange or "at-least" not in body or not isinstance(of, Mapping):
            raise self._fault("a count says at-least and of", "Write count: {at-least: 2, of: {name: condition}}")
        items = {name: self.read(part) for name, part in cast(Mapping[str, Any], of).items()}
        listed = self.lists.get(body["listed-in"], tuple(items)) if "listed-in" in body else tuple(items)
        unknown = [name for name in listed if name not in items]
        if unknown:
            raise self._fault(f"the list {body['listed-in']!r} names {unknown[0]!r}", f"Items: {', '.join(items)}")
        number = self._parameter(body["at-least"]).value if isinstance(body["at-least"], str) else body["at-least"]
        if number not in range(1, len(listed) + 1) or isinstance(number, bool):
            raise self._fault(f"{number} of {len(listed)} items cannot be counted", "Count from 1 to all of them")
        chosen = [items[name] for name in items if name in listed]
        ways = [All(way) for way in combinations(chosen, int(number))]
        return AnyOf(tuple(way.parts[0] if number == 1 else way for way in ways))

    def _parts(self, key: str, body: Any) -> tuple[Condition, ...]:
        if not isinstance(body, list) or not body:
            raise self._fault(f"{key!r} holds a list of conditions", "Put each condition on a line with a dash")
        return tuple(self.read(part) for part in cast(list[Any], body))

    def _leaf(self, name: str, body: Any) -> Leaf:
        datum = self.names.get(name)
        if datum is None:
            close = ", ".join(get_close_matches(name, sorted(self.names), 6, 0.0))
            raise self._fault(f"no datum or criterion {name!r} can be read here", f"Near it: {close}")
        if not isinstance(body, Mapping):
            raise self._fault(f"{name!r} needs a comparison", f"Write {{is: value}}. Comparisons: {', '.join(Op)}")
        given = dict(cast(Mapping[str, Any], body))
        within = given.pop("within", None)
        unconfirmed = given.pop("unconfirmed", None)
        if unconfirmed not in (None, "counts"):
            raise self._fault("unconfirmed can only be: counts", "Leave it out, or write unconfirmed: counts")
        if len(given) != 1 or next(iter(given)) not in list(Op):
            raise self._fault(f"{name!r} needs exactly one comparison", f"One of: {', '.join(Op)}")
        ((op, raw),) = given.items()
        operand = self._operand(datum, Op(op), raw)
        seconds = self._seconds(within) if within is not None else None
        return Leaf(datum, Op(op), operand, seconds, unconfirmed == "counts")

    def _operand(self, datum: Datum, op: Op, raw: Any) -> bool | int | str | tuple[str, ...]:
        if op is Op.RECORDED:
            if not isinstance(raw, bool):
                raise self._fault(f"recorded of {datum.id} is true or false")
            return raw
        if op in ORDERED:
            return self._number(datum, raw)
        if op is Op.IN:
            codes = cast(list[Any], raw) if isinstance(raw, list) else []
            if datum.kind is not Kind.CODE or not codes:
                raise self._fault(f"in: lists codes of {datum.id}", f"Values: {', '.join(datum.values)}")
            return tuple(self._code(datum, code) for code in codes)
        if datum.kind is Kind.BOOLEAN:
            if not isinstance(raw, bool):
                raise self._fault(f"{datum.id} is true or false")
            return raw
        if datum.kind is Kind.CODE:
            return self._code(datum, raw)
        if datum.kind is Kind.INTERVAL:
            raise self._fault(f"{datum.id} is an interval", "Compare it with at-least and at-most")
        return self._number(datum, raw)

    def _code(self, datum: Datum, raw: Any) -> str:
        if raw not in datum.values:
            raise self._fault(f"{raw!r} is no value of {datum.id}", f"Values: {', '.join(datum.values)}")
        return str(raw)

    def _number(self, datum: Datum, raw: Any) -> int:
        if datum.kind not in NUMERIC:
            raise self._fault(f"{datum.id} is a {datum.kind} and has no order", "Use is: or in:")
        value = self._parameter(raw) if isinstance(raw, str) else None
        if value is not None and value.unit != datum.unit:
            raise self._fault(f"parameter {raw!r} is in {value.unit}, {datum.id} in {datum.unit}", "Use one unit")
        if value is None and (isinstance(raw, bool) or not isinstance(raw, int | Decimal)):
            raise self._fault(f"{datum.id} is compared with a number or a parameter")
        try:
            return datum.scaled(value.value if value is not None else cast("int | Decimal", raw))
        except ValueError as fault:
            raise self._fault(str(fault), "Use fewer decimal places") from None

    def _parameter(self, name: Any) -> Parameter:
        if not isinstance(name, str) or name not in self.parameters:
            raise self._fault(f"parameter {name!r} is not declared", "Declare it under parameters")
        return self.parameters[name]

    def _seconds(self, name: Any) -> int:
        parameter = self._parameter(name)
        if parameter.unit not in SECONDS:
            raise self._fault(f"parameter {name!r} is no duration", f"Units of time: {', '.join(SECONDS)}")
        return parameter.seconds

    def _fault(self, what: str, fix: str = "") -> RuleBookError:
        return RuleBookError(what, where=self.where, fix=fix)
