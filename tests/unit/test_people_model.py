"""People, the record and the clock at work on the same tasks, in any order: no edit is lost, nothing ends unseen."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pathway.acts import act, acts_now
from pathway.clockwork import PACE, set_going, tick, told, tries
from pathway.history import TaskEvent, act_event, clock_event, record_event
from pathway.lifecycle import ENDS, OPEN, Tick, Word, leads
from pathway.obligations import Obligation, State
from pathway.people import CHANNELS, OUTCOMES, TRIED, Act, ActRefusedError, Person, Role, Said
from pathway.reconcile import Changes, reconcile
from pathway.tasks import ON_CALL, Task

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = [Person(f"{role}-{n}", role, f"{role} {n}") for role in Role for n in (1, 2)]
RULES = {"mri": "coordinator", "visit": "nurse", "deficit": ON_CALL, "discrepancy": "operator"}
PRIORITIES = {"deficit": "stat", "discrepancy": "stat", "visit": "urgent"}
ACTING = [person for person in PEOPLE if person.role in (Role.CLINICIAN, Role.COORDINATOR)]
NAMED = {person.name: person for person in PEOPLE}
WHO = st.sampled_from([*ACTING, *PEOPLE])
SAYING = st.builds(
    Said, text=st.sampled_from(["because", "called twice", ""]), outcome=st.sampled_from([*TRIED, *OUTCOMES, ""]),
    channel=st.sampled_from(["phone", ""]), to=st.sampled_from([*ACTING, *PEOPLE, None]),
)  # fmt: skip
AHEAD = st.sampled_from([None, -1, 1, 2, 29, 31, 3650])
"""In how many days, as somebody says."""
WANTED = st.dictionaries(st.sampled_from(sorted(RULES)), st.tuples(st.sampled_from(State), st.integers(0, 2)))


def wish(name: str, state: State, source: int) -> Obligation:
    return Obligation(
        rule=name, release="s|1", code="c", title="T", episode="e", state=state, levels=("L1",), anchor="asked",
        due_at=BEGIN + timedelta(days=3), owner=RULES[name],
        priority=PRIORITIES.get(name, "routine"), focus="Condition/a", why=("because",),
        sources=(f"Condition/{source}",),
        evidence=("Observation/x",) if state is State.CLOSED else (),
        start_at=BEGIN + timedelta(days=2) if name == "visit" else None,
        expires_at=BEGIN + timedelta(days=20) if name == "visit" else None,
    )  # fmt: skip


@dataclass
class Done:
    """What a person did and was told is done."""

    person: Person
    act: Act
    text: str
    after: Task = field(repr=False)


def _by(event: TaskEvent) -> Act | Tick | Word:
    """What an event was, out of its code: the record and a person both reopen."""
    if event.by_person:
        return Act(event.act)
    return Tick(event.act) if event.act in list(Tick) else Word(event.act)


CARERS = {Role.CLINICIAN, Role.COORDINATOR}
FURTHEST = {"routine": 180, "urgent": 30, "asap": 3, "stat": 2}
NEEDS_WORDS = {Act.UNASSIGN, Act.SNOOZE, Act.DECLINE, Act.COMMENT, Act.REOPEN}


def wrong(task: Task, what: Act, who: Person, said: Said, now: datetime) -> str:
    """Why an act has to be refused, out of the words of docs/people.md and docs/task-lifecycle.md; empty if it must be
    done.
    """
    others = task.holder not in ("", who.name)
    reasons = {
        "they look on": who.role not in CARERS,
        "an emergency is a clinician's": task.emergency and who.role is not Role.CLINICIAN and what is not Act.COMMENT,
        "never with an emergency": task.emergency and what in (Act.SNOOZE, Act.RESUME, Act.DECLINE),
        "it presses": what is Act.SNOOZE and task.rule == "discrepancy" and who.role is not Role.CLINICIAN,
        "it has ended": task.ended and what not in (Act.COMMENT, Act.REOPEN),
        "it is open": not task.ended and what is Act.REOPEN,
        "another has it": others and not task.ended and what not in (Act.COMMENT, Act.ASSIGN, Act.UNASSIGN),
        "no words": not said.text and (what in NEEDS_WORDS or (what is Act.ASSIGN and others)),
        "they have it": what is Act.CLAIM and task.holder == who.name,
        "they give it back instead": what is Act.UNASSIGN and task.holder == who.name,
        "nobody has it": what in (Act.RELEASE, Act.UNASSIGN) and not task.holder,
        "it was not put off": what is Act.RESUME and task.status != "on-hold",
        "nothing to answer": what is Act.ACKNOWLEDGE and (not task.emergency or task.acknowledged_at is not None),
        "to whom": what is Act.ASSIGN and not _may_get(task, said.to),
        "no such end": what is Act.COMPLETE and not _honest(task, said),
        "not so tried": what is Act.ATTEMPT and (said.channel not in CHANNELS or said.outcome not in TRIED),
        "until when": what is Act.SNOOZE and said.until is None,
        "not then": what in (Act.SNOOZE, Act.ATTEMPT) and said.until is not None
        and not now < said.until <= now + timedelta(days=FURTHEST[task.priority]),
    }  # fmt: skip
    return next((reason for reason, holds in reasons.items() if holds), "")


def _may_get(task: Task, to: Person | None) -> bool:
    return to is not None and to.name != task.holder and to.role in ({Role.CLINICIAN} if task.emergency else CARERS)


def _honest(task: Task, said: Said) -> bool:
    """Whether a task may end as somebody says that it did."""
    why = said.outcome in ("not-needed", "unreachable") or (task.emergency and said.outcome != "done")
    if said.outcome == "unreachable" and tries(task.attempts) < 3:
        return False
    return said.outcome in OUTCOMES and bool(said.text or not why)


class Ward(RuleBasedStateMachine):
    """Deliveries change what is wanted; people act on what they see."""

    @initialize()
    def begin(self) -> None:
        self.now = BEGIN
        self.tasks: dict[str, Task] = {}
        self.history: dict[str, list[TaskEvent]] = defaultdict(list)
        self.done: dict[str, list[Done]] = defaultdict(list)
        self.wishes: list[Obligation] = []
        self.deliver(dict.fromkeys(RULES, (State.OPEN, 0)))

    def tick(self) -> None:
        self.now += timedelta(minutes=7)

    @rule(wanted=WANTED)
    def delivery(self, wanted: dict[str, tuple[State, int]]) -> None:
        self.deliver(wanted)

    def deliver(self, wanted: dict[str, tuple[State, int]]) -> None:
        self.tick()
        self.wishes = [wish(name, *how) for name, how in sorted(wanted.items())]
        before = dict(self.tasks)
        changes = reconcile("p", self.wishes, self.tasks.values(), "d", self.now)
        for changed in (*changes.created, *changes.updated):
            old = before.get(changed.key)
            task = set_going(old, changed, PACE, self.now)
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
        if old.ended and new.ended:
            assert replace(new, lapsed=old.lapsed, version=0, modified_at=BEGIN, decision="") == replace(
                old, version=0, modified_at=BEGIN, decision=""
            )
        if new.ended and not old.ended:
            assert not old.emergency
            assert new.status == "completed" or not (old.holder or old.notes), "withdrawn from under somebody"
            assert not new.by_person

    @rule(hours=st.sampled_from([0, 1, 24, 200, 900]))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for task in list(self.tasks.values()):
            steps = 0
            while step := tick(task, PACE, self.now):
                after, what = step
                assert what is not None, "what has a clock needs none"
                assert after.status in leads(what, task.status)
                assert after.version == task.version + 1
                if after.ended:
                    assert (task.emergency, task.by_person) == (False, False)
                self.history[task.key].append(clock_event(task, after, what))
                self.tasks[task.key] = task = after
                steps += 1
                assert steps < 6, "the clock does not come to rest"
            assert task.wake_at is None or task.wake_at > self.now
            if task.emergency and not task.ended:
                assert task.wake_at is not None, "an open emergency is never forgotten"

    @rule(pick=st.integers(0, 9), what=st.sampled_from(Act), who=WHO, said=SAYING, ahead=AHEAD)
    def somebody_does(self, pick: int, what: Act, who: Person, said: Said, ahead: int | None) -> None:
        self.do(self.picked(pick), what, who, said, ahead)

    @rule(pick=st.integers(0, 9), what=st.sampled_from(Act), who=WHO, said=SAYING, ahead=AHEAD)
    def whoever_has_it_does(self, pick: int, what: Act, who: Person, said: Said, ahead: int | None) -> None:
        task = self.picked(pick)
        self.do(task, what, NAMED.get(task.holder, who), said, ahead)

    @rule(pick=st.integers(0, 9), which=st.integers(0, 11), who=WHO, said=SAYING, ahead=AHEAD)
    def somebody_does_what_the_page_offers(self, pick: int, which: int, who: Person, said: Said, ahead: int) -> None:
        task = self.picked(pick)
        if offered := sorted(acts_now(task, who) - {Act.COMPLETE, Act.DECLINE}):
            self.do(task, offered[which % len(offered)], who, said, ahead)

    def picked(self, pick: int) -> Task:
        return sorted(self.tasks.items())[pick % len(self.tasks)][1]

    def do(self, task: Task, what: Act, who: Person, said: Said, ahead: int | None) -> None:
        self.tick()
        said = replace(said, until=None if ahead is None else self.now + timedelta(days=ahead))
        later = [t for t in self.tasks.values() if t.rule == task.rule and t.occurrence > task.occurrence]
        if what is Act.REOPEN and later:
            return  # the desk refuses it
        reason = wrong(task, what, who, said, self.now)
        try:
            after = act(task, what, who, self.now, said)
        except ActRefusedError:
            after = None
        assert (after is None) is bool(reason), f"refused without a reason, or done though {reason}"
        if after is None:
            return
        assert what in acts_now(task, who), "what a page offers no button for is refused"
        self.rings_in_time(task, after)
        assert after.status in leads(what, task.status)
        if task.emergency and after.ended and not task.ended:
            assert (who.role, what) == (Role.CLINICIAN, Act.COMPLETE)
        if task.holder not in ("", who.name) and not task.ended:
            assert what in (Act.COMMENT, Act.UNASSIGN, Act.ASSIGN)
        self.tasks[task.key] = after
        self.history[task.key].append(act_event(task, after, what, who, said))
        self.done[task.key].append(Done(who, what, said.text, after))

    def rings_in_time(self, before: Task, after: Task) -> None:
        """No act puts an open emergency out of hearing."""
        if not after.emergency or after.ended:
            return
        assert after.escalate_at is not None
        if after.acknowledged_at is not None:
            rest = PACE.grace_of(after) if told(after.stage) != "supervisor" else PACE.again_of(after)
            assert after.escalate_at <= max(self.now, after.due_at) + rest
        else:
            soon = self.now + PACE.answer
            assert after.escalate_at <= (soon if before.escalate_at is None else max(soon, before.escalate_at))
            if before.acknowledged_at is None and before.escalate_at is not None:
                assert after.escalate_at <= before.escalate_at

    @invariant()
    def nothing_open_is_silent(self) -> None:
        for task in self.tasks.values():
            assert task.ended is (task.wake_at is None)

    @invariant()
    def no_words_are_lost(self) -> None:
        for key, done in self.done.items():
            assert [d.text for d in done if d.text] == [note.text for note in self.tasks[key].notes]

    @invariant()
    def whoever_was_last_given_it_holds_it(self) -> None:
        for key, done in self.done.items():
            if any(e.act == "reopen" for e in self.history[key]):
                continue
            moves = [d for d in done if d.act is not Act.COMMENT]
            if moves:
                assert self.tasks[key].holder == moves[-1].after.holder

    @invariant()
    def what_a_person_ended_stays_as_they_ended_it_until_it_is_reopened(self) -> None:
        for key, done in self.done.items():
            ends = [d for d in done if d.act in (Act.COMPLETE, Act.DECLINE)]
            reopened = any(e.act == "reopen" for e in self.history[key])
            for d in ends if not reopened else ():
                now = self.tasks[key]
                assert (now.status, now.outcome, now.status_reason, now.ended_at, now.by_person) == (
                    d.after.status, d.after.outcome, d.after.status_reason, d.after.ended_at, True,
                )  # fmt: skip

    @invariant()
    def no_emergency_ends_without_a_clinicians_outcome(self) -> None:
        for key, task in self.tasks.items():
            if task.emergency and task.ended:
                ends = [e for e in self.history[key] if e.after in ENDS and e.before in OPEN]
                assert {(e.role, e.act) for e in ends} == {(Role.CLINICIAN, Act.COMPLETE)}
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
            ended = sum(e.before in OPEN and e.after in ENDS for e in events)
            assert ended - sum(e.before in ENDS and e.after in OPEN for e in events) == task.ended
            assert all(e.after in leads(_by(e), e.before) for e in events)

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
TestWard.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
