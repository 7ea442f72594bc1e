"""The course of pain after cement: scores before and after one procedure, put into one word.

Only confirmed numbers count whose place is the spine, the cemented vertebrae or their neighbours, made under one
circumstance (on movement, at rest, or not said), up to the next procedure. The first score to compare with is the last
one of the month before cement. Of one day the last score counts. Less pain at rest answers no pain on movement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import located_pain
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, neighbours

FALL: Final = Decimal("1.5")
"""Points by which pain must fall or rise to have changed: the response of VERTOS IV (BMJ 2018;361:k1551), read."""
MILD: Final = Decimal(4)
"""Below this pain has responded: VAPOUR (Lancet 2016;388:1408), read."""
BASELINE: Final = timedelta(days=30)
"""How long before cement a score may be to compare with. A project default of 2026-11-23, awaiting sign-off."""
SETTLES: Final = 7
"""Days after cement in which soreness is left its time. A project default of 2026-11-23, awaiting sign-off."""
HELD: Final = timedelta(days=90)
"""How long bad pain on movement outlasts later scores of less than movement. A project default, awaiting sign-off."""
_MOVING: Final = "on-movement"
BAD: Final = ("unchanged", "worse", "returned")
"""The courses that ask for a work-up."""


def course(before: Decimal, after: Sequence[Decimal]) -> str:
    """The word for scores after cement, oldest first, against the one before: what the last of them says.

    `responded`: it fell by `FALL` or is below `MILD`, or an earlier one did and it has not risen by `FALL` since.
    `returned`: an earlier one did, and it has risen by `FALL` from the lowest of those, to `MILD` or above. Else
    `worse` where it rose by `FALL`, or `unchanged`. So one more earlier score never takes back that pain returned.
    """
    *earlier, last = after
    good = [score for score in earlier if _response(before, score)]
    if good and last >= MILD and last - min(good) >= FALL:
        return "returned"
    if good or _response(before, last):
        return "responded"
    return "worse" if last - before >= FALL else "unchanged"


def _response(before: Decimal, score: Decimal) -> bool:
    return before - score >= FALL or score < MILD


@dataclass(frozen=True, slots=True)
class PainCourse:
    """The scores around one procedure at one vertebra, of one circumstance: the last before it, those after by day.

    `alike` is false where the only score before is of another circumstance. `held` is the course on movement, where it
    was bad and nobody has scored it since.
    """

    before: Finding | None
    after: tuple[Finding, ...]
    alike: bool = True
    held: PainCourse | None = None

    @classmethod
    def read(cls, chart: KnownChart, event: Episode, level: str, over_at: datetime) -> PainCourse:
        """Of the circumstance of the last score."""
        rows = sorted((f for f in located_pain(chart) if _may_be_of(f, level, event)), key=_by_time)
        until = min((e.onset_at for e in _later(chart, event)), default=chart.as_of)
        after = [f for f in rows if over_at <= f.at and (f.at < until or until == chart.as_of)]
        if not after:
            return cls(None, ())
        moving = [f for f in _last_day(chart, after) if f.circumstance == _MOVING]
        said = (moving or after)[-1].circumstance
        before = [f for f in rows if event.onset_at - BASELINE <= f.at and f.latest < event.onset_at]
        now, held = (cls._of(chart, event, before, after, one) for one in (said, _MOVING))
        return replace(now, held=held) if held._lasts(chart, event, now) else now

    @classmethod
    def _of(
        cls, chart: KnownChart, event: Episode, before: Sequence[Finding], after: Sequence[Finding], said: str
    ) -> PainCourse:  # fmt: skip
        own = [f for f in before if f.circumstance == said]
        days = {chart.local_days(event.onset_at, f.at): f for f in after if f.circumstance == said}
        return cls((own or before or [None])[-1], tuple(days.values()), bool(own))

    def _lasts(self, chart: KnownChart, event: Episode, now: PainCourse) -> bool:
        """Whether it is surely bad, not of the first days, and what came since is no pain on movement and less bad."""
        bad = now.word in BAD and (now.alike or now.word == "returned")
        moved = now.after[-1].circumstance == _MOVING
        if bad or moved or not self.alike or self.word not in BAD:
            return False
        settled = chart.local_days(event.onset_at, self.after[-1].at) >= SETTLES
        return settled and now.after[-1].at - self.after[-1].at <= HELD

    @property
    def word(self) -> str:
        """The course; empty where there is nothing to compare."""
        return self._up_to(len(self.after)) if self.before is not None and self.after else ""

    def bad_since(self) -> datetime | None:
        """Since which score the course asks for a work-up, and pain has been about as bad as now; None if it does not.

        What was done while pain was less by `FALL` was not done about this pain.
        """
        if self.held is not None:
            return self.held.bad_since()
        if self.before is None or self.word not in BAD:
            return None
        first, last = len(self.after), _number(self.after[-1])
        while first > 1 and self._up_to(first - 1) in BAD and last - _number(self.after[first - 2]) < FALL:
            first -= 1
        return self.after[first - 1].at

    def facts(self, chart: KnownChart, event: Episode) -> Iterator[Fact]:
        """The course, by how much pain fell, and the day after cement of the last score, compared or not."""
        last = self.after[-1] if self.after else None
        if last is None:
            yield from (unknown(name) for name in ("pain-day", "pain-course", "pain-fall"))
            return
        yield Fact("pain-day", chart.local_days(event.onset_at, last.at), None, None, last.at, (last.source,))
        worst = self.held or self
        yield worst._told("pain-course", worst.word)
        yield self._told("pain-fall", _number(self.before) - _number(last) if self.before is not None else None)

    def _told(self, datum: str, value: str | Decimal | None) -> Fact:
        """What comes of comparing: nothing without a score before, and unconfirmed where that was scored otherwise."""
        last = self.after[-1]
        if self.before is None or value is None:
            return unknown(datum, sources=[last.source])
        sources = (self.before.source, *(f.source for f in self.after))
        detail = {"before": str(self.before.number), "after": str(last.number)}
        if self.alike:
            return Fact(datum, value, None, None, last.at, sources, detail)
        why = detail | {"why": "scored on movement and at rest, or without saying which"}
        return unknown(datum, Reason.UNCONFIRMED, candidate=value, at=last.at, sources=sources, detail=why)

    def _up_to(self, count: int) -> str:
        assert self.before is not None, "asked only where there is a score to compare with"
        return course(_number(self.before), [_number(f) for f in self.after[:count]])


def _later(chart: KnownChart, event: Episode) -> Iterable[Episode]:
    return (e for e in chart.episodes_of(EpisodeKind.PROCEDURE) if e.onset_at > event.onset_at)


def _may_be_of(score: Finding, level: str, event: Episode) -> bool:
    """Whether a score may speak of the cemented vertebra: of the spine as a whole, there, or next to it."""
    named = {level, *event.levels} - {UNSPECIFIED}
    near = named | {beside for one in named for beside in neighbours(one)}
    return score.level == UNSPECIFIED or not named or score.level in near


def _last_day(chart: KnownChart, rows: Sequence[Finding]) -> list[Finding]:
    return [f for f in rows if chart.local_days(f.at, rows[-1].at) == 0]


def _by_time(score: Finding) -> tuple[datetime, Decimal, str]:
    """Oldest first; of one instant the higher one last, for it counts."""
    return score.at, _number(score), score.source


def _number(score: Finding) -> Decimal:
    assert score.number is not None, "located_pain keeps only scores"
    return score.number
