"""The antithrombotic that was held for the procedure: when it is to be taken again, and whether it is.

An order or a box handed out is no proof that it is taken, nor is a list of medicines from before the planned day, nor
heparin or another injected drug: that is given in the place of one that is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import answered
from adapters.fhir.antithrombotics import ANTICOAGULANT, ANTIPLATELET
from adapters.fhir.findings import RESTART, Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.medicines import ENDED, Medicine, medicines
from adapters.fhir.reading import When
from pathway.facts import Fact, Reason, unknown

DAYS: Final = "antithrombotic-restart-days"
DONE: Final = "antithrombotic-restarted"
_PLAN: Final = "antithrombotic-plan"
_KINDS: Final = (ANTIPLATELET, ANTICOAGULANT)  # the stronger last
_TAKEN: Final = ("MedicationStatement", "MedicationAdministration")
_MOST: Final = 45_000


def restart_facts(chart: KnownChart) -> Iterator[Fact]:
    """How many days ago the planned day was, and whether the drug is taken again.

    What was held for the cement and is planned anew after it is still to be taken again; a first hold after it is not.
    """
    rows = latest([f for f in chart.named(_PLAN) if f.answer in ("hold", "continue")])
    cement = max((e.when.latest for e in chart.cement if e.cement and e.when is not None), default=None)
    held = [f.at for f in chart.named(_PLAN) if f.answer == "hold"]
    if not rows or cement is None or cement < _midnight(chart, min(held, default=rows[0].at)):
        yield from (unknown(DAYS), unknown(DONE))
        return
    due = min((when.earliest for f in rows if (when := _restart(chart, f))), default=None)
    yield unknown(DAYS) if due is None else _days(chart, rows, due)
    yield _taken(chart, cement, max(cement, due) if due else cement)


def _days(chart: KnownChart, rows: tuple[Finding, ...], due: datetime) -> Fact:
    """Counted from the local beginning of the planned day, so that the chart wakes on it; the earliest of several."""
    begin = _midnight(chart, due)
    count = max(-_MOST, min((chart.as_of - begin) // timedelta(days=1), _MOST))
    at, sources = rows[0].at, tuple(dict.fromkeys(f.source for f in rows))
    answers, dates = {f.answer for f in rows}, {f.parts.get(RESTART, "") for f in rows}
    detail = {"finding": due.astimezone(chart.zone).date().isoformat()}
    if answers == {"hold"} and len(dates) == 1 and all(f.confirmed for f in rows):
        return Fact(DAYS, count, None, None, at, sources, detail, begin)
    reason = Reason.CONFLICTING if len(answers) > 1 or len(dates) > 1 else Reason.UNCONFIRMED
    return Fact(DAYS, None, reason, count, at, sources, detail, begin)


def _restart(chart: KnownChart, plan: Finding) -> When | None:
    """The planned day; one before the plan itself is a slip of the pen."""
    when = When.read(plan.parts.get(RESTART, ""), chart.zone) if plan.answer == "hold" else None
    return when if when is not None and when.latest >= plan.at else None


def _taken(chart: KnownChart, cement: datetime, due: datetime) -> Fact:
    """The latest finding that says so; else a medicine of the kind that was held, given or taken since."""
    said = answered(DONE, {"yes": True, "no": False}, [f for f in chart.named(DONE) if f.at >= cement])
    held, injected = _held(chart, cement)
    review = [f for f in chart.named("antithrombotic") if f.confirmed and f.answer in held and f.at >= due]
    taken = [m for m in medicines(chart) if m.kind.kind in held and _since(chart, m, cement, due)]
    taken = [m for m in taken if injected or not m.kind.injected]
    found = sorted([(f.at, f.source) for f in review] + [(m.begun, m.resource.reference) for m in taken])
    if found and (said.at is None or said.value is not False or found[-1][0] > said.at):
        return Fact(DONE, True, None, None, found[-1][0], (found[-1][1],))
    return said


def _held(chart: KnownChart, cement: datetime) -> tuple[tuple[str, ...], bool]:
    """Which kinds are proof, and whether an injected drug is any.

    Where an anticoagulant was on record before the cement, an antiplatelet drug is none; an injected one is proof only
    where nothing else was on record.
    """
    drugs = [m.kind for m in medicines(chart) if m.kind.kind and m.begun <= cement]
    before = [kind.kind for kind in drugs]
    before += [f.answer for f in chart.named("antithrombotic") if f.answer in _KINDS and f.at <= cement]
    kinds = (ANTICOAGULANT,) if ANTICOAGULANT in before else _KINDS
    return kinds, bool(drugs) and all(kind.injected for kind in drugs)


def _since(chart: KnownChart, it: Medicine, cement: datetime, due: datetime) -> bool:
    """Whether a record says that it was given after the cement, or is taken from the planned day on."""
    if it.resource.type not in _TAKEN or it.standing == ENDED:
        return False
    given = it.resource.type == "MedicationAdministration"
    return it.noted > cement if given else it.noted >= _midnight(chart, due) and it.noted > cement


def _midnight(chart: KnownChart, at: datetime) -> datetime:
    return at.astimezone(chart.zone).replace(hour=0, minute=0, second=0, microsecond=0)
