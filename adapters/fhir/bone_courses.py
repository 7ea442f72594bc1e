"""Courses of treatment: how long a drug has been in the patient's hands without a break, and whether denosumab goes on.

What was handed out, given or is taken counts; an order or a prescription does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import answered
from adapters.fhir.bone_facts import drug_steps, is_bone_drug
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.medicines import content
from adapters.fhir.reading import When, at_path, codings, happened, recorded
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown

Span = tuple[datetime, datetime]

LASTING: Final = (("zoledron", timedelta(days=400)), ("denosumab", timedelta(days=213)))
"""How long one dose is taken to last before the next is late, by name. Project defaults, as `REFILL`."""
REFILL: Final = timedelta(days=120)
"""How long after a box was handed out the next may come without a break: three months, and a month's grace."""
ORDER_HOLDS: Final = timedelta(days=365)
"""For how long after it was written an order may speak of a dose. A project default of 2026-11-23, as `REFILL`."""
_BY_TEXT: Final = {"why": "by its text or ATC group alone: map its code"}
_NO_DAY: Final = {"why": "no record tells the day of the dose"}
_FOLLOWING: Final = ("alendron", "risedron", "ibandron", "zoledron")
_PLAN: Final = "denosumab-plan"


def run_holding(spans: Iterable[Span], at: datetime) -> datetime | None:
    """When the unbroken run of spans began that holds an instant; None where none does."""
    begun = end = None
    for first, last in sorted(spans):
        if begun is None or end is None or first > end:
            if begun is not None and end is not None and begun < at <= end:
                return begun
            begun, end = first, last
        else:
            end = max(end, last)
    return begun if begun is not None and end is not None and begun < at <= end else None


def on_treatment(chart: KnownChart, onset: datetime) -> Fact:
    """How many days of treatment without a break lay before a fracture began; unknown where none is on record."""
    datum, rows = "fracture-on-treatment", list(_spans(chart))
    for sure in (True, False):
        own = [(span, source) for known, span, source in rows if known or not sure]
        begun = run_holding((span for span, _ in own), onset)
        if begun is None:
            continue
        sources = tuple(sorted({source for (first, last), source in own if begun <= first < onset and last >= begun}))
        if sure:
            return Fact(datum, days(begun, onset), at=onset, sources=sources)
        count = days(begun, onset)
        return unknown(datum, Reason.UNCONFIRMED, candidate=count, at=onset, sources=sources, detail=_BY_TEXT)
    return unknown(datum)


def _spans(chart: KnownChart) -> Iterator[tuple[bool, Span, str]]:
    """Of each record of a drug that reached the patient: whether by a verified code, from when to when, and which."""
    by_reference = {r.reference: r for kind in _REACHED for r in chart.of_type(kind)}
    for step, sure, at, source in drug_steps(chart):
        if step == "dispensed":
            yield sure, _span(chart, by_reference[source], at), source
    for resource in chart.of_type("MedicationStatement"):  # taken once, and no longer
        sure = is_bone_drug(chart, resource) if resource.body.get("status") in ("completed", "stopped") else None
        first, last = (When.read(at_path(resource.body, f"effectivePeriod.{end}"), chart.zone) for end in _ENDS)
        if sure is not None and first and last:
            yield sure, (first.earliest, last.latest), resource.reference


_REACHED: Final = ("MedicationDispense", "MedicationAdministration", "MedicationStatement")
_ENDS: Final = ("start", "end")


def _span(chart: KnownChart, resource: ChartResource, at: datetime) -> Span:
    """A statement that is active goes on now, unless it names its end; what was handed out or given lasts its time."""
    if resource.type == "MedicationStatement":
        begun = When.read(at_path(resource.body, "effectivePeriod.start"), chart.zone)
        begun = begun or When.read(resource.body.get("effectiveDateTime"), chart.zone)
        end = When.read(at_path(resource.body, "effectivePeriod.end"), chart.zone)
        return (begun.earliest if begun else at), min(end.latest if end else chart.as_of, chart.as_of)
    lasts = next((long for name, long in LASTING if _is(chart, resource, name)), REFILL)
    return at, at + lasts


def _is(chart: KnownChart, resource: ChartResource, *names: str) -> bool:
    """Whether a medicine has one of these names, in its words or by the code of its value set."""
    concepts, words, _ = content(chart, resource)
    if any(name in word.casefold() for name in names for word in words):
        return True
    coded = list(codings(*concepts))
    if "denosumab" in names:
        return chart.terms.match("denosumab", coded) is not None
    found = chart.terms.match("follow-on-drug", coded)
    return found is not None and ("alendron" in names or found.code in _ZOLEDRONIC)


_ZOLEDRONIC: Final = frozenset({"M05BA08", "77655"})


