"""People and the record at work on the same tasks, in any order: nobody's edit is lost, nothing ends unseen."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pathway.obligations import Obligation, State
from pathway.people import (
    OUTCOMES,
    Act,
    ActRefusedError,
    Person,
    Role,
    TaskEvent,
    act,
    act_event,
    record_event,
)
from pathway.reconcile import ON_CALL, Changes, Task, reconcile

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = [Person(f"{role}-{n}", role, f"{role} {n}") for role in Role for n in (1, 2)]
RULES = {"mri": "coordinator", "visit": "nurse", "deficit": ON_CALL}
SAID = st.sampled_from(["", "", "because", "called twice"])
WANTED = st.dictionaries(st.sampled_from(sorted(RULES)), st.tuples(st.sampled_from(State), st.integers(0, 2)))


def wish(name: str, state: State, source: int) -> Obligation:
    return Obligation(
        rule=name, release="s|1", code="c", title="T", episode="e", state=state, levels=("L1",), anchor="asked",
        due_at=BEGIN + timedelta(days=3), owner=RULES[name], priority="stat" if RULES[name] == ON_CALL else "routine",
        focus="Condition/a", why=("because",), sources=(f"Condition/{source}",),
        evidence=("Observation/x",) if state is State.CLOSED else (),
    )  # fmt: skip


@dataclass
class Done:
    """What a person did and was told is done."""

    person: Person
    act: Act
    text: str
    after: Task = field(repr=False)


class Ward(RuleBasedStateMachine):
    """Deliveries change what is wanted; people act on what they see."""

    @initialize()
    def begin(self) -> None:
        self.now = BEGIN
        self.tasks: dict[str, Task] = {}
        self.history: dict[str, list[TaskEvent]] = defaultdict(list)
        self.done: dict[str, list[Done]] = defaultdict(list)
        self.wishes: list[Obligation] = []

    def tick(self) -> None:
        self.now += timedelta(minutes=7)

    @rule(wanted=WANTED)
    def deliver(self, wanted: dict[str, tuple[State, int]]) -> None:
        self.tick()
        self.wishes = [wish(name, *how) for name, how in sorted(wanted.items())]
        before = dict(self.tasks)
        changes = reconcile("p", self.wishes, self.tasks.values(), "d", self.now)
        for task in (*changes.created, *changes.updated):
            old = before.get(task.key)
            assert task.version == (old.version if old else 0) + 1
            self.tasks[task.key] = task
            if event := record_event(old, task):
                self.history[task.key].append(event)
            if old:
                self.people_win(old, task)
        assert reconcile("p", self.wishes, self.tasks.values(), "d2", self.now) == Changes()

    def people_win(self, old: Task, new: Task) -> None:
        """What the record may not do to what people did."""
        assert (new.holder, new.held_at, new.outcome, new.notes) == (old.holder, old.held_at, old.outcome, old.notes)
        if old.ended:
            assert replace(new, lapsed=old.lapsed, version=0, modified_at=BEGIN, decision="") == replace(
                old, version=0, modified_at=BEGIN, decision=""
            )
        if new.ended and not old.ended:
            assert not old.emergency
            assert new.status == "completed" or not (old.holder or old.notes), "withdrawn from under somebody"
            assert not new.by_person

    @rule(
        pick=st.integers(0, 9), what=st.sampled_from(Act), who=st.sampled_from(PEOPLE), text=SAID,
        outcome=st.sampled_from(["", *OUTCOMES]),
    )  # fmt: skip
    def do(self, pick: int, what: Act, who: Person, text: str, outcome: str) -> None:
        if not self.tasks:
            return
        self.tick()
        task = sorted(self.tasks.items())[pick % len(self.tasks)][1]
        try:
            after = act(task, what, who, self.now, text, outcome)
        except ActRefusedError:
            return
        assert who.role in (Role.CLINICIAN, Role.COORDINATOR)
        assert not task.ended or what is Act.COMMENT
        if task.emergency and after.ended and not task.ended:
            assert (who.role, what) == (Role.CLINICIAN, Act.COMPLETE)
        if task.holder not in ("", who.name):
            assert what in (Act.COMMENT, Act.RELEASE)
        self.tasks[task.key] = after
        self.history[task.key].append(act_event(task, after, what, who, text, outcome))
        self.done[task.key].append(Done(who, what, text, after))

    @invariant()
    def no_words_are_lost(self) -> None:
        for key, done in self.done.items():
            assert [d.text for d in done if d.text] == [note.text for note in self.tasks[key].notes]

    @invariant()
    def whoever_claimed_last_holds_it_until_they_or_somebody_says_otherwise(self) -> None:
        for key, done in self.done.items():
            moves = [d for d in done if d.act is not Act.COMMENT]
            if moves:
                assert self.tasks[key].holder == ("" if moves[-1].act is Act.RELEASE else moves[-1].person.name)

    @invariant()
    def what_a_person_ended_stays_as_they_ended_it(self) -> None:
        for key, done in self.done.items():
            for d in done:
                if d.act in (Act.COMPLETE, Act.DECLINE):
                    now = self.tasks[key]
                    assert (now.status, now.outcome, now.status_reason, now.ended_at, now.by_person) == (
                        d.after.status, d.after.outcome, d.after.status_reason, d.after.ended_at, True,
                    )  # fmt: skip

    @invariant()
    def no_emergency_ends_without_a_clinicians_outcome(self) -> None:
        for key, task in self.tasks.items():
            if task.emergency and task.ended:
                ends = [e for e in self.history[key] if e.act == Act.COMPLETE]
                assert [e.role for e in ends] == [Role.CLINICIAN]
                assert task.outcome in OUTCOMES

    @invariant()
    def the_history_is_complete(self) -> None:
        for key, task in self.tasks.items():
            events = self.history[key]
            assert (events[0].act, events[0].before) == ("ask", "")
            assert [e.before for e in events[1:]] == [e.after for e in events[:-1]]
            assert events[-1].after == task.status
            assert [e.version for e in events] == sorted({e.version for e in events})
            assert [(e.actor, e.act) for e in events if e.by_person] == [(d.person.name, d.act) for d in self.done[key]]
            assert sum(e.after != e.before and e.after in ("completed", "cancelled", "failed", "rejected")
                       for e in events) == task.ended  # fmt: skip

    @invariant()
    def what_is_wanted_has_at_most_one_open_task(self) -> None:
        open_rules = [task.rule for task in self.tasks.values() if not task.ended]
        assert len(open_rules) == len(set(open_rules))

    @invariant()
    def a_new_sign_of_an_emergency_always_has_an_open_task(self) -> None:
        for it in self.wishes:
            if it.owner == ON_CALL and it.state is State.OPEN:
                mine = [task for task in self.tasks.values() if task.rule == it.rule]
                latest = max(mine, key=lambda task: task.occurrence)
                assert not latest.ended or latest.by_person


TestWard = Ward.TestCase
TestWard.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
