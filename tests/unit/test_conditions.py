"""Reading conditions: what is written is what is compared, and every fault names its place."""

from decimal import Decimal
from typing import Any

import pytest

from pathway.conditions import All, AnyOf, Leaf, Not, Op, Parameter, Reader, leaves
from pathway.errors import RuleBookError
from tests.engine.sheets import DAY, code, decimal, flag, interval, number

SURE, PAIN, SITE, COUNT, SIZE = (
    flag("sure"), number("pain"), code("site", "t12", "l1", "l2"), interval("count"), decimal("size")
)  # fmt: skip
PARAMETERS = {
    p.id: p
    for p in (
        Parameter("month", Decimal(30), "d", "project-default", "2026-11-22"),
        Parameter("half-day", Decimal("0.5"), "d", "project-default", "2026-11-22"),
        Parameter("pain-bound", Decimal(5), "1", "project-default", "2026-11-22"),
        Parameter("size-bound", Decimal("2.5"), "cm", "project-default", "2026-11-22"),
        Parameter("too-fine", Decimal("2.55"), "cm", "project-default", "2026-11-22"),
    )
}
READER = Reader({d.id: d for d in (SURE, PAIN, SITE, COUNT, SIZE)}, PARAMETERS, "rule.yaml: when")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"sure": {"is": True}}, Leaf(SURE, Op.IS, True)),
        ({"site": {"is": "l1"}}, Leaf(SITE, Op.IS, "l1")),
        ({"site": {"in": ["l1", "t12"]}}, Leaf(SITE, Op.IN, ("l1", "t12"))),
        ({"pain": {"at-least": 5}}, Leaf(PAIN, Op.AT_LEAST, 5)),
        ({"pain": {"more-than": "pain-bound"}}, Leaf(PAIN, Op.MORE_THAN, 5)),
        ({"pain": {"is": 5}}, Leaf(PAIN, Op.IS, 5)),
        ({"size": {"at-most": Decimal("2.5")}}, Leaf(SIZE, Op.AT_MOST, 25)),
        ({"size": {"less-than": "size-bound"}}, Leaf(SIZE, Op.LESS_THAN, 25)),
        ({"size": {"is": 3}}, Leaf(SIZE, Op.IS, 30)),
        ({"count": {"at-least": 2}}, Leaf(COUNT, Op.AT_LEAST, 2)),
        ({"count": {"recorded": False}}, Leaf(COUNT, Op.RECORDED, False)),
        ({"pain": {"at-least": 5, "within": "month"}}, Leaf(PAIN, Op.AT_LEAST, 5, within=30 * DAY)),
        ({"pain": {"at-least": 5, "within": "half-day"}}, Leaf(PAIN, Op.AT_LEAST, 5, within=DAY // 2)),
        ({"sure": {"is": False, "unconfirmed": "counts"}}, Leaf(SURE, Op.IS, False, unconfirmed=True)),
    ],
)
def test_a_comparison_is_read_as_written(raw: dict[str, Any], expected: Leaf) -> None:
    assert READER.read(raw) == expected


