"""What was ordered or stated for this person: bone densitometry, education, a programme, the plan of the procedure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile
from typing import Any, Final

from adapters.fhir.answers import HOLDS, NEUROLOGY, agreed, answered
from adapters.fhir.findings import COUNTS, DROPPED, Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import ORDER, code_in, codings, happened
from pathway.chart import ChartResource
from pathway.episodes import EpisodeKind
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.levels import LEVELS, UNSPECIFIED

PERSON_STATEMENTS: Final = (
    "osteoporosis-education", "treatment-programme", "reason-despite-level-count", "reason-despite-allergy",
    "reason-despite-coagulopathy", "reason-despite-neurology", "reason-despite-cardiopulmonary-disease",
)  # fmt: skip
_EXCUSED: Final = {
    "reason-despite-level-count": "levels-planned",
    "reason-despite-allergy": "cement-allergy",
    "reason-despite-coagulopathy": "coagulopathy",
    "reason-despite-neurology": "neurology",
    "reason-despite-cardiopulmonary-disease": "cardiopulmonary-disease",
}
_PROPOSED: Final = frozenset({"proposal", "option"})  # RequestIntent: nobody has asked for it yet
STANDS: Final = frozenset({"active", "on-hold"})
DRAFT: Final = frozenset({"draft", "unknown"})


def disability(chart: KnownChart) -> Fact:
    """The latest Roland-Morris total."""
    return roland_morris("disability-score", chart.named("disability-score"))


def roland_morris(datum: str, rows: Iterable[Finding]) -> Fact:
    """The latest total of some findings; anything but a whole number is no total."""
    last = latest([f for f in rows if f.number is not None])
    if not last:
        return unknown(datum)
    if any(f.number != int(f.number or 0) for f in last):
        return unknown(datum, Reason.UNPARSEABLE, at=last[0].at, sources=[f.source for f in last])
    return agreed(datum, last, _total)


def _total(finding: Finding) -> Value:
    return int(finding.number or 0)


def statements(chart: KnownChart, person: Mapping[str, Fact]) -> Iterator[Fact]:
    """What was told the patient, and the reasons to go on: each the latest that was said.

    A reason from before what it is to excuse, of the `person`'s facts, is stale: it cannot have meant it.
    """
    for code in PERSON_STATEMENTS:
        said, flag = answered(code, HOLDS, chart.named(code)), person.get(_EXCUSED.get(code, ""))
        begun = _begun(chart, flag) if flag is not None and flag.sources else None
        if said.at is None or begun is None or _day(chart, said.at) >= _day(chart, begun):
            yield said
        else:
            why = {"why": "given before what it is a reason for"}
            yield unknown(code, Reason.STALE, candidate=said.value, at=said.at, sources=said.sources, detail=why)


def _begun(chart: KnownChart, flag: Fact) -> datetime | None:
    """Since when a flag says what it says: examined again with the same result, a deficit is no new one."""
    said, begun = flag.value or flag.candidate, flag.at
    if flag.datum != "neurology" or begun is None:
        return begun
    exams = (f for f in reversed(chart.named("neurological-examination")) if f.answer in NEUROLOGY)
    return min([begun, *(f.at for f in takewhile(lambda f: NEUROLOGY[f.answer] == said, exams))])


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()


def bone_density_referral(chart: KnownChart) -> Fact:
    """An order that stands or was carried out, or its result; else what was stated."""
    datum = "bone-density-referral"
    results = _results(chart)
    sure = [*_orders(chart, STANDS | {"completed"}), *(r for r in results if r.body.get("status") in COUNTS)]
    doubtful = [*_orders(chart, DRAFT), *results]
    said = answered(datum, HOLDS, chart.named(datum))
    if sure:
        at, sources = max(chart.dated(r) for r in sure), tuple(r.reference for r in sure)
        if said.value is True and said.at is not None and said.at > at:  # said again, so no older than that
            at, sources = said.at, (*sources, *said.sources)
        return Fact(datum, True, None, None, at, sources)
    if said.known or said.reason is not Reason.NOT_RECORDED or not doubtful:
        return said
    sources = [r.reference for r in doubtful]
    at = max(chart.dated(r) for r in doubtful)
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail={"why": "not yet signed"})


def _orders(chart: KnownChart, statuses: Set[str]) -> list[ChartResource]:
    orders = [r for r in chart.of_type("ServiceRequest") if r.body.get("status") in statuses and asked(r.body)]
    return [r for r in orders if chart.terms.match("bone-density", codings(r.body.get("code")))]


def asked(body: Mapping[str, Any]) -> bool:
    """Whether an order asks for something: it is no proposal, and none not to do it."""
    return body.get("doNotPerform") is not True and body.get("intent") not in _PROPOSED


def _results(chart: KnownChart) -> list[ChartResource]:
    """Dated measurements of bone density that were not taken back."""
    rows = [r for r in chart.of_type("Observation") if chart.terms.match("bone-density", codings(r.body.get("code")))]
    return [r for r in rows if r.body.get("status") not in DROPPED and happened(r.body, chart.zone) is not None]


def levels_planned(chart: KnownChart, by_level: Mapping[str, Mapping[str, Fact]]) -> Fact:
    """How many vertebrae one procedure is to treat: by the orders for cement that stand, else by what is known of each.

    An order without a vertebra may be for any of the fractured ones. An order in draft is unconfirmed.
    """
    datum, most = "levels-planned", _fractured(chart, by_level)
    cemented = {level for level, facts in by_level.items() if facts["cement-on-record"].value is True}
    for statuses, sure in ((STANDS, True), (DRAFT, False)):
        orders = [order for order in cement_orders(chart, statuses) if not (order.levels and order.levels <= cemented)]
        if orders:
            planned = _planned(orders, most)
            at = max(chart.dated(order.resource) for order in orders)
            sources = tuple(order.resource.reference for order in orders)
            if sure:
                return Fact(datum, planned, None, None, at, sources, {"finding": "by plan"})
            return unknown(datum, Reason.UNCONFIRMED, candidate=planned, at=at, sources=sources)
    if not most:
        return unknown(datum)
    proven = sum(1 for facts in by_level.values() if _proven(facts))
    return Fact(datum, Interval(proven, most), None, None, chart.as_of, (), {"finding": "no plan is recorded"})


@dataclass(frozen=True, slots=True)
class CementOrder:
    """An order for cement and the vertebrae that it names."""

    resource: ChartResource
    levels: frozenset[str]


def cement_orders(chart: KnownChart, statuses: Set[str]) -> Iterator[CementOrder]:
    """The orders for cement of these statuses, with the vertebrae that they name."""
    for resource in chart.of_type("ServiceRequest"):
        body, concept = resource.body, resource.body.get("code")
        if body.get("status") not in statuses or not asked(body):
            continue
        public = chart.terms.matches_any(concept, "cement-augmentation", "cement-add-on")
        if public or code_in(ORDER, concept) == "vertebral-augmentation":
            found = (chart.terms.match("vertebral-level", [coding]) for coding in codings(body.get("bodySite")))
            named = {match.levels.level for match in found if match and match.levels}
            yield CementOrder(resource, frozenset(named - {UNSPECIFIED}))


def _planned(orders: Sequence[CementOrder], most: int) -> Interval:
    """At least what is named, and one; where an order names none, it may be for every fractured vertebra besides."""
    named = {level for order in orders for level in order.levels}
    unnamed = sum(1 for order in orders if not order.levels)
    more = max(unnamed, most) if unnamed else 0
    return Interval(max(len(named), 1), min(len(named) + more, len(LEVELS)))


def _fractured(chart: KnownChart, by_level: Mapping[str, Mapping[str, Fact]]) -> int:
    """Vertebrae with any sign of a fracture that were not cemented since, and each fracture without a vertebra."""
    named = [
        level for level, facts in by_level.items()
        if level != UNSPECIFIED and facts["fracture-evidence"].value not in ("cement-only", "none")
        and facts["cement-on-record"].value is not True
    ]  # fmt: skip
    loose = [e for e in chart.episodes_of(EpisodeKind.FRACTURE) if UNSPECIFIED in e.levels]
    return min(len(named) + len(loose), len(LEVELS))


def _proven(facts: Mapping[str, Fact]) -> bool:
    fresh, tender = facts["acuity-imaging"], facts["tenderness"]
    return (
        fresh.value == "oedema-or-uptake" and tender.value in ("at-level", "one-level-off")
        and facts["cement-on-record"].value is not True
    )  # fmt: skip
