"""The same rules for zen-engine, in each form that its own documentation offers for many rules at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import zen

from bench.workload import DAYS, Verdicts, signs, zen_verdict
from pathway.compiler import Statement
from pathway.conditions import All, AnyOf, Condition, Leaf, Op

Evaluate = Callable[[dict[str, Any]], Any]
Form = tuple[Evaluate, Callable[[Any], Verdicts]]
"""One evaluation of a sheet, and how to read the verdicts out of its answer (which is not timed)."""


def forms(rules: Sequence[Statement]) -> dict[str, Form]:
    """Every form, by its name in the report."""
    ids = [one.id for one in rules]
    table, nodes = _decision(_table(rules)), _decision(_expressions(rules))
    whole = zen.compile_expression("[" + ", ".join(zen_verdict(one.condition) for one in rules) + "]")

    def collected(answer: Any) -> Verdicts:
        found = {row["rule"]: row["verdict"] for row in answer["result"]}
        return [found.get(id) for id in ids]

    return {
        "zen-engine, decision table": (table.evaluate, collected),
        "zen-engine, expression node": (nodes.evaluate, lambda answer: [answer["result"].get(id) for id in ids]),
        "zen-engine, one compiled expression, no decision": (whole.evaluate, list),
    }


def _decision(node: dict[str, Any]) -> Any:
    first, last = ({"id": name, "type": f"{name}Node", "name": name} for name in ("input", "output"))
    graph = {
        "contentType": "application/vnd.gorules.decision",
        "nodes": [first, node, last],
        "edges": [
            {"id": "a", "sourceId": "input", "targetId": "rules", "type": "edge"},
            {"id": "b", "sourceId": "rules", "targetId": "output", "type": "edge"},
        ],
    }  # fmt: skip
    return zen.ZenEngine().create_decision(zen.ZenDecisionContent(json.dumps(graph)))


def _expressions(rules: Sequence[Statement]) -> dict[str, Any]:
    """One expression for each rule."""
    rows = [{"id": one.id, "key": one.id, "value": zen_verdict(one.condition)} for one in rules]
    return {"id": "rules", "type": "expressionNode", "name": "rules", "content": {"expressions": rows}}


def _table(rules: Sequence[Statement]) -> dict[str, Any]:
    """A column for each name, and a row for each way in which a rule is surely true or false."""
    rows: list[dict[str, str]] = []
    for rule in rules:
        for truth in (True, False):
            for way in ways(rule.condition, truth):
                cells: dict[str, str] = {}
                for leaf, holds in way:
                    _fill(cells, leaf, holds)
                rows.append(
                    {"_id": str(len(rows)), "rule": json.dumps(rule.id), "verdict": str(truth).lower(), **cells}
                )
    names = sorted({name for row in rows for name in row} - {"_id", "rule", "verdict"})
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": name, "name": name, "field": name} for name in names],
        "outputs": [{"id": name, "name": name, "field": name} for name in ("rule", "verdict")],
        "rules": [{**dict.fromkeys(names, ""), **row} for row in rows],
    }
    return {"id": "rules", "type": "decisionTableNode", "name": "rules", "content": content}


def _fill(cells: dict[str, str], leaf: Leaf, holds: bool) -> None:
    name = leaf.datum.id
    sign = ("==" if holds else "!=") if leaf.op is Op.IS else signs(leaf.op)[not holds]
    cell = f"$ != null and $ {sign} {json.dumps(leaf.operand)}"
    cells[name] = f"{cells[name]} and {cell}" if name in cells else cell
    if leaf.within is not None:
        cells[f"{name}_age"] = f"<= {DAYS}"


def ways(condition: Condition, truth: bool) -> list[tuple[tuple[Leaf, bool], ...]]:
    """Each way in which a condition is surely true, or surely false, as comparisons that hold or do not."""
    if isinstance(condition, Leaf):
        return [((condition, truth),)]
    assert isinstance(condition, All | AnyOf)
    parts = [ways(part, truth) for part in condition.parts]
    if isinstance(condition, All) is not truth:
        return [way for part in parts for way in part]
    joined: list[tuple[tuple[Leaf, bool], ...]] = [()]
    for part in parts:
        joined = [(*before, *way) for before in joined for way in part]
    return joined
