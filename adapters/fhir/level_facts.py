"""Facts about one vertebra: what is fractured, why, how fresh, how tender, how long cared for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.person_facts import agreed, located_pain
from adapters.fhir.reading import ORDER, code_in, happened
from pathway.episodes import EpisodeKind
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.levels import UNSPECIFIED, WHOLE_SPINE, LevelRange, neighbours, sort_key

MRI: Final = frozenset({"stir", "fat-suppressed-t2"})
NUCLEAR: Final = frozenset({"bone-scan", "spect", "spect-ct"})
_TECHNIQUES: Final = {
    "stir": "STIR MRI", "fat-suppressed-t2": "fat-suppressed MRI", "bone-scan": "bone scan", "spect": "SPECT",
    "spect-ct": "SPECT-CT",
}  # fmt: skip
_CAUSES: Final = {"vertebral-fracture-osteoporotic": "osteoporotic", "vertebral-fracture-neoplastic": "neoplastic"}
_CAUSES_ELSEWHERE: Final = {"443165006": "osteoporotic", "366908006": "neoplastic", "M8468": "other-disease"}
"""Codes for any bone that state a cause: SNOMED CT ids, or the first five characters of ICD-10-CM without its dot."""


def assessed_levels(chart: KnownChart) -> tuple[str, ...]:
    """The vertebrae that have a sheet: fractured, deformed, fresh on imaging, or cemented; head to tail."""
    found = {level for episode in chart.episodes for level in episode.levels}
    found |= {finding.level for finding in chart.named("vertebral-height-loss") if finding.deformed}
    return tuple(sorted(found, key=sort_key))


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
        yield self.cause()
        yield from self._dates()
        yield self.acuity()
        yield self._height()
        yield self.tenderness()
        yield self._care()
        yield self._pain_change()
        yield self._cement()

    def _own(self, *codes: str) -> list[Finding]:
        """Findings at this level, of the current episode, up to the bound."""
        since = self.chart.since(self.level)
        return [f for f in self.chart.named(*codes) if f.level == self.level and since <= f.at <= self.until]

    def _place(self) -> Iterator[Fact]:
        if self.level != UNSPECIFIED:
            place = LevelRange.of(self.level)
            yield Fact("level-named", True, at=self.chart.as_of)
        else:
            episode = self.chart.current_episode(self.level)
            procedures = [e for e in self.chart.episodes if e.kind is EpisodeKind.PROCEDURE and self.level in e.levels]
            text = episode.range if episode else (procedures[-1].range if procedures else "")
            place = LevelRange.parse(text) if text else WHOLE_SPINE
        words = {"range": str(place) if place != WHOLE_SPINE else "no code says which"}
        yield Fact("level-order", Interval(place.lo, place.hi), at=self.chart.as_of, detail=words)

    def evidence(self) -> Fact:
        """The strongest sign of a fracture at this level."""
        own = [f for f in self.chart.fractures if self._is_of_episode(f.sighting.source)]
        if own:
            return Fact(
                "fracture-evidence", "diagnosed", at=self.chart.as_of, sources=tuple(f.sighting.source for f in own)
            )
        hot = [f for f in self._own("marrow-oedema", "tracer-uptake") if f.answer == "present"]
        if hot:
            return Fact("fracture-evidence", "acute-imaging", at=hot[-1].at, sources=(hot[-1].source,))
        bent = [f for f in self.chart.named("vertebral-height-loss") if f.level == self.level and f.deformed]
        if bent:
            return Fact("fracture-evidence", "deformity-only", at=bent[-1].at, sources=(bent[-1].source,))
        return Fact("fracture-evidence", "cement-only", at=self.chart.as_of)

    def _is_of_episode(self, source: str) -> bool:
        episode = self.chart.current_episode(self.level)
        return episode is not None and source in episode.sources

    def cause(self) -> Fact:
        """What broke it: said by codes, or by a low-energy mechanism with osteoporosis and no tumour on record."""
        own = [f for f in self.chart.fractures if self._is_of_episode(f.sighting.source)]
        said = {_CAUSES[f.value_set]: f.sighting.source for f in own if f.value_set in _CAUSES}
        for row in own:
            code = row.code.replace(".", "")
            elsewhere = _CAUSES_ELSEWHERE.get(code) or _CAUSES_ELSEWHERE.get(code[:5])
            if row.value_set == "fracture-other-site" and elsewhere:
                said[elsewhere] = row.sighting.source
        energy = latest([f for f in self.chart.named("fracture-mechanism") if f.at >= self.chart.since(self.level)])
        if any(f.answer == "high-energy" for f in energy):
            said["high-energy"] = energy[0].source
        tumour = [r.reference for r, s in self.chart.conditions("neoplasm") if s != "over"]
        sources = [*said.values(), *tumour]
        if len(said) > 1 or ("osteoporotic" in said and tumour):
            return unknown("fracture-cause", Reason.CONFLICTING, sources=sources)
        if said:
            ((cause, source),) = said.items()
            return Fact("fracture-cause", cause, at=self.chart.as_of, sources=(source,))
        return self._cause_from_history(energy, tumour)

    def _cause_from_history(self, energy: Sequence[Finding], tumour: Sequence[str]) -> Fact:
        bone = [r.reference for r, s in self.chart.conditions("osteoporosis") if s != "suspected"]
        low = [f.source for f in energy if f.answer == "low-energy"]
        if tumour:
            return unknown("fracture-cause", Reason.UNCONFIRMED, candidate="neoplastic", sources=tumour)
        if low and bone:
            return Fact("fracture-cause", "osteoporotic", at=self.chart.as_of, sources=(*low, *bone))
        if low or bone:
            return unknown("fracture-cause", Reason.UNCONFIRMED, candidate="osteoporotic", sources=[*low, *bone])
        return unknown("fracture-cause")

    def _dates(self) -> Iterator[Fact]:
        episode = self.chart.current_episode(self.level)
        if episode is None:
            return
        as_of, sources = self.chart.as_of, episode.sources
        if episode.onset_stated:
            yield Fact("days-since-onset", days(episode.onset_at, as_of), at=as_of, sources=sources)
        else:
            yield unknown("days-since-onset", sources=sources)
        last = max([episode.last_at, *(f.at for f in self.chart.findings if f.level == self.level)])
        yield Fact("days-since-evidence", days(last, as_of), at=as_of, sources=sources)

    def acuity(self) -> Fact:
        """Oedema by the latest adequate MRI since onset; uptake only where there is no such MRI."""
        datum = "acuity-imaging"
        rows = [f for f in self._own("marrow-oedema", "tracer-uptake") if f.answer in ("present", "absent")]
        mri = [f for f in rows if f.code == "marrow-oedema" and f.technique in MRI]
        adequate = mri or [f for f in rows if f.code == "tracer-uptake" and f.technique in NUCLEAR]
        values = {"present": "oedema-or-uptake", "absent": "none"}
        if adequate:
            last = latest(adequate)
            finding = {"marrow-oedema": "marrow oedema", "tracer-uptake": "tracer uptake"}[last[0].code]
            said = finding if last[0].answer == "present" else f"no {finding}"
            technique = _TECHNIQUES[last[0].technique]
            return agreed(datum, last, lambda f: values[f.answer], finding=said, technique=technique)
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
        if any(f.answer == "present" for f in own) or (own and not self._tender_neighbours()):
            values = {"present": "at-level", "absent": "absent"}
            return agreed("tenderness", own, lambda f: values[f.answer], place=self.level)
        beside = self._tender_neighbours()
        if beside and all(self._sound(level) for level in neighbours(self.level)):
            note = ", one level off: counted because neither neighbour is deformed"
            return agreed("tenderness", beside[:1], lambda _: "one-level-off", place=beside[0].level, note=note)
        note = f"; tender at {beside[0].level}" if beside else ""
        if own:
            return agreed("tenderness", own, lambda _: "absent", note=note)
        return unknown("tenderness", detail={"note": note} if note else None)

    def _tender_neighbours(self) -> list[Finding]:
        """Neighbours whose latest examination, of the present episode, found them tender."""
        since = self.chart.since(self.level)
        found: list[Finding] = []
        for level in neighbours(self.level):
            rows = [
                f for f in self.chart.named("spinal-tenderness") if f.level == level and since <= f.at <= self.until
            ]
            last = latest([f for f in rows if f.answer in ("present", "absent")])
            found += [f for f in last if f.answer == "present"]
        return found

    def _sound(self, level: str) -> bool:
        """Whether a neighbour is known not to be deformed: measured, at no loss of height, and nowhere a fracture."""
        if any(level in episode.levels for episode in self.chart.episodes):
            return False
        last = latest([f for f in self.chart.named("vertebral-height-loss") if f.level == level])
        return bool(last) and all(f.number == 0 or f.answer == "absent" for f in last)

    def _care(self) -> Fact:
        """Days from the first conservative care of this episode to now, or to its end."""
        datum = "conservative-care-days"
        episode = self.chart.current_episode(self.level)
        spans = [
            (f.at, f.until or self.chart.as_of, f.source)
            for f in self.chart.named("conservative-care")
            if f.answer != "absent"
        ]
        for procedure in self.chart.of_type("Procedure"):
            when = happened(procedure.body, self.chart.zone)
            if code_in(ORDER, procedure.body.get("code")) == "conservative-care" and when is not None:
                spans.append((when.earliest, self.chart.as_of, procedure.reference))
        if episode is None:
            return unknown(datum)
        spans = [span for span in spans if span[1] >= episode.onset_at]
        if not spans:
            none = [
                f for f in self.chart.named("conservative-care") if f.answer == "absent" and f.at >= episode.onset_at
            ]
            return Fact(datum, 0, at=none[-1].at, sources=(none[-1].source,)) if none else unknown(datum)
        begin = max(episode.onset_at, min(span[0] for span in spans))
        end = min(self.chart.as_of, max(span[1] for span in spans))
        return Fact(datum, days(begin, end), at=self.chart.as_of, sources=tuple(span[2] for span in spans))

    def _pain_change(self) -> Fact:
        """The latest located score less the first since onset, like with like, at least a day apart."""
        rows = [f for f in located_pain(self.chart) if f.at >= self.chart.since(self.level)]
        moving = [f for f in rows if f.circumstance == "on-movement"]
        rows = moving if len(moving) > 1 else rows
        if len(rows) < 2 or days(rows[0].at, rows[-1].at) < 1:
            return unknown("pain-change", sources=[f.source for f in rows])
        first, last = rows[0].number or Decimal(0), rows[-1].number or Decimal(0)
        return Fact("pain-change", last - first, at=rows[-1].at, sources=(rows[0].source, rows[-1].source))

    def _cement(self) -> Fact:
        """Whether the record holds cement here since onset; a procedure that may be here, unnamed, leaves it open."""
        since = self.chart.since(self.level)
        own: list[tuple[datetime, str]] = []
        maybe: list[str] = []
        for event in self.chart.cement:
            if event.sighting.at < since:
                continue
            if event.sighting.place.level == self.level and self.level != UNSPECIFIED:
                own.append((event.sighting.at, event.resource.reference))
            elif event.sighting.place.lo != event.sighting.place.hi and self._may_be_here(event.sighting.place):
                maybe.append(event.resource.reference)
        if own:
            return Fact("cement-on-record", True, at=max(own)[0], sources=tuple(source for _, source in own))
        if maybe and not self._named_otherwise():
            return unknown("cement-on-record", Reason.CONFLICTING, sources=maybe)
        return Fact("cement-on-record", False, at=self.chart.as_of)

    def _may_be_here(self, place: LevelRange) -> bool:
        return self.level == UNSPECIFIED or place.holds(self.level)

    def _named_otherwise(self) -> bool:
        """Whether every procedure event since onset names its vertebrae in one of its records."""
        since = self.chart.since(self.level)
        events = [e for e in self.chart.episodes if e.kind is EpisodeKind.PROCEDURE and e.onset_at >= since]
        return all(UNSPECIFIED not in event.levels for event in events)
