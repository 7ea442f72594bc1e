"""Facts about a cemented vertebra: was it the proven one, did cement leave it, is all well, is the bone treated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import examined
from adapters.fhir.bone_facts import bone_facts
from adapters.fhir.chest_facts import Chest
from adapters.fhir.contact_facts import cemented_again, function_after, last_contact
from adapters.fhir.ct_facts import ct_after
from adapters.fhir.embolism_facts import embolism_stated
from adapters.fhir.findings import Finding
from adapters.fhir.infection_signs import wound
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.leak_facts import leak_facts
from adapters.fhir.level_facts import LevelReader, assessed_levels
from adapters.fhir.nerve_signs import Nerves
from adapters.fhir.pain_course import PainCourse
from adapters.fhir.person_facts import latest_pain
from adapters.fhir.reading import LEAK, codings
from adapters.fhir.recollapse_facts import FOUND as SUNK
from adapters.fhir.recollapse_facts import recollapse
from adapters.fhir.technique_facts import TOLD, details
from adapters.fhir.work_up_facts import NEW_PAIN, work_up
from pathway.episodes import SAME_EVENT, SAME_FRACTURE, Episode, EpisodeKind
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, LevelRange

DESTINATIONS: Final = ("canal", "foramen", "epidural-veins", "paravertebral-veins", "disc", "soft-tissue", "lungs")
"""Where the operator states for each whether cement went there."""

GRAVE: Final = ("intradural", "heart-or-cava")
"""Where cement is stated only if it is there: that nobody speaks of it leaves no statement incomplete."""


OBSERVED: Final = timedelta(days=30)
"""How long after cement a check still counts as one of it. A project default of 2026-11-22, awaiting sign-off."""


_LOOKED_AT: Final = ("neurological-examination", "chest-check")


def over_at(chart: KnownChart, event: Episode) -> datetime:
    """The latest instant at which a procedure can have been done; a date alone means the end of that day."""
    own = [e for e in chart.cement if e.resource.reference in event.sources and e.when is not None]
    return max((e.when.latest for e in own if e.when is not None), default=event.onset_at)


@dataclass(frozen=True, slots=True)
class TreatedReader:
    """Answers the questions about one vertebra of one procedure event."""

    chart: KnownChart
    event: Episode
    level: str
    causes: Mapping[str, Fact]

    def facts(self) -> Iterator[Fact]:
        """Every fact of the treated level's sheet that the chart can answer."""
        as_of = self.chart.as_of
        begun, sources = self.event.onset_at, self.event.sources
        yield Fact("days-since-cement", days(begun, as_of), at=as_of, sources=sources, since=begun)
        yield self._against_proof()
        yield from self._leaks()
        signs = self._chest_reader.first_signs
        yield from leak_facts(self.chart, self.event, self.level, self._over_at, self._is_of_event, signs)
        yield self._neurology()
        yield from self._chest()
        yield from self._observed()
        yield ct_after(self.chart, self.level, self._over_at)
        told = [f for f in self.chart.named(*TOLD) if self._is_of_event(f)]
        yield from details(self.chart, self.event, self.level, told)
        yield self.cause()
        yield latest_pain(self.chart, "pain-after-cement", self._over_at)
        yield last_contact(self.chart, self.event, self._over_at)
        yield cemented_again(self.chart, self.event)
        yield from function_after(self.chart, self.event, self._over_at)
        yield from self._course()
        yield from bone_facts(self.chart, self.fractured_at)

    def _course(self) -> Iterator[Fact]:
        """How the pain went since, what was done about it, and whether the vertebra sank further."""
        course = PainCourse.read(self.chart, self.event, self.level, self._over_at)
        yield from course.facts(self.chart, self.event)
        told = [f for f in self.chart.named(NEW_PAIN) if f.at >= self._over_at and self._is_of_event(f)]
        yield from work_up(self.chart, told, course.bad_since())
        seen = [f for f in self.chart.named(*SUNK) if self._is_of_event(f)]
        yield recollapse(self.chart, seen, self.event, self.level, self._over_at)

    @property
    def _over_at(self) -> datetime:
        return over_at(self.chart, self.event)

    @property
    def fractured_at(self) -> datetime:
        """When the fracture that was cemented began; where none is on record, `SAME_FRACTURE` before the cement.

        Care of the bone from before it was care of something else.
        """
        own = [e for e in self.chart.episodes_of(EpisodeKind.FRACTURE) if e.onset_at <= self._over_at]
        here = [e for e in own if self.level in e.levels] or (own if len(own) == 1 else [])
        return max((e.onset_at for e in here), default=self.event.onset_at - SAME_FRACTURE)

    def _is_check(self, finding: Finding) -> bool:
        """Whether a finding was surely made after the procedure, and in the time in which it speaks of it.

        A sign of danger needs no upper bound: what warns is never too late to be heard.
        """
        worrying = finding.answer not in ("normal", "")
        return finding.at >= self._over_at and (worrying or finding.at <= self._over_at + OBSERVED)

    def _against_proof(self) -> Fact:
        """The vertebrae that were fresh and tender before the procedure, against the one that was cemented."""
        datum, sources = "cemented-against-proof", self.event.sources
        proven = [level for level in assessed_levels(self.chart) if self._was_proven(level)]
        words = {"proven": ", ".join(proven)} if proven else {}
        if self.level in proven:
            return Fact(datum, "proven", at=self.chart.as_of, sources=sources, detail=words)
        if self.level == UNSPECIFIED:
            place = LevelRange.parse(self.event.range) if self.event.range else LevelRange.of(UNSPECIFIED)
            if not proven or any(place.holds(level) for level in proven):
                return unknown(datum, sources=sources, detail=words)
        missed = [level for level in proven if level not in self.event.levels]
        value = "other-level-proven" if missed else "nothing-proven"
        return Fact(datum, value, at=self.chart.as_of, sources=sources, detail=words)

    def _was_proven(self, level: str) -> bool:
        """Whether a vertebra was fresh and tender before the procedure, and not cemented by an earlier one."""
        if level == UNSPECIFIED:
            return False
        procedures = self.chart.episodes_of(EpisodeKind.PROCEDURE)
        earlier = [event for event in procedures if event.onset_at < self.event.onset_at]
        if any(level in event.levels for event in earlier):
            return False
        reader = LevelReader(self.chart, level, self._over_at)
        return reader.acuity().value == "oedema-or-uptake" and reader.tenderness().value in (
            "at-level",
            "one-level-off",
        )

    def _leaks(self) -> Iterator[Fact]:
        """The operator's latest statement per destination; a leak named as a complication is a leak.

        So is cement in the lungs that a diagnosis or a physician's reading names.
        """
        rows = [f for f in self.chart.named("cement-leak") if self._is_of_event(f)]
        places = [f for f in self.chart.named("embolism-place") if self._is_of_event(f)]
        named = self._complications()
        sure, doubted = embolism_stated(self.chart, self.event, places)
        if sure:
            named["lungs"] = (*named.get("lungs", ()), *sure)
        for destination in (*DESTINATIONS, *GRAVE):
            leak = [f for f in rows if f.parts.get(destination) == "present" and self._may_leak_here(f)]
            none = [f for f in rows if f.parts.get(destination) == "absent" and self._clears_this_level(f)]
            yield from self._leak(destination, leak, none, named.get(destination, ()), doubted)

    def _leak(
        self, destination: str, leak: Sequence[Finding], none: Sequence[Finding], named: Sequence[str],
        doubted: Sequence[str],
    ) -> Iterator[Fact]:  # fmt: skip
        """One destination: any sure record of a leak, then any doubtful one, then the latest that there is none."""
        datum, feared = f"leak-{destination}", list(doubted) if destination == "lungs" else []
        sources = tuple(f.source for f in leak) or tuple(named)
        if named or any(f.confirmed for f in leak):
            yield Fact(datum, True, at=self.event.onset_at, sources=sources)
        elif leak or feared:
            at = leak[-1].at if leak else self.event.onset_at
            sources = (*sources, *feared)
            yield unknown(datum, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources)
        elif none and none[-1].confirmed:
            yield Fact(datum, False, at=none[-1].at, sources=(none[-1].source,))
        elif none:
            yield unknown(datum, Reason.UNCONFIRMED, candidate=False, at=none[-1].at, sources=(none[-1].source,))
        else:
            yield unknown(datum)

    def _clears_this_level(self, finding: Finding) -> bool:
        """No leak clears the vertebra that it names; one without a vertebra only where the event had just the one."""
        return finding.level == self.level or (finding.level == UNSPECIFIED and len(self.event.levels) == 1)

    def _may_leak_here(self, finding: Finding) -> bool:
        """A leak counts where it names this vertebra, none, or one that the event does not know: never lost."""
        return finding.level == self.level or finding.level not in self.event.levels

    def _is_of_event(self, finding: Finding) -> bool:
        """Whether a statement is of this event: the one that it refers to, else the last before it or the next."""
        events = self.chart.episodes_of(EpisodeKind.PROCEDURE)
        named = [e for e in events if set(finding.about) & set(e.sources)]
        before = sorted((e for e in events if e.onset_at <= finding.latest), key=lambda e: e.onset_at)
        after = sorted((e for e in events if e.onset_at > finding.latest), key=lambda e: e.onset_at)
        close = [e for e in after[:1] if e.onset_at - finding.latest < SAME_EVENT]
        return any(event.id == self.event.id for event in (named or before[-1:] or close))

    def _complications(self) -> dict[str, tuple[str, ...]]:
        """Destinations that the event's procedures name as complications, where the procedure is at this vertebra."""
        found: dict[str, tuple[str, ...]] = {}
        for event in self.chart.cement:
            same = event.resource.reference in self.event.sources
            if same and event.place.level in (self.level, UNSPECIFIED):
                for coding in codings(event.resource.body.get("complication")):
                    if coding.get("system") == LEAK and coding.get("code") in (*DESTINATIONS, *GRAVE):
                        found[str(coding["code"])] = (event.resource.reference,)
        return found

    def _neurology(self) -> Fact:
        for resource, standing in self.chart.conditions("neurologic-emergency"):
            at = self.chart.dated(resource)
            if standing == "active" and at >= self.event.onset_at:
                return Fact("neurology-after-cement", "cord-or-cauda", at=at, sources=(resource.reference,))
        rows = [f for f in self.chart.named("neurological-examination") if self._is_check(f)]
        exam = examined(rows, "neurology-after-cement")
        return Nerves.of(self.chart).examined(exam, self.event.onset_at)

    @property
    def _chest_reader(self) -> Chest:
        return Chest(self.chart, self.event.onset_at, self._over_at, OBSERVED)

    def _chest(self) -> Iterator[Fact]:
        """Chest and puncture site since the procedure."""
        begun, over = self.event.onset_at, self._over_at
        yield from self._chest_reader.facts()
        yield wound(self.chart, [f for f in self.chart.named("wound-check") if self._is_of_event(f)], begun, over)

    def _observed(self) -> Iterator[Fact]:
        """The full hours after cement at which both legs and chest were last looked at, within the first days."""
        last: list[Finding] = []
        for name in _LOOKED_AT:
            rows = [f for f in self.chart.named(name) if f.confirmed and f.answer and self._is_check(f)]
            last += sorted(rows, key=lambda f: (f.at, f.source))[-1:]
        if len(last) == len(_LOOKED_AT):
            at = min(finding.at for finding in last)
            hours = (at - self._over_at) // timedelta(hours=1)
            yield Fact("observed-for", hours, at=at, sources=tuple(sorted(finding.source for finding in last)))

    def cause(self) -> Fact:
        """What broke the vertebra that was cemented; of a single fracture on record, that one's."""
        fractured = self.chart.episodes_of(EpisodeKind.FRACTURE)
        own = self.causes.get(self.level)
        if (own is None or not any(self.level in e.levels for e in fractured)) and len(fractured) == 1:
            own = self.causes.get(fractured[0].levels[0])
        if own is None:
            return unknown("treated-cause")
        return Fact("treated-cause", own.value, own.reason, own.candidate, own.at, own.sources)
