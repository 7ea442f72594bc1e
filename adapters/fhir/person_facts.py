"""Facts about the person: age, pain, infection, neurology, pregnancy, stay in hospital."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import When
from pathway.facts import Fact, Reason, Value, unknown

PREGNANCY_ENDS: Final = 60
"""Completed years from which pregnancy does not apply. A project default of 2026-11-22, awaiting sign-off."""

_STAYS: Final = frozenset({"IMP", "ACUTE", "NONAC", "SS", "OBSENC"})  # v3 ActEncounterCode, FHIR R4 Encounter.class
_GONE: Final = frozenset({"planned", "cancelled", "entered-in-error"})


def person_facts(chart: KnownChart) -> Iterator[Fact]:
    """Every fact of the patient's sheet that the chart can answer, except those derived from levels."""
    age = _age(chart)
    yield age
    yield _pregnancy(chart, age)
    pain = _pain(chart)
    yield pain
    yield _self_report(chart, pain)
    yield _infection(chart)
    yield _neurology(chart)
    yield _hospitalised(chart)
    yield answered(chart, "bed-bound", "mobility", {"bed-bound": True, "ambulant": False})


def answered(
    chart: KnownChart,
    datum: str,
    code: str,
    values: dict[str, Value],
    rows: Sequence[Finding] | None = None,
) -> Fact:
    """A datum from the latest finding of one code: its answer translated, unconfirmed or conflicting where it is."""
    last = latest([f for f in (chart.named(code) if rows is None else rows) if f.answer in values])
    if not last:
        return unknown(datum)
    return agreed(datum, last, lambda finding: values[finding.answer])


def agreed(datum: str, last: Sequence[Finding], value: Callable[[Finding], Value], **detail: str) -> Fact:
    """One fact from findings of one instant: their value if they agree and are confirmed, else unknown and why."""
    given = {value(finding) for finding in last}
    first = last[0]
    sources = tuple(finding.source for finding in last)
    if len(given) > 1:
        return unknown(datum, Reason.CONFLICTING, at=first.at, sources=sources, detail=detail)
    answer = given.pop()
    if not all(finding.confirmed for finding in last):
        return unknown(datum, Reason.UNCONFIRMED, candidate=answer, at=first.at, sources=sources, detail=detail)
    return Fact(datum, answer, None, None, first.at, sources, detail)


def _age(chart: KnownChart) -> Fact:
    """Completed years, counted from the latest birth date that a partial one allows: never too old."""
    patient = next(iter(chart.of_type("Patient")), None)
    birth = When.read(patient.body.get("birthDate"), chart.zone) if patient else None
    if patient is None or birth is None:
        return unknown("age")
    born, today = birth.latest.astimezone(chart.zone).date(), chart.as_of.astimezone(chart.zone).date()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if not 0 <= years <= 125:
        return unknown("age", Reason.UNPARSEABLE, sources=[patient.reference])
    return Fact("age", years, None, None, chart.as_of, (patient.reference,))


def _pregnancy(chart: KnownChart, age: Fact) -> Fact:
    active = [r for r, standing in chart.conditions("pregnancy") if standing == "active"]
    if active:
        return Fact("pregnancy", True, None, None, chart.dated(active[0]), tuple(r.reference for r in active))
    patient = next(iter(chart.of_type("Patient")), None)
    male = patient is not None and patient.body.get("gender") == "male"
    beyond = isinstance(age.value, int) and age.value >= PREGNANCY_ENDS
    if patient is not None and (male or beyond):
        why = "does not apply, male" if male else f"does not apply, {age.value} years"
        return Fact("pregnancy", False, None, None, chart.as_of, (patient.reference,), {"finding": why})
    fact = answered(chart, "pregnancy", "pregnancy-status", {"pregnant": True, "not-pregnant": False})
    return (
        fact
        if not fact.known
        else Fact(fact.datum, fact.value, None, None, fact.at, fact.sources, {"finding": "as recorded"})
    )


