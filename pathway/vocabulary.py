"""The vocabulary: every datum that a rule may ask for, declared once, with its type, unit and scope.

Shapes: a datum is `boolean`, `integer`, `decimal` (fixed number of places), `code` (one of its values) or `interval`
(whole numbers lo..hi, for what is known only in part). Scopes nest: a treated-level sheet sees its level's data and
its patient's; a level sheet sees its patient's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from pathway.errors import RuleBookError


class Scope(StrEnum):
    """What a datum or a rule is about."""

    PATIENT = "patient"
    LEVEL = "level"
    TREATED_LEVEL = "treated-level"

    def sees(self, other: Scope) -> bool:
        """Whether a rule of this scope may read a datum of the other."""
        places = list(Scope)
        return places.index(other) <= places.index(self)


class Kind(StrEnum):
    """The type of a datum."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    CODE = "code"
    INTERVAL = "interval"


NUMERIC: Final = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.INTERVAL})


@dataclass(frozen=True, slots=True)
class Ask:
    """How a missing datum is got: who answers, in the words of a request."""

    id: str
    say: str


@dataclass(frozen=True, slots=True)
class Datum:
    """One declared datum.

    `lo` and `hi` bound what is plausible, in `unit` (UCUM); `places` are the decimal places kept; `values` are the
    codes of a `code` datum, in order. Of a datum in `progress` a lesser value is a step on the way: what has not been
    done yet speaks against nothing.
    """

    id: str
    title: str
    kind: Kind
    scope: Scope
    found: str
    negative: str
    combine: str
    unit: str = ""
    values: tuple[str, ...] = ()
    lo: Decimal | None = None
    hi: Decimal | None = None
    places: int = 0
    ask: str = ""
    progress: bool = False

    def scaled(self, value: Decimal | int) -> int:
        """A numeric value as the integer that the engine compares; raises ValueError if digits would be lost."""
        shifted = Decimal(value).scaleb(self.places)
        if shifted != shifted.to_integral_value():
            raise ValueError(f"{self.id} keeps {self.places} decimal places")
        return int(shifted)

    def widened(self, other: Datum) -> Datum:
        """This datum, with the values and the range of the other declaration as well; RuleBookError if they clash."""
        for part in ("kind", "scope", "unit", "places"):
            if getattr(self, part) != getattr(other, part):
                fix = "Give the new meaning a name of its own"
                raise RuleBookError(f"two releases declare {self.id} with another {part}", where="vocabulary", fix=fix)
        lo = None if self.lo is None or other.lo is None else min(self.lo, other.lo)
        hi = None if self.hi is None or other.hi is None else max(self.hi, other.hi)
        return replace(self, values=tuple(dict.fromkeys((*self.values, *other.values))), lo=lo, hi=hi)

    def plausible(self, value: Decimal | int) -> bool:
        """Whether a number lies within the declared bounds."""
        return (self.lo is None or value >= self.lo) and (self.hi is None or value <= self.hi)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All declared data, by id, and the ways to ask for them."""

    data: Mapping[str, Datum]
    asks: Mapping[str, Ask]
    document: Mapping[str, Any]

    def of_scope(self, scope: Scope) -> tuple[Datum, ...]:
        """The data of exactly one scope, in declared order."""
        return tuple(d for d in self.data.values() if d.scope is scope)

    @classmethod
    def union(cls, vocabularies: Iterable[Vocabulary]) -> Vocabulary:
        """What several vocabularies declare together, each datum as wide as its widest declaration.

        RuleBookError for a datum that two of them declare with another type, scope, unit or number of places.
        """
        distinct: list[Vocabulary] = []
        for one in vocabularies:
            if all(one.document != other.document for other in distinct):
                distinct.append(one)
        if len(distinct) == 1:
            return distinct[0]
        data: dict[str, Datum] = {}
        for datum in (datum for one in distinct for datum in one.data.values()):
            data[datum.id] = datum.widened(data[datum.id]) if datum.id in data else datum
        return cls(data, {key: ask for one in distinct for key, ask in one.asks.items()}, {})

    def covers(self, other: Vocabulary) -> bool:
        """Whether every value that the other one allows is allowed here."""
        pairs = ((self.data.get(id), datum) for id, datum in other.data.items())
        return all(own is not None and own.widened(datum) == own for own, datum in pairs)

    def __getitem__(self, datum: str) -> Datum:
        try:
            return self.data[datum]
        except KeyError:
            raise RuleBookError(
                f"no datum {datum!r} is declared", where="vocabulary", fix="Declare it or mend the name"
            ) from None

    @classmethod
    def from_document(cls, document: Mapping[str, Any], files: Mapping[str, str] | None = None) -> Vocabulary:
        """The vocabulary that a document declares; raises RuleBookError that names the datum and the fault.

        `files` says where each datum was written, for the message.
        """
        places = {key: f"{(files or {}).get(key, 'vocabulary')}: {key}" for key in document["data"]}
        asks = {key: Ask(key, str(say)) for key, say in document["asks"].items()}
        data = {key: _datum(key, body, places[key]) for key, body in document["data"].items()}
        for datum in data.values():
            if datum.ask and datum.ask not in asks:
                raise RuleBookError(
                    f"ask {datum.ask!r} is not declared", where=places[datum.id], fix="Add it under asks"
                )
        return cls(data, asks, document)


_KEYS: Final = (
    "title", "type", "scope", "unit", "values", "range", "places", "found", "negative", "combine", "progress",
    "ask",
)  # fmt: skip
_NEEDED: Final = ("title", "type", "scope", "found", "negative", "combine")


def _datum(key: str, body: Mapping[str, Any], place: str) -> Datum:
    for name in body:
        if name not in _KEYS:
            raise RuleBookError(f"unknown key {name!r}", where=place, fix=f"Known keys: {', '.join(_KEYS)}")
    for name in _NEEDED:
        if not body.get(name):
            raise RuleBookError(f"key {name!r} is missing", where=place, fix="Every datum says it")
    try:
        kind, scope = Kind(body["type"]), Scope(body["scope"])
    except ValueError as fault:
        raise RuleBookError(
            str(fault), where=place, fix=f"Types: {', '.join(Kind)}. Scopes: {', '.join(Scope)}"
        ) from None
    lo, hi = (Decimal(str(n)) for n in body.get("range", ("0", "0")))
    if kind in NUMERIC and ("range" not in body or "unit" not in body):
        raise RuleBookError("a number needs a unit and a range", where=place, fix="Add unit (UCUM) and range [lo, hi]")
    if body.get("places") and kind is not Kind.DECIMAL:
        raise RuleBookError("only a decimal has places", where=place, fix="Leave places out, or say type: decimal")
    if (kind is Kind.CODE) != bool(body.get("values")):
        raise RuleBookError("values belong to a code, and only to a code", where=place, fix="Mend type or values")
    return Datum(
        id=key, title=body["title"], kind=kind, scope=scope, found=body["found"], negative=body["negative"],
        combine=body["combine"], unit=str(body.get("unit", "")), values=tuple(body.get("values", ())),
        lo=lo if "range" in body else None, hi=hi if "range" in body else None,
        places=int(body.get("places", 0)), ask=body.get("ask", ""), progress=bool(body.get("progress", False)),
    )  # fmt: skip
