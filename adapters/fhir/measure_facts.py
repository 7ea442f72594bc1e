"""What measures count by: days from a fracture, or from cement, to what should follow. Read only when one measures.

What is told beside the chart (the honest ends of tasks and care, the decisions that were logged) comes as `Told`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from adapters.fhir.bone_facts import densities, drug_steps
from adapters.fhir.complication_facts import complications
from adapters.fhir.contact_facts import contacts
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import located_pain
from adapters.fhir.reading import ORDER, Resource, When, at_path, code_in, happened, recorded
from adapters.fhir.treated_facts import TreatedReader, over_at
from pathway.episodes import Episode
from pathway.facts import Fact, Reason, unknown

_PLACED: Final = frozenset({"active", "on-hold", "completed"})
_JULY: Final = 7
_VISIT_FROM: Final = 14
"""The day after cement from which a contact is the visit. A project default of 2026-11-23, awaiting sign-off."""
_SCORES: Final[Mapping[str, tuple[int, int]]] = {
    "score-at-one-month": (14, 76), "score-at-three-months": (77, 167), "score-at-twelve-months": (351, 455),
}  # fmt: skip
"""On which days after cement a score is of which month. Project defaults of 2026-11-23, awaiting sign-off."""
_HAPPENING = tuple[bool, datetime, str]
"""One record: whether it is sure, when it was, and which it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known beside the chart: when hospice was named here, and by procedure the first reason for no treatment.

    `documents` holds, by procedure and vertebra, how the documents stood at the last decision before it, and when.
    """

    hospice: tuple[datetime, ...] = ()
    reasons: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    documents: Mapping[tuple[str, str], tuple[str, datetime]] = field(
        default_factory=dict[tuple[str, str], tuple[str, datetime]]
    )


def sex(chart: KnownChart) -> Fact:
    """The sex on the patient's record."""
    patient = chart.patient
    code = patient.body.get("gender") if patient else None
    if patient is None or code not in ("female", "male", "other"):
        return unknown("administrative-sex")
    return Fact("administrative-sex", str(code), at=chart.as_of, sources=(patient.reference,))


def fracture_facts(chart: KnownChart, event: Episode, told: Told) -> Iterator[Fact]:
    """What measures count by, of one fracture."""
    year = measurement_year(_day(chart, event.onset_at))
    tests = list(_by_day(chart, densities(chart)))
    drugs = list(_drugs(chart, event))
    yield _age(chart, year)
    yield _first(chart, "omw-day", event, [*tests, *drugs])
    yield _last_before(chart, "omw-density-before-days", event, tests)
    yield _last_before(chart, "omw-therapy-before-days", event, drugs)
    hospice = [at for at in told.hospice if at <= chart.as_of and _day(chart, at).year <= year]
    yield Fact("omw-hospice", bool(hospice), at=min(hospice, default=chart.as_of))
    yield _first(chart, "referral-after-fracture", event, _by_day(chart, _referrals(chart)))
    yield _first(chart, "density-after-fracture", event, tests)


def procedure_facts(chart: KnownChart, event: Episode, level: str, told: Told) -> Iterator[Fact]:
    """What measures count by, of one vertebra of one procedure."""
    begun, over = TreatedReader(chart, event, level, {}).fractured_at, over_at(chart, event)
    yield _documents(event, level, told)
    yield _start(chart, event, begun)
    reason = told.reasons.get(event.id)
    if reason is not None and reason <= chart.as_of:
        yield Fact("treatment-reason-day", max(0, chart.local_days(event.onset_at, reason)), at=reason)
    yield _visit(chart, event, over)
    yield from _scores(chart, event, over)
    yield from complications(chart, event, over)


def measurement_year(fractured: date) -> int:
    """The year to which a fracture is counted: from July on the next, as the source has it."""
    return fractured.year + (fractured.month >= _JULY)


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()


def _age(chart: KnownChart, year: int) -> Fact:
    """The age on the last day of a year: the day of birth makes no difference."""
    patient = chart.patient
    born = When.read(patient.body.get("birthDate"), chart.zone) if patient else None
    if patient is None or born is None:
        return unknown("omw-age")
    age = year - _day(chart, born.earliest).year
    if not 0 <= age <= 125:
        return unknown("omw-age", Reason.UNPARSEABLE, sources=(patient.reference,))
    return Fact("omw-age", age, at=chart.as_of, sources=(patient.reference,))


def _first(chart: KnownChart, datum: str, event: Episode, rows: Iterable[_HAPPENING]) -> Fact:
    """How many days after the event the first sure record is; one that is not sure is only a candidate."""
    after = [row for row in rows if chart.local_days(event.onset_at, row[1]) >= 0]
    for sure in (True, False):
        own = [(at, source) for known, at, source in after if known is sure]
        if own:
            at, source = min(own)
            count = chart.local_days(event.onset_at, at)
            if sure:
                return Fact(datum, count, at=at, sources=(source,))
            return unknown(datum, Reason.UNCONFIRMED, candidate=count, at=at, sources=(source,))
    return unknown(datum)


