"""Episodes: what tasks hang on. A fracture (patient, level or unspecified, onset) or one procedure event.

They are stored. A corrected onset, a level learned later, or a second code for the same event finds the old episode
again instead of opening a new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pathway.canonical import instant, parse_instant
from pathway.levels import UNSPECIFIED, LevelRange, sort_key

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pathway.example/fhir/EpisodeOfCare")

SAME_FRACTURE: Final = timedelta(days=84)
"""Two records of one level this close are one fracture: 12 weeks, the end of the subacute band (catalogue A-06).

A project default of 2026-11-22, awaiting a clinician's sign-off: no source says when a second record is a second
fracture.
"""

SAME_EVENT: Final = timedelta(hours=24)
"""Procedure records less than this apart are one event: claims and theatre write different times of one operation."""


class EpisodeKind(StrEnum):
    """What an episode is about."""

    FRACTURE = "fracture"
    PROCEDURE = "procedure"
    PERSON = "person"
    """What concerns the person as a whole, such as a neurological emergency: one for each patient, of no record."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One fracture, or one procedure event with its levels.

    `onset_at` is the earliest supported onset, or the instant of the procedure; `onset_stated` is false where only the
    date of a record supports it. `last_at` is the latest record of it.
    `range` says which vertebrae it may mean where no single one is named. `sources` are the records behind it.
    """

    id: str
    kind: EpisodeKind
    levels: tuple[str, ...]
    onset_at: datetime
    last_at: datetime
    sources: tuple[str, ...]
    range: str = ""
    onset_stated: bool = True

    def to_json(self) -> dict[str, Any]:
        """For canonical JSON and for storage."""
        return {
            "id": self.id, "kind": self.kind.value, "levels": list(self.levels), "onset": instant(self.onset_at),
            "last": instant(self.last_at), "sources": list(self.sources), "range": self.range,
            "onsetStated": self.onset_stated,
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Episode:
        """The episode that `to_json` wrote."""
        return cls(
            body["id"], EpisodeKind(body["kind"]), tuple(body["levels"]), parse_instant(body["onset"]),
            parse_instant(body["last"]), tuple(body["sources"]), body["range"], body["onsetStated"],
        )  # fmt: skip


def person_episode(patient: str, at: datetime) -> Episode:
    """The one episode on which a patient's `per: patient` tasks hang; `at` is when the first of them was asked."""
    return Episode(person_episode_id(patient), EpisodeKind.PERSON, (), at, at, ())


