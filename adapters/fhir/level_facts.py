"""Facts about one vertebra: what is fractured, why, how fresh, how tender, how long cared for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.answers import agreed
from adapters.fhir.causes import cause
from adapters.fhir.course_facts import care_days, pain_change
from adapters.fhir.events import MRI, NUCLEAR, CementEvent, Fracture
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.level_statements import statements
from adapters.fhir.plan_facts import ordered_levels
from adapters.fhir.reading import recorded
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange, neighbours, sort_key

_TECHNIQUES: Final = {
    "stir": "STIR MRI", "fat-suppressed-t2": "fat-suppressed MRI", "bone-scan": "bone scan", "spect": "SPECT",
    "spect-ct": "SPECT-CT",
}  # fmt: skip
_EVER: Final = datetime.min.replace(tzinfo=UTC)
MRI_DECIDES: Final = timedelta(days=30)
"""How old an adequate MRI may be to decide over a scan, as old as `shared.fresh-fracture` lets a study be.

A project default of 2026-11-22, awaiting sign-off.
"""
DATED_EARLY: Final = timedelta(days=7)
"""How long before the stated onset cement still belongs to it: claims date the fracture at the operation or after it.

A project default of 2026-11-22, awaiting sign-off.
"""


def assessed_levels(chart: KnownChart) -> tuple[str, ...]:
    """The vertebrae that have a sheet: fractured, deformed, fresh on imaging, cemented or ordered; head to tail.

    An order that names no vertebra may be for any of them; where there is none it has a sheet without a name.
    """
    found = _told(chart)
    found |= {finding.level for finding in chart.named("vertebral-height-loss") if finding.deformed}
    ordered = ordered_levels(chart)
    found |= ordered - {UNSPECIFIED}
    return tuple(sorted(found or ordered, key=sort_key))


def _told(chart: KnownChart) -> set[str]:
    """The vertebrae of which a fracture or cement is told."""
    found = {level for episode in chart.episodes for level in episode.levels}
    return found | {event.place.level for event in chart.cement if event.when is None}


@dataclass(frozen=True, slots=True)
class LevelReader:
    """Answers the questions about one vertebra from a chart. `until` bounds what may be looked at."""

    chart: KnownChart
    level: str
    until: datetime

    def facts(self) -> Iterator[Fact]:
        """Every fact of the level's sheet that the chart can answer."""
        yield from self._place()
        yield self.evidence()
        yield cause(self.chart, self.level, self._own_fractures())
        yield from self._dates()
        yield self.acuity()
        yield self._height()
        yield self.tenderness()
        yield care_days(self.chart, self.level)
        yield pain_change(self.chart, self.level)
        yield from statements(self.chart, self.level, self._since, self.until)
        yield from self._cement()

    @property
    def _since(self) -> datetime:
        return self.chart.since(self.level)

    def _own(self, *codes: str) -> list[Finding]:
        """Findings at this level, of the current episode, up to the bound."""
        return [f for f in self.chart.named(*codes) if f.level == self.level and self._since <= f.at <= self.until]

    def _place(self) -> Iterator[Fact]:
        if self.level != UNSPECIFIED:
            place = LevelRange.of(self.level)
            yield Fact("level-named", True, at=self.chart.as_of)
        else:
            episode = self.chart.current_episode(self.level)
            procedures = [e for e in self.chart.episodes_of(EpisodeKind.PROCEDURE) if self.level in e.levels]
            text = episode.range if episode else (procedures[-1].range if procedures else "")
            place = LevelRange.parse(text) if text else WHOLE_SPINE
        words = {"range": str(place) if place != WHOLE_SPINE else "no code says which"}
        yield Fact("level-order", Interval(place.lo, place.hi), at=self.chart.as_of, detail=words)

    def evidence(self) -> Fact:
        """The strongest sign of a fracture at this level."""
        own = tuple(f.sighting.source for f in self._own_fractures())
        if own:
            return Fact("fracture-evidence", "diagnosed", at=self.chart.as_of, sources=own)
        hot = [f for f in self._own("marrow-oedema", "tracer-uptake") if f.answer == "present"]
        if hot:
            return Fact("fracture-evidence", "acute-imaging", at=hot[-1].at, sources=(hot[-1].source,))
        bent = [f for f in self.chart.named("vertebral-height-loss") if f.level == self.level and f.deformed]
        if bent:
            return Fact("fracture-evidence", "deformity-only", at=bent[-1].at, sources=(bent[-1].source,))
        told = self.level in _told(self.chart)  # if not, an order alone names it
        return Fact("fracture-evidence", "cement-only" if told else "none", at=self.chart.as_of)

    def _own_fractures(self) -> list[Fracture]:
        episode = self.chart.current_episode(self.level)
        return [f for f in self.chart.fractures if episode is not None and f.sighting.source in episode.sources]

    def _dates(self) -> Iterator[Fact]:
        episode = self.chart.current_episode(self.level)
        if episode is None:
            return
        as_of, sources = self.chart.as_of, episode.sources
        yield self._days_since_onset(episode)
        last = max([episode.last_at, *(f.at for f in self.chart.findings if f.level == self.level)])
        yield Fact("days-since-evidence", days(last, as_of), at=as_of, sources=sources, since=last)

    def _days_since_onset(self, episode: Episode) -> Fact:
        """By the stated onset; one that leaves more than a day open is only a candidate: no bound is met by luck."""
        datum, sources = "days-since-onset", episode.sources
        own = (
            [f for f in self._own_fractures() if f.sighting.stated]
            if episode.onset_stated
            else self._said_since(episode)
        )
        if not own:
            return unknown(datum, sources=sources)
        begun = episode.onset_at if episode.onset_stated else min(f.sighting.at for f in own)
        sources = tuple(dict.fromkeys((*sources, *(f.sighting.source for f in own))))
        count, own = days(begun, self.chart.as_of), [f for f in own if f.sighting.at == begun]
        if own and all(f.vague for f in own):
            why = {"why": "the onset is stated without its day"}
            at = self.chart.as_of
            vague = unknown(datum, Reason.UNCONFIRMED, candidate=count, at=at, sources=sources, detail=why)
            return replace(vague, since=begun)
        return Fact(datum, count, at=self.chart.as_of, sources=sources, since=begun)

    def _said_since(self, episode: Episode) -> list[Fracture]:
        """The diagnoses of this vertebra that were written since its episode began and state an older onset.

        They lie too far back to be clustered with what was seen; whoever writes them knows of it all the same.
        """
        written = {
            r.reference: when.earliest
            for r in self.chart.of_type("Condition")
            if self.chart.standing(r.body) == "active" and (when := recorded(r.body, self.chart.zone)) is not None
        }
        rows = [f for f in self.chart.fractures if f.sighting.stated and f.sighting.place.level == self.level]
        return [f for f in rows if f.sighting.source in written and written[f.sighting.source] >= episode.onset_at]

    def acuity(self) -> Fact:
        """Oedema or uptake since onset: a fresh adequate MRI decides; a scan counts where MRI is absent or old.

        A later scan that finds nothing leaves a positive MRI in doubt: a later negative is never passed over.
        """
        datum = "acuity-imaging"
        rows = [f for f in self._own("marrow-oedema", "tracer-uptake") if f.answer in ("present", "absent")]
        mri = [f for f in rows if f.code == "marrow-oedema" and f.technique in MRI]
        scans = [f for f in rows if f.code == "tracer-uptake" and f.technique in NUCLEAR]
        values = {"present": "oedema-or-uptake", "absent": "none"}
        last = latest(mri)
        if not last or self.chart.as_of - last[0].at > MRI_DECIDES:
            last = latest([*mri, *scans])
        elif last[0].answer == "present":
            last = (*last, *(f for f in latest(scans) if f.answer == "absent" and f.at > last[0].at))
        if last:
            finding = {"marrow-oedema": "marrow oedema", "tracer-uptake": "tracer uptake"}[last[0].code]
            said = finding if last[0].answer == "present" else f"no {finding}"
            detail = {"finding": said, "technique": _TECHNIQUES[last[0].technique]}
            return agreed(datum, last, lambda f: values[f.answer], **detail)
        loose = [f for f in rows if f.code == "marrow-oedema" and not f.technique]
        if loose:
            return unknown(
                datum, Reason.UNCONFIRMED, candidate=values[loose[-1].answer], at=loose[-1].at,
                sources=[loose[-1].source], detail={"why": "the technique is not recorded"},
            )  # fmt: skip
        return unknown(datum)

    def _height(self) -> Fact:
        rows = [f for f in self.chart.named("vertebral-height-loss") if f.level == self.level and f.number is not None]
        return agreed("height-loss", latest(rows), lambda f: f.number or Decimal(0)) if rows else unknown("height-loss")

    def tenderness(self) -> Fact:
        """Same level means same level; one level off counts only where neither neighbour is deformed, and says so."""
        if self.level == UNSPECIFIED:
            return unknown("tenderness")
        own = latest([f for f in self._own("spinal-tenderness") if f.answer in ("present", "absent")])
        beside = [f for f in self._tender_neighbours() if not own or f.at >= own[0].at]
        if any(f.answer == "present" for f in own) or (own and not beside):
            values = {"present": "at-level", "absent": "absent"}
            return agreed("tenderness", own, lambda f: values[f.answer], place=self.level)
        if beside and all(self._sound(level) for level in neighbours(self.level)) and self._ours(beside[0].level):
            note = ", one level off: counted because neither neighbour is deformed"
            return agreed("tenderness", beside[:1], lambda _: "one-level-off", place=beside[0].level, note=note)
        note = f"; tender at {beside[0].level}" if beside else ""
        if own:
            return agreed("tenderness", own, lambda _: "absent", note=note)
        return unknown("tenderness", detail={"note": note} if note else None)

    def _tender_neighbours(self) -> list[Finding]:
        """Neighbours whose latest examination, of the present episode, found them tender."""
        found: list[Finding] = []
        for level in neighbours(self.level):
            rows = [f for f in self.chart.named("spinal-tenderness") if f.level == level and f.at <= self.until]
            last = latest([f for f in rows if f.answer in ("present", "absent") and f.at >= self._since])
            found += [f for f in last if f.answer == "present"]
        return found

    def _ours(self, tender: str) -> bool:
        """Whether a tender vertebra can only point at this level: no fracture lies on its other side."""
        others = [level for level in neighbours(tender) if level != self.level]
        return not any(level in episode.levels for level in others for episode in self.chart.episodes)

    def _sound(self, level: str) -> bool:
        """Whether a neighbour is known not to be deformed: measured, at no loss of height, and nowhere a fracture."""
        if any(level in episode.levels for episode in self.chart.episodes):
            return False
        last = latest([f for f in self.chart.named("vertebral-height-loss") if f.level == level])
        return bool(last) and all(f.number == 0 or f.answer == "absent" for f in last)

    def _cement(self) -> Iterator[Fact]:
        """What the record holds of cement here: since onset (or days before it, as claims are dated), and earlier."""
        own = [e for e in self.chart.cement if e.cement and e.place.level == self.level != UNSPECIFIED]
        dated = sorted((e.when.earliest, e.resource.reference) for e in own if e.when is not None)
        begin = self._since if self._since == _EVER else self._since - DATED_EARLY
        since = [row for row in dated if row[0] >= begin]
        before = [row for row in dated if row[0] < begin]
        unplaced = [e.resource.reference for e in self.chart.cement if self._may_be_here(e, begin)]
        if since:
            yield Fact("cement-on-record", True, at=since[-1][0], sources=tuple(ref for _, ref in since))
        elif unplaced:
            yield unknown("cement-on-record", Reason.CONFLICTING, sources=unplaced)
        else:
            yield Fact("cement-on-record", False, at=self.chart.as_of)
        sources = tuple(ref for _, ref in before)
        yield Fact(
            "cement-before-onset", bool(before), at=before[-1][0] if before else self.chart.as_of, sources=sources
        )

    def _may_be_here(self, event: CementEvent, begin: datetime) -> bool:
        """Whether a procedure may have been at this vertebra since onset without saying so: unnamed, or undated."""
        if not event.cement or not (self.level == UNSPECIFIED or event.place.holds(self.level)):
            return False
        if event.when is None:
            return True
        unnamed = event.place.lo != event.place.hi
        return unnamed and event.when.earliest >= begin and not self._named_elsewhere(event)

    def _named_elsewhere(self, event: CementEvent) -> bool:
        """Whether another record of the same event names its vertebrae; an add-on code is for yet another one."""
        if event.add_on:
            return False
        episodes = [e for e in self.chart.episodes if event.resource.reference in e.sources]
        return any(UNSPECIFIED not in episode.levels for episode in episodes)