def _last_before(chart: KnownChart, datum: str, event: Episode, rows: Iterable[_HAPPENING]) -> Fact:
    """How many days before the event the last sure record is, or else the last that is not sure."""
    before = [row for row in rows if chart.local_days(row[1], event.onset_at) > 0]
    for sure in (True, False):
        own = [(at, source) for known, at, source in before if known is sure]
        if own:
            at, source = max(own)
            count = chart.local_days(at, event.onset_at)
            if sure:
                return Fact(datum, count, at=at, sources=(source,))
            return unknown(datum, Reason.UNCONFIRMED, candidate=count, at=at, sources=(source,))
    return unknown(datum)


def _by_day(chart: KnownChart, rows: Iterable[_HAPPENING]) -> Iterator[_HAPPENING]:
    """The records, sure only where they name a day: of a month, a year or no date at all nobody can count days."""
    for sure, at, source in rows:
        body = _body(chart, source)
        yield sure and _is_a_day(chart, happened(body, chart.zone) or recorded(body, chart.zone)), at, source


def _body(chart: KnownChart, source: str) -> Resource:
    kind = source.partition("/")[0]
    return next(one.body for one in chart.of_type(kind) if one.reference == source)


def _is_a_day(chart: KnownChart, when: When | None) -> bool:
    return when is not None and chart.local_days(when.earliest, when.latest) == 0


def _drugs(chart: KnownChart, event: Episode) -> Iterator[_HAPPENING]:
    """Drugs for osteoporosis, and since when one is taken: what is taken since before the event was so on its eve."""
    eve = event.onset_at - timedelta(days=1)
    for _, known, at, source in drug_steps(chart):
        begun, ended = _taken(chart, source)
        if ended is not None and ended.latest < at:  # it was over when this was written
            yield known and _is_a_day(chart, ended), ended.earliest, source
        else:
            yield from _by_day(chart, [(known, at, source)])
        if begun is None or begun.earliest > chart.as_of:
            continue
        yield known and _is_a_day(chart, begun), begun.earliest, source
        if begun.latest <= eve <= min(at, ended.earliest if ended else at):
            yield known, eve, source


def _taken(chart: KnownChart, source: str) -> tuple[When | None, When | None]:
    """From when to when a drug is said to be taken: a statement tells of a time that began before it was made."""
    body = _body(chart, source)
    if body["resourceType"] != "MedicationStatement":
        return None, None
    first = at_path(body, "effectivePeriod.start") or body.get("effectiveDateTime")
    return When.read(first, chart.zone), When.read(at_path(body, "effectivePeriod.end"), chart.zone)


def _referrals(chart: KnownChart) -> Iterator[_HAPPENING]:
    for request in chart.of_type("ServiceRequest"):
        body, when = request.body, happened(request.body, chart.zone)
        ours = code_in(ORDER, body.get("code")) == "osteoporosis-referral" and not body.get("doNotPerform")
        if ours and body.get("status") in _PLACED and when is not None:
            yield True, when.latest, request.reference


def _documents(event: Episode, level: str, told: Told) -> Fact:
    found = told.documents.get((event.id, level))
    if found is None:
        return unknown("documents-before-cement")
    return Fact("documents-before-cement", found[0], at=found[1])


def _start(chart: KnownChart, event: Episode, since: datetime) -> Fact:
    """The first day on which a drug was in the patient's hands; what was only prescribed is a candidate."""
    steps = [row for row in drug_steps(chart) if row[2] >= since]
    handed = _by_day(chart, (row[1:] for row in steps if row[0] == "dispensed"))
    own = [(at, source) for sure, at, source in handed if sure]
    datum = "treatment-start-day"
    if own:
        at, source = min(own)
        return Fact(datum, max(0, chart.local_days(event.onset_at, at)), at=at, sources=(source,))
    if not steps:
        return unknown(datum)
    _, _, at, source = min(steps, key=lambda row: (row[2], row[3]))
    count = max(0, chart.local_days(event.onset_at, at))
    why = {"why": "prescribed only, known by its name alone, or without a day"}
    return unknown(datum, Reason.UNCONFIRMED, candidate=count, at=at, sources=(source,), detail=why)


def _visit(chart: KnownChart, event: Episode, over_at: datetime) -> Fact:
    rows = [(chart.local_days(event.onset_at, at), at, source) for at, source in contacts(chart, event, over_at)]
    kept = [row for row in rows if row[0] >= _VISIT_FROM]
    if not kept:
        return unknown("visit-kept-day")
    day, at, source = min(kept)
    return Fact("visit-kept-day", day, at=at, sources=(source,))


def _scores(chart: KnownChart, event: Episode, over_at: datetime) -> Iterator[Fact]:
    """Whether pain or disability was put in a number; that there is none is said once the days for it are over."""
    scored = [f for f in chart.named("disability-score") if f.number is not None and f.confirmed]
    rows = [f for f in (*located_pain(chart), *scored) if f.at >= over_at]
    for datum, (first, last) in _SCORES.items():
        own = [f for f in rows if first <= chart.local_days(event.onset_at, f.at) <= last]
        if own:
            found = min(own, key=lambda f: (f.at, f.source))
            yield Fact(datum, True, at=found.at, sources=(found.source,))
        elif chart.local_days(event.onset_at, chart.as_of) > last:
            yield Fact(datum, False, at=chart.as_of)
