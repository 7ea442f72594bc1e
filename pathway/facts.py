"""Facts: the filled-in form, and the only door to the rules.

For every declared datum and every instance of its scope there is exactly one fact: a value, or `unknown` with its
reason. Nothing is ever silently "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast

from pathway.canonical import instant, parse_instant
from pathway.errors import BadInputError
from pathway.vocabulary import Datum, Kind, Scope, Vocabulary


class Reason(StrEnum):
    """Why a value is unknown."""

    NOT_RECORDED = "not-recorded"
    STALE = "stale"
    CONFLICTING = "conflicting"
    UNPARSEABLE = "unparseable"
    UNCONFIRMED = "unconfirmed"
    NOT_RETRIEVED = "not-retrieved"


DOUBTED: Final = (Reason.UNCONFIRMED, Reason.CONFLICTING, Reason.UNPARSEABLE)
"""Something is on record that cannot be relied on: its candidate, if it has one, may still speak for caution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A whole number known to lie from `lo` to `hi`, both included."""

    lo: int
    hi: int

    def __str__(self) -> str:
        return str(self.lo) if self.lo == self.hi else f"{self.lo} to {self.hi}"


Value = bool | int | Decimal | str | Interval


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer on the form: the value, or why there is none; when it was true; and where it came from.

    `at` is the instant it was true of the patient (the earliest one that a partial date allows). `sources` are
    references such as `Observation/a1`. `detail` are words for messages. An unknown keeps its candidate value.

    `since` says of a count of days that grows by itself when it was nought; it is no part of a decision.
    """

    datum: str
    value: Value | None = None
    reason: Reason | None = None
    candidate: Value | None = None
    at: datetime | None = None
    sources: tuple[str, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict[str, str])
    since: datetime | None = field(default=None, compare=False)

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.reason is None

    def to_json(self) -> dict[str, Any]:
        """The fact for canonical JSON; absent parts are left out."""
        body: dict[str, Any] = {}
        for name, value in (("value", self.value), ("candidate", self.candidate)):
            if value is not None:
                body[name] = {"lo": value.lo, "hi": value.hi} if isinstance(value, Interval) else value
        if self.reason is not None:
            body["unknown"] = self.reason.value
        if self.at is not None:
            body["at"] = instant(self.at)
        if self.sources:
            body["sources"] = sorted(set(self.sources))
        if self.detail:
            body["detail"] = dict(self.detail)
        return body

    @classmethod
    def from_json(cls, datum: str, body: Mapping[str, Any]) -> Fact:
        """The fact that `to_json` wrote, read back from parsed JSON."""
        return cls(
            datum=datum,
            value=_read_value(body.get("value")),
            reason=Reason(body["unknown"]) if "unknown" in body else None,
            candidate=_read_value(body.get("candidate")),
            at=parse_instant(body["at"]) if "at" in body else None,
            sources=tuple(body.get("sources", ())),
            detail=dict(body.get("detail", {})),
        )


def unknown(
    datum: str,
    reason: Reason = Reason.NOT_RECORDED,
    *,
    candidate: Value | None = None,
    at: datetime | None = None,
    sources: Iterable[str] = (),
    detail: Mapping[str, str] | None = None,
) -> Fact:
    """A fact without a value, and why."""
    return Fact(datum, None, reason, candidate, at, tuple(sources), dict(detail or {}))


def _read_value(raw: Any) -> Value | None:
    if isinstance(raw, Mapping):
        ends = cast(Mapping[str, int], raw)
        return Interval(ends["lo"], ends["hi"])
    return raw


