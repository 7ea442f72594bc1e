"""`decide()` on three levels under all candidacy, coverage and safety rule sets: as a whole, and by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from adapters.demo.record import Record
from adapters.fhir import strict_json
from adapters.fhir.deliver import Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings
from bench.charts import NOW, chart, followed
from bench.measure import in_turns, shown
from bench.report import Table
from pathway import decide as deciding
from pathway.canonical import sha256
from pathway.case import Case
from pathway.decisions import Decision
from pathway.missing import Search
from pathway.panel import Panel
from pathway.rulebook import RuleBook, load
from pathway.sayings import Sayings
from pathway.service import Delivery
from pathway.strata import Machine

ACTING: Final = "candidacy"
FEW: Final = (ACTING, "coverage-cms-lcd")
KINDS: Final = ("clinical", "coverage", "safety", "considerations")
_STAGES: Final[tuple[tuple[str, object, str], ...]] = (
    ("criteria: engine, evaluator, compared", Panel, "_judge_criteria"),
    ("outcomes", Panel, "_judge_outcomes"),
    ("obligations: judged", Panel, "_judge_obligations"),
    ("obligations: put into words", deciding, "wishes_of"),
    ("what is missing", Panel, "_stand"),
    ("what is missing", deciding, "_wanted"),
    ("messages", Sayings, "criteria"),
    ("messages", Sayings, "missing"),
    ("facts as JSON", Case, "facts_json"),
)


def tables(*, rounds: int = 7, charts: int = 40) -> list[Table]:
    """The whole with its spread, then where the time goes."""
    every = panel(one.id for one in _book().sets.values() if one.kind in KINDS)
    few = panel(FEW)
    read = [_delivered(chart(f"p{seed}", 30, seed)) for seed in range(charts)]
    cases = [_case(delivery) for delivery in read]
    whole = panel([*_settings().policies, *(one.id for one in _book().sets.values() if one.kind == "measure")])
    after = cases_of(followed(f"f{seed}", seed) for seed in range(charts))
    paces = in_turns(
        {
            "facts from the chart (before `decide`)": lambda n: _case(read[n]),
            f"`decide()`, {' and '.join(FEW)}": lambda n: _decide(cases[n], few),
            "`decide()`, all": lambda n: _decide(cases[n], every),
            "`decide()`, all, canonical bytes and hash": lambda n: sha256(_decide(cases[n], every).to_bytes()),
            "the same, nothing remembered of earlier cases": _fresh(cases, every),
            "`decide()`, all, each rule set by itself": lambda n: _decide(cases[n], list(every)),
            "`decide()`, shipped sets and measures, two levels cemented": lambda n: _decide(after[n], whole),
        },
        rounds=rounds, calls=charts,
    )  # fmt: skip
    rows = [(name, shown(p.p50), shown(p.p99), p.spread(), shown(p.cpu)) for name, p in paces.items()]
    notes = (*_notes(cases, every), _followed(after, whole))
    spread = Table("Deciding", ("one case", "p50", "p99", "rounds", "CPU"), rows, notes)
    return [spread, _by_stage(cases, every, rounds)]


def _decide(case: Case, made: Sequence[Machine]) -> Decision:
    return deciding.decide(case, made, acting=ACTING)


def _notes(cases: Sequence[Case], made: Panel) -> tuple[str, ...]:
    """What was decided under what, and what a start costs."""
    decision = _decide(cases[0], made)
    policies = dict.fromkeys(row["policy"] for row in decision.body["levels"])
    levels = max(len(case.levels) for case in cases)
    written = sum(len(machine.rule_set.criteria) for machine in made)
    return (
        f"{len(cases)} charts that differ, {levels} levels each. All are {len(made)} rule sets with {written} "
        f"criteria, {len(set(made.twins.values()))} of them different; what payer and place rule out is not judged. "
        f"Verdicts of {len(policies)}: {', '.join(policies)}.",
        f"The first decision has {len(decision.to_bytes()) // 1024} KiB. {_start()}",
    )


def _followed(cases: Sequence[Case], made: Panel) -> str:
    """What the last row decides."""
    tasks = sum(bool(rule.task) for machine in made for rule in machine.rule_set.obligations)
    levels, treated = max(len(case.levels) for case in cases), max(len(case.treated) for case in cases)
    return (
        f"The shipped sets and the measures are {len(made)}, with {tasks} rules of tasks; those charts have {levels} "
        f"levels and {treated} cemented ones."
    )


def _start() -> str:
    began = time.perf_counter()
    book = load(_settings().rules)
    read = time.perf_counter()
    machines = [Machine(one) for one in book.sets.values()]
    compiled = time.perf_counter()
    Panel(machines)
    seconds = (read - began, compiled - read, time.perf_counter() - compiled)
    parts = ", ".join(f"{one:.2f} s" for one in seconds)
    return f"To read the rule book, to compile its {len(machines)} rule sets, and to join them takes {parts}."


def _fresh(cases: list[Case], made: Panel) -> Callable[[int], object]:
    """What is missing is remembered by the state of its data; here every case meets an empty memory."""
    kept = [memory for machine in made if machine.search for memory in _memories(machine.search)]

    def call(number: int) -> object:
        for memory in kept:
            memory.cache_clear()
        return sha256(_decide(cases[number], made).to_bytes())

    return call


def _memories(search: Search) -> list[Any]:
    own = [value for value in vars(search).values() if hasattr(value, "cache_clear")]
    return [*own, *(part.open for part in search._parts)]


def panel(names: Iterable[str]) -> Panel:
    """Rule sets and families by name, compiled and joined."""
    return Panel([Machine(one) for one in _book().choose(names)])


@cache
def _book() -> RuleBook:
    return load(_settings().rules)


def _settings() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]


def cases_of(records: Iterable[Record]) -> list[Case]:
    """The cases of records, as of the bench's instant."""
    return [_case(_delivered(record)) for record in records]


