"""What a screening found, added up: who could not be read, verdicts by policy, and what is asked for by how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.screen.needs import NO_LEVEL
from adapters.text_columns import columns

_SHOWN = 20


@dataclass(slots=True)
class Summary:
    """The sums over parts. `needs` counts patients by what is asked for, `tasked` those of them with a task for it.

    `took` are seconds by stage, of all workers together.
    """

    patients: int = 0
    told: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    outcomes: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    needs: Counter[str] = field(default_factory=Counter[str])
    tasked: Counter[str] = field(default_factory=Counter[str])
    titles: dict[str, str] = field(default_factory=dict[str, str])
    emergencies: set[str] = field(default_factory=set[str])
    unalerted: int = 0
    rules: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    took: dict[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, Any]]) -> Summary:
        """Of the results of parts, one at a time: they may be many."""
        made = cls()
        for part in parts:
            made._add(part)
        return made

    def _add(self, part: Mapping[str, Any]) -> None:
        self.patients += part["patients"]
        self.told += len(part["lines"])
        self.refused += [(where, why) for where, why in part["refused"]]
        for policy, counts in part["outcomes"].items():
            self.outcomes.setdefault(policy, Counter()).update(counts)
        if part["rules"]:
            self.rules.add(tuple(part["rules"]))
        for stage, seconds in part["took"].items():
            self.took[stage] = self.took.get(stage, 0.0) + seconds
        for line in part["lines"]:
            self._count(line)

    def _count(self, line: Mapping[str, Any]) -> None:
        needs = {need["code"]: need for need in line["needs"]}
        self.needs.update(needs.keys())
        self.tasked.update(code for code, need in needs.items() if need["task"])
        self.titles.update((code, need["title"]) for code, need in needs.items())
        urgent = [need for need in needs.values() if need["emergency"]]
        if urgent:
            self.emergencies.add(line["patient"])
            self.unalerted += any(not need["task"] for need in urgent)

    def text(self) -> Iterator[str]:
        """For a person: dangers first, then what is asked for, then the verdicts."""
        yield f"{_patients(self.patients)} decided on, {self.told} with something to tell"
        if self.unalerted:
            yield (
                f"EMERGENCIES: {_patients(self.unalerted)} in need of somebody now, and nobody has been told. A "
                "screening makes no tasks: look at them in the list (column emergency), or ingest them"
            )
        if len(self.rules) > 1:
            yield "The rules changed while this ran: not all patients were decided under the same. Screen again"
        yield from self._refusals()
        if self.needs:
            rows = [("asked for", "patients", "with a task")]
            rows += [(self.titles[c], str(n), str(self.tasked[c])) for c, n in sorted(self.needs.items(), key=_most)]
            yield from ("", *columns(rows))
        yield from self._verdicts()

    def _verdicts(self) -> Iterator[str]:
        """Vertebrae by policy and outcome, the most frequent outcome first."""
        silent = sum(counts[NO_LEVEL] for counts in self.outcomes.values())
        if silent:
            yield from ("", f"{_patients(silent)} without a vertebral fracture on record")
        counted = {policy: counts for policy, counts in self.outcomes.items() if counts.keys() - {NO_LEVEL}}
        sums = sum(counted.values(), Counter[str]())
        heads = [name for name, _ in sorted(sums.items(), key=_most) if name != NO_LEVEL]
        rows = [("vertebrae", *heads)]
        rows += [(policy, *(str(counts[name] or "") for name in heads)) for policy, counts in sorted(counted.items())]
        if counted:
            yield from ("", *columns(rows))

    def _refusals(self) -> Iterator[str]:
        if not self.refused:
            return
        yield f"{len(self.refused)} could not be read, and nothing is known of them here:"
        yield from (f"  {where}: {why}" for where, why in self.refused[:_SHOWN])
        if len(self.refused) > _SHOWN:
            yield f"  and {len(self.refused) - _SHOWN} more, all in the NDJSON"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "patients": self.patients, "withSomethingToTell": self.told, "refused": len(self.refused),
            "emergencies": len(self.emergencies), "emergenciesWithoutTask": self.unalerted,
            "needs": {c: {"patients": n, "withTask": self.tasked[c]} for c, n in sorted(self.needs.items())},
            "outcomes": {policy: dict(sorted(counts.items())) for policy, counts in sorted(self.outcomes.items())},
            "rules": sorted(map(list, self.rules)),
            "seconds": {stage: round(spent, 3) for stage, spent in sorted(self.took.items())},
        }  # fmt: skip


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"


def _most(row: tuple[str, int]) -> tuple[int, str]:
    """The most frequent first, then by name."""
    return -row[1], row[0]
