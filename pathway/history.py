"""The history of tasks: what people, the clock and the record did, told so that a clinician can read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pathway.clockwork import told
from pathway.lifecycle import Act, Tick, Word
from pathway.people import CHANNELS, TRIED, Person, Said, when, words
from pathway.tasks import Attempt, Task

PAST: Final[Mapping[str, str]] = MappingProxyType({
    "claim": "claimed", "release": "released", "assign": "assigned", "unassign": "unassigned", "snooze": "put off",
    "resume": "resumed", "attempt": "tried to reach the patient for", "acknowledge": "acknowledged",
    "complete": "completed", "decline": "declined", "comment": "commented on", "reopen": "reopened",
    "ask": "asked for", "close": "closed", "withdraw": "withdrew",
    "start": "started", "return": "brought back", "escalate": "escalated", "expire": "ended",
    "merge": "moved",
})  # fmt: skip
"""What was done to a task, as a participle or a past tense."""


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task: an act of a person, a tick of the clock, a word of the record (`lifecycle`).

    `sequence` counts from 1 within the task and is given when it is stored. `version` is the task's afterwards.
    """

    task: str
    at: datetime
    actor: str
    role: str
    display: str
    act: str
    before: str
    after: str
    version: int
    text: str = ""
    outcome: str = ""
    sequence: int = 0

    @property
    def by_person(self) -> bool:
        """Whether a person did it."""
        return self.role != ""

    def sentence(self) -> str:
        """Who did what and when, without what they wrote."""
        return f"{self.display} {PAST[self.act]} it at {when(self.at)}"


def act_event(before: Task, after: Task, act: Act, person: Person, said: Said) -> TaskEvent:
    """What a person did, for the history; with what they wrote goes what else they said."""
    tried = act is Act.ATTEMPT
    return TaskEvent(
        task=after.key, at=after.modified_at, actor=person.name, role=person.role, display=person.display, act=act,
        before=before.status, after=after.status, version=after.version,
        text=": ".join(part for part in (_besides(act, after), words(said.text)) if part),
        outcome=said.outcome if tried or after.outcome == said.outcome else "",
    )  # fmt: skip


def _besides(act: Act, after: Task) -> str:
    """What an act settled beside the words, in words."""
    match act:
        case Act.ASSIGN:
            return f"to {after.holder_display}"
        case Act.SNOOZE if after.returns_at:
            return f"until {when(after.returns_at)}"
        case Act.ATTEMPT:
            return attempt_words(after.attempts[-1])
        case _:
            return ""


def attempt_words(attempt: Attempt) -> str:
    """One attempt to reach the patient: how, what came of it, and when next."""
    again = f", next try {when(attempt.next_at)}" if attempt.next_at else ""
    return f"{CHANNELS[attempt.channel]}, {TRIED[attempt.outcome].lower()}{again}"


def record_event(before: Task | None, after: Task) -> TaskEvent | None:
    """What the record did, for the history: it asked for a task, ended it or opened it again.

    None where only reasons or dates moved.
    """
    if before is not None and before.ended is after.ended:
        return None
    return _own_event(before, after, _word(before, after), "The record", after.status_reason)


def _word(before: Task | None, after: Task) -> Word:
    if before is None:
        return Word.ASK
    if before.ended:
        return Word.REOPEN
    return Word.CLOSE if after.status == "completed" else Word.WITHDRAW


def merge_event(before: Task, after: Task, source: str) -> TaskEvent:
    """What a merge of patients did, for the history; `source` is the record that says that they are one."""
    text = f"with its patient to another record of the same person, by {source}"
    return _own_event(before, after, Word.MERGE, "The record", text)


def clock_event(before: Task, after: Task, tick: Tick) -> TaskEvent:
    """What the clock did, for the history."""
    said = {Tick.ESCALATE: f"to the {told(after.stage)}", Tick.EXPIRE: after.status_reason}
    return _own_event(before, after, tick, "The clock", said.get(tick, ""))


def _own_event(before: Task | None, after: Task, act: Word | Tick, display: str, text: str) -> TaskEvent:
    """What happened of itself: no person's role stands on it."""
    return TaskEvent(
        task=after.key, at=after.modified_at, actor="pathway", role="", display=display, act=act,
        before=before.status if before else "", after=after.status, version=after.version, text=text,
        outcome=after.outcome if act is Tick.EXPIRE else "",
    )  # fmt: skip
