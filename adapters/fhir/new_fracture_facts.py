"""Fractures after cement: how far from it, between what, and how many in how short a time.

Where a fracture lies is a statement about the record, and says nothing of why it came there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from adapters.fhir.answers import HOLDS, THERE, answered
from adapters.fhir.events import MRI, NUCLEAR
from adapters.fhir.findings import Finding
from adapters.fhir.height import later_loss, unseen_loss
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.level_facts import DATED_EARLY
from pathway.episodes import Episode, EpisodeKind
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.levels import LEVELS, UNSPECIFIED, apart, order, sort_key

QUARTER: Final = timedelta(days=92)
"""Three months. A project default of 2026-11-23, awaiting sign-off."""
_NEXT, _BETWEEN, _STUDIED = "next-to-cement", "sandwiched", "studied-since-height-loss"
_DISTANCES: Final[Mapping[int, tuple[str, str]]] = {
    1: ("adjacent", "next to the cemented"), 2: ("two-away", "two vertebrae from the cemented"),
}  # fmt: skip
_FAR: Final = ("elsewhere", "further away from the cemented")
_OTHER_CAUSES: Final = ("neoplastic", "high-energy")
_MOST: Final = 100  # the upper bound of every count of fractures in rules/vocabulary


def placed(chart: KnownChart, level: str) -> Iterator[Fact]:
    """Where one vertebra lies among the cemented ones."""
    if level != UNSPECIFIED:
        yield next_to_cement(chart, level)
        yield _sandwiched(chart, level)
        yield _studied(chart, level)


def next_to_cement(chart: KnownChart, level: str) -> Fact:
    """How far a fracture that began after cement lies from the nearest of it; not recorded where it did not.

    It is `adjacent` to a neighbour, `two-away` from the next but one, else `elsewhere`. Without a stated onset it may
    have been there before: unconfirmed. A vertebra without a known fracture counts once it lost height after cement.
    """
    begun = _begun(chart, level)
    if begun is None:
        return unknown(_NEXT)
    at, sources, sure = begun
    cement = cemented_before(chart, level, at)
    if not cement:
        return unknown(_NEXT)
    near = min(apart(level, other) for other in cement)
    nearest = [other for other in sorted(cement, key=sort_key) if apart(level, other) == near]
    word, where = _DISTANCES.get(near, _FAR)
    detail = {"cemented": " and ".join(nearest), "where": where}
    if sure:
        return Fact(_NEXT, word, None, None, at, sources, detail)
    why = detail | {"why": "its onset is not stated"}
    return unknown(_NEXT, Reason.UNCONFIRMED, candidate=word, at=at, sources=sources, detail=why)


def _begun(chart: KnownChart, level: str) -> tuple[datetime, tuple[str, ...], bool] | None:
    """Since when a vertebra is fractured, by which records, and whether its onset is sure."""
    episode = chart.current_episode(level)
    if episode is not None:
        return episode.onset_at, episode.sources, sure_onset(chart, episode)
    lost, _ = _lost(chart, level)
    return (lost[0].at, tuple(f.source for f in lost), all(f.confirmed for f in lost)) if lost else None


def _lost(chart: KnownChart, level: str) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The height that a vertebra lost since cement, and the last study of it if that came after all of the loss."""
    first = min((e.onset_at for e in chart.episodes_of(EpisodeKind.PROCEDURE)), default=None)
    if first is None:
        return (), ()
    rows = [f for f in chart.named("vertebral-height-loss") if f.level == level]
    studies = [f for f in chart.named("marrow-oedema", "tracer-uptake") if f.level == level and _adequate(f)]
    unseen = unseen_loss(rows, first, [f.at + timedelta.resolution for f in studies])  # itself it may show the loss
    if unseen:
        return unseen, ()
    return later_loss(rows, first), tuple(studies[-1:])


def _adequate(study: Finding) -> bool:
    technique = MRI if study.code == "marrow-oedema" else NUCLEAR
    return study.confirmed and study.answer in THERE and study.technique in technique


def _studied(chart: KnownChart, level: str) -> Fact:
    """Whether a vertebra was looked at since it lost height: a study of before shows nothing of it."""
    lost, studies = _lost(chart, level)
    if not lost or not studies:
        return unknown(_STUDIED)
    return Fact(_STUDIED, True, None, None, studies[-1].at, (studies[-1].source,))


def sure_onset(chart: KnownChart, episode: Episode) -> bool:
    """Whether a confirmed diagnosis states its onset to the day; else whether fluid or uptake was its first sign.

    A diagnosis that states none may be of a fracture that was there before.
    """
    told = [f for f in chart.fractures if f.sighting.source in episode.sources]
    if episode.onset_stated:
        return any(f.confirmed and not f.vague and f.sighting.stated for f in told)
    return all(f.sighting.at > episode.onset_at for f in told)


