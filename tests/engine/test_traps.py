"""What durable-rules 2.0.28 gets wrong about values, definitions and identity: as it comes, then as we drive it.

A trap that would crash the process is shown in another one. Limits and running: test_traps_running.py.
"""

import random
import signal
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from pathway.compiler import LIMIT, MAX_FIELDS, compile_statements
from pathway.conditions import All, AnyOf, Leaf, Not, Op
from pathway.engine import Engine
from pathway.errors import CompileError, EngineError
from pathway.facts import Fact, Interval, unknown
from pathway.vocabulary import Scope
from tests.engine import sheets
from tests.engine.ours import judged, patterns, shards, sheet
from tests.engine.sheets import AS_OF, code, decimal, fact, flag, interval, number
from tests.engine.stock import code_for, end_of, fire, misread, rules

FLAG, PAIN, SITE, SIZE, COUNT = (
    flag("flag"), number("pain"), code("site", "t12", "l1", "l2"), decimal("size"), interval("count")
)  # fmt: skip


# values


def test_a_missing_or_null_field_matches_nothing_not_even_neq() -> None:
    assert fire(rules({"$neq": {"f": 1}}, {"k": 1}), [{"id": 1, "k": 1, "f": None}]) == ["r1"]
    asked = [Leaf(FLAG, Op.IS, True), Leaf(SITE, Op.IN, ("l1",)), Not(Leaf(PAIN, Op.AT_LEAST, 5))]
    assert judged(asked, unknown("flag"), unknown("site"), unknown("pain")) == [None, None, None]


def test_recorded_false_rests_on_an_explicit_zero_not_on_absence() -> None:
    assert 0 in sheet(Leaf(PAIN, Op.RECORDED, False), unknown("pain")).values()
    with pytest.raises(EngineError, match="no fact about 'pain'"):
        sheet(Leaf(PAIN, Op.RECORDED, False))


def test_true_equals_1_and_the_word_true_and_false_equals_0() -> None:
    assert fire(rules({"f": 1}, {"f": "true"}), [{"id": 1, "f": True}]) == ["r0", "r1"]
    assert fire(rules({"f": 0}, {"f": "false"}), [{"id": 1, "f": False}]) == ["r0", "r1"]
    assert sheet(Leaf(FLAG, Op.IS, True), fact(FLAG, True)) == {"id": 0, "sid": "1", "go": 1, "f0": 1}
    for what, wrong in ((FLAG, 1), (FLAG, "true"), (PAIN, True), (SITE, True)):
        with pytest.raises(EngineError, match=f"the value of '{what.id}'"):
            sheet(Leaf(what, Op.RECORDED, True), fact(what, wrong))


def test_a_text_100_is_less_than_30() -> None:
    assert fire(rules({"$lt": {"f": 30}}), [{"id": 1, "f": "100"}]) == ["r0"]
    with pytest.raises(EngineError, match="no integer") as caught:
        sheet(Leaf(PAIN, Op.LESS_THAN, 30), fact(PAIN, "100"))
    assert "100" not in str(caught.value)
    with pytest.raises(CompileError, match="less-than cannot compare a integer"):
        shards(Leaf(PAIN, Op.LESS_THAN, "30"))


