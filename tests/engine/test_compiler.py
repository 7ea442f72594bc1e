"""From conditions to rules: the ways to be surely true or false, their names, and what is refused."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pathway.branches import MAX_BRANCHES, branches
from pathway.compiler import READ, Statement, compile_statements
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op
from pathway.errors import CompileError
from pathway.vocabulary import Scope
from tests.engine import sheets
from tests.engine.sheets import AS_OF, DAY, code, decimal, fact, flag, interval, number

FLAG, PAIN, SITE, SIZE, COUNT = (
    flag("flag"), number("pain"), code("site", "t12", "l1", "l2"), decimal("size"), interval("count")
)  # fmt: skip
LIMIT = DAY * 1_000_000


def ways(condition: Condition, truth: bool) -> list[str]:
    """The branches as a person writes them."""
    found: list[str] = []
    for way in branches(condition, truth, "here"):
        tests = [(test.column, test.op or "=", test.number) for test in sorted(way)]
        found.append(" and ".join(f"{c.datum}.{c.part}{'?' * c.unconfirmed} {op} {n}" for c, op, n in tests))
    return found


@pytest.mark.parametrize(
    ("leaf", "met", "not_met"),
    [
        (Leaf(PAIN, Op.AT_LEAST, 5), ["pain.value $gte 5"], ["pain.value $lt 5"]),
        (Leaf(PAIN, Op.MORE_THAN, 5), ["pain.value $gt 5"], ["pain.value $lte 5"]),
        (Leaf(PAIN, Op.AT_MOST, 5), ["pain.value $lte 5"], ["pain.value $gt 5"]),
        (Leaf(SIZE, Op.LESS_THAN, 25), ["size.value $lt 25"], ["size.value $gte 25"]),
        (Leaf(PAIN, Op.IS, 5), ["pain.value = 5"], ["pain.value $neq 5"]),
        (Leaf(COUNT, Op.AT_LEAST, 5), ["count.lo $gte 5"], ["count.hi $lt 5"]),
        (Leaf(COUNT, Op.LESS_THAN, 5), ["count.hi $lt 5"], ["count.lo $gte 5"]),
        (Leaf(COUNT, Op.AT_MOST, 5), ["count.hi $lte 5"], ["count.lo $gt 5"]),
        (Leaf(FLAG, Op.IS, True), ["flag.value = 1"], ["flag.value = 0"]),
        (Leaf(FLAG, Op.IS, False), ["flag.value = 0"], ["flag.value = 1"]),
        (Leaf(SITE, Op.IS, "l1"), ["site.value = 1"], ["site.value $neq 1"]),
        (Leaf(SITE, Op.IN, ("l1", "l2")), ["site.value $neq 0"], ["site.value $neq 1 and site.value $neq 2"]),
        (Leaf(SITE, Op.IN, SITE.values), ["site.value $gte 0"],
         ["site.value $neq 0 and site.value $neq 1 and site.value $neq 2"]),
        (Leaf(PAIN, Op.RECORDED, True), ["pain.known = 1"], ["pain.known = 0"]),
        (Leaf(PAIN, Op.RECORDED, False, within=DAY),
         ["pain.known = 0", f"pain.age $gt {LIMIT}"], [f"pain.age $lte {LIMIT} and pain.known = 1"]),
        (Leaf(PAIN, Op.AT_LEAST, 5, within=DAY, unconfirmed=True),
         [f"pain.age $lte {LIMIT} and pain.value? $gte 5"], [f"pain.age $lte {LIMIT} and pain.value? $lt 5"]),
    ],
)  # fmt: skip
def test_one_comparison_and_its_opposite(leaf: Leaf, met: list[str], not_met: list[str]) -> None:
    assert (ways(leaf, True), ways(leaf, False)) == (met, not_met)
    assert (ways(Not(leaf), True), ways(Not(leaf), False)) == (not_met, met)


def test_negation_is_pushed_to_the_comparisons_and_what_says_no_more_is_dropped() -> None:
    a, b, c = (Leaf(flag(name), Op.IS, True) for name in "abc")
    rule = AnyOf((a, All((b, Not(AnyOf((c, Not(b))))))))
    assert ways(rule, True) == ["a.value = 1", "b.value = 1 and c.value = 0"]
    assert ways(rule, False) == ["a.value = 0 and b.value = 0", "a.value = 0 and c.value = 1"]
    assert ways(AnyOf((a, All((a, b)), a)), True) == ["a.value = 1"]
    assert ways(All((a, AnyOf((a, b)))), True) == ["a.value = 1"]


def test_rules_are_named_and_numbered_by_statement_and_verdict() -> None:
    rule = AnyOf((Leaf(FLAG, Op.IS, True), Leaf(PAIN, Op.AT_LEAST, 5)))
    (shard,) = compile_statements([Statement("shared.severe", Scope.PATIENT, rule)])
    assert shard.rules == {
        "shared.severe#met/1": (("shared.severe", True),),
        "shared.severe#met/2": (("shared.severe", True),),
        "shared.severe#not-met/1": (("shared.severe", False),),
    }
    assert shard.ruleset == {
        READ: {"all": [{"s": {"$and": [{"go": 1}]}}]},
        "shared.severe#met/1": {"all": [{"s": {"$and": [{"f0": 1}]}}]},
        "shared.severe#met/2": {"all": [{"s": {"$and": [{"$gte": {"f1": 5}}]}}]},
        "shared.severe#not-met/1": {"all": [{"s": {"$and": [{"f0": 0}, {"$lt": {"f1": 5}}]}}]},
    }
    view = {"flag": fact(FLAG, True), "pain": fact(PAIN, 7), "site": fact(SITE, "l1")}
    assert shard.project(view, AS_OF, 3) == {"id": 3, "sid": "1", "go": 1, "f0": 1, "f1": 7}


def test_a_way_that_statements_have_in_common_is_one_rule_and_speaks_for_each_of_them() -> None:
    flag_up = Leaf(FLAG, Op.IS, True)
    made = {
        "one": flag_up,
        "same": flag_up,
        "opposite": Not(flag_up),
        "wider": AnyOf((flag_up, Leaf(PAIN, Op.AT_LEAST, 5))),
    }
    (shard,) = compile_statements([Statement(id_, Scope.PATIENT, condition) for id_, condition in made.items()])
    assert shard.rules == {
        "one#met/1": (("one", True), ("same", True), ("opposite", False), ("wider", True)),
        "one#not-met/1": (("one", False), ("same", False), ("opposite", True)),
        "wider#met/2": (("wider", True),),
        "wider#not-met/1": (("wider", False),),
    }
    assert set(shard.ruleset) == {READ, *shard.rules}


def test_a_condition_without_comparisons_is_met_or_not_met_on_every_sheet() -> None:
    (shard,) = compile_statements([Statement("always", Scope.PATIENT, All(()))])
    assert shard.ruleset == {READ: shard.ruleset[READ], "always#met/1": {"all": [{"s": {"$and": [{"go": 1}]}}]}}


def test_statements_of_different_scopes_never_share_a_shard() -> None:
    made = [Statement(scope, scope, Leaf(FLAG, Op.IS, True)) for scope in (Scope.LEVEL, Scope.PATIENT)]
    assert [(shard.scope, shard.statements) for shard in compile_statements(made)] == [
        (Scope.PATIENT, ("patient",)),
        (Scope.LEVEL, ("level",)),
    ]


def test_the_same_statements_give_the_same_shards() -> None:
    rng = random.Random(2)
    made = sheets.statements(rng, sheets.vocabulary(rng), 60)
    assert compile_statements(made) == compile_statements(list(made))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "a#b"}, "a#b: not an id"),
        ({"id": 'a"'}, "not an id"),
        ({"id": ""}, "not an id"),
        ({"condition": Leaf(number("pain", scope=Scope.LEVEL), Op.IS, 5)}, "a patient rule sees no level datum"),
        ({"condition": All((Leaf(PAIN, Op.IS, 5), Leaf(replace(PAIN, places=1), Op.IS, 5)))}, "declared in two ways"),
        ({"condition": Leaf(PAIN, Op.IS, 5, within=-1)}, "no duration"),
        ({"condition": Leaf(PAIN, Op.IS, 5, within=2**60)}, "no duration"),
        ({"condition": Leaf(COUNT, Op.IS, 5)}, "is cannot compare a interval"),
        ({"condition": Leaf(PAIN, Op.IS, True)}, "is cannot compare a integer"),
        ({"condition": Leaf(PAIN, Op.AT_LEAST, True)}, "at-least cannot compare a integer"),
        ({"condition": Leaf(SIZE, Op.AT_LEAST, 2.5)}, "at-least cannot compare a decimal"),
        ({"condition": Leaf(PAIN, Op.IN, ("5",))}, "in cannot compare a integer"),
        ({"condition": Leaf(SITE, Op.IN, ("l1", "l9"))}, "in cannot compare a code"),
        ({"condition": Leaf(SITE, Op.IN, "l1")}, "in cannot compare a code"),
        ({"condition": Leaf(SITE, Op.IS, "l9")}, "is cannot compare a code"),
        ({"condition": Leaf(SITE, Op.AT_LEAST, 1)}, "at-least cannot compare a code"),
        ({"condition": Leaf(FLAG, Op.AT_LEAST, 1)}, "at-least cannot compare a boolean"),
        ({"condition": Leaf(FLAG, Op.IS, 1)}, "is cannot compare a boolean"),
        ({"condition": Leaf(FLAG, Op.RECORDED, "yes")}, "recorded cannot compare a boolean"),
    ],
)
def test_what_the_engine_could_not_compare_rightly_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(CompileError, match=words):
        compile_statements([replace(Statement("rule", Scope.PATIENT, Leaf(FLAG, Op.IS, True)), **change)])


def test_an_id_is_given_once() -> None:
    one = Statement("rule", Scope.PATIENT, Leaf(FLAG, Op.IS, True))
    with pytest.raises(CompileError, match="rule: two statements have this id"):
        compile_statements([one, one])


def test_a_rule_that_branches_without_end_is_refused_before_it_is_multiplied_out() -> None:
    pairs = tuple(AnyOf((Leaf(flag(f"a{n}"), Op.IS, True), Leaf(flag(f"b{n}"), Op.IS, True))) for n in range(40))
    with pytest.raises(CompileError, match="here: 1024 ways to be true or false, 512 are safe"):
        branches(All(pairs), True, "here")
    assert len(branches(All(pairs[:5]), True, "here")) == MAX_BRANCHES
