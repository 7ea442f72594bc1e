"""A case: everything that `decide` may look at about one patient at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pathway.canonical import parse_instant
from pathway.chart import SetAside
from pathway.episodes import Episode
from pathway.facts import Fact, Sheet
from pathway.vocabulary import Scope, Vocabulary

View = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Case:
    """The filled-in form, the episodes, the obligations that stand open as tasks, and what was set aside on the way.

    `value_sets` is the hash of the code tables that the facts were read with; no verdict depends on it.
    `levels` are ordered from head to tail, `unspecified` last; every treated sheet's level has a sheet of its own.

    For the follow-up alone, and no part of a decision: `turns_at` is the next instant at which the chart reads
    otherwise by itself (a period ends, a birthday), `withdrawn` are the records that were entered in error or denied,
    and `dated` says of when each record is, but of the Patient.
    """

    patient: str
    as_of: datetime
    person: Sheet
    levels: tuple[Sheet, ...]
    treated: tuple[Sheet, ...]
    episodes: tuple[Episode, ...]
    set_aside: tuple[SetAside, ...]
    input_sha256: str
    standing: tuple[str, ...] = ()
    value_sets: str = ""
    turns_at: datetime | None = field(default=None, compare=False)
    withdrawn: tuple[str, ...] = field(default=(), compare=False)
    dated: Mapping[str, datetime] = field(default_factory=dict[str, datetime], compare=False)

    def views(self, scope: Scope) -> tuple[tuple[Sheet, View], ...]:
        """For each sheet of a scope, all facts that a rule of that scope may see."""
        if scope is Scope.PATIENT:
            return ((self.person, self.person.facts),)
        by_level = {sheet.level: {**self.person.facts, **sheet.facts} for sheet in self.levels}
        if scope is Scope.LEVEL:
            return tuple((sheet, by_level[sheet.level]) for sheet in self.levels)
        return tuple((sheet, {**by_level[sheet.level], **sheet.facts}) for sheet in self.treated)

    def episode(self, id: str) -> Episode | None:
        """The episode with that id."""
        return next((episode for episode in self.episodes if episode.id == id), None)

    def within(self, vocabulary: Vocabulary) -> Case:
        """The case as far as a vocabulary declares it: what it cannot say is left out, or unknown and unreadable."""
        return replace(
            self, person=self.person.within(vocabulary),
            levels=tuple(sheet.within(vocabulary) for sheet in self.levels),
            treated=tuple(sheet.within(vocabulary) for sheet in self.treated),
        )  # fmt: skip

    def facts_json(self) -> dict[str, Any]:
        """The part of a decision that a replay starts from."""
        return {
            "patient": self.person.to_json(),
            "levels": [sheet.to_json() for sheet in self.levels],
            "treated": [sheet.to_json() for sheet in self.treated],
            "episodes": [episode.to_json() for episode in self.episodes],
            "standing": list(self.standing),
        }

    @classmethod
    def from_decision(cls, vocabulary: Vocabulary, body: Mapping[str, Any]) -> Case:
        """The case behind a stored decision body."""
        facts = body["facts"]
        return cls(
            patient=body["patient"],
            as_of=parse_instant(body["asOf"]),
            person=Sheet.from_json(vocabulary, Scope.PATIENT, facts["patient"]),
            levels=tuple(Sheet.from_json(vocabulary, Scope.LEVEL, sheet) for sheet in facts["levels"]),
            treated=tuple(Sheet.from_json(vocabulary, Scope.TREATED_LEVEL, sheet) for sheet in facts["treated"]),
            episodes=tuple(Episode.from_json(episode) for episode in facts["episodes"]),
            set_aside=tuple(SetAside(item["where"], item["code"], item["why"]) for item in body["setAside"]),
            input_sha256=body["inputSha256"],
            standing=tuple(facts["standing"]),
            value_sets=body.get("valueSets", ""),
        )
