"""Facts about the person: age, pain, infection, neurology, pregnancy, stay in hospital."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from adapters.fhir.answers import agreed, answered, examined
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.nerve_signs import Nerves
from adapters.fhir.reading import When, at_path
from adapters.fhir.stays import GONE, forgotten, going_on
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, Value, unknown

PREGNANCY_ENDS: Final = 60
"""Completed years from which pregnancy does not apply. A project default of 2026-11-22, awaiting sign-off."""

GROWN: Final = 25
"""Completed years from which one more or less decides nothing: a partial birth date will do. A project default too."""

_STAYS: Final = frozenset({"IMP", "ACUTE", "NONAC", "SS", "OBSENC"})  # v3 ActEncounterCode, FHIR R4 Encounter.class


def person_facts(chart: KnownChart) -> Iterator[Fact]:
    """Every fact of the patient's sheet that the chart can answer, except those derived from levels."""
    age = _age(chart)
    yield age
    yield _deceased(chart)
    yield _pregnancy(chart, age)
    pain = latest_pain(chart, "pain-score")
    yield pain
    yield _self_report(chart, pain)
    yield _infection(chart)
    nerves = Nerves.of(chart)
    yield from nerves.facts()
    yield _neurology(chart, nerves)
    yield _hospitalised(chart)
    yield answered("bed-bound", {"bed-bound": True, "ambulant": False}, chart.named("mobility"))


def _age(chart: KnownChart) -> Fact:
    """Completed years, counted from the latest birth date that a partial one allows: never too old.

    Of the young, where a partial date allows two ages, it is unconfirmed: a year decides who is a child.
    """
    patient = chart.patient
    birth = When.read(patient.body.get("birthDate"), chart.zone) if patient else None
    if patient is None or birth is None:
        return unknown("age")
    years, most = _years(chart, birth.latest), _years(chart, birth.earliest)
    if years != most and -1 <= years < GROWN:
        return unknown(
            "age", Reason.UNCONFIRMED, candidate=max(years, 0), at=chart.as_of, sources=[patient.reference],
            detail={"why": "the day of birth is not recorded"},
        )  # fmt: skip
    if not 0 <= years <= 125:
        return unknown("age", Reason.UNPARSEABLE, sources=[patient.reference])
    return Fact("age", years, None, None, chart.as_of, (patient.reference,))


def _years(chart: KnownChart, birth: datetime) -> int:
    born, today = birth.astimezone(chart.zone).date(), chart.as_of.astimezone(chart.zone).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _deceased(chart: KnownChart) -> Fact:
    """What the record holds of a death; a statement about the record, so never unknown."""
    patient = chart.patient
    body = patient.body if patient else {}
    when = When.read(body.get("deceasedDateTime"), chart.zone)
    died = body.get("deceasedBoolean") is True or (when is not None and when.earliest <= chart.as_of)
    sources = (patient.reference,) if patient else ()
    return Fact("deceased", died, None, None, when.earliest if when and died else chart.as_of, sources)


def _pregnancy(chart: KnownChart, age: Fact) -> Fact:
    """A recorded or feared pregnancy counts for everybody; only where there is none may it not apply."""
    said = answered("pregnancy", {"pregnant": True, "not-pregnant": False}, chart.named("pregnancy-status"))
    words = {True: "as recorded", False: "as recorded"}
    fact = worst(diagnosed(chart, "pregnancy", "pregnancy"), said, words)
    if fact.value is True or fact.candidate is True:
        return fact
    patient = chart.patient
    male = patient is not None and patient.body.get("gender") == "male"
    beyond = isinstance(age.value, int) and age.value >= PREGNANCY_ENDS
    if patient is not None and (male or beyond):
        why = "does not apply, male" if male else f"does not apply, {age.value} years"
        return Fact("pregnancy", False, None, None, chart.as_of, (patient.reference,), {"finding": why})
    return fact


def located_pain(chart: KnownChart) -> tuple[Finding, ...]:
    """The confirmed numeric pain scores whose place is the spine."""
    return tuple(f for f in chart.named("pain-score") if f.number is not None and f.confirmed and f.spinal)


