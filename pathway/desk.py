"""The desk: what people do to tasks: to one, to many at a time, or to all of a patient's; each once, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pathway.acts import SILENT, act, with_care
from pathway.care import CareWord, end_of_care
from pathway.clockwork import PACE, Pace, tries
from pathway.episodes import person_episode_id
from pathway.errors import ChartMovedError, NotFoundError, PathwayError
from pathway.history import act_event
from pathway.keeping import keep_task, post_plan
from pathway.lifecycle import ACTORS, IN_BULK, Act
from pathway.people import CARE_ENDS, NotYoursError, OutOfTurnError, Person, Said, words
from pathway.ports import Clock, Ledger, Store
from pathway.tasks import Task
from pathway.waking import run_down


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one act among many: the task as it stands then, or why it was not done."""

    task_id: str
    task: Task | None = None
    refused: PathwayError | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """Acts of people over a store. `channels` are what the house has to tell others by."""

    store: Store
    clock: Clock
    pace: Pace = PACE
    channels: Collection[str] = field(default=frozenset())

    def act(self, task_id: str, what: Act, person: Person, expect_version: int, said: Said = SILENT) -> Task:
        """Do what a person wants to a task that they saw in one version, and append it to the task's history.

        ActRefusedError for what they may not do; ChartMovedError, saying who changed it, if the task is another
        version now: sent twice, an act is done once. NotFoundError if there is no such task.
        """
        try:
            with self.store.write() as ledger:
                task = ledger.find_task(task_id)
                if task.version != expect_version:
                    raise ChartMovedError("the task changed", where=f"Task/{task_id}")
                if what is Act.REOPEN:
                    _not_asked_again(ledger, task)
                return self._do(ledger, task, what, person, said)
        except ChartMovedError as moved:
            raise self._moved(task_id, expect_version) from moved

    def act_on_many(
        self, tasks: Sequence[tuple[str, int]], what: Act, person: Person, said: Said = SILENT
    ) -> tuple[Answer, ...]:
        """The same act on several tasks, each seen in a version: an answer for each, and each by itself done or not.

        OutOfTurnError for what is not done in bulk. An emergency is refused: somebody looks at each.
        """
        if what not in IN_BULK:
            raise OutOfTurnError(f"{what} is not done to many tasks at a time", fix="Do it to one after the other")
        return tuple(self._one_of_many(task_id, version, what, person, said) for task_id, version in tasks)

    def _one_of_many(self, task_id: str, version: int, what: Act, person: Person, said: Said) -> Answer:
        try:
            with self.store.read() as ledger:
                if ledger.find_task(task_id).emergency:
                    raise NotYoursError("an emergency is never one of many", fix="Open it by itself")
            return Answer(task_id, self.act(task_id, what, person, version, said))
        except (ChartMovedError, NotFoundError, OutOfTurnError, NotYoursError) as refused:
            return Answer(task_id, refused=refused)

    def _do(self, ledger: Ledger, task: Task, what: Act, person: Person, said: Said) -> Task:
        now = self.clock.now()
        done = act(task, what, person, now, said, self.pace)
        keep_task(ledger, task, done, act_event(task, done, what, person, said), self.channels, now)
        return run_down(ledger, done, now, self.pace, self.channels) or done

    def _moved(self, task_id: str, seen: int) -> ChartMovedError:
        """Says what became of a task since it was seen in a version."""
        with self.store.read() as ledger:
            since = [e for e in ledger.task_events(ledger.find_task(task_id).key) if e.version > seen]
        why = since[-1].sentence() if since else "a new decision changed its reasons or its date"
        return ChartMovedError(
            "this task changed since you saw it, and nothing was done", where=f"Task/{task_id}", why=why,
            fix="Look at it again, then decide",
        )  # fmt: skip

    def end_care(self, patient: str, episode: str, outcome: str, person: Person, text: str) -> tuple[Task, ...]:
        """End all open tasks of a patient, or of one episode, with one honest outcome (`CARE_ENDS`) and a reason.

        Emergencies stay: a clinician ends each. What others hold ends too. Nothing is asked for again about what was
        known then, until somebody says that care goes on. The tasks as they ended; ActRefusedError changes nothing.
        """
        with self.store.write() as ledger:
            patient = _held(ledger, patient)
            own = _of(ledger, patient, episode)
            text = self._may_end_care(own, outcome, person, text)
            self._say(ledger, patient, episode, outcome, person, text)
            said = Said(text=text, outcome=outcome)
            return tuple(self._end(ledger, task, person, said) for task in own if not (task.ended or task.emergency))

    def _end(self, ledger: Ledger, task: Task, person: Person, said: Said) -> Task:
        now = self.clock.now()
        done = with_care(task, person, now, said)
        keep_task(ledger, task, done, act_event(task, done, Act.COMPLETE, person, said), self.channels, now)
        return done

    def resume_care(self, patient: str, episode: str, person: Person, text: str) -> None:
        """Let care go on that was ended, with a reason; what is still owed is asked for at the next sweep."""
        with self.store.write() as ledger:
            patient = _held(ledger, patient)
            text = _who_and_why(person, text)
            if end_of_care(ledger.care_words(patient), episode) is None:
                raise OutOfTurnError("care goes on already", fix="Nothing is to do")
            self._say(ledger, patient, episode, "", person, text)
            ledger.postpone(patient, self.clock.now())

    def _may_end_care(self, own: Sequence[Task], outcome: str, person: Person, text: str) -> str:
        text = _who_and_why(person, text)
        if outcome not in CARE_ENDS:
            raise OutOfTurnError(
                "care ends with an honest outcome", fix=f"Choose one of: {', '.join(sorted(CARE_ENDS))}"
            )
        most = max((tries(task.attempts) for task in own), default=0)
        if outcome == "unreachable" and most < self.pace.attempts:
            raise OutOfTurnError(
                f"a patient is unreachable after {self.pace.attempts} attempts", why=f"{most} are recorded",
                fix="Record each attempt with its outcome",
            )  # fmt: skip
        return text

    def _say(self, ledger: Ledger, patient: str, episode: str, outcome: str, person: Person, text: str) -> None:
        """Keep what a person said about care, and post the plans of which it was said."""
        now, known = self.clock.now(), [found.id for found in ledger.episodes(patient)]
        about = tuple(sorted({*known, person_episode_id(patient)}))
        ledger.append_care_word(
            CareWord(patient, episode, now, person.name, person.role, person.display, outcome, text, about)
        )
        for id in known:
            if episode in ("", id):
                post_plan(ledger, id, patient, self.channels, now)