def test_all_any_and_not_nest_and_keep_their_order() -> None:
    raw = {"all": [{"not": {"any": [{"sure": {"is": True}}, {"pain": {"at-least": 5}}]}}, {"site": {"is": "l1"}}]}
    read = READER.read(raw)
    sure, pain, site = Leaf(SURE, Op.IS, True), Leaf(PAIN, Op.AT_LEAST, 5), Leaf(SITE, Op.IS, "l1")
    assert read == All((Not(AnyOf((sure, pain))), site))
    assert list(leaves(read)) == [sure, pain, site]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "a condition is one key"),
        ({}, "a condition is one key"),
        ({"sure": {"is": True}, "pain": {"is": 5}}, "a condition is one key"),
        ({"all": []}, "'all' holds a list"),
        ({"any": {"sure": {"is": True}}}, "'any' holds a list"),
        ({"not": [{"sure": {"is": True}}]}, "a condition is one key"),
        ({"pane": {"is": 5}}, "no datum or criterion 'pane'.*pain"),
        ({"pain": 5}, "'pain' needs a comparison"),
        ({"pain": {}}, "exactly one comparison"),
        ({"pain": {"at-least": 5, "at-most": 7}}, "exactly one comparison"),
        ({"pain": {"atleast": 5}}, "exactly one comparison"),
        ({"pain": {"at-least": "5"}}, "parameter '5' is not declared"),
        ({"pain": {"at-least": True}}, "compared with a number"),
        ({"pain": {"at-least": 5.0}}, "compared with a number"),
        ({"pain": {"at-least": Decimal("5.5")}}, "0 decimal places"),
        ({"size": {"at-least": "too-fine"}}, "1 decimal places"),
        ({"pain": {"at-least": "month"}}, "parameter 'month' is in d, pain in 1"),
        ({"pain": {"in": [5]}}, "in: lists codes"),
        ({"site": {"in": []}}, "in: lists codes"),
        ({"site": {"in": "l1"}}, "in: lists codes"),
        ({"site": {"in": ["l1", "l9"]}}, "'l9' is no value of site"),
        ({"site": {"is": "l9"}}, "'l9' is no value of site"),
        ({"site": {"at-least": 1}}, "has no order"),
        ({"sure": {"at-least": 1}}, "has no order"),
        ({"sure": {"is": 1}}, "is true or false"),
        ({"sure": {"is": "true"}}, "is true or false"),
        ({"sure": {"recorded": "yes"}}, "recorded of sure is true or false"),
        ({"count": {"is": 2}}, "is an interval"),
        ({"pain": {"is": 5, "within": "year"}}, "parameter 'year' is not declared"),
        ({"pain": {"is": 5, "unconfirmed": True}}, "can only be: counts"),
    ],
)
def test_a_fault_names_its_place_and_what_is_wrong(raw: Any, words: str) -> None:
    with pytest.raises(RuleBookError, match=words) as caught:
        READER.read(raw)
    assert caught.value.where == "rule.yaml: when"


def test_an_age_is_compared_with_a_time() -> None:
    with pytest.raises(RuleBookError, match="'pain-bound' is no duration"):
        READER.read({"pain": {"is": 5, "within": "pain-bound"}})


ITEMS = {"a": {"sure": {"is": True}}, "b": {"pain": {"at-least": 5}}, "c": {"site": {"is": "l1"}}}
A, B, C = Leaf(SURE, Op.IS, True), Leaf(PAIN, Op.AT_LEAST, 5), Leaf(SITE, Op.IS, "l1")


def counted(lists: dict[str, tuple[str, ...]] | None = None, **body: Any) -> Any:
    reader = Reader(READER.names, PARAMETERS, READER.where, lists or {})
    return reader.read({"count": {"of": ITEMS, **body}})


def test_a_count_is_any_combination_of_so_many_items() -> None:
    assert counted(**{"at-least": 1}) == AnyOf((A, B, C))
    assert counted(**{"at-least": 2}) == AnyOf((All((A, B)), All((A, C)), All((B, C))))
    assert counted(**{"at-least": 3}) == AnyOf((All((A, B, C)),))


def test_a_comparison_that_a_count_repeats_is_one_comparison() -> None:
    assert list(leaves(counted(**{"at-least": 2}))) == [A, B, C]


def test_a_count_takes_the_items_that_the_rule_set_lists_in_written_order() -> None:
    of = {"at-least": 2, "listed-in": "items"}
    assert counted({"items": ("c", "a")}, **of) == AnyOf((All((A, C)),))
    assert counted({}, **of) == counted(**{"at-least": 2}), "without a list every item counts"


@pytest.mark.parametrize(
    ("lists", "body", "words"),
    [
        ({}, {}, "a count says at-least and of"),
        ({}, {"at-least": 2, "at-most": 3}, "a count says at-least and of"),
        ({}, {"at-least": 0}, "0 of 3 items cannot be counted"),
        ({}, {"at-least": 4}, "4 of 3 items cannot be counted"),
        ({}, {"at-least": True}, "True of 3 items cannot be counted"),
        ({}, {"at-least": "two"}, "parameter 'two' is not declared"),
        ({"items": ("a",)}, {"at-least": 2, "listed-in": "items"}, "2 of 1 items cannot be counted"),
        ({"items": ("a", "d")}, {"at-least": 2, "listed-in": "items"}, "the list 'items' names 'd'.*Items: a, b, c"),
    ],
)
def test_a_count_that_cannot_be_is_refused(lists: Any, body: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleBookError, match=words):
        counted(lists, **body)
