"""The evaluator, comparison by comparison: at, below and above each bound, unknown, stale, undated, unconfirmed."""

from datetime import timedelta
from decimal import Decimal

import pytest

from pathway.conditions import All, AnyOf, Leaf, Not, Op
from pathway.errors import BadInputError
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.kleene import Because, evaluate, explain
from tests.engine.sheets import AS_OF, DAY, code, decimal, fact, flag, interval, number

SURE, PAIN, SITE, COUNT, SIZE = (
    flag("sure"), number("pain"), code("site", "t12", "l1", "l2"), interval("count"), decimal("size")
)  # fmt: skip
YES, NO, MAYBE = fact(SURE, True), fact(SURE, False), unknown("sure")


def verdict(leaf: Leaf, what: Fact) -> bool | None:
    return evaluate(leaf, {what.datum: what}, AS_OF)


@pytest.mark.parametrize(
    ("op", "below", "at", "above"),
    [
        (Op.AT_LEAST, False, True, True),
        (Op.MORE_THAN, False, False, True),
        (Op.AT_MOST, True, True, False),
        (Op.LESS_THAN, True, False, False),
        (Op.IS, False, True, False),
    ],
)
def test_a_number_below_at_and_above_the_bound(op: Op, below: bool, at: bool, above: bool) -> None:
    for value, expected in ((4, below), (5, at), (6, above)):
        assert verdict(Leaf(PAIN, op, 5), fact(PAIN, value)) is expected
        assert verdict(Leaf(SIZE, op, 5), fact(SIZE, Decimal(value) / 10)) is expected  # half a centimetre
    assert verdict(Leaf(PAIN, op, 5), unknown("pain")) is None


@pytest.mark.parametrize(
    ("op", "lo", "hi", "expected"),
    [
        (Op.AT_LEAST, 5, 9, True), (Op.AT_LEAST, 4, 5, None), (Op.AT_LEAST, 0, 4, False),
        (Op.MORE_THAN, 6, 9, True), (Op.MORE_THAN, 5, 6, None), (Op.MORE_THAN, 0, 5, False),
        (Op.AT_MOST, 0, 5, True), (Op.AT_MOST, 5, 6, None), (Op.AT_MOST, 6, 9, False),
        (Op.LESS_THAN, 0, 4, True), (Op.LESS_THAN, 4, 5, None), (Op.LESS_THAN, 5, 9, False),
        (Op.AT_LEAST, 5, 5, True), (Op.LESS_THAN, 5, 5, False),
    ],
)  # fmt: skip
def test_an_interval_is_sure_only_when_it_lies_on_one_side(op: Op, lo: int, hi: int, expected: bool | None) -> None:
    assert verdict(Leaf(COUNT, op, 5), fact(COUNT, Interval(lo, hi))) is expected
    opposite = None if expected is None else not expected
    assert evaluate(Not(Leaf(COUNT, op, 5)), {"count": fact(COUNT, Interval(lo, hi))}, AS_OF) is opposite


def test_codes_and_booleans() -> None:
    assert verdict(Leaf(SITE, Op.IS, "l1"), fact(SITE, "l1")) is True
    assert verdict(Leaf(SITE, Op.IS, "l1"), fact(SITE, "l2")) is False
    assert verdict(Leaf(SITE, Op.IN, ("l1", "l2")), fact(SITE, "l2")) is True
    assert verdict(Leaf(SITE, Op.IN, ("l1", "l2")), fact(SITE, "t12")) is False
    assert verdict(Leaf(SITE, Op.IN, ("l1", "l2")), unknown("site")) is None
    assert verdict(Leaf(SURE, Op.IS, False), NO) is True
    assert verdict(Leaf(SURE, Op.IS, False), YES) is False
    assert verdict(Leaf(SURE, Op.IS, False), MAYBE) is None


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(days=30), True),
        (timedelta(days=30, microseconds=-1), True),
        (timedelta(days=30, microseconds=1), None),
        (timedelta(days=-1), True),
        (None, None),
    ],
)
def test_a_fact_counts_up_to_and_at_its_limit_of_age(age: timedelta | None, expected: bool | None) -> None:
    aged = Fact("pain", 7, at=None if age is None else AS_OF - age)
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5, within=30 * DAY), aged) is expected
    assert verdict(Leaf(PAIN, Op.RECORDED, True, within=30 * DAY), aged) is (expected is True)
    assert verdict(Leaf(PAIN, Op.RECORDED, False, within=30 * DAY), aged) is (expected is None)
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5), aged) is True


