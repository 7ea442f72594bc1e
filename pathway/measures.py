"""Measures counted: who belongs to each, who is set apart, and what is on record of the rest. Order changes nothing.

What is not on record is unknown: it is counted apart, never as done and never as not done. So a rate is what is shown
at least, beside what it would be at most if all that is unknown had been done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from pathway.canonical import instant, parse_instant
from pathway.episodes import Episode, EpisodeKind
from pathway.measure_forms import Counts, Measure
from pathway.messages import place_of, render
from pathway.rulebook import Rule
from pathway.strata import Judged

FEW: Final = 20
"""Under so many a rate says little, and a page says so. From the project's design, awaiting a clinician's sign-off."""
_KIND: Final[Mapping[Counts, EpisodeKind]] = {
    Counts.PATIENT: EpisodeKind.FRACTURE, Counts.FRACTURE: EpisodeKind.FRACTURE,
    Counts.PROCEDURE: EpisodeKind.PROCEDURE,
}  # fmt: skip


class Standing(StrEnum):
    """Where an episode stands in a measure. All but `IN_DOUBT` make up its denominator."""

    DONE = "numerator"
    NOT_DONE = "not"
    UNKNOWN = "unknown"
    RUNNING = "running"
    EXCLUDED = "excluded"
    IN_DOUBT = "in-doubt"
    """Whether it belongs to the measure at all is unknown."""


_STANDS: Final[Mapping[str, Standing]] = {
    "met": Standing.DONE, "unknown": Standing.UNKNOWN, "not-met": Standing.NOT_DONE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One patient behind a measure: with which episode, of what day, how it stands and why. Days are the facility's."""

    measure: str
    patient: str
    episode: str
    levels: tuple[str, ...]
    on: date
    standing: Standing
    why: str

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "measure": self.measure, "patient": self.patient, "episode": self.episode, "levels": list(self.levels),
            "on": self.on.isoformat(), "standing": self.standing.value, "why": self.why,
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Line:
        """The line that `to_json` wrote."""
        return cls(
            body["measure"], body["patient"], body["episode"], tuple(body["levels"]), date.fromisoformat(body["on"]),
            Standing(body["standing"]), body["why"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """The events that are looked at, by their local days, both ends included; and the instant as of which."""

    as_of: datetime
    zone: tzinfo
    since: date | None = None
    until: date | None = None

    def day(self, at: datetime) -> date:
        """The facility's day of an instant."""
        return at.astimezone(self.zone).date()

    def holds(self, episode: Episode) -> bool:
        """Whether the event of an episode is looked at."""
        day = self.day(episode.onset_at)
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def to_json(self) -> dict[str, Any]:
        """For a job; the zone is the facility's."""
        ends = {"from": self.since, "to": self.until}
        return {"asOf": instant(self.as_of)} | {key: day.isoformat() for key, day in ends.items() if day}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], zone: tzinfo) -> Window:
        """The window that `to_json` wrote."""
        since, until = (date.fromisoformat(body[key]) if key in body else None for key in ("from", "to"))
        return cls(parse_instant(body["asOf"]), zone, since, until)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a measure came to: how many stand where."""

    measure: Measure
    counts: Counter[Standing] = field(default_factory=Counter[Standing])

    def __getitem__(self, standing: Standing) -> int:
        return self.counts[standing]

    @property
    def denominator(self) -> int:
        """All that belong to the measure, those that are set apart or still running too."""
        return sum(count for standing, count in self.counts.items() if standing is not Standing.IN_DOUBT)

    @property
    def rated(self) -> int:
        """Those that the rate is of: without the excluded, and without those whose time is not over."""
        return self.denominator - self[Standing.EXCLUDED] - self[Standing.RUNNING]

    @property
    def rates(self) -> tuple[float, float] | None:
        """What is shown at least, and at most if all that is unknown had been done; None where nobody is rated."""
        done = self[Standing.DONE]
        return (done / self.rated, (done + self[Standing.UNKNOWN]) / self.rated) if self.rated else None

    @property
    def few(self) -> bool:
        """Whether a rate of so few says little."""
        return self.rated < FEW


def tally(measures: Iterable[Measure], lines: Iterable[Line]) -> tuple[Tally, ...]:
    """The lines counted, measure by measure in their order."""
    found = {measure.id: Tally(measure) for measure in measures}
    for line in lines:
        found[line.measure].counts[line.standing] += 1
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Subject:
    """One patient as the criteria found them: their episodes, each with the sheets that tell of it."""

    patient: str
    rules: Mapping[str, Rule]
    rows: Sequence[tuple[Episode, Sequence[Judged]]]

    def lines(self, measures: Iterable[Measure], window: Window) -> Iterator[Line]:
        """The patient's lines in each measure: one for each episode that it counts, or one for the patient."""
        for measure in measures:
            own = [row for row in self.rows if row[0].kind is _KIND[measure.counts] and window.holds(row[0])]
            own.sort(key=lambda row: (row[0].onset_at, row[0].id))
            found = [line for row in own if (line := self._line(measure, row, window)) is not None]
            if measure.counts is Counts.PATIENT:  # by the first that belongs to it, else the first that may
                found = sorted(found, key=lambda line: line.standing is Standing.IN_DOUBT)[:1]
            yield from found

    def _line(self, measure: Measure, row: tuple[Episode, Sequence[Judged]], window: Window) -> Line | None:
        episode, sheets = row
        sheets = [one for one in sheets if self._belongs(measure, one) != "not-met"]
        if not sheets:
            return None
        standing, rule, sheet = self._standing(measure, episode, sheets, window)
        verdict = sheet.verdicts[rule.id]
        why = render(rule.say[verdict], sheet.view, place_of(sheet.sheet.level))
        day = window.day(episode.onset_at)
        return Line(measure.id, self.patient, episode.id, episode.levels, day, standing, why)

    def _belongs(self, measure: Measure, sheet: Judged) -> str:
        return _both(sheet.verdicts[id_] for id_ in measure.denominator)

    def _standing(
        self, measure: Measure, episode: Episode, sheets: Sequence[Judged], window: Window
    ) -> tuple[Standing, Rule, Judged]:
        """Where an episode stands, with the rule and the sheet that say why."""
        inside = [sheet for sheet in sheets if self._belongs(measure, sheet) == "met"]
        doubts = [sheet for sheet in sheets if self._belongs(measure, sheet) == "unknown"]
        if not inside:
            return Standing.IN_DOUBT, self._doubt(measure, doubts[0]), doubts[0]
        apart = [(sheet, id_) for sheet in inside for id_ in measure.exclusions]
        for sheet, id_ in apart:
            if sheet.verdicts[id_] == "met":
                return Standing.EXCLUDED, self.rules[id_], sheet
        rule = self.rules[measure.numerator]
        sheet = _telling(inside, rule.id, ("met", "unknown", "not-met"), last=measure.every_level)
        verdict = sheet.verdicts[rule.id]
        if verdict != "met" and self._runs(measure, episode, window):
            return Standing.RUNNING, rule, sheet
        for one, id_ in apart:
            if one.verdicts[id_] == "unknown":
                return Standing.UNKNOWN, self.rules[id_], one
        if measure.every_level and verdict == "met" and doubts:  # all that are known are no proof of the others
            return Standing.UNKNOWN, self._doubt(measure, doubts[0]), doubts[0]
        return _STANDS[verdict], rule, sheet

    def _doubt(self, measure: Measure, sheet: Judged) -> Rule:
        """The first rule that does not know whether a sheet belongs to a measure."""
        return next(self.rules[id_] for id_ in measure.denominator if sheet.verdicts[id_] == "unknown")

    def _runs(self, measure: Measure, episode: Episode, window: Window) -> bool:
        """Whether the days are not over in which it may still be done; the last of them counts whole."""
        if measure.runs_for is None:
            return False
        return window.day(window.as_of) <= window.day(episode.onset_at) + timedelta(days=measure.runs_for)


def _telling(sheets: Sequence[Judged], rule: str, order: Sequence[str], *, last: bool) -> Judged:
    """The sheet whose verdict is the episode's: the first in order of one that is enough, or else of all."""
    ranked = sorted(sheets, key=lambda sheet: order.index(sheet.verdicts[rule]))
    return ranked[-1 if last else 0]


def _both(verdicts: Iterable[str]) -> str:
    found = set(verdicts)
    return next((word for word in ("not-met", "unknown") if word in found), "met")
