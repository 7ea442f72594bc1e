"""Signs of one vertebra: seen there, or possible because a diagnosis names its region or nobody named the vertebra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from adapters.fhir.answers import THERE, agreed, answered
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import codings
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange

CT: Final = frozenset({"", "ct"})
"""Techniques of a finding that is CT's to make; one that names none was made by CT, as its code says."""
_SIGNS: Final = (  # datum, finding, value set of diagnoses
    ("kyphosis", "kyphotic-deformity", "kyphosis"),
    ("spinal-instability", "spinal-instability", "spinal-instability"),
    ("neural-impingement", "neural-impingement", ""),
    ("retropulsion", "retropulsion", ""),
    ("atypical-pattern", "atypical-pattern", ""),
    ("spinal-stenosis", "spinal-stenosis", "spinal-stenosis"),
    ("epidural-extension", "epidural-extension", ""),
)
_LASTING: Final = frozenset({"atypical-pattern", "spinal-stenosis", "epidural-extension"})
"""What does not go away by itself: seen before this fracture, it may still be there. Its absence then says nothing."""
_WALL: Final = "posterior-wall"
_WHY: Final = {"why": "recorded without its vertebra, or before this fracture"}


@dataclass(frozen=True, slots=True)
class _Here:
    """One vertebra of a chart, and from when until when findings count."""

    chart: KnownChart
    level: str
    since: datetime
    until: datetime

    def own(self, code: str) -> list[Finding]:
        return [f for f in self.chart.named(code) if f.level == self.level and self.since <= f.at <= self.until]

    def loose(self, code: str) -> list[Finding]:
        """Findings without a vertebra: they may be of this one."""
        return [f for f in self.chart.named(code) if f.level == UNSPECIFIED and self.since <= f.at <= self.until]

    def before(self, code: str) -> list[Finding]:
        """The last findings of this vertebra from before the present fracture."""
        rows = [f for f in self.chart.named(code) if f.level == self.level and f.at < self.since]
        return list(latest([f for f in rows if f.answer in THERE]))


def signs(chart: KnownChart, level: str, since: datetime, until: datetime) -> Iterator[Fact]:
    """Every sign of one vertebra, from `since` to `until`, the posterior wall among them."""
    here = _Here(chart, level, since, until)
    for datum, code, value_set in _SIGNS:
        doubtful = [*here.loose(code), *(here.before(code) if datum in _LASTING else ())]
        yield _sign(here, answered(datum, THERE, here.own(code)), doubtful, value_set)
    yield _posterior_wall(here)


def _sign(here: _Here, seen: Fact, loose: Sequence[Finding], value_set: str) -> Fact:
    """What was seen at the vertebra; a diagnosis decides only where it names the vertebra, else it makes one possible.

    So does a positive finding that names no vertebra. Either counts against what was seen only if it is later.
    A kyphosis speaks for cover, no danger: from before this fracture, or of two places, it only makes one possible.
    """
    if seen.value is True:
        return seen
    # what nobody has confirmed takes no sign of danger back
    chart, after = here.chart, seen.at if seen.known or seen.datum == "kyphosis" else None
    rows = [(r, s, _place(chart, r, value_set)) for r, s in chart.conditions(value_set)] if value_set else []
    rows = [
        (r, s, place) for r, s, place in rows
        if s in ("active", "suspected") and place.holds(here.level) and (after is None or chart.dated(r) > after)
    ]  # fmt: skip
    named = [r for r, s, place in rows if s == "active" and place.lo == place.hi]
    if seen.datum == "kyphosis":
        named = [r for r in named if chart.dated(r) >= here.since and _one_place(chart, r, value_set)]
    if named:
        at = max(chart.dated(r) for r in named)
        return Fact(seen.datum, True, None, None, at, tuple(r.reference for r in named))
    if seen.candidate is True:
        return seen
    vague = [f for f in loose if f.answer == "present" and (after is None or f.at > after)]
    sources = (*(r.reference for r, _, _ in rows), *(f.source for f in vague))
    if not sources:
        return seen
    at = max([*(chart.dated(r) for r, _, _ in rows), *(f.at for f in vague)])
    return unknown(seen.datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=_WHY)


def _one_place(chart: KnownChart, diagnosis: ChartResource, value_set: str) -> bool:
    """Whether the region of a diagnosis' code holds the vertebra of its bodySite."""
    code = chart.terms.match(value_set, codings(diagnosis.body.get("code")))
    return code is None or code.levels is None or code.levels.meet(_place(chart, diagnosis, value_set)) is not None


def _place(chart: KnownChart, diagnosis: ChartResource, value_set: str) -> LevelRange:
    """Where a diagnosis may be: the vertebra of its bodySite, else the region of its code, else anywhere."""
    site = chart.terms.match("vertebral-level", codings(diagnosis.body.get("bodySite")))
    code = chart.terms.match(value_set, codings(diagnosis.body.get("code")))
    found = (site and site.levels) or (code and code.levels)
    return found or WHOLE_SPINE


def _posterior_wall(here: _Here) -> Fact:
    """The wall on CT; what another technique shows of it, or a broken one of no named vertebra, is only possible."""
    rows = [f for f in here.own(_WALL) if f.answer in ("intact", "disrupted")]
    seen = latest([f for f in rows if f.technique in CT])
    newest = seen[0].at if seen else None
    other = [f for f in (*rows, *here.loose(_WALL)) if f not in seen and (newest is None or f.at > newest)]
    broken = [f for f in other if f.answer == "disrupted"]
    doubtful = latest(broken) or (latest([f for f in other if f.level == here.level]) if not seen else ())
    if doubtful and not any(f.answer == "disrupted" for f in seen):
        return agreed(_WALL, [replace(f, confirmed=False) for f in doubtful], lambda f: f.answer)
    return agreed(_WALL, seen, lambda f: f.answer) if seen else unknown(_WALL)
