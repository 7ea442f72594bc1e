"""What is missing, against trying out every verdict of every criterion, and every plausible value of every datum."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from math import prod

import pytest

from pathway import together
from pathway.completions import open_data
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.errors import CompileError, DecisionError
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.forms import VERDICTS, Stratum
from pathway.kleene import View, evaluate
from pathway.missing import Search, Wanted
from pathway.rulebook import Rule, RuleSet
from pathway.vocabulary import Datum, Kind, Scope, Vocabulary
from tests.engine.sheets import (
    AS_OF,
    DAY,
    asked_alike,
    code,
    condition,
    datum,
    fact,
    flag,
    interval,
    number,
    view,
    vocabulary,
)
from tests.unit.test_completions import answers

OUTCOMES = ("refuse", "forbid", "doubt", "allow")
REFUSALS = frozenset({"refuse", "forbid"})


def verdict_of(criterion: str) -> Datum:
    return datum(criterion, Kind.CODE, values=VERDICTS)


def met(criterion: str) -> Leaf:
    return Leaf(verdict_of(criterion), Op.IS, "met")


def failed(criterion: str) -> Leaf:
    return Leaf(verdict_of(criterion), Op.IS, "not-met")


def rule(id: str, when: Condition, **more: str) -> Rule:
    stratum = Stratum.RECOMMENDATION if "outcome" in more else Stratum.CRITERIA
    return Rule(id=id, title=id, stratum=stratum, scope=Scope.LEVEL, when=when, say={}, parameters={}, **more)


def rules(criteria: Sequence[Rule], outcomes: Sequence[Rule], hit_order: Sequence[str] = OUTCOMES) -> RuleSet:
    return RuleSet(
        id="set", kind="clinical", version="0", title="", question="", status="draft", hit_order=tuple(hit_order),
        refusals=REFUSALS, criteria=tuple(criteria), recommendations=tuple(outcomes), obligations=(),
        vocabulary=Vocabulary({}, {}, {}), document={}, body=b"", sha256="",
    )  # fmt: skip


ALWAYS = Leaf(verdict_of("c0"), Op.IN, VERDICTS)


def random_rules(rng: random.Random, conditions: Sequence[Condition], flags: float = 0) -> RuleSet:
    """Criteria of these conditions, under random outcome rules of which the last always holds."""
    criteria = [rule(f"c{n}", one, role="flag" if rng.random() < flags else "gate") for n, one in enumerate(conditions)]

    def test(depth: int = 2) -> Condition:
        if not depth or rng.random() < 0.3:
            codes = rng.sample(VERDICTS, rng.choice((1, 1, 2)))
            return Leaf(verdict_of(rng.choice(criteria).id), Op.IN, tuple(codes))
        if rng.random() < 0.2:
            return Not(test(depth - 1))
        return rng.choice((All, AnyOf))(tuple(test(depth - 1) for _ in range(rng.randint(1, 4))))

    outcomes = [rule(f"o{n}", test(), outcome=rng.choice(OUTCOMES)) for n in range(rng.randint(3, 6))]
    return rules(criteria, [*outcomes, rule("last", ALWAYS, outcome=OUTCOMES[-1])])


def outcome(rule_set: RuleSet, verdicts: Mapping[str, str]) -> str:
    """What the hit order gives, refusals as one."""
    facts = {id: Fact(id, verdict) for id, verdict in verdicts.items()}
    for word in rule_set.hit_order:
        for one in rule_set.recommendations:
            if one.outcome == word and evaluate(one.when, facts, AS_OF):
                return "refusal" if word in rule_set.refusals else word
    return "none"


def deciding_by_trial(rule_set: RuleSet, statuses: Mapping[str, str]) -> set[str]:
    """Every unknown criterion completed in every way: exponential, and plain to see."""
    open_ids = [id for id, status in statuses.items() if status == "unknown"]
    rows = product(("met", "not-met"), repeat=len(open_ids))
    table = {row: outcome(rule_set, {**statuses, **dict(zip(open_ids, row, strict=True))}) for row in rows}
    return {
        id
        for place, id in enumerate(open_ids)
        if any(found != table[*row[:place], "not-met", *row[place + 1 :]] for row, found in table.items())
    }


LATER = (Reason.CONFLICTING, Reason.UNPARSEABLE)
"""What carries no candidate in decisions of the first form: their search need not think of it."""


@pytest.mark.parametrize("seed", range(60))
def test_the_criteria_that_decide_are_those_that_trying_every_verdict_finds(seed: int) -> None:
    rng = random.Random(seed)
    rule_set = random_rules(rng, [met(f"x{n}") for n in range(8)])
    search = Search(rule_set)
    for _ in range(6):
        statuses = {one.id: rng.choice((*VERDICTS, "unknown")) for one in rule_set.criteria}
        assert search.deciding(statuses) == deciding_by_trial(rule_set, statuses)


def matters_by_trial(rule_set: RuleSet, sheet: View) -> set[str] | None:
    """Every datum answered in every plausible way; None where those are too many to try."""
    asked = {leaf.datum.id: leaf for one in rule_set.criteria for leaf in leaves(one.when)}
    spread = {name: answers(leaf.datum, sheet[name], leaf.within) for name, leaf in asked.items()}
    if prod(map(len, spread.values())) > 3000:
        return None
    table: dict[tuple[int, ...], str] = {}
    for row in product(*spread.values()):
        facts = {one.datum: one for one in row}
        verdicts = {c.id: "met" if evaluate(c.when, facts, AS_OF) else "not-met" for c in rule_set.criteria}
        table[tuple(map(id, row))] = outcome(rule_set, verdicts)
    found: set[str] = set()
    for place, name in enumerate(spread):
        groups: dict[tuple[int, ...], set[str]] = {}
        for row, word in table.items():
            groups.setdefault((*row[:place], *row[place + 1 :]), set()).add(word)
        if any(len(group) > 1 for group in groups.values()):
            found.add(name)
    return found


def plain_rules(rng: random.Random, flags: float) -> tuple[RuleSet, dict[str, Fact]]:
    """Rules whose criteria share a few data, each with one limit of age; and a sheet."""
    data = vocabulary(rng, 4)
    limits = {one.id: rng.choice((None, 30 * DAY)) for one in data}

    made: list[Condition] = []
    while len(made) < 4:
        one = condition(rng, data, depth=2)
        if all(leaf.op is not Op.RECORDED for leaf in leaves(one)):
            made.append(asked_alike(one, limits))
    return random_rules(rng, made, flags), view(rng, data)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_wanted_is_what_trying_every_value_of_every_datum_finds(seed: int) -> None:
    rng, tried = random.Random(seed), 0
    while tried < 25:
        rule_set, sheet = plain_rules(rng, flags=0)
        expected = matters_by_trial(rule_set, sheet)
        if expected is None:
            continue
        search = Search(rule_set)
        assert {datum for datum, _ in search.wanted(sheet, AS_OF).data} == expected
        if not any(fact.candidate is not None and fact.reason in LATER for fact in sheet.values()):
            assert {datum for datum, _ in search.first_wanted(sheet, AS_OF).data} >= expected
        tried += 1


@pytest.mark.parametrize("seed", range(5))
def test_what_matters_is_missing_or_waits_for_a_flag(seed: int) -> None:
    rng, tried = random.Random(seed), 0
    while tried < 25:
        rule_set, sheet = plain_rules(rng, flags=0.5)
        expected = matters_by_trial(rule_set, sheet)
        if expected is None:
            continue
        wanted = Search(rule_set).wanted(sheet, AS_OF)
        flags = {one.id: set(open_data(one.when, sheet, AS_OF)) for one in rule_set.criteria if one.role == "flag"}
        asked = {datum for datum, _ in wanted.data}
        assert asked <= expected <= asked.union(*(flags[id] for id in wanted.flags))
        assert all(flags[id] & expected for id in wanted.flags)
        tried += 1


@pytest.mark.parametrize("seed", range(5))
def test_a_search_that_is_too_long_asks_for_too_much_and_never_for_too_little(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        rule_set, sheet = plain_rules(rng, flags=0)
        exact = {datum for datum, _ in Search(rule_set).wanted(sheet, AS_OF).data}
        monkeypatch.setattr(together, "TOGETHER", rng.choice((0, 1, 3, 10)))
        assert {datum for datum, _ in Search(rule_set).wanted(sheet, AS_OF).data} >= exact
        monkeypatch.undo()


CAUSE = code("cause", "bone", "tumour", "fall")
ILL, PAIN, WHY = flag("ill"), number("pain"), flag("why")
NOTHING: dict[str, Fact] = {name: unknown(name) for name in ("cause", "ill", "pain", "why")}


def test_what_no_answer_can_bring_together_is_not_asked_for() -> None:
    """Bone-made and out of scope cannot be: neither the cause nor the pain, which would decide then, is asked for."""
    criteria = [
        rule("c0", Leaf(CAUSE, Op.IN, ("bone", "tumour"))),
        rule("bone", Leaf(CAUSE, Op.IS, "bone")),
        rule("hurts", Leaf(PAIN, Op.AT_LEAST, 5)),
    ]
    outcomes = [
        rule("a", All((failed("c0"), met("bone"), met("hurts"))), outcome="allow"),
        rule("d", ALWAYS, outcome="doubt"),
    ]
    search = Search(rules(criteria, outcomes, ("allow", "doubt")))
    assert search.first_wanted(NOTHING, AS_OF).data == (("cause", "c0"), ("cause", "bone"), ("pain", "hurts"))
    assert search.wanted(NOTHING, AS_OF).data == ()


def test_a_reason_that_would_lift_an_objection_is_asked_for_though_nothing_is_unknown() -> None:
    objection = All((Leaf(ILL, Op.IS, True), Leaf(WHY, Op.RECORDED, False)))
    search = Search(
        rules(
            [rule("c0", objection, role="flag")],
            [rule("d", met("c0"), outcome="doubt"), rule("a", ALWAYS, outcome="allow")],
        )
    )
    ill = {**NOTHING, "ill": fact(ILL, True)}
    assert search.wanted(ill, AS_OF) == Wanted((("why", "c0"),), ())
    assert search.wanted({**ill, "why": fact(WHY, True)}, AS_OF) == Wanted((), ())
    assert search.wanted(NOTHING, AS_OF).flags == ("c0",)


def test_a_datum_that_could_only_turn_one_refusal_into_another_is_not_asked_for() -> None:
    criteria = [rule("c0", Leaf(ILL, Op.IS, True)), rule("hurts", Leaf(PAIN, Op.AT_LEAST, 5))]
    outcomes = [
        rule("f", met("c0"), outcome="forbid"),
        rule("r", failed("hurts"), outcome="refuse"),
        rule("a", ALWAYS, outcome="allow"),
    ]
    search = Search(rules(criteria, outcomes))
    assert search.wanted(NOTHING, AS_OF).data == (("ill", "c0"), ("pain", "hurts"))
    assert search.wanted({**NOTHING, "pain": fact(PAIN, 1)}, AS_OF).data == ()


def test_a_stale_or_partly_known_value_is_missing_and_a_fresh_one_is_not() -> None:
    count = interval("count")
    criteria = [rule("c0", Leaf(PAIN, Op.AT_LEAST, 5, within=30 * DAY)), rule("many", Leaf(count, Op.AT_LEAST, 2))]
    outcomes = [rule("a", All((met("c0"), met("many"))), outcome="allow"), rule("d", ALWAYS, outcome="doubt")]
    search = Search(rules(criteria, outcomes, ("allow", "doubt")))
    wide = {"pain": fact(PAIN, 7, days=31), "count": fact(count, Interval(1, 4))}
    assert search.wanted(wide, AS_OF).data == (("pain", "c0"), ("count", "many"))
    later = AS_OF + timedelta(days=1)
    assert search.wanted({**wide, "pain": fact(PAIN, 7, days=29)}, later).data == (("count", "many"),)
    assert search.wanted({**wide, "count": unknown("count", Reason.CONFLICTING)}, AS_OF).data[1] == ("count", "many")


def test_thirty_unknown_criteria_are_no_matter() -> None:
    """The product of their verdicts would be a thousand million completions."""
    data = [flag(f"x{n}") for n in range(30)]
    criteria = [rule(f"c{n}", Leaf(one, Op.IS, True)) for n, one in enumerate(data)]
    outcomes = [
        rule("f", AnyOf(tuple(failed(f"c{n}") for n in range(10))), outcome="forbid"),
        rule("a", All(tuple(met(f"c{n}") for n in range(29))), outcome="allow"),
        rule("d", ALWAYS, outcome="doubt"),
    ]
    nothing = {one.id: unknown(one.id) for one in data}
    found = Search(rules(criteria, outcomes, ("forbid", "allow", "doubt"))).wanted(nothing, AS_OF)
    assert [datum for datum, _ in found.data] == [f"x{n}" for n in range(29)]


def test_a_combination_without_an_outcome_is_an_error_and_so_is_an_outcome_that_rests_on_a_note() -> None:
    hurts = rule("c0", Leaf(PAIN, Op.AT_LEAST, 5))
    search = Search(rules([hurts], [rule("a", met("c0"), outcome="allow")]))
    with pytest.raises(DecisionError, match="no outcome follows"):
        search.wanted(NOTHING, AS_OF)
    assert search.wanted({**NOTHING, "pain": fact(PAIN, 9)}, AS_OF).data == ()
    with pytest.raises(CompileError, match="'c0', which decides nothing"):
        Search(rules([replace(hurts, role="note")], [rule("a", met("c0"), outcome="allow")]))


def test_a_flag_that_counts_a_suspicion_against_itself_asks_to_confirm_or_refute_it() -> None:
    """The verdict is known for now, and its datum is not: an answer still changes the outcome."""
    worse = flag("worse")
    clear = All((Leaf(worse, Op.IS, False), Not(Leaf(worse, Op.IS, True, unconfirmed=True))))
    rule_set = rules([rule("c0", clear, role="flag")], [
        rule("o0", failed("c0"), outcome="doubt"), rule("last", ALWAYS, outcome="allow"),
    ])  # fmt: skip
    search = Search(rule_set)
    suspected = {"worse": unknown("worse", Reason.UNCONFIRMED, candidate=True)}
    assert search.wanted(suspected, AS_OF) == Wanted((("worse", "c0"),), ())
    assert search.wanted({"worse": unknown("worse")}, AS_OF) == Wanted((), ("c0",))
    assert search.wanted({"worse": fact(worse, True)}, AS_OF) == Wanted((), ())
