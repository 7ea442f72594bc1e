"""What the page of a call shows: the answers, what to do at once, and what the rules made of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.fhir.phone_call import GONE, Kept, calls_of, is_ours
from adapters.http.pages.calls.questions import EMERGENCY, Question, Script, script
from adapters.ingest.calls import records
from pathway.canonical import parse_instant, sha256
from pathway.ports import Ledger
from pathway.tasks import Task

CONTACT: Final = "follow-up-contact"


@dataclass(frozen=True, slots=True)
class Said:
    """One question of a call with its answer in words, and how urgent it is.

    `heard` says that a task tells of this very answer; of an emergency only one that is an emergency too.
    """

    question: Question
    answer: str
    words: str
    alarm: str
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Earlier:
    """A call that was kept about a task."""

    id: str
    at: datetime
    by: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A call: `alarms` are its answers that warn, `made` the tasks that it brought, `unkept` what a form said of it and
    is not kept.
    """

    kept: Kept
    said: tuple[Said, ...]
    alarms: tuple[Said, ...]
    made: tuple[Task, ...]
    unkept: tuple[Said, ...] = ()


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


def page_of(ledger: Ledger, task: Task, kept: Kept, sent: Mapping[str, str] | None = None) -> Page:
    """The page of a call about a task; `sent` are answers that a form had and that were not kept."""
    made = _made(ledger, task, kept)
    said = tuple(_said(question, kept.answers.get(question.finding, ""), made, kept) for question in script().questions)
    alarms = () if kept.gone else tuple(one for one in said if one.alarm)
    unkept = () if sent is None else tuple(_unkept(sent, kept))
    return Page(kept, said, alarms, made, unkept)


def _made(ledger: Ledger, task: Task, kept: Kept) -> tuple[Task, ...]:
    """The tasks that a call brought, those of them that have ended too; emergencies first."""
    own = (one for one in ledger.tasks(task.patient) if one.id != task.id and _since(one, kept.at))
    resting = (one for one in own if set(one.sources) & kept.sources)
    # What was open before only reads the answers too; an emergency is told of whenever it began.
    made = (one for one in resting if one.emergency or one.authored_at >= kept.at)
    return tuple(sorted(made, key=lambda one: (not one.emergency, one.due_at, one.key)))


def _since(task: Task, at: datetime) -> bool:
    """Whether a task is open, or was at an instant."""
    return not task.ended or (task.ended_at is not None and task.ended_at >= at)


def earlier(ledger: Ledger, task: Task) -> tuple[Earlier, ...]:
    """The calls that were kept about a task, the latest first."""
    rows = records(ledger, task.patient, "Encounter")
    found = [
        Earlier(
            call, parse_instant(body["period"]["start"]), body["participant"][0]["individual"]["display"],
            body["status"] == GONE,
        )
        for call, body in calls_of(task.id, (body for reference, body in rows.items() if is_ours(reference)))
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.at, one.id), reverse=True))


def digest(answers: Mapping[str, str]) -> str:
    """A mark of answers, by which a form says what it saw."""
    return sha256("\n".join(f"{name}={answers[name]}" for name in sorted(answers)).encode())


def _said(question: Question, answer: str, made: Iterable[Task], kept: Kept) -> Said:
    alarm, record = question.alarm(answer), kept.records.get(question.finding, "")
    telling = (one for one in made if record in one.sources)
    heard = not alarm or any(one.emergency or alarm != EMERGENCY for one in telling)
    return Said(question, answer, question.words(answer), alarm, heard)


def _unkept(sent: Mapping[str, str], kept: Kept) -> Iterator[Said]:
    """What a form answered otherwise than the call stands: nobody but its sender has heard of it."""
    stands = {} if kept.gone else kept.answers
    for question in script().questions:
        answer = sent.get(question.finding, "")
        if answer != stands.get(question.finding, ""):
            yield Said(question, answer, question.words(answer), question.alarm(answer), heard=False)