@pytest.mark.parametrize("reason", list(Reason))
def test_recorded_is_never_unknown(reason: Reason) -> None:
    nothing = unknown("pain", reason, candidate=7, at=AS_OF)
    assert verdict(Leaf(PAIN, Op.RECORDED, True), nothing) is False
    assert verdict(Leaf(PAIN, Op.RECORDED, False), nothing) is True
    assert verdict(Leaf(PAIN, Op.RECORDED, True), fact(PAIN, 0)) is True


@pytest.mark.parametrize("reason", list(Reason))
def test_a_candidate_counts_only_where_unconfirmed_counts_and_something_is_on_record(reason: Reason) -> None:
    doubtful = unknown("pain", reason, candidate=7, at=AS_OF - timedelta(days=2))
    counts = reason in (Reason.UNCONFIRMED, Reason.CONFLICTING, Reason.UNPARSEABLE)
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5), doubtful) is None
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5, unconfirmed=True), doubtful) is (True if counts else None)
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5, within=DAY, unconfirmed=True), doubtful) is None
    assert verdict(Leaf(PAIN, Op.RECORDED, True, unconfirmed=True), doubtful) is counts
    assert verdict(Leaf(PAIN, Op.AT_LEAST, 5, unconfirmed=True), unknown("pain", reason)) is None


def test_kleene_tables() -> None:
    """Strong three-valued logic (Kleene 1952, paragraph 64)."""
    other = flag("other")
    facts = {True: YES, False: NO, None: MAYBE}
    for left in (True, False, None):
        for right in (True, False, None):
            view = {"sure": facts[left], "other": Fact("other", right) if right is not None else unknown("other")}
            one, two = Leaf(SURE, Op.IS, True), Leaf(other, Op.IS, True)
            both = False if False in (left, right) else None if None in (left, right) else True
            either = True if True in (left, right) else None if None in (left, right) else False
            assert evaluate(All((one, two)), view, AS_OF) is both
            assert evaluate(AnyOf((one, two)), view, AS_OF) is either
            assert evaluate(Not(one), view, AS_OF) is (None if left is None else not left)


def test_a_datum_that_is_not_on_the_sheet_is_an_error_not_an_unknown() -> None:
    with pytest.raises(BadInputError, match="'sure'"):
        evaluate(Leaf(SURE, Op.IS, True), {}, AS_OF)


def test_an_explanation_names_every_comparison_in_written_order() -> None:
    view = {
        "site": fact(SITE, "l1"),
        "size": fact(SIZE, Decimal("2.5"), days=40),
        "count": fact(COUNT, Interval(2, 4)),
        "sure": unknown("sure", Reason.CONFLICTING),
        "pain": unknown("pain", Reason.UNCONFIRMED, candidate=8),
    }
    rule = AnyOf(
        (
            Leaf(SITE, Op.IN, ("l1", "l2")),
            Not(All((Leaf(SIZE, Op.MORE_THAN, 5, within=30 * DAY), Leaf(COUNT, Op.AT_LEAST, 3)))),
            Leaf(SURE, Op.IS, True),
            Leaf(PAIN, Op.AT_LEAST, 5, unconfirmed=True),
            Leaf(PAIN, Op.AT_LEAST, 5, within=DAY, unconfirmed=True),
            Leaf(SIZE, Op.RECORDED, False, within=30 * DAY),
        )
    )
    assert explain(rule, view, AS_OF) == (
        Because("site", "in", "l1, l2", True, "", view["site"]),
        Because("size", "more than", "0.5 cm", None, "stale", view["size"]),
        Because("count", "at least", "3", None, "partly-known", view["count"]),
        Because("sure", "is", "true", None, "conflicting", view["sure"]),
        Because("pain", "at least", "5", True, "unconfirmed", view["pain"]),
        Because("pain", "at least", "5", None, "undated", view["pain"]),
        Because("size", "recorded", "false", True, "stale", view["size"]),
    )
