"""What makes another fracture likelier: density, weight, falls and FRAX as recorded, and the fractures on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import Measure, Reading, measured_by, readings
from adapters.fhir.reading import codings
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.levels import UNSPECIFIED

_PLAIN: Final = (Decimal(0), Decimal(1))
_TENTH, _ONE = Decimal("0.1"), Decimal(1)
_PERCENT: Final = {"%": _PLAIN}
_T_SCORE: Final = Measure(
    "t-score", dict.fromkeys(("{score}", "{T-score}", "1", ""), _PLAIN), _TENTH, ROUND_FLOOR, Decimal(-10), Decimal(10)
)
_HOUNSFIELD: Final = Measure(
    "hounsfield-units", {"[hnsf'U]": _PLAIN}, _ONE, ROUND_FLOOR, Decimal(-1024), Decimal(3071), {"hu": "[hnsf'U]"}
)
_ALONE: Final = (
    Measure("body-mass-index", {"kg/m2": _PLAIN}, _TENTH, ROUND_FLOOR, Decimal(5), Decimal(150), {"kg/m^2": "kg/m2"}),
    Measure("frax-major", _PERCENT, _TENTH, ROUND_CEILING, Decimal(0), Decimal(100)),
    Measure("frax-hip", _PERCENT, _TENTH, ROUND_CEILING, Decimal(0), Decimal(100)),
)
_MOST_DAYS: Final = 45_000  # the upper bounds of rules/vocabulary
_MOST_LOSS: Final = 100

Levels = Mapping[str, Mapping[str, Fact]]


def bone_risk_facts(chart: KnownChart, levels: Levels) -> Iterator[Fact]:
    """What of a person makes another fracture likelier; `levels` are the facts of each vertebra, by its name."""
    yield _lowest(_T_SCORE, readings(chart, "t-score"), lambda body: _code(chart, body))
    yield _lowest(_HOUNSFIELD, readings(chart, "hounsfield-units"), lambda body: _vertebra(chart, body))
    for measure in _ALONE:
        yield measured_by(measure, readings(chart, measure.datum))
    broken = {name: facts for name, facts in levels.items() if facts["fracture-evidence"].value != "none"}
    yield _last(broken)
    yield _number_of(chart, broken)
    yield _second_loss(chart, broken)
    yield _treated(broken)


def _code(chart: KnownChart, body: Mapping[str, Any]) -> str:
    match = chart.terms.match("t-score", codings(body.get("code")))
    return match.code if match else ""


def _vertebra(chart: KnownChart, body: Mapping[str, Any]) -> str:
    match = chart.terms.match("vertebral-level", list(codings(body.get("bodySite"))))
    return match.levels.level if match and match.levels else UNSPECIFIED


def _lowest(measure: Measure, rows: Sequence[Reading], site: Callable[[Mapping[str, Any]], str]) -> Fact:
    """The lowest of the latest of each site; where the latest of one cannot be relied on the lowest is but feared."""
    sites: dict[str, list[Reading]] = {}
    for row in rows:
        sites.setdefault(site(row.resource.body), []).append(row)
    facts = [measured_by(measure, own) for _, own in sorted(sites.items())]
    if not facts:
        return unknown(measure.datum)
    told = [fact for fact in facts if _told(fact) is not None]
    least = min(told, key=lambda fact: Decimal(str(_told(fact))), default=facts[0])
    open_ = next((fact for fact in facts if fact.reason is not None), None)
    if open_ is None:
        return least
    sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
    reason = open_.reason or Reason.UNCONFIRMED
    return unknown(measure.datum, reason, candidate=_told(least), at=least.at, sources=sources, detail=open_.detail)


def _told(fact: Fact) -> Value | None:
    return fact.value if fact.known else fact.candidate


def _last(broken: Levels) -> Fact:
    """How long ago a vertebra last broke; less, perhaps, where it is not known when one did."""
    datum, since = "days-since-last-fracture", "days-since-onset"
    own = [facts.get(since, unknown(since)) for facts in broken.values()]
    known = [(fact.value, fact) for fact in own if isinstance(fact.value, int)]
    if not known:
        return unknown(datum, next((f.reason for f in own if f.reason), Reason.NOT_RECORDED), sources=_sources(own))
    least, fact = min(known, key=lambda one: one[0])
    return Fact(datum, Interval(least if len(known) == len(own) else 0, least), at=fact.at, sources=fact.sources)


def _number_of(chart: KnownChart, broken: Levels) -> Fact:
    """A fracture without a vertebra may be one of those that are named, or one more."""
    named = len(broken.keys() - {UNSPECIFIED})
    loose = UNSPECIFIED in broken
    sources = _sources(facts["fracture-evidence"] for facts in broken.values())
    return Fact(
        "fractured-vertebrae", Interval(max(named, int(loose)), named + int(loose)), at=chart.as_of, sources=sources
    )


def _second_loss(chart: KnownChart, broken: Levels) -> Fact:
    """In whole percent, rounded down; nothing where at most one vertebra broke."""
    losses = [facts["height-loss"] for facts in broken.values()]
    known = sorted((int(Decimal(str(fact.value))) for fact in losses if fact.known), reverse=True)
    least = known[1] if len(known) > 1 else 0
    whole = UNSPECIFIED not in broken and (len(known) == len(losses) or len(losses) < 2)
    most = least if whole else _MOST_LOSS
    at = max((fact.at for fact in losses if fact.known and fact.at), default=chart.as_of)
    return Fact("second-height-loss", Interval(least, most), at=at, sources=_sources(f for f in losses if f.known))


def _treated(broken: Levels) -> Fact:
    """The longest that a drug for osteoporosis had been taken when a vertebra broke; more, perhaps, where unknown."""
    datum, own = "days-treated-at-fracture", [facts.get("fracture-on-treatment") for facts in broken.values()]
    known = [(fact.value, fact) for fact in own if fact is not None and isinstance(fact.value, int)]
    if not known:
        told = [fact for fact in own if fact is not None]
        reason = next((fact.reason for fact in told if fact.sources and fact.reason), Reason.NOT_RECORDED)
        return unknown(datum, reason, sources=_sources(told))
    most, fact = max(known, key=lambda one: one[0])
    end = most if len(known) == len(own) else _MOST_DAYS
    return Fact(datum, Interval(most, end), at=fact.at, sources=fact.sources)


def _sources(facts: Iterable[Fact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