def _delivered(record: Record) -> Delivery:
    reader, _ = _readers()
    (delivery,) = reader.submission(strict_json.dumps(record.bundle()), "bench").deliveries
    return delivery


def _case(delivery: Delivery) -> Case:
    _, facts = _readers()
    resources = [resource for resource, _ in delivery.resources]
    return facts.build(delivery.patient, resources, NOW, aside=delivery.set_aside)


@cache
def _readers() -> tuple[Reader, ChartReader]:
    vocabulary, terms = _book().vocabulary, Terminology.load()
    return Reader("bench", NOW, terms, vocabulary), ChartReader(vocabulary, terms)


def _by_stage(cases: list[Case], made: Panel, rounds: int) -> Table:
    """Each stage timed where it is called; the clocks themselves cost a few per cent, which the shares leave out."""
    shares: dict[str, list[float]] = defaultdict(list)
    stages = tuple(dict.fromkeys(name for name, _, _ in _STAGES))
    with watched() as spent:
        for _ in range(rounds):
            for case in cases:
                spent.clear()
                began = time.perf_counter_ns()
                decision = _decide(case, made)
                decided = time.perf_counter_ns()
                body = decision.to_bytes()
                written = time.perf_counter_ns()
                sha256(body)
                hashed = time.perf_counter_ns()
                for name in stages:
                    shares[name].append(spent[name])
                shares["the rest of `decide()`"].append(decided - began - sum(spent.values()))
                shares["canonical bytes"].append(written - decided)
                shares["hash"].append(hashed - written)
    typical = {name: median(values) / 1000 for name, values in shares.items()}
    whole = sum(typical.values())
    rows = [(name, shown(spent_), f"{spent_ / whole:.0%}") for name, spent_ in typical.items()]
    note = "Each stage without those inside it. What is judged is judged for all rule sets at once."
    return Table("Deciding under all sets, by stage", ("stage", "p50", "share"), rows, (note,))


@contextmanager
def watched() -> Generator[dict[str, float]]:
    """Nanoseconds by stage, while this lasts: each stage's function is wrapped where it is looked up."""
    spent: dict[str, float] = defaultdict(float)
    inside: list[float] = [0]
    with ExitStack() as wraps:
        for name, owner, attribute in _STAGES:
            timed = _timed(getattr(owner, attribute), name, spent, inside)
            wraps.enter_context(patch.object(owner, attribute, timed))
        yield spent


def _timed(inner: Callable[..., Any], name: str, spent: dict[str, float], inside: list[float]) -> Callable[..., Any]:
    """`inside` ends with what the stages within the present one have taken so far."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        inside.append(0)
        began = time.perf_counter_ns()
        answer = inner(*args, **kwargs)
        if name.endswith("put into words"):  # a generator works only when it is read
            answer = list(answer)
        taken = time.perf_counter_ns() - began
        spent[name] += taken - inside.pop()
        inside[-1] += taken
        return answer

    return timed
