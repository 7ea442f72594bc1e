"""What is stored beside a patient's chart and measures count by: honest ends, hospice, documents before cement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.fhir.measure_facts import Told
from pathway.canonical import parse
from pathway.care import CareWord, end_of_care, lifted
from pathway.episodes import Episode, EpisodeKind
from pathway.ports import Ledger
from pathway.tasks import Task

TREATMENT: Final = "start-bone-treatment"
_HOSPICE: Final = "hospice"
_REASONS: Final = frozenset({"not-needed", "declined-by-patient", "transferred", _HOSPICE, "died"})
"""Ends that say why no treatment was started. Done says that it was, and not reached says nothing about it."""
_DOCUMENTS: Final = ("bone-density-and-education", "programme-instruction", "optimal-care-documented")
"""The criteria, by the end of their ids, that stand for PVA-1, PVA-2 and PVA-3."""
_COVERED: Final[Mapping[str, str]] = {
    "met": "complete", "documentation-missing": "missing", "not-applicable": "not-asked",
}  # fmt: skip


def told(
    ledger: Ledger, patient: str, episodes: Sequence[Episode], same: Mapping[str, str], as_of: datetime
) -> Told:  # fmt: skip
    """What is told of a patient beside the chart. `same` leads from an episode that turned out to be another to it.

    What somebody took back by saying that care goes on is not told: an end by mistake is no reason, and no hospice.
    """
    every, words = ledger.tasks(patient), [word for word in ledger.care_words(patient) if word.at <= as_of]
    back = lifted(every, words, same)
    tasks = [task for task in every if task.key not in back]
    events = [one for one in episodes if one.kind is EpisodeKind.PROCEDURE]
    reasons: dict[str, datetime] = {}
    for episode, at in _reasons(tasks, same):
        reasons[episode] = min(at, reasons.get(episode, at))
    return Told(tuple(_hospice(tasks, words, same)), reasons, dict(_documents(ledger, patient, events)))


def _reasons(tasks: Iterable[Task], same: Mapping[str, str]) -> Iterator[tuple[str, datetime]]:
    for task in tasks:
        if task.code == TREATMENT and task.by_person and task.ended and task.outcome in _REASONS:
            yield same.get(task.episode, task.episode), task.ended_at or task.modified_at


def _hospice(tasks: Iterable[Task], words: Sequence[CareWord], same: Mapping[str, str]) -> Iterator[datetime]:
    for task in tasks:
        if task.ended and task.by_person and task.outcome == _HOSPICE:
            yield task.ended_at or task.modified_at
    for number, word in enumerate(words):
        episode = same.get(word.episode, word.episode)
        later = (words[: last + 1] for last in range(number, len(words)))
        if word.outcome == _HOSPICE and all(end_of_care(said, episode, same) for said in later):
            yield word.at


def _documents(
    ledger: Ledger, patient: str, events: Iterable[Episode]
) -> Iterator[tuple[tuple[str, str], tuple[str, datetime]]]:
    """By procedure and vertebra how the documents stood, and as of when."""
    for event in events:
        record = ledger.decision_before(patient, event.onset_at)
        if record is None:
            continue
        for row in parse(record.body)["levels"]:
            if row.get("kind") == "coverage" and row.get("lcd") and row["level"] in event.levels:
                yield (event.id, row["level"]), (documents_of(row), record.as_of)


def documents_of(row: Mapping[str, Any]) -> str:
    """How the documents stood in one verdict of coverage: by its outcome, or where that speaks of more, one by one."""
    if row["outcome"] in _COVERED:
        return _COVERED[row["outcome"]]
    asked = [one["verdict"] for one in row["criteria"] if one["id"].rpartition(".")[2] in _DOCUMENTS]
    return "complete" if asked and set(asked) == {"met"} else "missing"