@dataclass(frozen=True, slots=True)
class Sheet:
    """All facts about one patient, one level, or one treated level.

    `instance` names it: `patient`, the level, or `<procedure>@<level>`. `level` is empty on a patient's sheet.
    """

    scope: Scope
    instance: str
    facts: Mapping[str, Fact]
    level: str = ""
    episode: str = ""

    @classmethod
    def fill(
        cls,
        vocabulary: Vocabulary,
        scope: Scope,
        facts: Iterable[Fact],
        *,
        instance: str,
        level: str = "",
        episode: str = "",
    ) -> Sheet:
        """A complete sheet: the given facts checked, every other declared datum `not-recorded`.

        Raises BadInputError for an undeclared datum, a datum given twice, or a value outside its declaration.
        """
        filled: dict[str, Fact] = {}
        for fact in facts:
            datum = vocabulary[fact.datum]
            if datum.scope is not scope or fact.datum in filled:
                raise BadInputError(f"the fact {fact.datum!r} is out of place or given twice", where=instance)
            _check(datum, fact, instance)
            filled[fact.datum] = fact
        ordered = {d.id: filled.get(d.id) or unknown(d.id) for d in vocabulary.of_scope(scope)}
        return cls(scope, instance, ordered, level, episode)

    def within(self, vocabulary: Vocabulary) -> Sheet:
        """The sheet as far as a vocabulary declares it; a value that it does not allow is unknown and unreadable."""
        declared = {datum.id: datum for datum in vocabulary.of_scope(self.scope)}
        facts = [
            fact if _allowed(declared[id], fact) else unknown(id, Reason.UNPARSEABLE, at=fact.at, sources=fact.sources)
            for id, fact in self.facts.items()
            if id in declared
        ]
        return Sheet.fill(vocabulary, self.scope, facts, instance=self.instance, level=self.level, episode=self.episode)

    def to_json(self) -> dict[str, Any]:
        """The sheet for canonical JSON. Facts that are plainly not recorded are left out: `from_json` knows them."""
        plain = unknown("x").to_json()
        facts = {key: fact.to_json() for key, fact in self.facts.items()}
        body: dict[str, Any] = {"instance": self.instance, "facts": {k: f for k, f in facts.items() if f != plain}}
        if self.level:
            body["level"] = self.level
        if self.episode:
            body["episode"] = self.episode
        return body

    @classmethod
    def from_json(cls, vocabulary: Vocabulary, scope: Scope, body: Mapping[str, Any]) -> Sheet:
        """The sheet that `to_json` wrote."""
        facts = [Fact.from_json(key, fact) for key, fact in body["facts"].items()]
        return cls.fill(
            vocabulary, scope, facts,
            instance=body["instance"], level=body.get("level", ""), episode=body.get("episode", ""),
        )  # fmt: skip


def _check(datum: Datum, fact: Fact, instance: str) -> None:
    """A fact is a value or a reason, and its value is what the vocabulary declares."""
    if (fact.value is None) == (fact.reason is None):
        raise BadInputError(f"{datum.id} needs a value or a reason, not both", where=instance)
    if not _allowed(datum, fact):
        raise BadInputError(
            f"the value of {datum.id} is not a plausible {datum.kind}",
            where=instance,
            fix=f"Expected {datum.values or (str(datum.lo), str(datum.hi), datum.unit)}, {datum.places} decimal places",
            code="value",
        )


def _allowed(datum: Datum, fact: Fact) -> bool:
    value = fact.candidate if fact.reason in DOUBTED else fact.value
    return value is None or _fits(datum, value)


def _fits(datum: Datum, value: Value) -> bool:
    """Whether a value has the declared type, lies in the declared bounds, and loses no digit when scaled."""
    good = {
        Kind.BOOLEAN: isinstance(value, bool),
        Kind.INTEGER: type(value) is int,
        Kind.DECIMAL: isinstance(value, Decimal),
        Kind.CODE: isinstance(value, str) and value in datum.values,
        Kind.INTERVAL: isinstance(value, Interval) and value.lo <= value.hi,
    }[datum.kind]
    ends = (value.lo, value.hi) if isinstance(value, Interval) else (value,)
    numbers = [end for end in ends if isinstance(end, int | Decimal) and not isinstance(end, bool)]
    return good and all(datum.plausible(number) and _scales(datum, number) for number in numbers)


def _scales(datum: Datum, number: int | Decimal) -> bool:
    try:
        datum.scaled(number)
    except ValueError:
        return False
    return True