def person_episode_id(patient: str) -> str:
    """Its id, the same for a patient for ever."""
    return str(uuid.uuid5(NAMESPACE, patient))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One record that speaks of a fracture or a procedure: where it may be, when, in which encounter.

    `since` is the stated onset that a finding still belongs to, however long ago that was; of a procedure the instant
    at which another record dates the same one, a day earlier.
    """

    kind: EpisodeKind
    place: LevelRange
    at: datetime
    last_at: datetime
    source: str
    encounter: str = ""
    stated: bool = True
    since: datetime | None = None


def cluster(patient: str, sightings: Iterable[Sighting]) -> tuple[Episode, ...]:
    """The episodes that the records speak of: one event however many codes, the earliest onset, all sources.

    Records of one place belong together when they overlap in time (`SAME_FRACTURE`, `SAME_EVENT`); a finding also joins
    the older fracture that it is still of. A record without a level joins the one named fracture of its own encounter;
    one without an onset of its own also the one current fracture that its code allows.
    """
    ordered = sorted(sightings, key=lambda s: (s.at, s.source))
    groups: list[list[Sighting]] = []
    for sighting in ordered:
        homes = [g for g in groups if _together(g, sighting)]
        if not homes:
            groups.append([sighting])
            continue
        homes[0].append(sighting)
        # what was written shortly before the film, without an onset, tells of the fracture that the film is of
        late = [g for g in homes[1:] if sighting.since is not None and not any(s.stated for s in g)]
        homes[0].extend(s for g in late for s in g)
        groups = [g for g in groups if not any(g is one for one in late)]
    return tuple(_episode(patient, group) for group in _adopt(groups))


def _together(group: Sequence[Sighting], new: Sighting) -> bool:
    first = group[0]
    if first.kind is not new.kind:
        return False
    if new.kind is EpisodeKind.PROCEDURE:
        return new.at - first.at < SAME_EVENT or any(sighting.at == new.since for sighting in group)
    last = max(sighting.last_at for sighting in group)
    same = first.place.level == new.place.level and all(s.place.meet(new.place) for s in group)
    still = new.since is not None and any(s.stated and s.at == new.since for s in group)
    return same and (still or new.at - last <= SAME_FRACTURE)


def _adopt(groups: list[list[Sighting]]) -> list[list[Sighting]]:
    """Unnamed records of an encounter that names exactly one fracture are that fracture (one event, many codes).

    So are those of a readmission, where exactly one current fracture may be meant. One that states an onset of its own
    may be a neighbour's new fracture: it stays open, and its vertebra is asked for.
    """
    kept: list[list[Sighting]] = []
    named = [g for g in groups if g[0].kind is EpisodeKind.FRACTURE and g[0].place.level != UNSPECIFIED]
    for group in groups:
        if group in named or group[0].kind is EpisodeKind.PROCEDURE:
            kept.append(group)
            continue
        orphans: list[Sighting] = []
        for sighting in group:
            hosts = [g for g in named if _same_encounter(g, sighting)]
            hosts = hosts or [g for g in named if not sighting.stated and _current(g, sighting)]
            if len(hosts) == 1:
                hosts[0].append(sighting)
            else:
                orphans.append(sighting)
        if orphans:
            kept.append(orphans)
    return kept


def _same_encounter(group: Sequence[Sighting], sighting: Sighting) -> bool:
    return bool(sighting.encounter) and any(
        s.encounter == sighting.encounter and s.place.meet(sighting.place) for s in group
    )


def _current(group: Sequence[Sighting], sighting: Sighting) -> bool:
    """Whether a record may be of a fracture that had begun by then and was spoken of not long before."""
    begun = min(s.at for s in group) <= sighting.at <= max(s.last_at for s in group) + SAME_FRACTURE
    return begun and group[0].place.meet(sighting.place) is not None


def _episode(patient: str, group: Sequence[Sighting]) -> Episode:
    kind = group[0].kind
    named = {s.place.level for s in group} - {UNSPECIFIED}
    levels = tuple(sorted(named or {UNSPECIFIED}, key=sort_key))
    onset = min(s.at for s in group)
    place = group[0].place
    for sighting in group[1:]:
        place = place.meet(sighting.place) or place
    name = f"{patient}/{kind}/{','.join(levels)}/{instant(onset)}"
    return Episode(
        id=str(uuid.uuid5(NAMESPACE, name)), kind=kind, levels=levels, onset_at=onset,
        last_at=max(s.last_at for s in group), sources=tuple(sorted({s.source for s in group})),
        range=str(place) if levels == (UNSPECIFIED,) else "",
        onset_stated=next(s for s in group if s.at == onset).stated,
    )  # fmt: skip


def match(stored: Sequence[Episode], seen: Sequence[Episode]) -> tuple[Episode, ...]:
    """What was seen, under the ids that are already known.

    A stored episode is found again by a shared record first (a corrected onset, a level learned later), then by the
    same level and overlapping time. Each stored episode is used once; stored ones no longer seen are left out.
    """
    free = {episode.id: episode for episode in stored}
    found: list[Episode] = []
    rest = list(seen)
    for same in (_same_record, _same_place):
        later: list[Episode] = []
        for episode in rest:
            old = same(free.values(), episode)
            if old is None:
                later.append(episode)
            else:
                del free[old.id]
                found.append(replace(episode, id=old.id))
        rest = later
    taken = {episode.id for episode in found}
    found += [e if e.id not in taken else replace(e, id=_another_id(e)) for e in rest]
    return tuple(sorted(found, key=lambda e: (e.kind, [sort_key(x) for x in e.levels], e.onset_at, e.id)))


def joined(stored: Sequence[Episode], seen: Sequence[Episode]) -> dict[str, str]:
    """The stored episodes that turned out to be another one of those seen: their ids, each with that one's.

    Two patients were merged, or a vertebra was named late: the records of both are now those of one.
    """
    alive = {episode.id for episode in seen}
    found = ((old.id, _same_record(seen, old)) for old in stored if old.id not in alive)
    return {id: now.id for id, now in found if now is not None}


def _same_record(stored: Iterable[Episode], episode: Episode) -> Episode | None:
    """The stored episode that it shares records with; of several the one of its own vertebra, then of most records.

    A vertebra that is named late joins what is known there. A diagnosis or procedure counts before any finding.
    """

    def shared(old: Episode) -> tuple[int, int]:
        common = set(old.sources) & set(episode.sources)
        return sum(not source.startswith("Observation/") for source in common), len(common)

    def rank(old: Episode) -> tuple[bool, tuple[int, int], str]:
        return bool(set(old.levels) & set(episode.levels) - {UNSPECIFIED}), shared(old), old.id

    same = [old for old in stored if old.kind is episode.kind and shared(old) > (0, 0)]
    return max(same, key=rank) if same else None


def _same_place(stored: Iterable[Episode], episode: Episode) -> Episode | None:
    margin = SAME_FRACTURE if episode.kind is EpisodeKind.FRACTURE else timedelta(0)
    for old in stored:
        overlap = old.onset_at - margin <= episode.last_at and episode.onset_at <= old.last_at + margin
        if (
            old.kind is episode.kind
            and set(old.levels) & set(episode.levels)
            and overlap
            and _ranges_meet(old, episode)
        ):
            return old
    return None


def _ranges_meet(one: Episode, other: Episode) -> bool:
    """Whether two episodes may be of one vertebra; those that name theirs are told apart by their levels."""
    if not one.range or not other.range:
        return True
    return LevelRange.parse(one.range).meet(LevelRange.parse(other.range)) is not None


def _another_id(episode: Episode) -> str:
    """An id for an episode whose first one is in use: by its records, which no other episode has."""
    return str(uuid.uuid5(NAMESPACE, "/".join((episode.id, *episode.sources))))