def cemented_before(chart: KnownChart, level: str, at: datetime) -> Set[str]:
    """The other vertebrae that had cement when a fracture at this one began.

    Not those of the procedure that treated it: claims date a fracture at its operation or days after.
    """
    found: set[str] = set()
    for event in chart.episodes_of(EpisodeKind.PROCEDURE):
        own = level in event.levels and event.onset_at > at - DATED_EARLY
        if event.onset_at <= at and not own:
            found.update(event.levels)
    return found - {UNSPECIFIED, level}


def _sandwiched(chart: KnownChart, level: str) -> Fact:
    """Whether it lies, alone or one of two, without cement between two cemented vertebrae, or is one of those two."""
    cemented = {one for event in chart.episodes_of(EpisodeKind.PROCEDURE) for one in event.levels}
    sources = tuple(sorted({s for e in chart.episodes_of(EpisodeKind.PROCEDURE) for s in e.sources}))
    between, bounds = sandwich(cemented)
    word = "between" if level in between else "bounds" if level in bounds else "neither"
    if word == "neither" and UNSPECIFIED in cemented:
        why = {"why": "a procedure does not name its vertebra"}
        return unknown(_BETWEEN, Reason.UNCONFIRMED, at=chart.as_of, sources=sources, detail=why)
    return Fact(_BETWEEN, word, None, None, chart.as_of, sources if word != "neither" else ())


def sandwich(cemented: Iterable[str]) -> tuple[Set[str], Set[str]]:
    """The vertebrae that lie in gaps of one or two between cemented ones, and the cemented ones beside such gaps."""
    places = sorted(order(level) for level in set(cemented) - {UNSPECIFIED})
    between: set[str] = set()
    bounds: set[str] = set()
    for upper, lower in pairwise(places):
        gap = LEVELS[upper : lower - 1]
        if len(gap) in (1, 2):
            between.update(gap)
            bounds.update((LEVELS[upper - 1], LEVELS[lower - 1]))
    return between, bounds


def fracture_counts(chart: KnownChart, rows: Mapping[str, Mapping[str, Fact]]) -> Iterator[Fact]:
    """How many fractures are on record, how many came in three months after cement, and whether that was thought over.

    Each counts from those that are surely fractures of their own to all that may be: one without a vertebra, or coded
    again without an onset, may be one that is known. What a tumour or great force broke is left out.
    """
    own = [e for e in chart.episodes_of(EpisodeKind.FRACTURE) if not _other_cause(chart, e, rows)]
    sure = [e for e in own if _of_its_own(chart, e, own)]
    last = max((e.onset_at for e in own), default=None)
    yield _count("fracture-episodes", sure, own, last)
    first = min((e.onset_at for e in chart.episodes_of(EpisodeKind.PROCEDURE)), default=None)
    new = [e for e in own if first is not None and e.onset_at > first and _after_cement(chart, e)]
    latest_new = max((e.onset_at for e in new), default=last)
    recent = [e for e in new if latest_new is not None and latest_new - e.onset_at <= QUARTER]
    surely = [e for e in recent if e in sure and sure_onset(chart, e)]
    yield _count("fractures-in-three-months", surely, recent, latest_new)
    yield _reviewed(chart.named("cluster-review"), last)


def _count(datum: str, sure: Sequence[Episode], all_: Sequence[Episode], at: datetime | None) -> Fact:
    if at is None:
        return unknown(datum)
    sources = tuple(sorted({source for episode in all_ for source in episode.sources}))
    return Fact(datum, Interval(min(len(sure), _MOST), min(len(all_), _MOST)), None, None, at, sources)


def _other_cause(chart: KnownChart, episode: Episode, rows: Mapping[str, Mapping[str, Fact]]) -> bool:
    level = episode.levels[0]
    current = chart.current_episode(level)
    cause = rows.get(level, {}).get("fracture-cause")
    return current == episode and cause is not None and cause.value in _OTHER_CAUSES


def _of_its_own(chart: KnownChart, episode: Episode, every: Sequence[Episode]) -> bool:
    """Whether it is surely a fracture, and no other one of the same vertebra coded again."""
    told = [f for f in chart.fractures if f.sighting.source in episode.sources]
    before = any(e.levels == episode.levels and e.onset_at < episode.onset_at for e in every)
    confirmed = not told or any(f.confirmed for f in told)
    return episode.levels != (UNSPECIFIED,) and confirmed and (episode.onset_stated or not before)


def _after_cement(chart: KnownChart, episode: Episode) -> bool:
    """Whether some cement was in before it began, other than that which treated it."""
    level = episode.levels[0]
    events = [e for e in chart.episodes_of(EpisodeKind.PROCEDURE) if e.onset_at <= episode.onset_at]
    own = [e for e in events if level in e.levels and e.onset_at > episode.onset_at - DATED_EARLY]
    return len(events) > len(own)


def _reviewed(said: Sequence[Finding], last: datetime | None) -> Fact:
    """A statement that the run of fractures was thought over; one from before the last of them cannot have meant it."""
    fact = answered("cluster-review", HOLDS, said)
    if fact.at is None or last is None or fact.at >= last:
        return fact
    why = {"why": "given before the last fracture"}
    return unknown(fact.datum, Reason.STALE, candidate=fact.value, at=fact.at, sources=fact.sources, detail=why)
