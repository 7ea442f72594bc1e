"""What the page of a call shows: the answers, what to do at once, and what the rules made of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.fhir.phone_call import GONE, Kept, calls_of, is_ours
from adapters.http.pages.calls.questions import EMERGENCY, Question, Script, script
from pathway.canonical import parse_instant, sha256
from pathway.ports import Ledger
from pathway.tasks import Task

CONTACT: Final = "follow-up-contact"


@dataclass(frozen=True, slots=True)
class Said:
    """One question of a call with its answer in words, and how urgent it is."""

    question: Question
    answer: str
    words: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """A call that was kept about a task."""

    id: str
    at: datetime
    by: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A call: `alarms` are its answers that warn, `made` the open tasks that it brought."""

    kept: Kept
    said: tuple[Said, ...]
    alarms: tuple[Said, ...]
    made: tuple[Task, ...]

    @property
    def unheard(self) -> bool:
        """Whether something is an emergency by the script of which no open emergency tells: people have to."""
        return any(one.alarm == EMERGENCY for one in self.alarms) and not any(task.emergency for task in self.made)


@dataclass(frozen=True, slots=True)
class Asking:
    """A form to fill in: the script, the id that the call will have, and for a correction its answers so far."""

    script: Script
    call: str
    answers: Mapping[str, str]
    seen: str


def asking(kept: Kept | None = None) -> Asking:
    """The form of a new call, or of the correction of one."""
    if kept is None:
        return Asking(script(), str(uuid.uuid4()), {}, "")
    return Asking(script(), kept.id, kept.answers, digest(kept.answers))


def page_of(ledger: Ledger, task: Task, kept: Kept) -> Page:
    """The page of a call about a task."""
    said = tuple(_said(question, kept.answers.get(question.finding, "")) for question in script().questions)
    alarms = () if kept.gone else tuple(one for one in said if one.alarm)
    own = (one for one in ledger.tasks(task.patient) if one.id != task.id and not one.ended)
    resting = (one for one in own if set(one.sources) & kept.sources)
    # What was open before only reads the answers too; an emergency is told of whenever it began.
    made = [one for one in resting if one.emergency or one.authored_at >= kept.at]
    made.sort(key=lambda one: (not one.emergency, one.due_at, one.key))
    return Page(kept, said, alarms, tuple(made))


def earlier(ledger: Ledger, task: Task) -> tuple[Earlier, ...]:
    """The calls that were kept about a task, the latest first."""
    rows = [resource.body for _, resource in ledger.resources("Encounter", ledger.keys_of(task.patient))]
    found = [
        Earlier(
            call, parse_instant(body["period"]["start"]), body["participant"][0]["individual"]["display"],
            body["status"] == GONE,
        )
        for call, body in calls_of(task.id, (body for body in rows if is_ours(f"Encounter/{body['id']}")))
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.at, one.id), reverse=True))


def digest(answers: Mapping[str, str]) -> str:
    """A mark of answers, by which a form says what it saw."""
    return sha256("\n".join(f"{name}={answers[name]}" for name in sorted(answers)).encode())


def _said(question: Question, answer: str) -> Said:
    return Said(question, answer, question.words(answer), question.alarm(answer))
