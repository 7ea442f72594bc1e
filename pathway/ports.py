"""What the core needs from the world, as protocols. Adapters provide it; tests provide small fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from pathway.care import CareWord
from pathway.case import Case
from pathway.chart import ChartResource, SetAside
from pathway.decisions import DecisionRecord
from pathway.episodes import Episode
from pathway.history import TaskEvent
from pathway.letters import Letter, LetterStep
from pathway.tasks import Task

Answer = TypeVar("Answer")


class Stored(StrEnum):
    """What became of a resource that was offered to a chart."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class Submission:
    """One delivery as it came: its bytes' hash, where from, through which door, and what was set aside of it."""

    id: str
    source: str
    door: str
    received_at: datetime
    sha256: str
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """How far a patient is decided: versions of the chart, the decision that tasks follow, and when to look again."""

    chart_version: int = 0
    decided_version: int = 0
    recheck_at: datetime | None = None
    decision: str = ""

    @property
    def lags(self) -> bool:
        """Whether the chart has changed since it was decided on."""
        return self.decided_version < self.chart_version

    def is_due(self, now: datetime) -> bool:
        """Whether an instant has come at which time may change the decision."""
        return self.recheck_at is not None and self.recheck_at <= now


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task for which the clock has something to do, as it is found: not read yet, so that one that cannot be read
    keeps no other waiting.
    """

    id: str
    patient: str
    version: int


class Clock(Protocol):
    """The only way to know the time."""

    def now(self) -> datetime:
        """The present instant, with a zone."""
        ...


class Ledger(Protocol):
    """One transaction on everything that is stored. All of it is kept, or nothing.

    `patient` is a patient key (`source|id`) throughout.
    """

    def hold(self, patient: str) -> None:
        """Let no other transaction write on this patient until this one ends; before reading what to write by."""
        ...

    def keep_bytes(self, data: bytes) -> str:
        """Keep bytes once, by their sha256, and say the hash."""
        ...

    def bytes_of(self, sha256: str) -> bytes:
        """The bytes with that hash; NotFoundError if there are none."""
        ...

    def keep_submission(self, submission: Submission) -> None:
        """Remember a delivery."""
        ...

    def put_resource(self, patient: str, resource: ChartResource, body: bytes) -> Stored:
        """Add a version of a resource to a chart. The same again, or an older version late, changes nothing."""
        ...

    def chart(self, patient: str) -> tuple[ChartResource, ...]:
        """The current version of every resource of a chart, ordered by type and id."""
        ...

    def resources(self, type: str, patients: Sequence[str]) -> tuple[tuple[str, ChartResource], ...]:
        """The current resources of one type in several charts, each with its patient, by patient and id."""
        ...

    def patients(self) -> tuple[str, ...]:
        """All patient keys, sorted, without those that were merged into another."""
        ...

    def survivor(self, patient: str) -> str:
        """The key under which a patient goes on: their own, or the last of those that they were merged into."""
        ...

    def keys_of(self, patient: str) -> tuple[str, ...]:
        """The keys whose records make up this patient's chart: their own, then those merged into it, sorted."""
        ...

    def join(self, old: str, into: str, at: datetime, source: str) -> bool:
        """Let one patient go on under another key, with chart and episodes; False if they do so already."""
        ...

    def chart_version(self, patient: str) -> int:
        """How often the chart has changed."""
        ...

    def head(self, patient: str) -> Head:
        """How far a patient is decided; all empty for one that nothing is stored of."""
        ...

    def mark_decided(
        self, patient: str, chart_version: int, recheck_at: datetime | None = None, decision: str = ""
    ) -> None:
        """Note that tasks follow the chart as of that version, by which decision, and when time may change it.

        Without a decision the one before stands. ChartMovedError if the chart has moved on.
        """
        ...

    def lagging(self, limit: int) -> tuple[str, ...]:
        """Patients whose chart is ahead of their tasks and of whom nobody said when to try again, by key.

        Never one who was merged into another: nothing is decided under that key any more.
        """
        ...

    def due_again(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Patients for whom an instant has come at which time may change the decision, the longest waiting first.

        Never one who was merged into another.
        """
        ...

    def postpone(self, patient: str, until: datetime) -> None:
        """Let a patient wait who could not be decided on, so that the others get their turn.

        Nothing waits under the key of one who was merged into another.
        """
        ...

    def follows(self, rules: str, now: datetime) -> bool:
        """Whether nobody is left to be made due because rules with that hash decide now."""
        ...

    def recall(self, rules: str, now: datetime, many: int) -> int:
        """Make at most `many` patients due because rules with that hash decide now; how many, until `follows`.

        Each is made due when the rules change and once more some time later, for whoever was still deciding by the
        rules before. The first rules ever noted recall nobody.
        """
        ...

    def episodes(self, patient: str) -> tuple[Episode, ...]:
        """The stored episodes, ordered by id."""
        ...

    def save_episodes(self, patient: str, episodes: Iterable[Episode]) -> None:
        """Insert or update episodes by id."""
        ...

    def tasks(self, patient: str) -> tuple[Task, ...]:
        """All tasks of a patient, ended ones too, ordered by key."""
        ...

    def find_tasks(
        self, *, patient: str = "", statuses: Sequence[str] = (), id: str = "", limit: int = 1000, offset: int = 0
    ) -> tuple[Task, ...]:
        """Tasks by patient, status or FHIR id, ordered by due date, then key."""
        ...

    def due_tasks(self, now: datetime, limit: int) -> tuple[DueTask, ...]:
        """The tasks for which the clock has something to do by an instant: emergencies, then the longest waiting."""
        ...

    def rest_task(self, task: DueTask, until: datetime) -> None:
        """Let a task wait that the clock could not move, so that the others get their turn; not if it moved since."""
        ...

    def save_task(self, task: Task, expect_version: int) -> None:
        """Insert (expect 0) or update a task; ChartMovedError if its stored version is not the expected one."""
        ...

    def find_task(self, id: str) -> Task:
        """The task with that FHIR id; NotFoundError if there is none."""
        ...

    def append_task_event(self, event: TaskEvent) -> int:
        """Append to a task's history and say the event's number in it. There is no way to change or remove one."""
        ...

    def task_events(self, key: str) -> tuple[TaskEvent, ...]:
        """What happened to the task with that key, in order."""
        ...

    def post(self, key: str, channel: str, patient: str, at: datetime) -> None:
        """Note that something has to leave the house by a channel, from an instant on; what, is read when it goes."""
        ...

    def append_care_word(self, word: CareWord) -> None:
        """Append what somebody said about a patient's care. There is no way to change or remove it."""
        ...

    def care_words(self, patient: str) -> tuple[CareWord, ...]:
        """What was said about a patient's care, in order."""
        ...

    def append_letter_step(self, step: LetterStep) -> None:
        """Append a step of a letter, its document kept before. There is no way to change or remove one."""
        ...

    def letter(self, id: str) -> Letter:
        """The letter with that id; NotFoundError if there is none."""
        ...

    def letters(self, patient: str) -> tuple[Letter, ...]:
        """A patient's letters, the latest first."""
        ...

    def append_decision(self, record: DecisionRecord) -> int:
        """Append a decision and say its sequence number. There is no way to change or remove one."""
        ...

    def decision(self, id: str) -> DecisionRecord:
        """A decision by id; NotFoundError if there is none."""
        ...

    def decisions(self, patient: str, limit: int = 100) -> tuple[DecisionRecord, ...]:
        """The latest decisions about a patient, newest first."""
        ...

    def decision_on_chart(self, patient: str) -> DecisionRecord | None:
        """The last decision about a patient that rests on the stored chart, not on a hook's call; None without one."""
        ...

    def decision_before(self, patient: str, at: datetime) -> DecisionRecord | None:
        """The last decision about a patient as of an instant before `at`; None if there is none."""
        ...

    def latest_decisions(self, limit: int, before: int = 0) -> tuple[DecisionRecord, ...]:
        """The latest decisions about anybody, newest first; with `before`, those with a lower sequence number."""
        ...

    def keep_release(self, rule_set: str, version: str, sha256: str, body: bytes) -> None:
        """Keep a release by hash, once."""
        ...

    def release(self, sha256: str) -> bytes:
        """The release with that hash; NotFoundError if there is none."""
        ...


class Store(Protocol):
    """Opens transactions."""

    def write(self) -> AbstractContextManager[Ledger]:
        """A transaction that may write; committed when left without an error."""
        ...

    def run(self, work: Callable[[Ledger], Answer], done: Callable[[Ledger], bool]) -> Answer:
        """Do `work` in a transaction that may write; again, a few times, if the database undid it for a passing reason.

        Nothing outside the transaction may happen in `work`. `done` says whether a run of it is stored: it is asked
        when a connection broke during a commit, so that nothing is done twice.
        """
        ...

    def read(self) -> AbstractContextManager[Ledger]:
        """A transaction that only reads one consistent state."""
        ...


class FactBuilder(Protocol):
    """Turns a chart into a case."""

    def build(
        self,
        patient: str,
        chart: Sequence[ChartResource],
        as_of: datetime,
        episodes: Sequence[Episode] = (),
        standing: Sequence[str] = (),
        aside: Sequence[SetAside] = (),
    ) -> Case:
        """The case as it was known at `as_of`; later resources are set aside."""
        ...