def latest_pain(chart: KnownChart, datum: str, since: datetime | None = None, until: datetime | None = None) -> Fact:
    """The latest located score; of one day the one on movement. A score without a place is only a candidate.

    With `since` only scores from then on count, with `until` only those that were surely taken before it.
    """

    def counts(finding: Finding) -> bool:
        return (since is None or finding.at >= since) and (until is None or finding.latest < until)

    rows = [f for f in located_pain(chart) if counts(f)]
    if not rows:
        loose = [f for f in chart.named("pain-score") if f.number is not None and counts(f)]
        if not loose:
            return unknown(datum)
        why = "preliminary" if loose[-1].spinal else "its place is not recorded"
        return unknown(
            datum, Reason.UNCONFIRMED, candidate=loose[-1].number, at=loose[-1].at,
            sources=[loose[-1].source], detail={"why": why},
        )  # fmt: skip
    day = rows[-1].at.astimezone(chart.zone).date()
    same_day = [f for f in rows if f.at.astimezone(chart.zone).date() == day]
    moving = [f for f in same_day if f.circumstance == "on-movement"]
    return agreed(datum, latest(moving or same_day), _score)


def _score(finding: Finding) -> Value:
    assert finding.number is not None, "located_pain keeps only scores"
    return finding.number


def _self_report(chart: KnownChart, pain: Fact) -> Fact:
    fact = answered("self-report", {"able": True, "unable": False}, chart.named("self-report-ability"))
    if fact.reason is Reason.NOT_RECORDED and pain.known:
        return Fact("self-report", True, None, None, pain.at, pain.sources)
    return fact


def diagnosed(chart: KnownChart, datum: str, value_set: str) -> Fact | None:
    """A yes from an active diagnosis, an unconfirmed yes from a suspected one, nothing from any other."""
    rows = chart.conditions(value_set)
    for standing in ("active", "suspected"):
        found = [r for r, s in rows if s == standing]
        if found:
            sources, at = tuple(r.reference for r in found), max(chart.dated(r) for r in found)
            detail = {"finding": f"{standing} diagnosis"}
            if standing == "active":
                return Fact(datum, True, None, None, at, sources, detail)
            return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=detail)
    return None


def worst(coded: Fact | None, said: Fact, words: Mapping[bool, str] | None = None) -> Fact:
    """A confirmed yes of either, then a suspected one; a later confirmed no settles what was suspected before it."""
    if isinstance(said.value, bool) and words:
        said = replace(said, detail={"finding": words[said.value]})
    if coded is None or (said.value is True and not coded.known):
        return said
    settled = said.value is False and said.at is not None and coded.at is not None and said.at > coded.at
    return said if settled and not coded.known else coded


def _infection(chart: KnownChart) -> Fact:
    said = answered("infection", {"present": True, "absent": False}, chart.named("infection-screen"))
    words = {True: "positive screen", False: "negative screen"}
    return worst(diagnosed(chart, "infection", "spinal-or-systemic-infection"), said, words)


def _neurology(chart: KnownChart, nerves: Nerves) -> Fact:
    """An active diagnosis outweighs an examination; a suspected one, or a sign since, does too, as unconfirmed."""
    rows = chart.conditions("neurologic-emergency")
    exam = nerves.examined(examined(chart.named("neurological-examination"), "neurology"))
    found = exam.value if exam.known else exam.candidate
    sign = exam if found not in (None, "normal") else unknown("neurology")  # a new sign makes an old diagnosis new
    active = [r for r, s in rows if s == "active"]
    if active:
        at = max(_dates(chart, active, sign))
        sources = (*(r.reference for r in active), *sign.sources)
        return Fact("neurology", "cord-or-cauda", None, None, at, sources, sign.detail)
    suspected = [r for r, s in rows if s == "suspected"]
    if suspected and (not exam.known or found == "normal"):
        at = max(_dates(chart, suspected, sign))
        sources = (*(r.reference for r in suspected), *sign.sources)
        why = Reason.UNCONFIRMED
        return unknown("neurology", why, candidate="cord-or-cauda", at=at, sources=sources, detail=sign.detail)
    return exam


def _dates(chart: KnownChart, diagnoses: Sequence[ChartResource], sign: Fact) -> list[datetime]:
    return [*(chart.dated(resource) for resource in diagnoses), *([sign.at] if sign.at is not None else [])]


def _hospitalised(chart: KnownChart) -> Fact:
    """Whether a stay is going on; one that was never closed and began long ago is doubted, not believed."""
    now: list[str] = []
    doubted: list[str] = []
    seen: list[str] = []
    for encounter in chart.of_type("Encounter"):
        if encounter.body.get("status") in GONE:
            continue
        seen.append(encounter.reference)
        if at_path(encounter.body, "class.code") in _STAYS and going_on(encounter, chart):
            (doubted if forgotten(encounter, chart) else now).append(encounter.reference)
    if now or (seen and not doubted):
        return Fact("hospitalised", bool(now), None, None, chart.as_of, tuple(now or seen[-1:]))
    if doubted:
        return unknown("hospitalised", Reason.UNCONFIRMED, candidate=True, at=chart.as_of, sources=doubted)
    return unknown("hospitalised")