@dataclass(frozen=True, slots=True)
class _Step:
    """One record of a drug: whether it reached the patient, whether by a verified code, when, and which record.

    `dated` says that the record itself tells on which day, `noted` at least when it was written; `begun` is since when
    a statement says that the drug is taken.
    """

    reached: bool
    sure: bool
    at: datetime
    source: str
    dated: bool
    noted: bool
    begun: datetime | None


def denosumab(chart: KnownChart) -> Iterator[Fact]:
    """The days since its last dose, and whether it runs, stops, or another antiresorptive drug has followed it."""
    gap, course = "denosumab-gap-days", "denosumab-course"
    records = {r.reference: r for kind in (*_REACHED, "MedicationRequest") for r in chart.of_type(kind)}
    steps = [
        _step(chart, records[source], name == "dispensed", sure, at) for name, sure, at, source in drug_steps(chart)
    ]
    doses = [s for s in steps if s.reached and _is(chart, records[s.source], "denosumab")]
    if not doses:
        yield from (unknown(gap), unknown(course))
        return
    # A list of medicines that names it again, or a dose of an unknown day, is no later dose than those that have one.
    last = max([s for s in doses if s.dated] or doses, key=lambda s: (s.at, s.sure, s.source))
    count = days(last.at, chart.as_of)
    known = Fact(gap, count, at=chart.as_of, sources=(last.source,), since=last.at)
    why = _BY_TEXT if last.noted else _NO_DAY
    doubt = unknown(gap, Reason.UNCONFIRMED, candidate=count, at=chart.as_of, sources=(last.source,), detail=why)
    yield known if last.sure and last.noted else replace(doubt, since=last.at)
    after = [s for s in steps if s.at >= last.at and _is(chart, records[s.source], *_FOLLOWING)]
    yield _course(chart, course, last, after)


def _step(chart: KnownChart, record: ChartResource, reached: bool, sure: bool, at: datetime) -> _Step:
    """A record with the day that it tells; a statement says that a drug is taken, and only some say when."""
    told = happened(record.body, chart.zone)
    if record.type == "MedicationStatement":
        told = When.read(record.body.get("effectiveDateTime"), chart.zone)
    dated = told is not None and told.earliest <= chart.as_of
    noted = dated or recorded(record.body, chart.zone) is not None
    begun = When.read(at_path(record.body, "effectivePeriod.start"), chart.zone)
    day = told.earliest if told and dated else at
    return _Step(reached, sure, day, record.reference, dated, noted, begun.earliest if begun else None)


def _course(chart: KnownChart, datum: str, last: _Step, after: list[_Step]) -> Fact:
    """Followed, if surely; else what the signed plan or a stopped order says; else it runs.

    A list that names another drug may have done so all along: it follows only where it was begun since the last dose.
    """
    since = [s for s in after if s.dated or (s.begun is not None and s.begun >= last.at)]
    if done := [s for s in since if s.reached and s.sure]:
        return Fact(datum, "followed", at=max(s.at for s in done), sources=tuple(sorted(s.source for s in done)))
    said = answered(datum, {"stop": "stopped", "continue": "running"}, chart.named(_PLAN))
    if said.at is not None and said.at >= last.at and said.candidate != "running":
        return said
    if stopped := _stopped_orders(chart, last.at):
        return Fact(datum, "stopped", at=last.at, sources=stopped)
    if after:
        at, sources = max(s.at for s in after), tuple(sorted(s.source for s in after))
        return unknown(datum, Reason.UNCONFIRMED, candidate="followed", at=at, sources=sources)
    return Fact(datum, "running", at=last.at, sources=(last.source,))


def _stopped_orders(chart: KnownChart, dosed: datetime) -> tuple[str, ...]:
    """The orders for denosumab that were stopped, where no other one stands and no dose was given since.

    R4 does not say when an order was stopped; one last touched before the last dose, or a year old
    by then where nobody says when it was touched, was not stopped after it.
    """
    own = [r for r in chart.of_type("MedicationRequest") if _is(chart, r, "denosumab")]
    if any(r.body.get("status") in ("active", "on-hold") for r in own):
        return ()
    stopped = (r for r in own if r.body.get("status") == "stopped")
    return tuple(sorted(r.reference for r in stopped if not _untouched_since(chart, r, dosed)))


def _untouched_since(chart: KnownChart, order: ChartResource, dosed: datetime) -> bool:
    touched = When.read(at_path(order.body, "meta.lastUpdated"), chart.zone)
    if touched is not None:
        return touched.latest < dosed
    written = When.read(order.body.get("authoredOn"), chart.zone)
    return written is not None and written.latest + ORDER_HOLDS < dosed
