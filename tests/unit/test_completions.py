"""What an answer could still change: by example, and against trying out every plausible value."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from math import prod

import pytest

from pathway.completions import Completions, open_data, representatives
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.errors import CompileError
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.kleene import View, evaluate
from pathway.vocabulary import Datum, Kind
from pathway.weakness import weaker_than_truth
from tests.engine.sheets import (
    AS_OF,
    DAY,
    asked_alike,
    code,
    condition,
    decimal,
    fact,
    flag,
    interval,
    number,
    view,
    vocabulary,
)

WORSE, FEVER, PAIN, COUNT, SITE = (
    flag("worse"),
    flag("fever"),
    number("pain"),
    interval("count"),
    code("site", "a", "b"),
)
IS_WORSE, IS_FEVER = Leaf(WORSE, Op.IS, True), Leaf(FEVER, Op.IS, True)
HURTS, MANY = Leaf(PAIN, Op.AT_LEAST, 5), Leaf(COUNT, Op.AT_LEAST, 2)


def settled(condition: Condition, sheet: View, at: datetime) -> bool | None:
    """The verdict if all completions agree on it, else None; what nobody answered is not `recorded`."""
    one = Completions((condition,))
    found = one.reached(one.states(sheet, at), answered=False)
    return next(iter(found))[0] if len(found) == 1 else None


NOTHING = {name: unknown(name) for name in ("worse", "fever", "pain", "count", "site")}


def test_representatives_stand_at_below_and_above_each_bound_and_stay_plausible() -> None:
    assert representatives(WORSE, [IS_WORSE]) == (False, True)
    assert representatives(SITE, []) == ("a", "b")
    assert representatives(PAIN, [HURTS, Leaf(PAIN, Op.LESS_THAN, 10)]) == (4, 5, 6, 9, 10)
    assert representatives(PAIN, [Leaf(PAIN, Op.AT_MOST, 40)]) == (10,)
    assert representatives(PAIN, [Leaf(PAIN, Op.RECORDED, True)]) == (0, 1)
    assert representatives(decimal("size", 2), [Leaf(decimal("size", 2), Op.AT_LEAST, 25)]) == (
        Decimal("0.24"), Decimal("0.25"), Decimal("0.26")
    )  # fmt: skip
    assert representatives(COUNT, [MANY]) == (Interval(1, 1), Interval(2, 2), Interval(3, 3))
    unbounded = replace(PAIN, lo=None, hi=None)
    assert representatives(unbounded, [Leaf(unbounded, Op.IS, 40)]) == (39, 40, 41)


def test_worsening_or_not_worsening_with_fever_is_settled_by_fever_alone() -> None:
    """The example of a rule that is weaker than the truth; "worsening, or fever" is the same and is not."""
    rule = AnyOf((IS_WORSE, All((Not(IS_WORSE), IS_FEVER))))
    feverish = {**NOTHING, "fever": fact(FEVER, True)}
    assert evaluate(rule, feverish, AS_OF) is None
    assert settled(rule, feverish, AS_OF) is True
    assert open_data(rule, feverish, AS_OF) == ()
    found = weaker_than_truth(rule)
    assert found is not None
    assert {name: one.value for name, one in found.items()} == {"worse": None, "fever": True}
    assert weaker_than_truth(AnyOf((IS_WORSE, IS_FEVER))) is None


def test_only_data_that_can_still_change_the_verdict_are_open_in_order_of_first_use() -> None:
    rule = AnyOf((All((HURTS, IS_FEVER)), IS_WORSE, MANY))
    assert open_data(rule, NOTHING, AS_OF) == ("pain", "fever", "worse", "count")
    assert open_data(rule, {**NOTHING, "pain": fact(PAIN, 3)}, AS_OF) == ("worse", "count")
    assert open_data(rule, {**NOTHING, "worse": fact(WORSE, True)}, AS_OF) == ()
    assert settled(rule, {**NOTHING, "worse": fact(WORSE, True)}, AS_OF) is True


def test_a_stale_value_is_open_and_a_fresh_one_is_not() -> None:
    rule = Leaf(PAIN, Op.AT_LEAST, 5, within=30 * DAY)
    assert open_data(rule, {"pain": fact(PAIN, 7, days=31)}, AS_OF) == ("pain",)
    assert open_data(rule, {"pain": fact(PAIN, 7, days=None)}, AS_OF) == ("pain",)
    assert open_data(rule, {"pain": fact(PAIN, 7, days=30)}, AS_OF) == ()


def test_a_value_fresh_enough_for_one_comparison_stays_while_another_waits() -> None:
    rule = AnyOf((Leaf(PAIN, Op.AT_LEAST, 5, within=90 * DAY), Leaf(PAIN, Op.AT_LEAST, 8, within=30 * DAY)))
    assert settled(rule, {"pain": fact(PAIN, 6, days=60)}, AS_OF) is True
    assert settled(rule, {"pain": fact(PAIN, 4, days=60)}, AS_OF) is None
    assert open_data(rule, {"pain": fact(PAIN, 4, days=60)}, AS_OF) == ("pain",)


def test_a_partly_known_interval_is_completed_within_itself() -> None:
    rule = AnyOf((MANY, Leaf(COUNT, Op.LESS_THAN, 2)))
    assert evaluate(rule, {"count": fact(COUNT, Interval(1, 4))}, AS_OF) is None
    assert settled(rule, {"count": fact(COUNT, Interval(1, 4))}, AS_OF) is True
    between = All((MANY, Leaf(COUNT, Op.LESS_THAN, 6)))
    assert settled(between, {"count": fact(COUNT, Interval(2, 5))}, AS_OF) is True
    assert settled(between, {"count": fact(COUNT, Interval(2, 6))}, AS_OF) is None
    assert settled(All((Leaf(COUNT, Op.AT_LEAST, 9), MANY)), {"count": fact(COUNT, Interval(1, 4))}, AS_OF) is False
    assert weaker_than_truth(rule) is not None


def test_an_unconfirmed_candidate_counts_until_an_answer_confirms_or_refutes_it() -> None:
    doubtful = {"worse": unknown("worse", Reason.UNCONFIRMED, candidate=True)}
    counts = replace(IS_WORSE, unconfirmed=True)
    assert evaluate(counts, doubtful, AS_OF) is True
    assert open_data(counts, doubtful, AS_OF) == ("worse",)
    assert open_data(IS_WORSE, doubtful, AS_OF) == ("worse",)
    ruled_out = All((Leaf(WORSE, Op.IS, False), Not(counts)))  # suspected is not "no", and not unknown either
    assert evaluate(ruled_out, doubtful, AS_OF) is False
    assert open_data(ruled_out, doubtful, AS_OF) == ("worse",)


def test_an_answer_may_lie_outside_an_unconfirmed_interval() -> None:
    rule = replace(MANY, unconfirmed=True)
    doubtful = {"count": unknown("count", Reason.UNCONFIRMED, candidate=Interval(3, 4))}
    assert evaluate(rule, doubtful, AS_OF) is True
    assert open_data(rule, doubtful, AS_OF) == ("count",)
    few = All((rule, Leaf(COUNT, Op.AT_MOST, 9, unconfirmed=True), Leaf(COUNT, Op.MORE_THAN, 3, unconfirmed=True)))
    assert open_data(few, doubtful, AS_OF) == ("count",)


def test_recorded_stands_as_it_is_until_somebody_answers() -> None:
    rule = Leaf(PAIN, Op.RECORDED, True)
    assert settled(rule, NOTHING, AS_OF) is False
    assert open_data(rule, NOTHING, AS_OF) == ("pain",)
    assert open_data(rule, {"pain": fact(PAIN, 0)}, AS_OF) == ()
    silent = AnyOf((HURTS, Leaf(PAIN, Op.RECORDED, False)))
    assert settled(silent, NOTHING, AS_OF) is True
    assert open_data(silent, NOTHING, AS_OF) == ("pain",)


def test_a_bound_that_no_plausible_value_reaches_is_reported() -> None:
    found = weaker_than_truth(Leaf(PAIN, Op.AT_MOST, 40))
    assert found is not None
    assert not found["pain"].known


def test_too_many_data_are_an_error_and_twenty_plain_ones_are_not() -> None:
    many = tuple(Leaf(flag(f"x{n}"), Op.IS, True) for n in range(20))
    nothing = {f"x{n}": unknown(f"x{n}") for n in range(20)}
    for plain in (All(many), AnyOf(many)):
        assert settled(plain, nothing, AS_OF) is None
        assert len(open_data(plain, nothing, AS_OF)) == 20
        assert weaker_than_truth(plain) is None
    parity: Condition = many[0]
    for one in many[1:6]:
        parity = AnyOf((All((parity, Not(one))), All((Not(parity), one))))
    with pytest.raises(CompileError, match="too many data"):
        weaker_than_truth(parity, limit=300)


def plain(rng: random.Random, data: list[Datum]) -> Condition:
    """A random condition in which each datum is asked in one way only: no `recorded`, one limit of age."""
    limits = {one.id: rng.choice((None, 30 * DAY)) for one in data}

    while True:
        made = condition(rng, data)
        if all(leaf.op is not Op.RECORDED for leaf in leaves(made)):
            return asked_alike(made, limits)


def every_value(what: Datum) -> list[Value]:
    """All plausible values of a datum, intervals as points."""
    if what.kind is Kind.BOOLEAN:
        return [False, True]
    if what.kind is Kind.CODE:
        return list(what.values)
    assert what.lo is not None
    assert what.hi is not None
    steps = range(what.scaled(what.lo), what.scaled(what.hi) + 1)
    if what.kind is Kind.DECIMAL:
        return [Decimal(n).scaleb(-what.places) for n in steps]
    return [Interval(n, n) if what.kind is Kind.INTERVAL else n for n in steps]


def answers(what: Datum, one: Fact, limit: int | None) -> list[Fact]:
    """Every fact that could stand there once all is known."""
    fresh = limit is None or (one.at is not None and AS_OF - one.at <= timedelta(seconds=limit))
    values = every_value(what)
    if one.known and fresh:
        if not isinstance(one.value, Interval):
            return [one]
        values = [Interval(n, n) for n in range(one.value.lo, one.value.hi + 1)]
    return [Fact(what.id, value, at=AS_OF) for value in values]


@pytest.mark.parametrize("seed", range(4))
def test_completions_are_what_trying_out_every_plausible_value_gives(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        data = vocabulary(rng, 3)
        rule, sheet = plain(rng, data), view(rng, data)
        asked = {leaf.datum.id: leaf for leaf in leaves(rule)}
        spread = {name: answers(leaf.datum, sheet[name], leaf.within) for name, leaf in asked.items()}
        if prod(map(len, spread.values())) > 3000:
            continue
        table = {
            tuple(id(one) for one in row): evaluate(rule, {one.datum: one for one in row}, AS_OF)
            for row in product(*spread.values())
        }
        one = Completions((rule,))
        assert one.reached(one.states(sheet, AS_OF)) == {(verdict,) for verdict in table.values()}
        matters: list[str] = []
        for place, name in enumerate(spread):
            groups: dict[tuple[int, ...], set[bool | None]] = {}
            for row, found in table.items():
                groups.setdefault((*row[:place], *row[place + 1 :]), set()).add(found)
            if any(len(group) > 1 for group in groups.values()):
                matters.append(name)
        assert open_data(rule, sheet, AS_OF) == tuple(matters)


@pytest.mark.parametrize("seed", range(4))
def test_a_known_verdict_is_settled_and_an_unsettled_one_has_open_data(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(150):
        data = vocabulary(rng, 5)
        rule, sheet = condition(rng, data), view(rng, data)
        known, truth = evaluate(rule, sheet, AS_OF), settled(rule, sheet, AS_OF)
        assert known is None or truth is known
        assert truth is not None or open_data(rule, sheet, AS_OF)


@pytest.mark.parametrize("seed", range(4))
def test_a_counterexample_is_one_and_where_none_is_found_none_exists(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        data = vocabulary(rng, 3)
        rule = condition(rng, data, depth=2)
        found = weaker_than_truth(rule)
        if found is not None:
            at = AS_OF.replace(year=2000, month=1, day=1, hour=0)
            assert evaluate(rule, found, at) is None
            assert settled(rule, found, at) is not None
        else:
            for _ in range(30):
                sheet = view(rng, data)
                assert evaluate(rule, sheet, AS_OF) is settled(rule, sheet, AS_OF)