def test_a_float_drops_the_rest_of_its_batch_and_nobody_is_told() -> None:
    batch = [{"id": 1, "a": 1}, {"id": 2, "a": 1, "x": 1e16}, {"id": 3, "a": 1}]
    assert fire(rules({"a": 1}), batch) == ["r0"]
    assert code_for(rules({"a": 1}), batch) == 0
    assert misread([{"id": 1, "a": 1e16}, {"id": 2, "a": 1}])
    tiny = sheet(Leaf(replace(SIZE, places=5), Op.MORE_THAN, 0), fact(SIZE, Decimal("0.00001")))
    assert tiny["f0"] == 1
    for wrong in (0.1, Decimal("0.12"), Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(EngineError, match="no decimal"):
            sheet(Leaf(SIZE, Op.MORE_THAN, 0), fact(SIZE, wrong))  # type: ignore[arg-type]


def test_integers_of_more_than_63_bits_are_all_equal() -> None:
    assert fire(rules({"f": 2**63 - 1}), [{"id": 1, "f": 2**64 - 1}]) == ["r0"]
    endless = replace(PAIN, lo=None, hi=None)
    for big in (LIMIT, -LIMIT):
        with pytest.raises(EngineError, match="no integer"):
            sheet(Leaf(endless, Op.IS, 1), fact(PAIN, big))
        with pytest.raises(CompileError, match="is cannot compare"):
            shards(Leaf(endless, Op.IS, big))
    assert judged([Leaf(endless, Op.IS, LIMIT - 1)], fact(PAIN, LIMIT - 2)) == [False]


def test_long_texts_are_equal_and_the_order_of_texts_is_wrong_at_a_prefix() -> None:
    assert fire(rules({"f": "b" * 65536}), [{"id": 1, "f": "a" * 65536}]) == ["r0"]
    assert fire(rules({"$lt": {"f": "ab c"}}, {"$gt": {"f": "ab c"}}), [{"id": 1, "f": "ab"}]) == ["r1"]
    texts = {type(v) for name, v in sheet(Leaf(SITE, Op.IS, "l1"), fact(SITE, "l1")).items() if name != "sid"}
    assert texts == {int}


def test_an_interval_is_two_fields_and_never_a_nested_object() -> None:
    within = sheet(Leaf(COUNT, Op.AT_LEAST, 2), fact(COUNT, Interval(1, 3)))
    assert within == {"id": 0, "sid": "1", "go": 1, "f0": 1, "f1": 3}
    with pytest.raises(EngineError, match="no interval"):
        sheet(Leaf(COUNT, Op.AT_LEAST, 2), fact(COUNT, Interval(3, 1)))


# the definition


def test_of_two_keys_in_one_pattern_only_the_first_is_tested() -> None:
    assert fire(rules({"a": 5, "b": 3}), [{"id": 1, "a": 5, "b": 4}]) == ["r0"]
    both = All((Leaf(PAIN, Op.IS, 5), Leaf(FLAG, Op.IS, True)))
    assert all(len(pattern) == 1 for shard in shards(both) for pattern in patterns(shard))
    assert judged([both], fact(PAIN, 5), fact(FLAG, False)) == [False]


def test_or_fires_once_for_each_true_branch_and_any_three_times_for_two_facts() -> None:
    assert fire(rules({"$or": [{"a": 1}, {"b": 1}]}), [{"id": 1, "a": 1, "b": 1}]) == ["r0", "r0"]
    any_of = {"r": {"any": [{"x": {"a": 1}}, {"y": {"b": 1}}]}}
    assert fire(any_of, [{"id": 1, "a": 1}, {"id": 2, "b": 1}]) == ["r", "r", "r"]
    either = AnyOf((Leaf(FLAG, Op.IS, True), Leaf(PAIN, Op.AT_LEAST, 5)))
    assert judged([either], fact(FLAG, True), fact(PAIN, 5)) == [True]


def test_a_nex_that_is_the_whole_pattern_fires_for_the_engines_own_state() -> None:
    assert fire(rules({"$nex": {"a": 1}}), [{"id": 1, "a": 1}]) == ["r0"]  # the stock Host loops on it for ever


def test_integer_division_by_zero_ends_the_process() -> None:
    divide = "{'a': {'$div': {'$l': {'$m': 'b'}, '$r': {'$m': 'c'}}}}"
    script = f"h = rules({{'r': {{'all': [{{'m': {divide}}}]}}}})\n"
    assert end_of(script + 'c.assert_facts(h, \'[{"id":1,"a":1,"b":1,"c":0}]\')')[0] == -signal.SIGFPE


def test_a_join_may_take_two_patients_for_one_and_one_fact_cannot_fill_two_patterns() -> None:
    """`dist`: by default one fact does not fill two patterns of a rule, so a wide sheet may fill none."""
    two = {"all": [{"x": {"a": 1}}, {"y": {"b": 1}}]}
    assert fire({"r": two}, [{"id": 1, "a": 1, "b": 1}]) == []
    assert fire({"r": {**two, "dist": 0}}, [{"id": 1, "a": 1, "b": 1}]) == ["r"]
    assert judged([All((Leaf(FLAG, Op.IS, True), Leaf(PAIN, Op.IS, 5)))], fact(FLAG, True), fact(PAIN, 5)) == [True]


def test_no_absence_no_join_no_regex_no_arithmetic_is_ever_compiled() -> None:
    """One alias, one pattern, comparisons of a field with an integer: what the other traps need never arises."""
    rng = random.Random(3)
    allowed = {"$lt", "$lte", "$gt", "$gte", "$neq"}
    data = sheets.vocabulary(rng, 30)
    for one in sheets.statements(rng, data, 60):
        for shard in compile_statements([one]):
            for pattern in patterns(shard):
                ((key, operand),) = pattern.items()
                test = operand if key in allowed else pattern
                ((field, bound),) = test.items()
                assert field == "go" or field[0] == "f"
                assert type(bound) is int


def test_a_later_blocking_fact_does_not_withdraw_and_single_facts_fire_absence_early() -> None:
    """So no rule rests on absence: an unknown datum is an explicit fact, and a view is one sheet."""
    blocked = {"r": {"all": [{"a": {"t": 1}}, {"b$not": {"u": 1}}]}}
    go, block = {"id": 1, "t": 1}, {"id": 2, "u": 1}
    assert fire(blocked, [block, go]) == []
    assert fire(blocked, [go, block]) == ["r"]
    assert fire(blocked, [go], [block]) == ["r"]


def test_definition_errors_are_bare_numbers() -> None:
    with pytest.raises(Exception, match=r"^Could not create ruleset, error code: 105$"):
        fire({"r": {"all": [{"m": {"a": 1}}], "why": 1}}, [])
    with pytest.raises(CompileError, match=r"^s0: pain: at-least cannot compare a integer with this\. Mend the rule$"):
        shards(Leaf(PAIN, Op.AT_LEAST, "5"))


# identity


def test_two_patients_whose_ids_share_a_32_bit_hash_share_one_state() -> None:
    """pat-24597 and pat-266490: a rule of the stock engine joins the facts of both."""
    both = {"r": {"all": [{"x": {"a": 1}}, {"y": {"b": 1}}]}}
    facts = [{"id": 1, "sid": "pat-24597", "a": 1}, {"id": 2, "sid": "pat-266490", "b": 1}]
    assert fire(both, facts) == ["r"]
    condition = All((Leaf(FLAG, Op.IS, True), Leaf(PAIN, Op.IS, 5)))
    (shard,) = shards(condition)
    one = {"flag": Fact("flag", True, sources=("Patient/pat-24597",)), "pain": fact(PAIN, 4)}
    two = {"flag": fact(FLAG, False), "pain": Fact("pain", 5, sources=("Patient/pat-266490",))}
    batch = [shard.project(view, AS_OF, n) for n, view in enumerate((one, two))]
    assert b"pat" not in orjson.dumps(batch)
    assert {each["sid"] for each in batch} == {"1"}
    found = Engine([shard]).run([(Scope.PATIENT, one), (Scope.PATIENT, two)], AS_OF)
    assert found == [{"s0": False}, {"s0": False}]


def fnv(text: str) -> int:
    """The engine's hash of names and ids."""
    found = 2166136261
    for byte in text.encode():
        found = ((found ^ byte) * 16777619) % 2**32
    return found


def test_our_own_fact_ids_and_field_names_never_share_a_hash() -> None:
    assert fnv("pat-24597") == fnv("pat-266490")
    names = ["id", "sid", "go", *(f"f{n}" for n in range(MAX_FIELDS))]
    assert len({fnv(name) for name in names}) == len(names)
    assert len({fnv(str(n)) for n in range(10_000)}) == 10_000


def test_a_second_fact_with_the_same_id_is_passed_over() -> None:
    assert code_for(rules({"a": 1}), [{"id": 1, "a": 1}, {"id": 1, "a": 1}]) == 2
    twins = [{"flag": fact(FLAG, True)}] * 3
    found = Engine(shards(Leaf(FLAG, Op.IS, True))).run([(Scope.PATIENT, view) for view in twins], AS_OF)
    assert found == [{"s0": True}] * 3