def _held(ledger: Ledger, patient: str) -> str:
    """The key under which a patient goes on, held: whoever saw them under the old one means the same person."""
    ledger.hold(patient)
    while (survivor := ledger.survivor(patient)) != patient:
        ledger.hold(patient := survivor)
    return patient


def _of(ledger: Ledger, patient: str, episode: str) -> tuple[Task, ...]:
    """The tasks of a patient, or of one of their episodes; NotFoundError if there is no such episode."""
    if not episode:
        return ledger.tasks(patient)
    if all(found.id != episode for found in ledger.episodes(patient)):
        raise NotFoundError("this patient has no such episode", where=f"CarePlan/{episode}")
    return tuple(task for task in ledger.tasks(patient) if task.episode == episode)


def _who_and_why(person: Person, text: str) -> str:
    if person.role not in ACTORS:
        raise NotYoursError(
            f"care is not ended or resumed as {person.role}", why="only coordinators and clinicians act on tasks",
            fix="Ask one of them",
        )  # fmt: skip
    if not words(text):
        raise OutOfTurnError("care ends and goes on with a reason", fix="Say why in a few words")
    return words(text)


def _not_asked_again(ledger: Ledger, task: Task) -> None:
    """One thing is asked for once: where a later task asks for it, that one is worked on."""
    ledger.hold(task.patient)  # whoever decides at this moment may be asking for it
    later = [t for t in ledger.tasks(task.patient) if (t.episode, t.rule) == (task.episode, task.rule)]
    if any(other.occurrence > task.occurrence for other in later):
        raise OutOfTurnError("this was asked for again since", fix="Work on the later task")
