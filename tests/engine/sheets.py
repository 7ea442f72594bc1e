"""Random conditions and random sheets for the engine's tests, from one seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pathway.compiler import Statement
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.vocabulary import Datum, Kind, Scope

AS_OF = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = 86400
SCOPES = tuple(Scope)


def datum(name: str, kind: Kind, scope: Scope = Scope.PATIENT, **more: object) -> Datum:
    """A declared datum with the parts that rules look at."""
    parts: dict[str, object] = {"title": name, "found": "x", "negative": "x", "combine": "latest", **more}
    return Datum(id=name, kind=kind, scope=scope, **parts)  # type: ignore[arg-type]


def flag(name: str, scope: Scope = Scope.PATIENT) -> Datum:
    return datum(name, Kind.BOOLEAN, scope)


def code(name: str, *values: str, scope: Scope = Scope.PATIENT) -> Datum:
    return datum(name, Kind.CODE, scope, values=values)


def number(name: str, lo: int = 0, hi: int = 10, scope: Scope = Scope.PATIENT) -> Datum:
    return datum(name, Kind.INTEGER, scope, lo=Decimal(lo), hi=Decimal(hi), unit="1")


def decimal(name: str, places: int = 1, scope: Scope = Scope.PATIENT) -> Datum:
    return datum(name, Kind.DECIMAL, scope, lo=Decimal(-5), hi=Decimal(5), unit="cm", places=places)


def interval(name: str, lo: int = 0, hi: int = 10, scope: Scope = Scope.PATIENT) -> Datum:
    return datum(name, Kind.INTERVAL, scope, lo=Decimal(lo), hi=Decimal(hi), unit="1")


def fact(what: Datum, value: Value, days: float | None = 1) -> Fact:
    """A known fact, that many days old at AS_OF, or undated."""
    return Fact(what.id, value, at=None if days is None else AS_OF - timedelta(days=days))


def vocabulary(rng: random.Random, size: int = 20) -> list[Datum]:
    """Random data of every kind and scope."""
    made: list[Datum] = []
    for n in range(size):
        scope = SCOPES[n % 3]
        make = rng.choice((flag, number, decimal, interval, code))
        if make is code:
            made.append(code(f"d{n}", *(f"c{k}" for k in range(rng.randint(2, 6))), scope=scope))
        else:
            made.append(make(f"d{n}", scope=scope))
    return made


def leaf(rng: random.Random, what: Datum) -> Leaf:
    """A random comparison that suits the datum."""
    within = rng.choice((None, None, None, 30 * DAY, 90 * DAY))
    unconfirmed = rng.random() < 0.2
    op = Op.RECORDED if rng.random() < 0.1 else Op.IS
    operand: bool | int | str | tuple[str, ...] = rng.random() < 0.5
    if op is Op.IS and what.kind is Kind.CODE:
        operand = rng.choice(what.values)
        if rng.random() < 0.5:
            op, operand = Op.IN, tuple(rng.sample(what.values, rng.randint(1, len(what.values))))
    elif op is Op.IS and what.kind is not Kind.BOOLEAN:
        ordered = [Op.AT_LEAST, Op.AT_MOST, Op.MORE_THAN, Op.LESS_THAN]
        op = rng.choice(ordered if what.kind is Kind.INTERVAL else [*ordered, Op.IS])
        operand = rng.randint(int(what.scaled(what.lo or 0)) - 1, int(what.scaled(what.hi or 0)) + 1)
    return Leaf(what, op, operand, within, unconfirmed)


def condition(rng: random.Random, data: list[Datum], depth: int = 3) -> Condition:
    """A random tree of all, any and not over random comparisons."""
    roll = rng.random()
    if depth == 0 or roll < 0.3:
        return leaf(rng, rng.choice(data))
    if roll < 0.45:
        return Not(condition(rng, data, depth - 1))
    kind = All if roll < 0.73 else AnyOf
    return kind(tuple(condition(rng, data, depth - 1) for _ in range(rng.randint(1, 3))))


def statements(rng: random.Random, data: list[Datum], count: int) -> list[Statement]:
    """Random statements, each of a scope that sees its data."""
    made: list[Statement] = []
    for n in range(count):
        scope = rng.choice(SCOPES)
        seen = [one for one in data if scope.sees(one.scope)]
        made.append(Statement(f"rule-{n}", scope, condition(rng, seen)))
    return made


def value(rng: random.Random, what: Datum) -> Value:
    """A random plausible value."""
    lo, hi = what.scaled(what.lo or 0), what.scaled(what.hi or 0)
    match what.kind:
        case Kind.BOOLEAN:
            return rng.random() < 0.5
        case Kind.CODE:
            return rng.choice(what.values)
        case Kind.INTEGER:
            return rng.randint(lo, hi)
        case Kind.DECIMAL:
            return Decimal(rng.randint(lo, hi)).scaleb(-what.places)
        case Kind.INTERVAL:
            ends = sorted((rng.randint(lo, hi), rng.randint(lo, hi)))
            return Interval(ends[0], rng.choice(ends))


def random_fact(rng: random.Random, what: Datum) -> Fact:
    """A fact of any sort: known, unknown for any reason, unconfirmed with a candidate, undated, just stale."""
    days = rng.choice((None, -1, 0, 29, 30, 31, 60, 90, 91, 30 + 1e-10))
    at = None if days is None else AS_OF - timedelta(days=days)
    if days == 30 + 1e-10:
        at = AS_OF - timedelta(days=30, microseconds=1)
    roll = rng.random()
    if roll < 0.6:
        return Fact(what.id, value(rng, what), at=at)
    reason = rng.choice(tuple(Reason))
    candidate = value(rng, what) if rng.random() < 0.7 else None
    return unknown(what.id, reason, candidate=candidate, at=at)


def view(rng: random.Random, data: list[Datum]) -> dict[str, Fact]:
    """A random complete sheet, its facts in random order."""
    facts = [random_fact(rng, one) for one in data]
    rng.shuffle(facts)
    return {one.datum: one for one in facts}


def asked_alike(part: Condition, limits: Mapping[str, int | None]) -> Condition:
    """The same condition, each datum asked under its one limit of age; a candidate may count for one leaf alone."""
    match part:
        case Leaf():
            return replace(part, within=limits[part.datum.id])
        case Not(inner):
            return Not(asked_alike(inner, limits))
        case All(parts) | AnyOf(parts):
            return type(part)(tuple(asked_alike(one, limits) for one in parts))
