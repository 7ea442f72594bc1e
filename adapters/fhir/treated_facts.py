"""Facts about a cemented vertebra: was it the proven one, did cement leave it, is all well, is the bone treated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.fhir.findings import Finding
from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.level_facts import LevelReader, assessed_levels
from adapters.fhir.person_facts import NEUROLOGY, answered
from adapters.fhir.reading import LEAK, ORDER, code_in, codings, happened
from pathway.episodes import SAME_FRACTURE, Episode, EpisodeKind
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, LevelRange

DESTINATIONS: Final = ("canal", "foramen", "epidural-veins", "paravertebral-veins", "disc", "soft-tissue", "lungs")


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
        yield Fact("days-since-cement", days(self.event.onset_at, as_of), at=as_of, sources=self.event.sources)
        yield self._against_proof()
        yield from self._leaks()
        yield self._neurology()
        rows = [f for f in self.chart.named("chest-check") if f.at >= self.event.onset_at]
        yield answered(
            self.chart, "chest-after-cement", "chest-check", {"normal": "normal", "symptoms": "symptoms"}, rows
        )
        yield self._ct()
        yield self._cause()
        yield self._referral()

    def _against_proof(self) -> Fact:
        """The vertebrae that were fresh and tender before the procedure, against the one that was cemented."""
        datum, sources = "cemented-against-proof", self.event.sources
        proven: list[str] = []
        for level in assessed_levels(self.chart):
            reader = LevelReader(self.chart, level, self.event.onset_at)
            if (
                level != UNSPECIFIED
                and reader.acuity().value == "oedema-or-uptake"
                and reader.tenderness().value in ("at-level", "one-level-off")
            ):
                proven.append(level)
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

    def _leaks(self) -> Iterator[Fact]:
        """The operator's latest statement per destination; a leak named as a complication is a leak."""
        rows = [f for f in self.chart.named("cement-leak") if self._is_about_this(f)]
        named = self._complications()
        for destination in DESTINATIONS:
            datum = f"leak-{destination}"
            said = [f for f in rows if f.parts.get(destination) in ("present", "absent")]
            leak = [f for f in said if f.parts[destination] == "present"]
            sources = tuple(f.source for f in leak) or named.get(destination, ())
            if destination in named or any(f.confirmed for f in leak):
                yield Fact(datum, True, at=self.event.onset_at, sources=sources)
            elif leak:
                yield unknown(datum, Reason.UNCONFIRMED, candidate=True, at=leak[-1].at, sources=sources)
            elif said and said[-1].confirmed:
                yield Fact(datum, False, at=said[-1].at, sources=(said[-1].source,))
            elif said:
                yield unknown(datum, Reason.UNCONFIRMED, candidate=False, at=said[-1].at, sources=(said[-1].source,))

    def _is_about_this(self, finding: Finding) -> bool:
        """Whether a statement is of this event (it refers to it, or to none and follows it) and of this vertebra."""
        procedures = [r for r in finding.about if r.startswith("Procedure/")]
        ours = bool(set(procedures) & set(self.event.sources)) if procedures else finding.at >= self.event.onset_at
        return ours and finding.level in (self.level, UNSPECIFIED)

    def _complications(self) -> dict[str, tuple[str, ...]]:
        """Destinations that the event's procedures name as complications, where the procedure is at this vertebra."""
        found: dict[str, tuple[str, ...]] = {}
        for event in self.chart.cement:
            same = event.resource.reference in self.event.sources
            if same and event.sighting.place.level in (self.level, UNSPECIFIED):
                for coding in codings(event.resource.body.get("complication")):
                    if coding.get("system") == LEAK and coding.get("code") in DESTINATIONS:
                        found[str(coding["code"])] = (event.resource.reference,)
        return found

    def _neurology(self) -> Fact:
        rows = [f for f in self.chart.named("neurological-examination") if f.at >= self.event.onset_at]
        exam = answered(self.chart, "neurology-after-cement", "neurological-examination", NEUROLOGY, rows)
        for resource, standing in self.chart.conditions("neurologic-emergency"):
            if standing == "active" and self.chart.dated(resource) >= self.event.onset_at:
                at = self.chart.dated(resource)
                return Fact("neurology-after-cement", "cord-or-cauda", at=at, sources=(resource.reference,))
        return exam

    def _ct(self) -> Fact:
        for study in self.chart.of_type("ImagingStudy"):
            when = happened(study.body, self.chart.zone)
            modalities = [
                study.body.get("modality") or [],
                *(s.get("modality") for s in study.body.get("series") or ()),
            ]
            flat = [m for item in modalities for m in (item if isinstance(item, list) else [item]) if m]
            done = study.body.get("status") == "available" and when is not None and when.earliest >= self.event.onset_at
            if done and self.chart.terms.match("ct-modality", flat) and when is not None:
                return Fact("ct-after-cement", True, at=when.earliest, sources=(study.reference,))
        return unknown("ct-after-cement")

    def _cause(self) -> Fact:
        fractured = [e for e in self.chart.episodes if e.kind is EpisodeKind.FRACTURE]
        own = self.causes.get(self.level)
        if (own is None or not any(self.level in e.levels for e in fractured)) and len(fractured) == 1:
            own = self.causes.get(fractured[0].levels[0])
        if own is None:
            return unknown("treated-cause")
        return Fact("treated-cause", own.value, own.reason, own.candidate, own.at, own.sources)

    def _referral(self) -> Fact:
        """The best standing of a referral written since the fracture: an order is placed, a completed one is kept."""
        since = self.event.onset_at - SAME_FRACTURE
        standing: dict[str, Fact] = {}
        for request in self.chart.of_type("ServiceRequest"):
            when = happened(request.body, self.chart.zone)
            if (
                code_in(ORDER, request.body.get("code")) != "osteoporosis-referral"
                or when is None
                or when.latest < since
            ):
                continue
            status = {"completed": "kept", "active": "placed", "on-hold": "placed"}.get(str(request.body.get("status")))
            if status:
                fact = Fact("osteoporosis-referral", status, at=when.earliest, sources=(request.reference,))
                standing[status] = fact
        return standing.get("kept") or standing.get("placed") or unknown("osteoporosis-referral")