def located_pain(chart: KnownChart) -> tuple[Finding, ...]:
    """The confirmed numeric pain scores whose place is the spine."""
    return tuple(f for f in chart.named("pain-score") if f.number is not None and f.confirmed and f.spinal)


def _pain(chart: KnownChart) -> Fact:
    """The latest located score; of one day the one on movement. A score without a place is only a candidate."""
    rows = located_pain(chart)
    if not rows:
        loose = [f for f in chart.named("pain-score") if f.number is not None]
        if not loose:
            return unknown("pain-score")
        why = "preliminary" if loose[-1].spinal else "its place is not recorded"
        return unknown(
            "pain-score", Reason.UNCONFIRMED, candidate=loose[-1].number, at=loose[-1].at,
            sources=[loose[-1].source], detail={"why": why},
        )  # fmt: skip
    day = rows[-1].at.astimezone(chart.zone).date()
    same_day = [f for f in rows if f.at.astimezone(chart.zone).date() == day]
    moving = [f for f in same_day if f.circumstance == "on-movement"]
    return agreed("pain-score", latest(moving or same_day), _score)


def _score(finding: Finding) -> Value:
    assert finding.number is not None, "located_pain keeps only scores"
    return finding.number


def _self_report(chart: KnownChart, pain: Fact) -> Fact:
    fact = answered(chart, "self-report", "self-report-ability", {"able": True, "unable": False})
    if fact.reason is Reason.NOT_RECORDED and pain.known:
        return Fact("self-report", True, None, None, pain.at, pain.sources)
    return fact


def _infection(chart: KnownChart) -> Fact:
    rows = chart.conditions("spinal-or-systemic-infection")
    for standing in ("active", "suspected"):
        found = [r for r, s in rows if s == standing]
        if found:
            sources, at = tuple(r.reference for r in found), chart.dated(found[0])
            detail = {"finding": "active diagnosis"}
            if standing == "active":
                return Fact("infection", True, None, None, at, sources, detail)
            return unknown("infection", Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=detail)
    fact = answered(chart, "infection", "infection-screen", {"present": True, "absent": False})
    words = {True: "positive screen", False: "negative screen"}
    if fact.known and isinstance(fact.value, bool):
        return Fact(fact.datum, fact.value, None, None, fact.at, fact.sources, {"finding": words[fact.value]})
    return fact


NEUROLOGY: Final[dict[str, Value]] = {"normal": "normal", "deficit": "deficit", "cord-or-cauda-sign": "cord-or-cauda"}


def _neurology(chart: KnownChart) -> Fact:
    """An active diagnosis outweighs a normal examination; a suspected one does too, as unconfirmed."""
    rows = chart.conditions("neurologic-emergency")
    active = [r for r, s in rows if s == "active"]
    if active:
        at = max(chart.dated(r) for r in active)
        return Fact("neurology", "cord-or-cauda", None, None, at, tuple(r.reference for r in active))
    exam = answered(chart, "neurology", "neurological-examination", NEUROLOGY)
    suspected = [r for r, s in rows if s == "suspected"]
    if suspected and exam.value in (None, "normal"):
        return unknown(
            "neurology", Reason.UNCONFIRMED, candidate="cord-or-cauda", at=chart.dated(suspected[0]),
            sources=[r.reference for r in suspected],
        )  # fmt: skip
    return exam


def _hospitalised(chart: KnownChart) -> Fact:
    open_stays: list[str] = []
    seen: list[str] = []
    for encounter in chart.of_type("Encounter"):
        body = encounter.body
        if body.get("status") in _GONE:
            continue
        seen.append(encounter.reference)
        end = When.read((body.get("period") or {}).get("end"), chart.zone)
        ended = end.latest <= chart.as_of if end else body.get("status") == "finished"
        if (body.get("class") or {}).get("code") in _STAYS and not ended:
            open_stays.append(encounter.reference)
    if not seen:
        return unknown("hospitalised")
    return Fact("hospitalised", bool(open_stays), None, None, chart.as_of, tuple(open_stays or seen[-1:]))
