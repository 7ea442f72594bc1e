"""`decide()` on three levels under candidacy and one coverage rule set: as a whole, and by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from adapters.fhir import strict_json
from adapters.fhir.deliver import Reader
from adapters.fhir.terminology import Terminology
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings
from bench.charts import NOW, chart
from bench.measure import in_turns, shown
from bench.report import Table
from pathway import decide as deciding
from pathway.canonical import sha256
from pathway.case import Case
from pathway.missing import Search
from pathway.rulebook import load
from pathway.service import Delivery
from pathway.strata import Machine

POLICIES: Final = ("candidacy", "coverage-cms-lcd")
_STAGES: Final[tuple[tuple[str, object, str], ...]] = (
    ("criteria: engine, oracle, compared", Machine, "criteria"),
    ("outcome", Machine, "outcomes"),
    ("what is missing", Search, "wanted"),
    ("messages", deciding, "_criterion"),
    ("obligations", deciding, "_wishes"),
    ("facts as JSON", Case, "facts_json"),
)


def tables(*, rounds: int = 7, charts: int = 40) -> list[Table]:
    """The whole with its spread, then where the time goes."""
    made = machines()
    read = [_delivered(seed) for seed in range(charts)]
    cases = [_case(delivery) for delivery in read]
    levels = {len(case.levels) for case in cases}
    paces = in_turns(
        {
            "facts from the chart (before `decide`)": lambda n: _case(read[n]),
            "`decide()`": lambda n: deciding.decide(cases[n], made),
            "`decide()`, canonical bytes and hash": lambda n: sha256(deciding.decide(cases[n], made).to_bytes()),
            "the same, nothing remembered of earlier cases": _fresh(cases),
        },
        rounds=rounds, calls=charts,
    )  # fmt: skip
    rows = [(name, shown(p.p50), shown(p.p99), p.spread(), shown(p.cpu)) for name, p in paces.items()]
    ran = [row["policy"] for row in deciding.decide(cases[0], made).body["levels"]]
    what = f"{charts} charts that differ, {max(levels)} levels each, under {' and '.join(dict.fromkeys(ran))}."
    whole = Table("Deciding", ("one case", "p50", "p99", "rounds", "CPU"), rows, (what,))
    return [whole, _by_stage(cases, made, rounds)]


def _fresh(cases: list[Case]) -> Callable[[int], object]:
    """What is missing is remembered by the state of its data; here every case meets an empty memory."""
    made = machines()
    kept = [one for machine in made if machine.search for one in _memories(vars(machine.search).values())]

    def call(number: int) -> object:
        for memory in kept:
            memory.cache_clear()
        return sha256(deciding.decide(cases[number], made).to_bytes())

    return call


def _memories(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _memories(value)
        elif hasattr(value, "cache_clear"):
            yield value


def machines() -> tuple[Machine, ...]:
    """The rule sets of both policies, compiled."""
    return tuple(Machine(one) for one in load(Settings(_env_file=None).rules).choose(POLICIES))  # type: ignore[call-arg]


def _delivered(seed: int) -> Delivery:
    reader, _ = _readers()
    (delivery,) = reader.submission(strict_json.dumps(chart(f"p{seed}", 30, seed).bundle()), "bench").deliveries
    return delivery


def _case(delivery: Delivery) -> Case:
    _, facts = _readers()
    resources = [resource for resource, _ in delivery.resources]
    return facts.build(delivery.patient, resources, NOW, aside=delivery.set_aside)


_KEPT: list[tuple[Reader, ChartReader]] = []


def _readers() -> tuple[Reader, ChartReader]:
    if not _KEPT:
        vocabulary, terms = load(Settings(_env_file=None).rules).vocabulary, Terminology.load()  # type: ignore[call-arg]
        _KEPT.append((Reader("bench", NOW, terms, vocabulary), ChartReader(vocabulary, terms)))
    return _KEPT[0]


def _by_stage(cases: list[Case], made: tuple[Machine, ...], rounds: int) -> Table:
    """Each stage timed where it is called; the clocks themselves cost a few per cent, which the shares leave out."""
    shares: dict[str, list[float]] = defaultdict(list)
    with watched() as spent:
        for _ in range(rounds):
            for case in cases:
                spent.clear()
                began = time.perf_counter_ns()
                decision = deciding.decide(case, made)
                decided = time.perf_counter_ns()
                body = decision.to_bytes()
                written = time.perf_counter_ns()
                sha256(body)
                hashed = time.perf_counter_ns()
                for name, _, _ in _STAGES:
                    shares[name].append(spent[name])
                shares["the rest of `decide()`"].append(decided - began - sum(spent.values()))
                shares["canonical bytes"].append(written - decided)
                shares["hash"].append(hashed - written)
    typical = {name: median(values) / 1000 for name, values in shares.items()}
    whole = sum(typical.values())
    rows = [(name, shown(spent_), f"{spent_ / whole:.0%}") for name, spent_ in typical.items()]
    return Table("Deciding, by stage", ("stage", "p50", "share"), rows)


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Nanoseconds by stage, while this lasts: each stage's function is wrapped where it is looked up."""
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as wraps:
        for name, owner, attribute in _STAGES:
            wraps.enter_context(patch.object(owner, attribute, _timed(getattr(owner, attribute), name, spent)))
        yield spent


def _timed(inner: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter_ns()
        answer = inner(*args, **kwargs)
        if name == "obligations":  # a generator works only when it is read
            answer = list(answer)
        spent[name] += time.perf_counter_ns() - began
        return answer

    return timed
