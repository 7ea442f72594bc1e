"""Signs of legs, saddle, bladder and bowel that somebody told or saw, and whether anyone has examined since.

A sign stands until a normal examination that is surely later. That it is absent at the next call takes it not back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Final

from adapters.fhir.answers import HOLDS, NEUROLOGY
from adapters.fhir.findings import RESIDUAL, Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.plan_facts import since_present_fracture
from adapters.fhir.reading import happened, recorded
from pathway.chart import ChartResource
from pathway.episodes import EpisodeKind
from pathway.facts import Fact, Reason, unknown

EXAMINATION: Final = "neurological-examination"
_LEGS, _SADDLE, _BLADDER = "leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble"
_WORDS: Final[Mapping[str, str]] = {
    _LEGS: "leg weakness", _SADDLE: "saddle numbness", _BLADDER: "trouble with bladder or bowel",
}  # fmt: skip
_CODED: Final[Mapping[str, str]] = {"leg-weakness": _LEGS, "bladder-or-bowel": _BLADDER}
"""Value sets of diagnoses that are a sign, each with its datum."""
_MEANS: Final[Mapping[str, str]] = {_LEGS: "deficit", _SADDLE: "cord-or-cauda", _BLADDER: "cord-or-cauda"}
_GRADES: Final = ("normal", "deficit", "cord-or-cauda")
_LEAST: Final = 5
_MOST: Final = 5000  # mL, the upper bound in the vocabulary
EXAMINED_FOR: Final = timedelta(days=14)
"""For how long an examination leaves questions that were asked in part answered; as `shared.neurology-intact` lets it.

A project default of 2026-11-23, awaiting a clinician's sign-off.
"""
ASKED_WITHIN: Final = timedelta(days=30)
"""How long after cement a contact without a word on the nerves asks for an examination at once.

