"""Decisions that earlier versions made, kept for ever: each comes out again byte for byte, and can be explained.

`tests/golden/decisions/<version>/` holds decisions as the released code of that version made them, and `releases/` in
it the rule sets that they name. They are never made anew: where one of these tests fails, the code is wrong.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pathway.canonical import parse, sha256
from pathway.case import Case
from pathway.decide import decide
from pathway.decisions import FIRST, FORM, SECOND, form_of
from pathway.errors import ReplayError
from pathway.messages import UNNAMED
from pathway.rulebook import RuleSet, from_document
from pathway.strata import Machine
from pathway.trace import Trace, explain_decision
from tests.engine import crowd

KEPT = Path(__file__).parents[1] / "golden" / "decisions"
FILES = sorted(KEPT.glob("*/*.json"))

FIRST_FILES = [path for path in FILES if path.parent.name == "0.1.0"]

each = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name} {path.stem}")
each_of_the_first_form = pytest.mark.parametrize("path", FIRST_FILES, ids=lambda path: path.stem)


@cache
def machine(path: Path) -> Machine:
    body = path.read_bytes()
    assert sha256(body) == path.stem
    return Machine(from_document(parse(body)))


def machines(path: Path) -> list[Machine]:
    return [machine(path.parent / "releases" / f"{r['sha256']}.json") for r in parse(path.read_bytes())["releases"]]


def rule_sets(path: Path) -> list[RuleSet]:
    return [one.rule_set for one in machines(path)]


def test_decisions_of_the_first_release_are_kept() -> None:
    assert len(FIRST_FILES) >= 19
    assert {form_of(parse(path.read_bytes())) for path in FIRST_FILES} == {FIRST}


def test_decisions_of_the_second_form_are_kept_with_open_tasks() -> None:
    bodies = [parse(path.read_bytes()) for path in FILES if path.parent.name == "0.2.0"]
    assert {form_of(body) for body in bodies} == {SECOND}
    assert sum(len(body["obligations"]) for body in bodies) >= 10


@each
def test_an_old_decision_comes_out_byte_for_byte(path: Path) -> None:
    body = parse(path.read_bytes())
    case = Case.from_decision(rule_sets(path)[0].vocabulary, body)
    assert decide(case, machines(path), form=form_of(body)).to_bytes() == path.read_bytes()


@each
def test_the_same_facts_decided_today_come_to_the_same_without_the_trace(path: Path) -> None:
    old = parse(path.read_bytes())
    new = parse(decide(Case.from_decision(rule_sets(path)[0].vocabulary, old), machines(path)).to_bytes())
    assert (new.pop("form"), old.pop("form", FIRST)) == (FORM, form_of(parse(path.read_bytes())))
    for row in (*old["levels"], *old["treated"]):
        for criterion in row["criteria"]:
            criterion.pop("because", None)
    for wish, before in zip(new["obligations"], old["obligations"], strict=True):
        for said_since in ("byDay", "anchorAt", "against"):
            wish.pop(said_since, None)
        # since the third form only the records that closed it
        assert set(wish.pop("evidence", ())) <= set(before.pop("evidence", ()))
    assert new == in_words(old)


@each_of_the_first_form
def test_the_trace_made_on_demand_is_the_one_that_was_stored(path: Path) -> None:
    body = parse(path.read_bytes())
    found = explain_decision(body, rule_sets(path))
    assert [said(row) for row in (*body["levels"], *body["treated"])] == comparisons(found)
    today = decide(Case.from_decision(rule_sets(path)[0].vocabulary, body), machines(path))
    again = explain_decision(today.body, rule_sets(path))
    assert [in_words(row) for row in outlines(found)] == outlines(again)


def outlines(trace: Trace) -> list[list[object]]:
    """What a trace says of each sheet: criteria, outcome and the rules behind it, each with its comparisons."""
    return [
        [sheet.level, sheet.outcome]
        + [[rule.rule.id, rule.verdict, rule.message, [one.to_json() for one in rule.comparisons]] for rule in rules]
        for sheet in (*trace.levels, *trace.treated)
        for rules in (sheet.criteria, sheet.outcome_rules)
    ]


def in_words(said: Any) -> Any:
    """What was said up to the third form as it is said since: a vertebra without a name in words, not by its code."""
    match said:
        case dict():
            return {key: in_words(value) for key, value in said.items()}
        case list():
            return [in_words(value) for value in said]
        case str() if " " in said and re.search(r"\bunspecified\b", said):
            text = re.sub(r"\bunspecified\b", UNNAMED, said)
            return text[:1].upper() + text[1:]
        case _:
            return said


def said(row: Mapping[str, Any]) -> list[object]:
    return [(c["id"], c["verdict"], c["message"], c["because"]) for c in row["criteria"]]


def comparisons(trace: Trace) -> list[object]:
    return [
        [(c.rule.id, c.verdict, c.message, [item.to_json() for item in c.comparisons]) for c in sheet.criteria]
        for sheet in (*trace.levels, *trace.treated)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_trace_shows_why_an_outcome_was_given(seed: int) -> None:
    case, chosen = crowd.case(seed), crowd.machines()
    body = parse(decide(case, chosen).to_bytes())
    trace = explain_decision(body, [one.rule_set for one in chosen])
    assert [(s.level, s.rule_set.id, s.outcome) for s in trace.levels] == [
        (row["level"], row["policy"], row["outcome"]) for row in body["levels"]
    ]
    for sheet in trace.levels:
        assert sheet.outcome_rules
        verdicts = {rule.rule.id: rule.verdict for rule in sheet.criteria}
        for one in sheet.outcome_rules:
            assert all(item.fact.value == verdicts[item.datum] for item in one.comparisons)


def test_a_verdict_that_the_facts_do_not_bear_is_not_explained_away() -> None:
    path = KEPT / "0.1.0" / "demo-candidate.json"
    body = parse(path.read_bytes().replace(b'"verdict":"met"', b'"verdict":"not-met"'))
    with pytest.raises(ReplayError, match="does not follow from the stored facts"):
        explain_decision(body, rule_sets(path))


def test_a_decision_of_a_form_to_come_is_refused() -> None:
    assert form_of({}) == FIRST
    assert form_of({"form": FORM}) == FORM
    with pytest.raises(ReplayError, match="form 5"):
        form_of({"form": 5})
