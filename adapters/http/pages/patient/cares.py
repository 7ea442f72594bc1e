"""Whether care goes on, for the patient and for each episode, as people said it."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pathway.care import CareWord, end_of_care
from pathway.episodes import Episode, EpisodeKind
from pathway.people import OUTCOMES
from pathway.ports import Ledger


@dataclass(frozen=True, slots=True)
class Care:
    """Care of one episode, or with an empty id of the patient. `ended` is the word that ended it, if it has."""

    episode: str
    title: str
    ended: CareWord | None

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return OUTCOMES[self.ended.outcome].display if self.ended else ""


def cares_of(ledger: Ledger, patient: str, zone: ZoneInfo) -> tuple[Care, ...]:
    """The patient's care as a whole, then that of each episode, the oldest first, with days of the facility's zone."""
    words = ledger.care_words(patient)
    own = [episode for episode in ledger.episodes(patient) if episode.kind is not EpisodeKind.PERSON]
    episodes = sorted(own, key=lambda episode: (episode.onset_at, episode.id))
    return (
        Care("", "All care", end_of_care(words)),
        *(Care(episode.id, title_of(episode, zone), end_of_care(words, episode.id)) for episode in episodes),
    )


def title_of(episode: Episode, zone: ZoneInfo) -> str:
    """`Fracture L1, 2026-10-23`, the day in the facility's zone; of an unnamed vertebra it says so."""
    kind = "Fracture" if episode.kind is EpisodeKind.FRACTURE else "Cement"
    levels = ["vertebra not named" if level == "unspecified" else level for level in episode.levels]
    place = " ".join((kind, ", ".join(levels))).strip()
    return f"{place}, {episode.onset_at.astimezone(zone):%Y-%m-%d}"
