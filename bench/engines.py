"""The engine against zen-engine, generated Python, and itself with the oracle, on the same rules and sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.measure import Candidate, Pace, in_turns, shown
from bench.report import Table
from bench.workload import AS_OF, Verdicts, context, generated, of_rules, oracle, statements, views
from bench.zen_forms import forms
from pathway.compiler import Statement, compile_statements
from pathway.engine import Engine
from pathway.facts import Fact
from pathway.kleene import evaluate
from pathway.verdicts import Judge
from pathway.vocabulary import Scope

_ENGINE = "our engine (durable-rules, our driver)"
_WORDS = {"met": True, "not-met": False, "unknown": None}


def tables(*, rounds: int = 7, sheets: int = 100, sizes: tuple[int, ...] = (40, 400)) -> list[Table]:
    """So many rules as rows of a table, and so many whole criteria, of three or four rules each."""
    rules = [_table(f"{size} rules", of_rules(size), rounds, sheets) for size in sizes]
    return rules + [_table(f"{size} criteria", statements(size), rounds, sheets) for size in sizes]


def _table(title: str, rules: Sequence[Statement], rounds: int, sheets: int) -> Table:
    shards = compile_statements(rules)
    compiled = sum(shard.ways for shard in shards)
    paces = in_turns(_candidates(rules, sheets), rounds=rounds, calls=sheets)
    base = paces["zen-engine, decision table"].p50
    rows = [_row(name, pace, base) for name, pace in paces.items()]
    what = f"{len(rules)} criteria, which are {compiled} compiled rules in {len(shards)} shards"
    head = ("one sheet, all verdicts", "p50", "p99", "rounds", "CPU", "times the decision table")
    return Table(
        f"Engines, {title}", head, rows, (f"{what[0].upper()}{what[1:]}; one sheet of 36 data for each call.",)
    )


def _row(name: str, pace: Pace, base: float) -> tuple[str, ...]:
    return name, shown(pace.p50), shown(pace.p99), pace.spread(), shown(pace.cpu), f"{pace.p50 / base:.2f}"


def _candidates(rules: Sequence[Statement], sheets: int) -> dict[str, Candidate]:
    """Every candidate, after all have given the same verdicts on every sheet."""
    facts = views(sheets)
    plain = [context(view) for view in facts]
    wanted = [oracle(rules, view) for view in facts]
    engine, judge, python = Engine(compile_statements(rules)), Judge(rules), generated(rules)
    zens = forms(rules)
    for view, sheet, verdicts in zip(facts, plain, wanted, strict=True):
        _agree("engine", list(_run(engine, view).values()), verdicts)
        _agree("judge", [_WORDS[v.value] for v in judge.judge(Scope.PATIENT, [view], AS_OF)[0].values()], verdicts)
        _agree("generated Python", python(sheet), verdicts)
        for name, (ask, read) in zens.items():
            _agree(name, read(ask(sheet)), verdicts)
    made: dict[str, Candidate] = {
        _ENGINE: lambda n: _run(engine, facts[n]),
        "our judge (engine, oracle, compared)": lambda n: judge.judge(Scope.PATIENT, [facts[n]], AS_OF),
        "our oracle (plain evaluator)": lambda n: [evaluate(one.condition, facts[n], AS_OF) for one in rules],
    }
    made |= {name: _asking(ask, plain) for name, (ask, _) in zens.items()}
    made["generated Python (the limit)"] = _asking(python, plain)
    return made


def _asking(ask: Any, plain: Sequence[dict[str, Any]]) -> Candidate:
    return lambda n: ask(plain[n])


def _run(engine: Engine, view: dict[str, Fact] | Any) -> dict[str, bool | None]:
    return engine.run([(Scope.PATIENT, view)], AS_OF)[0]


def _agree(name: str, found: Verdicts, wanted: Verdicts) -> None:
    if found != wanted:
        raise SystemExit(f"{name} does not give the same verdicts: nothing is timed")
