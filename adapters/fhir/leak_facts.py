"""Facts about cement that left the vertebra: signs of it, who was told, and what CT, surgeon and physician found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.answers import HOLDS, THERE, answered
from adapters.fhir.ct_facts import chest_ct_after
from adapters.fhir.embolism_facts import embolism_facts, worse_since
from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.laboratory_facts import readings
from adapters.fhir.person_facts import latest_pain, located_pain
from pathway.episodes import Episode
from pathway.facts import Fact, Reason, Value, unknown
from pathway.levels import UNSPECIFIED

FIRST_DAY: Final = timedelta(hours=24)
"""In which a score counts as one of the observation; a project default of 2026-11-23, awaiting sign-off."""

BASELINE: Final = timedelta(days=90)
"""How old the last score before cement may be to be what pain is compared with; a project default likewise."""

_VEINS: Final = ("epidural-veins", "paravertebral-veins", "lungs", "heart-or-cava")
_PLAN: Final[Mapping[str, Value]] = {"treat": "treat", "observe": "observe"}
_TOLD: Final[Mapping[str, Value]] = {
    "yes": "informed", "present": "informed", "no": "not-informed", "absent": "not-informed",
}  # fmt: skip


def leak_facts(
    chart: KnownChart, event: Episode, level: str, over_at: datetime, is_of_event: Callable[[Finding], bool],
    chest_signs: Callable[[], Sequence[datetime]],
) -> Iterator[Fact]:  # fmt: skip
    """What is known of a leak at one vertebra of a procedure event, beyond where the cement went.

    `over_at` is the latest instant at which the procedure can have been done; `is_of_event` tells its findings;
    `chest_signs` tells when each kind of sign of the chest that nobody has answered first came.
    """

    def named(code: str) -> list[Finding]:
        return [finding for finding in chart.named(code) if is_of_event(finding)]

    yield answered("cement-migrating", THERE, [f for f in named("cement-migrating") if _here(event, level, f)])
    pain = [f for f in named("radicular-pain") if _since(event, level, over_at, f)]
    yield answered("radicular-pain", THERE, pain)
    dura = [f.at for f in named("cement-leak") if f.parts.get("intradural") == "present" and _here(event, level, f)]
    grave_at = max(min(dura, default=over_at), _begun(pain) or over_at)
    yield _surgeon(level, over_at, grave_at, event, named)
    yield answered("heart-team", HOLDS, named("heart-team-discussion"))
    decided = named("embolism-plan")
    if any(f.answer == "observe" for f in decided):
        worse_at = worse_since(chart, event, named("embolism-place"), chest_signs())
        decided = [f for f in decided if f.answer == "treat" or f.at >= worse_at]
    yield answered("embolism-plan", _PLAN, decided)
    yield _pain_above_baseline(chart, event, over_at)
    yield chest_ct_after(chart, over_at)
    yield _saturation_measured(chart, max(over_at, _told_in_vein(event, level, named)))
    yield from embolism_facts(chart, event, level, named("embolism-place"))


def _here(event: Episode, level: str, finding: Finding) -> bool:
    """A sign counts where it names this vertebra, none, or one that the event does not know; a denial does not."""
    there = finding.answer == "present" or "present" in finding.parts.values()
    return finding.level in (level, UNSPECIFIED) or (there and finding.level not in event.levels)


def _since(event: Episode, level: str, over_at: datetime, finding: Finding) -> bool:
    """Whether a sign was surely looked for after the procedure. That it is there is rather heard too early."""
    begun = finding.at >= over_at or (finding.answer == "present" and finding.at >= event.onset_at)
    return begun and _here(event, level, finding)


def _begun(rows: Sequence[Finding]) -> datetime | None:
    """When a sign that stands was first told since it was last surely absent; None where there is none."""
    over = max((f.at for f in rows if f.answer == "absent" and f.confirmed), default=None)
    return min((f.at for f in rows if f.answer == "present" and (over is None or f.at > over)), default=None)


def _surgeon(
    level: str, over_at: datetime, grave_at: datetime, event: Episode, named: Callable[[str], Sequence[Finding]]
) -> Fact:  # fmt: skip
    """Whether a spinal surgeon saw this vertebra after cement, else whether one was told.

    An opinion of before the procedure was about something else. Who saw it before `grave_at`, when cement in the dura
    or radicular pain was first told, knows of the cement and has not seen the person for that.
    """
    datum = "surgeon-after-cement"
    seen = [f for f in named("surgeon-opinion") if f.level == level and f.answer == "yes" and f.at >= over_at]
    sure = [f for f in seen if f.confirmed]
    if sure:
        value = "consulted" if sure[-1].at >= grave_at else "informed"
        return Fact(datum, value, at=sure[-1].at, sources=(sure[-1].source,))
    told = answered(datum, _TOLD, [f for f in named("surgeon-informed") if f.at >= event.onset_at])
    if seen and told.value != "informed":
        return unknown(datum, Reason.UNCONFIRMED, candidate="consulted", at=seen[-1].at, sources=(seen[-1].source,))
    return told


def _pain_above_baseline(chart: KnownChart, event: Episode, over_at: datetime) -> Fact:
    """The last score after cement less the last one before it. A rise counts only if it was there on the first day.

    Pain that is worse later is another question, and so is a fall from nothing that anybody wrote down.
    """
    datum = "pain-above-baseline"
    before = latest_pain(chart, datum, event.onset_at - BASELINE, event.onset_at)
    after = latest_pain(chart, datum, over_at)
    was, now = _score(before), _score(after)
    if was is None or now is None or after.at is None:
        return unknown(datum)
    rise, sources = now - was, tuple(sorted({*before.sources, *after.sources}))
    early = [f for f in located_pain(chart) if over_at <= f.at <= over_at + FIRST_DAY]
    if rise > 0 and after.at > over_at + FIRST_DAY and not any(f.number is not None and f.number > was for f in early):
        return unknown(datum)
    if before.known and after.known:
        return Fact(datum, rise, at=after.at, sources=sources)
    return unknown(datum, Reason.UNCONFIRMED, candidate=rise, at=after.at, sources=sources)


def _score(fact: Fact) -> Decimal | None:
    value = fact.value if fact.known else fact.candidate
    return value if isinstance(value, Decimal) else None


def _told_in_vein(event: Episode, level: str, named: Callable[[str], Sequence[Finding]]) -> datetime:
    """When cement in a vein or beyond it was first told: whoever then asks for SpO2 does not mean that of before."""
    leaks = [f for f in named("cement-leak") if _here(event, level, f)]
    told = [f.at for f in leaks if any(f.parts.get(place) == "present" for place in _VEINS)]
    return min(told + [f.at for f in named("embolism-place")], default=event.onset_at)


def _saturation_measured(chart: KnownChart, since: datetime) -> Fact:
    """Whether SpO2 was measured since then, whatever it was and however long ago: what was asked for was done."""
    datum = "saturation-measured"
    rows = [r for r in readings(chart, "oxygen-saturation") if r.at >= since and "valueQuantity" in r.resource.body]
    sure = [r for r in rows if r.confirmed]
    if sure:
        return Fact(datum, True, at=sure[0].at, sources=(sure[0].resource.reference,))
    if rows:
        return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=rows[-1].at, sources=[rows[-1].resource.reference])
    return unknown(datum)