A project default of 2026-11-23, awaiting a clinician's sign-off: later, every visit of a house that codes no answers
would ring, and be read no more.
"""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign that was told: which datum, the first and last instant that its date allows, whether it is sure."""

    datum: str
    at: datetime
    latest: datetime
    confirmed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Nerves:
    """What a chart holds of the signs: those that stand, and what answers the questions otherwise."""

    chart: KnownChart
    since: datetime | None
    standing: tuple[Sign, ...]
    examinations: tuple[Finding, ...]

    @classmethod
    def of(cls, chart: KnownChart) -> Nerves:
        """The signs since the present fracture or the first cement that no later normal examination has answered."""
        since = _since(chart)
        rows = tuple(f for f in chart.named(EXAMINATION) if f.confirmed and f.answer in NEUROLOGY)
        clear = max((f.at for f in rows if f.answer == "normal"), default=None)
        signs = (s for s in _signs(chart) if since is None or s.latest >= since)
        standing = [s for s in signs if clear is None or clear <= s.latest]
        return cls(chart, since, tuple(sorted(standing, key=lambda s: (s.at, s.source))), rows)

    @property
    def clear_at(self) -> datetime | None:
        """When the last normal examination since the fracture or the cement was made."""
        return max((f.at for f in self.examinations if f.answer == "normal" and self._ours(f)), default=None)

    def facts(self) -> Iterator[Fact]:
        """Each sign, and the residual urine."""
        for datum in _WORDS:
            yield self._sign(datum)
        yield self.residual()

    def _ours(self, finding: Finding) -> bool:
        return self.since is None or finding.latest >= self.since

    def _sign(self, datum: str) -> Fact:
        own = [s for s in self.standing if s.datum == datum]
        if own:
            at, sources = max(s.at for s in own), tuple(dict.fromkeys(s.source for s in own))
            if any(s.confirmed for s in own):
                return Fact(datum, True, None, None, at, sources)
            return unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)
        denied = [f for f in self._told(datum) if HOLDS[f.answer] is False]
        normal = [f for f in self.examinations if f.answer == "normal" and self._ours(f)]
        sure = [f for f in (*denied, *normal) if f.confirmed]
        last = max(sure or denied, key=lambda f: (f.at, f.source), default=None)
        if last is None:
            return unknown(datum)
        if sure:
            return Fact(datum, False, None, None, last.at, (last.source,))
        return unknown(datum, Reason.UNCONFIRMED, candidate=False, at=last.at, sources=[last.source])

    def _told(self, *datums: str) -> list[Finding]:
        return [f for f in self.chart.named(*datums) if f.answer in HOLDS and self._ours(f)]

    def residual(self) -> Fact:
        """The greatest volume since the last normal examination: a small one takes nothing back."""
        rows = [
            f for f in self.chart.named(RESIDUAL)
            if f.number is not None and 0 <= f.number <= _MOST and not _litres(f.number) and self._ours(f)
            and (self.clear_at is None or self.clear_at <= f.latest)
        ]  # fmt: skip
        worst = max((f.number for f in rows if f.number is not None), default=None)
        if worst is None:
            return unknown(RESIDUAL)
        own = [f for f in rows if f.number == worst]
        volume, at, sources = ceil(worst), max(f.at for f in own), tuple(f.source for f in own)
        if any(f.confirmed for f in own):
            return Fact(RESIDUAL, volume, None, None, at, sources)
        return unknown(RESIDUAL, Reason.UNCONFIRMED, candidate=volume, at=at, sources=sources)

    def examined(self, exam: Fact, since: datetime | None = None) -> Fact:
        """What an examination found, with the signs that stand after it: they make a normal one doubtful.

        `since` leaves out the signs that were surely over before it.
        """
        own = [s for s in self.standing if since is None or s.latest >= since]
        if not own:
            return exam
        found = str((exam.value if exam.known else exam.candidate) or "normal")
        worst = max((found, *(_MEANS[s.datum] for s in own)), key=_GRADES.index)
        told = found if found != "normal" else worst
        at = max([s.at for s in own] + ([exam.at] if exam.at is not None and found != "normal" else []))
        sources = tuple(dict.fromkeys((*(s.source for s in own), *(exam.sources if found != "normal" else ()))))
        detail = {"note": f" ({self._note(own)})"}
        if exam.known and found != "normal":
            return Fact(exam.datum, told, None, None, at, sources, detail)
        detail["why"] = "a sign is on record, and nobody has examined since"
        return unknown(exam.datum, Reason.UNCONFIRMED, candidate=worst, at=at, sources=sources, detail=detail)

    def _note(self, own: Sequence[Sign]) -> str:
        words = [_WORDS[datum] for datum in _WORDS if any(s.datum == datum for s in own)]
        volume = self.residual().value
        return ", ".join((*words, *([f"residual urine {volume} mL"] if volume is not None else [])))

    def asked(self, contacts: Iterable[Fact]) -> Fact:
        """Whether legs, saddle, bladder and bowel are answered since the last contact; a sign is an answer."""
        datum = "neurology-asked"
        full = [f for f in self.examinations if self._ours(f)]
        told = {name: self._told(name) for name in _WORDS}
        in_full = max(
            [f.at for f in full] + [s.at for s in self.standing]
            + ([min(max(f.at for f in rows) for rows in told.values())] if all(told.values()) else []), default=None,
        )  # fmt: skip
        parts = [f for rows in told.values() for f in rows]
        parts += [f for f in self.chart.named(RESIDUAL) if f.number is not None and self._ours(f)]
        part = max(parts, key=lambda f: (f.at, f.source), default=None)
        last = max((c for c in contacts if c.at is not None), key=lambda c: (c.at, c.sources), default=None)
        if last is not None and last.at is not None and (in_full is None or self._day(in_full) < self._day(last.at)):
            state = "in-part" if part and self._day(part.at) >= self._day(last.at) else "unanswered"
            if state == "in-part" or self._soon_after_cement(last.at):
                return Fact(datum, state, None, None, last.at, last.sources)
        if part is not None and (in_full is None or part.at - in_full > EXAMINED_FOR):
            return Fact(datum, "in-part", None, None, part.at, (part.source,))
        if in_full is None:
            return unknown(datum)
        answers = {f.source for f in (*full, *parts) if f.at == in_full}
        answers |= {s.source for s in self.standing if s.at == in_full}
        return Fact(datum, "answered", None, None, in_full, tuple(sorted(answers)))

    def _soon_after_cement(self, contact: datetime) -> bool:
        """Whether a contact is one of the first weeks; of a later one its checklist alone says what was not asked."""
        cement = (e.onset_at for e in self.chart.episodes_of(EpisodeKind.PROCEDURE))
        return any(at <= contact <= at + ASKED_WITHIN for at in cement)

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.chart.zone).date()


def _litres(number: Decimal) -> bool:
    """Whether a volume looks like litres: half a millilitre nobody measures, and 0.4 must not be told as none."""
    return 0 < number < _LEAST and number != int(number)


def _since(chart: KnownChart) -> datetime | None:
    """The instant from which a sign is new: the present fracture's, or the day of the first cement, what came first."""
    cement = min((e.onset_at for e in chart.episodes_of(EpisodeKind.PROCEDURE)), default=None)
    if cement is not None:
        cement = cement.astimezone(chart.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return min((at for at in (since_present_fracture(chart), cement) if at is not None), default=None)


def _signs(chart: KnownChart) -> Iterator[Sign]:
    for finding in chart.named(*_WORDS):
        if HOLDS.get(finding.answer) is True:
            yield Sign(finding.code, finding.at, finding.latest, finding.confirmed, finding.source)
    for value_set, datum in _CODED.items():
        for resource, standing in chart.conditions(value_set):
            if standing != "over":
                at, latest = began(chart, resource)
                yield Sign(datum, at, latest, standing == "active", resource.reference)


def began(chart: KnownChart, resource: ChartResource) -> tuple[datetime, datetime]:
    """The first and last instant at which a diagnosis can have begun: by its stated onset, else when it was written.

    What was written down by a day did not begin after it.
    """
    onset, written = happened(resource.body, chart.zone), recorded(resource.body, chart.zone)
    when = onset or written
    if when is None:
        return resource.received_at, resource.received_at
    ends = [when.latest, chart.as_of, *([written.latest] if written else [])]
    return when.earliest, max(when.earliest, min(ends))
