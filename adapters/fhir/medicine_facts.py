"""Antithrombotics: what the medicines and a review say, and the plan for the procedure.

No hold time is known here: how long before the needle a drug is left out is the prescriber's plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from adapters.fhir.answers import answered
from adapters.fhir.antithrombotics import ANTICOAGULANT, ANTIPLATELET
from adapters.fhir.findings import RESTART, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.medicines import ENDED, STANDS, Medicine, medicines
from adapters.fhir.reading import When
from pathway.chart import SetAside
from pathway.facts import Fact, Reason, unknown

DATUM: Final = "antithrombotic"
_PLAN: Final = "antithrombotic-plan"
_RESTART: Final = "antithrombotic-restart"
_KINDS: Final = (ANTICOAGULANT, ANTIPLATELET)  # the worst first
_SETS: Final = (("anticoagulation", ANTICOAGULANT), ("antiplatelet-use", ANTIPLATELET))


@dataclass(frozen=True, slots=True)
class Thinner:
    """One reason to hold that the blood is thinned: what it is, whether that is sure, since when and as of when.

    `ordered`: a record of the medicine itself that still stands; a review does not end it, only who ordered it does.
    """

    kind: str
    name: str
    sure: bool
    at: datetime
    begun: datetime
    noted: datetime
    source: str
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Thinners:
    """What a chart holds of antithrombotics: those that stand or may, and when the last of all was recorded.

    An ended one counts for `last`, and one of which nobody can tell what it is: "none" from before it says too little.
    """

    rows: tuple[Thinner, ...]
    last: datetime | None
    unmapped: tuple[SetAside, ...]

    @property
    def begun(self) -> datetime | None:
        """When the last of them was begun; the same one prescribed again is no new one."""
        first: dict[str, datetime] = {}
        for row in self.rows:
            first[row.name] = min(row.begun, first.get(row.name, row.begun))
        return max(first.values(), default=None)


def thinners(chart: KnownChart) -> Thinners:
    """All antithrombotics of the medicines and of the diagnosis codes that say long-term use."""
    drugs = [m for m in medicines(chart) if m.kind.kind or (not m.told and m.standing != ENDED)]
    standing = [m for m in drugs if m.standing != ENDED]
    rows = [*(_by_medicine(chart, m) for m in standing if m.kind.kind), *_by_diagnosis(chart)]
    last = max((*(m.noted for m in drugs), *(row.noted for row in rows)), default=None)
    return Thinners(tuple(rows), last, tuple(_unmapped(m) for m in standing if not m.kind.sure))


def _by_medicine(chart: KnownChart, it: Medicine) -> Thinner:
    stands = it.standing == STANDS
    at = chart.as_of if stands else it.noted  # what stands is true now, however old the prescription
    sure = it.kind.sure and stands
    return Thinner(it.kind.kind, it.kind.name, sure, at, it.begun, it.noted, it.resource.reference, stands)


def _by_diagnosis(chart: KnownChart) -> Iterator[Thinner]:
    for value_set, kind in _SETS:
        for resource, standing in chart.conditions(value_set):
            if standing != "over":
                at = chart.dated(resource)
                yield Thinner(kind, value_set, standing == "active", at, at, at, resource.reference)


def _unmapped(it: Medicine) -> SetAside:
    known = "its code is in no table; its text or ATC group names an antithrombotic"
    return SetAside(
        it.resource.reference, "unmapped", known if it.told else "nothing says in words or known codes what it is"
    )


def antithrombotic(chart: KnownChart, found: Thinners) -> Fact:
    """The worst of what stands and of the latest review; "none" counts only if all that was recorded is older.

    It then has to be signed, and contradicts an order that still stands; it ends none.
    """
    said = answered(DATUM, {kind: kind for kind in (*_KINDS, "none")}, chart.named(DATUM))
    rows = list(found.rows)
    if said.value == "none":
        return _none(said, found, signed={f.source for f in chart.named(DATUM) if f.signed})
    if said.reason is Reason.CONFLICTING and not any(row.kind in (ANTICOAGULANT, said.candidate) for row in rows):
        return said
    if (kind := str(said.value or said.candidate)) in _KINDS and said.at is not None:
        rows += [Thinner(kind, "", said.known, said.at, said.at, said.at, source) for source in said.sources]
    return _worst(rows) if rows else said


def _none(said: Fact, found: Thinners, *, signed: Set[str]) -> Fact:
    """A confirmed "none" against the medicines on record: which of the two counts, or why neither does."""
    if found.last is None:
        return said
    later, vouched = said.at is not None and said.at > found.last, signed >= set(said.sources)
    if later and vouched:
        ordered = [row for row in found.rows if row.ordered]
        return _against(said, ordered) if ordered else said
    if found.rows:
        return _worst(list(found.rows))
    if later:
        why = {"why": "nobody signed it, and an antithrombotic, or a medicine that nobody can tell, is on record"}
        return unknown(DATUM, Reason.UNCONFIRMED, candidate="none", at=said.at, sources=said.sources, detail=why)
    why = {"why": "an antithrombotic, or a medicine that nobody can tell, was recorded after it"}
    return unknown(DATUM, Reason.STALE, candidate="none", at=said.at, sources=said.sources, detail=why)


def _against(said: Fact, ordered: list[Thinner]) -> Fact:
    feared = _worst(ordered)
    kind = feared.value or feared.candidate
    why = {"why": "recorded as none, and an order still stands: end the order or correct the review"}
    sources = (*feared.sources, *said.sources)
    return unknown(
        DATUM, Reason.CONFLICTING, candidate=kind, at=feared.at, sources=sources, detail=dict(feared.detail) | why
    )


def _worst(rows: list[Thinner]) -> Fact:
    worst = next(kind for kind in _KINDS if any(row.kind == kind for row in rows))
    alike = [row for row in rows if row.kind == worst]
    sure = [row for row in alike if row.sure]
    own = sure or alike
    at, sources = max(row.at for row in own), tuple(row.source for row in own)
    named = sorted({row.name for row in own if row.name.replace(" ", "").isalpha()})
    detail = {"finding": ", ".join(named) or worst}
    if sure:
        return Fact(DATUM, worst, None, None, at, sources, detail)
    detail |= {"why": "by its text or ATC group, or not surely taken now"}
    return unknown(DATUM, Reason.UNCONFIRMED, candidate=worst, at=at, sources=sources, detail=detail)


def plans(chart: KnownChart, found: Thinners, ordered: datetime | None = None) -> Iterator[Fact]:
    """The plan and whether it has a date of restart; `ordered` is when the present procedure was.

    One from before the last drug was begun, or before that order, cannot have meant it; one to hold whose restart has
    come while no cement was given is over.
    """
    rows = [f for f in chart.named(_PLAN) if f.answer in ("hold", "continue")]
    said = answered(_PLAN, {"hold": "hold", "continue": "continue"}, rows)
    dates = {f.parts.get(RESTART, "") for f in latest(rows)}
    if over := _over(chart, said, found.begun, ordered, dates):
        why, given = {"why": over}, said.candidate if said.value is None else said.value
        said = unknown(_PLAN, Reason.STALE, candidate=given, at=said.at, sources=said.sources, detail=why)
    yield said
    yield _restart(chart, said, dates)


def _over(
    chart: KnownChart, plan: Fact, begun: datetime | None, ordered: datetime | None, dates: set[str]
) -> str:  # fmt: skip
    """Why a plan no longer counts; empty where it does."""
    if plan.at is None:
        return ""
    made = _day(chart, plan.at)
    if begun is not None and made < _day(chart, begun):
        return "made before the drug was begun"
    if ordered is not None and made < _day(chart, ordered):
        return "made before the present order"
    restarts = [when for text in dates if (when := When.read(text, chart.zone))]
    passed = any(plan.at <= when.latest < chart.as_of for when in restarts)
    done = any(e.cement and e.when is not None and _day(chart, e.when.latest) >= made for e in chart.cement)
    held = plan.value != "continue" and plan.candidate != "continue"
    return "its date of restart has passed, and no cement was given" if passed and held and not done else ""


def _restart(chart: KnownChart, plan: Fact, dates: set[str]) -> Fact:
    """As the plan stands; a date before the plan itself is a slip of the pen."""
    if plan.at is None:
        return unknown(_RESTART)
    if len(dates) > 1 or plan.reason not in (None, Reason.UNCONFIRMED):
        return unknown(_RESTART, plan.reason or Reason.CONFLICTING, at=plan.at, sources=plan.sources)
    when = When.read(text := dates.pop(), chart.zone)
    if text and (when is None or when.latest < plan.at):
        why = {"why": "the date of restart is unreadable, or before the plan itself"}
        return unknown(_RESTART, Reason.UNPARSEABLE, at=plan.at, sources=plan.sources, detail=why)
    if plan.reason is not None:
        return unknown(
            _RESTART, plan.reason, candidate=bool(text), at=plan.at, sources=plan.sources, detail=plan.detail
        )
    detail = {"finding": f"restart on {text[:10]}"} if text else {}
    return Fact(_RESTART, bool(text), None, None, plan.at, plan.sources, detail)


def _day(chart: KnownChart, at: datetime) -> date:
    return at.astimezone(chart.zone).date()
