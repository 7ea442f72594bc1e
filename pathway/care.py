"""Whether care goes on: what people said about all of a patient's tasks, or all of one episode's.

Append-only: care ends with an honest outcome, and goes on again when somebody says so. While it has ended, nothing is
asked for about what was known then. What came after the word is asked for, and what presses always is: of the dead
emergencies alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from pathway.chart import ChartResource
from pathway.lifecycle import PRESSING
from pathway.obligations import Obligation, State
from pathway.tasks import ON_CALL, Task

DIED: Final = "died"
"""The outcome of a task that the record of a death ended, or a person; and the end of care that lets nothing press."""
FOR_GOOD: Final = frozenset({DIED, "hospice"})
"""These ends of a patient's care are about every episode, also one found later; the others about those known then."""
_AT_ONCE: Final = timedelta(minutes=1)
"""All tasks that a word ends are ended with it, in one transaction: surely within this time."""
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CareWord:
    """What a person said: care ended with `outcome` (`pathway.people.CARE_ENDS`), or goes on, without one.

    `episode` is the one it is about; empty, it is about the patient, and `episodes` are those that there were then.
    """

    patient: str
    episode: str
    at: datetime
    actor: str
    role: str
    display: str
    outcome: str
    text: str = ""
    episodes: tuple[str, ...] = ()


def end_of_care(words: Sequence[CareWord], episode: str = "", same: Mapping[str, str] = _NONE) -> CareWord | None:
    """The word by which care of an episode, or of the patient, stands ended; None while it goes on.

    `words` in the order in which they were said: the last one that is about it holds. `same` leads from an episode that
    turned out to be another to that other.
    """
    held: CareWord | None = None
    for word in words:
        if _is_about(word, episode, held, same):
            held = word
    return held if held is not None and held.outcome else None


def _is_about(word: CareWord, episode: str, held: CareWord | None, same: Mapping[str, str]) -> bool:
    """Whether a word is about an episode; about all of it, or about the patient where none is named.

    That care goes on answers an earlier word only if whoever said it knew of all that the earlier one was about: two
    who turned out to be one patient were spoken of apart.
    """
    if word.episode:
        return same.get(word.episode, word.episode) == episode
    if episode in _known(word, same) or word.outcome in FOR_GOOD:
        return True
    if word.outcome:
        return not episode
    return held is None or _known(held, same) <= _known(word, same)


def _known(word: CareWord, same: Mapping[str, str]) -> frozenset[str]:
    return frozenset(same.get(id, id) for id in word.episodes)


def still_owed(
    wishes: Iterable[Obligation], words: Sequence[CareWord], same: Mapping[str, str] = _NONE,
    chart: Iterable[ChartResource] = (),
) -> tuple[Obligation, ...]:  # fmt: skip
    """The obligations without those that are open where care has ended, and rest on nothing that came since.

    `same` as for `end_of_care`; `chart` says when each record came. An emergency is never left out, what presses only
    of the dead.
    """
    if not words:
        return tuple(wishes)
    came = {resource.reference: resource.received_at for resource in chart if resource.type != "Patient"}
    return tuple(wish for wish in wishes if _is_owed(wish, end_of_care(words, wish.episode, same), came))


def _is_owed(wish: Obligation, end: CareWord | None, came: Mapping[str, datetime]) -> bool:
    if end is None or wish.state is not State.OPEN or wish.owner == ON_CALL:
        return True
    if end.outcome == DIED:
        return False
    return wish.priority in PRESSING or any(came.get(source, end.at) > end.at for source in wish.sources)


def lifted(tasks: Iterable[Task], words: Sequence[CareWord], same: Mapping[str, str] = _NONE) -> frozenset[str]:
    """The keys of the tasks that a word ended, where care goes on now: what is still owed of them is asked for anew.

    What a person ended by itself, before or after, is not among them.
    """

    def by_a_word(task: Task) -> bool:
        return any(_ended(task, word) and (not word.episode or word.episode == task.episode) for word in words)

    own = (task for task in tasks if task.ended and task.by_person and task.outcome)
    return frozenset(
        task.key for task in own
        if by_a_word(task) and end_of_care(words, same.get(task.episode, task.episode), same) is None
    )  # fmt: skip


def _ended(task: Task, word: CareWord) -> bool:
    at = task.ended_at or task.modified_at
    return task.outcome == word.outcome and word.at <= at < word.at + _AT_ONCE
