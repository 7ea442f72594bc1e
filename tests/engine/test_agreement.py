"""Engine and evaluator on random sheets and random conditions; and what happens when they differ."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pathway.compiler import Shard, Statement, compile_statements
from pathway.conditions import Leaf, Op
from pathway.engine import Engine
from pathway.errors import CompileError, EngineDisagreementError
from pathway.kleene import evaluate
from pathway.verdicts import _WORDS, Judge, Verdict
from pathway.vocabulary import Scope
from tests.engine import sheets
from tests.engine.sheets import AS_OF, fact, number, unknown

PAIN = number("pain")
HURTS = [
    Statement("hurts", Scope.PATIENT, Leaf(PAIN, Op.AT_LEAST, 5)),
    Statement("mild", Scope.PATIENT, Leaf(PAIN, Op.LESS_THAN, 3)),
]


def agree(seed: int, sheets_wanted: int) -> int:
    """Judge random sheets by fresh random rules, 200 sheets to a set of rules; the number of verdicts compared."""
    rng = random.Random(seed)
    compared = 0
    for _ in range(0, sheets_wanted, 200):
        data = sheets.vocabulary(rng)
        judge = Judge([one for one in sheets.statements(rng, data, 40) if compiles(one)])
        left = min(200, sheets_wanted)
        while left:
            count = min(left, rng.randint(1, 8))
            judge.judge(rng.choice(sheets.SCOPES), [sheets.view(rng, data) for _ in range(count)], AS_OF)
            left -= count
        assert judge.disagreements == 0
        compared += judge.evaluations
        judge.close()
    return compared


def compiles(statement: Statement) -> bool:
    """Whether a random rule has few enough branches."""
    try:
        return bool(compile_statements([statement]))
    except CompileError:
        return False


def test_engine_and_evaluator_agree_on_2_000_random_sheets() -> None:
    assert agree(seed=20261122, sheets_wanted=2_000) > 20_000


def test_random_sheets_give_every_verdict() -> None:
    """The agreement is worth something only if all three verdicts come up often."""
    rng = random.Random(8)
    data = sheets.vocabulary(rng)
    judge = Judge([one for one in sheets.statements(rng, data, 40) if compiles(one)])
    found = [v for scope in Scope for row in judge.judge(scope, [sheets.view(rng, data) for _ in range(30)], AS_OF)
             for v in row.values()]  # fmt: skip
    assert judge.evaluations == len(found)
    for verdict in Verdict:
        assert found.count(verdict) > len(found) / 6


def test_verdicts_are_those_of_the_plain_evaluator() -> None:
    rng = random.Random(9)
    for _ in range(5):
        data = sheets.vocabulary(rng)
        judge = Judge([one for one in sheets.statements(rng, data, 30) if compiles(one)])
        for scope in Scope:
            views = [sheets.view(rng, data) for _ in range(20)]
            plain = [
                {one.id: _WORDS[evaluate(one.condition, view, AS_OF)] for one in judge.statements if one.scope is scope}
                for view in views
            ]
            assert judge.judge(scope, views, AS_OF) == plain


def test_a_judge_answers_in_the_order_of_views_and_statements() -> None:
    views = [{"pain": one} for one in (fact(PAIN, 7), unknown("pain"), fact(PAIN, 1))]
    assert [list(row.items()) for row in Judge(HURTS).judge(Scope.PATIENT, views, AS_OF)] == [
        [("hurts", Verdict.MET), ("mild", Verdict.NOT_MET)],
        [("hurts", Verdict.UNKNOWN), ("mild", Verdict.UNKNOWN)],
        [("hurts", Verdict.NOT_MET), ("mild", Verdict.MET)],
    ]
    assert Judge(HURTS).judge(Scope.LEVEL, views, AS_OF) == [{}, {}, {}]
    assert Judge([]).judge(Scope.PATIENT, [], AS_OF) == []


def faulty(shard: Shard, fault: str) -> Sequence[Shard]:
    hurts, mild = shard.ruleset["hurts#met/1"], shard.ruleset["mild#met/1"]
    moved = {**shard.ruleset, "hurts#met/1": mild, "hurts#not-met/1": hurts}
    silent = {name: rule for name, rule in shard.ruleset.items() if not name.startswith("hurts#")}
    return {
        "a bound of its own": [replace(shard, ruleset=moved)],
        "a rule that never fires": [replace(shard, ruleset=silent)],
        "a statement lost": compile_statements(HURTS[1:]),
        "a statement too many": compile_statements([*HURTS, replace(HURTS[0], id="hurts-twice")]),
    }[fault]  # fmt: skip


@pytest.mark.parametrize(
    "fault", ["a bound of its own", "a rule that never fires", "a statement lost", "a statement too many"]
)
def test_a_disagreement_names_the_statements_and_no_value_and_is_never_a_verdict(fault: str) -> None:
    (shard,) = compile_statements(HURTS)
    judge = Judge(HURTS, engine=Engine(faulty(shard, fault)))
    with pytest.raises(EngineDisagreementError, match="engine and evaluator differ about hurts") as caught:
        judge.judge(Scope.PATIENT, [{"pain": fact(PAIN, 9)}, {"pain": fact(PAIN, 8)}], AS_OF)
    assert "mild" not in str(caught.value)
    assert not set("89") & set(str(caught.value))
    assert judge.disagreements == 2
    assert judge.evaluations == 4


def test_threads_share_a_judge_and_it_counts_them_all() -> None:
    judge = Judge(HURTS)
    views = [{"pain": fact(PAIN, n)} for n in range(11)]
    expected = judge.judge(Scope.PATIENT, views, AS_OF)
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: judge.judge(Scope.PATIENT, views, AS_OF), range(100)))
    assert runs == [expected] * 100
    assert judge.evaluations == 101 * 22
    judge.close()
