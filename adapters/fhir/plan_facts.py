"""The plan of the procedure: whether it is ordered, how and where, what the payer said, and what comes after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Final

from adapters.fhir.answers import answered
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.order_facts import DRAFT, STANDS, CementOrder, asked, cement_orders
from adapters.fhir.reading import ORDER, code_in, codings, reference_of
from pathway.chart import ChartResource
from pathway.episodes import SAME_FRACTURE, EpisodeKind
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED

_SETTINGS: Final = ("inpatient", "hospital-outpatient", "ambulatory-surgery", "office")
_AUTHORIZED: Final = ("requested", "affirmed", "not-affirmed")
_TECHNIQUES: Final = ("vertebroplasty", "kyphoplasty")  # value sets and answers alike


def plan_facts(
    chart: KnownChart, by_level: Mapping[str, Mapping[str, Fact]], person: Mapping[str, Fact]
) -> Iterator[Fact]:
    """Every fact of the plan; `person` holds at least whether the person is in hospital."""
    cemented = _cemented(by_level)
    sure, drafts = (list(_open(chart, statuses, cemented)) for statuses in (STANDS, DRAFT))
    yield _planned(chart, sure, drafts)
    yield _technique(chart, sure, drafts)
    yield _authorization(chart, [*sure, *drafts])
    yield _setting(chart, person.get("hospitalised", unknown("hospitalised")))
    yield _bone_care(chart)


def ordered_levels(chart: KnownChart) -> frozenset[str]:
    """The vertebrae that orders for cement name, drafts too; of one that names none, a vertebra without its name."""
    orders = _open(chart, STANDS | DRAFT, frozenset())
    return frozenset(level for order in orders for level in (order.levels or {UNSPECIFIED}))


def ordered_here(chart: KnownChart, by_level: Mapping[str, Mapping[str, Fact]]) -> Iterator[tuple[str, Fact]]:
    """For each vertebra whether an order names it. That none does is a statement about the record."""
    cemented = _cemented(by_level)
    sure, drafts = (list(_open(chart, statuses, cemented)) for statuses in (STANDS, DRAFT))
    for level, facts in by_level.items():
        yield level, _ordered_at(chart, level, facts, sure, drafts)


def _ordered_at(
    chart: KnownChart, level: str, facts: Mapping[str, Fact], sure: Sequence[CementOrder], drafts: Sequence[CementOrder]
) -> Fact:
    datum = "cement-ordered-here"
    if facts["cement-on-record"].value is True:
        return Fact(datum, False, None, None, chart.as_of)
    if naming := [order for order in sure if level in order.levels]:
        at, sources = _facts_of(chart, naming)
        return Fact(datum, True, None, None, at, sources)
    fractured = facts["fracture-evidence"].value not in ("cement-only", "none")
    loose = [order for order in (*sure, *drafts) if level == UNSPECIFIED or (fractured and not order.levels)]
    for orders, why in (([o for o in drafts if level in o.levels], "a draft"), (loose, "which vertebra is not said")):
        if orders:
            at, sources = _facts_of(chart, orders)
            return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail={"why": why})
    return Fact(datum, False, None, None, chart.as_of)


def _cemented(by_level: Mapping[str, Mapping[str, Fact]]) -> frozenset[str]:
    return frozenset(level for level, facts in by_level.items() if facts["cement-on-record"].value is True)


def ordered_from(chart: KnownChart, by_level: Mapping[str, Mapping[str, Fact]]) -> datetime | None:
    """When the present procedure was ordered; None where no order for cement stands that was not carried out."""
    orders = _open(chart, STANDS | DRAFT, _cemented(by_level))
    return min((chart.dated(order.resource) for order in orders), default=None)


def _open(chart: KnownChart, statuses: Set[str], cemented: Set[str]) -> Iterator[CementOrder]:
    """The orders for cement that were not carried out yet: at their vertebrae, or where they name none, since them."""
    done = [event for event in chart.cement if event.cement and event.when is not None]
    based = {reference_of(row) for event in done for row in event.resource.body.get("basedOn") or ()}
    for order in cement_orders(chart, statuses):
        at = chart.dated(order.resource)
        since = any(_day(chart, e.when.earliest) >= _day(chart, at) for e in done if e.when is not None)
        carried_out = order.levels <= cemented if order.levels else since
        if not carried_out and order.resource.reference not in based:
            yield order


def _planned(chart: KnownChart, sure: Sequence[CementOrder], drafts: Sequence[CementOrder]) -> Fact:
    """That none stands is a statement about the record, so never unknown."""
    datum = "procedure-planned"
    if not sure and not drafts:
        return Fact(datum, False, None, None, chart.as_of)
    at, sources = _facts_of(chart, sure or drafts)
    if sure:
        return Fact(datum, True, None, None, at, sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail={"why": "a draft"})


def _technique(chart: KnownChart, sure: Sequence[CementOrder], drafts: Sequence[CementOrder]) -> Fact:
    """What the codes of the orders say; an order without such a code says nothing."""
    datum = "planned-technique"
    for orders in (sure, drafts):
        told = [(order, t) for order in orders for t in _TECHNIQUES if _coded(chart, order, t)]
        if not told:
            continue
        said = {technique for _, technique in told}
        at, sources = _facts_of(chart, [order for order, _ in told])
        if len(said) > 1:
            return unknown(datum, Reason.CONFLICTING, at=at, sources=sources)
        if orders is sure:
            return Fact(datum, said.pop(), None, None, at, sources)
        return unknown(datum, Reason.UNCONFIRMED, candidate=said.pop(), at=at, sources=sources)
    return unknown(datum)


def _coded(chart: KnownChart, order: CementOrder, technique: str) -> bool:
    return chart.terms.match(technique, codings(order.resource.body.get("code"))) is not None


def _facts_of(chart: KnownChart, orders: Sequence[CementOrder]) -> tuple[datetime, tuple[str, ...]]:
    resources = [order.resource for order in orders]
    return max(chart.dated(r) for r in resources), tuple(dict.fromkeys(r.reference for r in resources))


def _authorization(chart: KnownChart, orders: Sequence[CementOrder]) -> Fact:
    """The latest answer; one from before the day on which this procedure was ordered was given for another."""
    datum = "prior-authorization"
    said = answered(datum, {code: code for code in _AUTHORIZED}, chart.named(datum))
    begun = min((chart.dated(order.resource) for order in orders), default=None)
    if said.at is None or begun is None or _day(chart, said.at) >= _day(chart, begun):
        return said
    why = {"why": "from before the present order"}
    return unknown(datum, Reason.STALE, candidate=said.value, at=said.at, sources=said.sources, detail=why)


def _setting(chart: KnownChart, stay: Fact) -> Fact:
    """What was stated; else a stay that is going on."""
    datum = "care-setting"
    said = answered(datum, {code: code for code in _SETTINGS}, chart.named(datum))
    if said.reason is not Reason.NOT_RECORDED:
        return said
    if stay.value is True:
        return Fact(datum, "inpatient", None, None, stay.at, stay.sources)
    if stay.candidate is True:
        return unknown(datum, Reason.UNCONFIRMED, candidate="inpatient", at=stay.at, sources=stay.sources)
    return said


def _bone_care(chart: KnownChart) -> Fact:
    """The best standing of a referral written since the present fracture: ordered is placed, completed is kept."""
    datum, since = "bone-care-referral", since_present_fracture(chart)
    rows = [r for r in chart.of_type("ServiceRequest") if code_in(ORDER, r.body.get("code")) == "osteoporosis-referral"]
    rows = [r for r in rows if asked(r.body) and (since is None or chart.dated(r) >= since)]
    for statuses, value in (({"completed"}, "kept"), (STANDS, "placed")):
        if found := [r for r in rows if r.body.get("status") in statuses]:
            return Fact(datum, value, None, None, *_last(chart, found))
    if drafts := [r for r in rows if r.body.get("status") in DRAFT]:
        at, sources = _last(chart, drafts)
        return unknown(datum, Reason.UNCONFIRMED, candidate="placed", at=at, sources=sources, detail={"why": "a draft"})
    return unknown(datum)


def _last(chart: KnownChart, rows: Sequence[ChartResource]) -> tuple[datetime, tuple[str, ...]]:
    return max(chart.dated(r) for r in rows), tuple(r.reference for r in rows)


def since_present_fracture(chart: KnownChart) -> datetime | None:
    """The instant from which records belong to the present fracture, or to the first of several of one bout."""
    bouts = [
        e for e in chart.episodes_of(EpisodeKind.FRACTURE) for level in e.levels if chart.current_episode(level) == e
    ]
    newest = max((e.onset_at for e in bouts), default=None)
    if newest is None:
        return None
    return min(chart.since(level) for e in bouts for level in e.levels if newest - e.onset_at <= SAME_FRACTURE)


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()
