"""What ended opens again: named evidence, the dead, what was before us, and two episodes that are one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.care import DIED
from pathway.history import record_event
from pathway.obligations import Obligation, State
from pathway.reconcile import DOUBLE, Changes, Ground, reconcile
from pathway.tasks import EXPIRED, Note, Task

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CLOSED = State.CLOSED
NONE = Ground()


def wish(rule: str = "r", episode: str = "e", state: State = State.OPEN, **other: object) -> Obligation:
    made = Obligation(
        rule=rule, release="s|1", code="c", title="T", episode=episode, state=state, levels=("L1",), anchor="asked",
        due_at=NOW + timedelta(days=3), owner="nurse", priority="routine", focus="Condition/a", why=("because",),
        sources=("Condition/a",), evidence=("Condition/a", "Observation/x") if state is CLOSED else (),
    )  # fmt: skip
    return replace(made, **other)  # type: ignore[arg-type]


def run(wishes: list[Obligation], tasks: list[Task], days: float = 0, ground: Ground = NONE) -> list[Task]:
    changes = reconcile("p", wishes, tasks, "d", NOW + timedelta(days=days), ground)
    after = list({task.key: task for task in [*tasks, *changes.created, *changes.updated]}.values())
    assert reconcile("p", wishes, after, "again", NOW + timedelta(days=days + 1), ground) == Changes()
    return after


def closed() -> Task:
    (task,) = run([wish(state=CLOSED)], run([wish()], []), days=1)
    return task


def by_person(outcome: str, status: str = "completed") -> Task:
    (task,) = run([wish()], [])
    return replace(task, status=status, outcome=outcome, by_person=True, ended_at=NOW, holder="cora")


def test_a_task_whose_evidence_is_withdrawn_opens_again_and_says_which() -> None:
    before = closed()
    (after,) = run([wish()], [before], days=5, ground=Ground(withdrawn=frozenset({"Observation/x"})))
    assert (after.key, after.status, after.evidence, after.ended_at) == (before.key, "ready", (), None)
    assert after.status_reason == "reopened: Observation/x, which closed it, was withdrawn"
    event = record_event(before, after)
    assert event is not None
    assert (event.act, "Observation/x" in event.text) == ("reopen", True)


def test_a_task_that_a_newer_record_contradicts_opens_again_and_says_which() -> None:
    (after,) = run([wish(against=("Observation/y",))], [closed()], days=5)
    assert (after.status, after.status_reason) == ("ready", "reopened: Observation/y speaks against it")


def test_what_was_known_when_it_closed_speaks_against_nothing_and_age_asks_anew() -> None:
    after = run([wish(against=("Observation/x",))], [closed()], days=60)
    assert [(t.key, t.status) for t in after] == [("e/r/1", "completed"), ("e/r/2", "ready")]


def test_a_reopened_task_that_is_asked_from_then_on_is_due_from_then_on() -> None:
    late = wish(against=("Observation/y",), due_at=NOW + timedelta(days=40))
    (after,) = run([late], [closed()], days=37)
    assert after.due_at == NOW + timedelta(days=40)


@pytest.mark.parametrize(("outcome", "status"), [("done", "completed"), ("not-needed", "cancelled"), ("", "rejected")])
def test_what_a_person_ended_opens_again_for_a_new_record_against_it_and_says_which(outcome: str, status: str) -> None:
    before = by_person(outcome, status)
    assert run([wish(against=("Condition/a",))], [before], days=1) == [before], "they knew it when they ended it"
    (after,) = run([wish(against=("Condition/a", "Appointment/missed"))], [before], days=5)
    assert (after.key, after.status, after.outcome, after.holder) == (before.key, "ready", "", "")
    assert after.status_reason == "reopened: Appointment/missed speaks against it"


@pytest.mark.parametrize("outcome", ["declined-by-patient", "unreachable", "transferred", "hospice", "died"])
def test_no_record_contradicts_an_honest_end_about_the_patient(outcome: str) -> None:
    before = by_person(outcome, "cancelled")
    assert run([wish(against=("Appointment/missed",))], [before], days=5) == [before]


def test_a_task_that_the_clock_ended_is_not_asked_for_again_before_its_ground_has_gone() -> None:
    (task,) = run([wish()], [])
    expired = replace(task, status="cancelled", outcome=EXPIRED, ended_at=NOW)
    assert run([wish()], [expired], days=1) == [expired]
    assert [t.status for t in run([wish()], run([], [expired], days=1), days=2)] == ["cancelled", "ready"]


def test_records_that_a_person_disputed_close_a_task_only_together_with_a_new_one() -> None:
    (task,) = run([wish()], [])
    disputed = replace(task, disputed=("Condition/a", "Observation/x"), by_person=True, notes=(Note(NOW, "C", "no"),))
    (same,) = run([wish(state=CLOSED)], [disputed], days=1)
    assert not same.ended
    (after,) = run([wish(state=CLOSED, evidence=("Condition/a", "Observation/z"))], [same], days=2)
    assert (after.status, after.evidence) == ("completed", ("Condition/a", "Observation/z"))


def test_a_death_ends_outreach_whoever_has_it_and_leaves_emergencies_to_people() -> None:
    alarm = wish("alarm", owner="on-call")
    tasks = run([wish(), wish("held"), alarm], [])
    tasks = [replace(t, by_person=True, holder="cora", status="accepted") if t.rule == "held" else t for t in tasks]
    dead = Ground(died="Patient/p")
    after = {t.rule: t for t in run([wish(), wish("new"), alarm], tasks, days=1, ground=dead)}
    assert {rule: t.status for rule, t in after.items()} == {"r": "cancelled", "held": "cancelled", "alarm": "ready"}
    assert after["r"].status_reason == after["held"].status_reason == "the patient died: Patient/p"


def test_a_death_that_is_taken_back_opens_the_same_tasks_again() -> None:
    dead = run([wish()], run([wish()], []), days=1, ground=Ground(died="Patient/p"))
    (after,) = run([wish()], dead, days=2)
    assert (after.key, after.status) == ("e/r/1", "ready")
    assert after.status_reason == "reopened: Patient/p no longer tells of a death"


def test_what_was_over_before_us_makes_no_task_but_an_emergency() -> None:
    before = Ground(before_us=frozenset({"old"}))
    tasks = run([wish(episode="old"), wish("alarm", "old", owner="on-call"), wish()], [], ground=before)
    assert [t.key for t in tasks] == ["old/alarm/1", "e/r/1"]


SAME = Ground(same={"e2": "e"})


def test_two_episodes_that_turn_out_to_be_one_leave_one_task() -> None:
    first, second = run([wish(), wish(episode="e2")], [])
    after = run([wish()], [first, second], days=1, ground=SAME)
    assert [t.status for t in after] == ["ready", "cancelled"]
    assert after[1].status_reason == f"one and the same as Task/{first.id}"


def test_what_a_person_ended_under_the_other_episode_is_not_asked_for_again() -> None:
    (other,) = run([wish(episode="e2")], [])
    done = replace(other, status="completed", outcome="done", by_person=True, ended_at=NOW)
    assert run([wish()], [done], days=1, ground=SAME) == [done]
    (open_,) = run([wish()], [])
    assert [t.status for t in run([wish()], [open_, done], days=1, ground=SAME)] == ["cancelled", "completed"]


def test_of_two_that_people_have_neither_is_ended_for_them() -> None:
    both = [replace(t, by_person=True, holder="cora") for t in run([wish(), wish(episode="e2")], [])]
    after = run([wish()], both, days=1, ground=SAME)
    assert [(t.ended, t.status_reason) for t in after] == [(False, ""), (False, DOUBLE)]


ALARM_SIGNS = ("Observation/a", "Observation/b", "Patient/p")


def test_an_emergency_that_ended_before_two_became_one_does_not_ring_again() -> None:
    old = run([wish("alarm", "e2", owner="on-call", sources=("Observation/a", "Patient/o"))], [])
    ended = [replace(old[0], status="completed", outcome="done", by_person=True, ended_at=NOW)]
    assert run([wish("alarm", owner="on-call", sources=("Observation/a", "Patient/p"))], ended, 1, SAME) == ended
    tasks = run([wish("alarm", owner="on-call", sources=("Observation/b",))], ended, 1)
    after = run([wish("alarm", owner="on-call", sources=ALARM_SIGNS)], tasks, 2, SAME)
    assert [(t.key, t.ended) for t in after] == [("e2/alarm/1", True), ("e/alarm/1", False)]
    closed = [replace(t, status="completed", outcome="done", by_person=True, ended_at=NOW) for t in after]
    assert run([wish("alarm", owner="on-call", sources=ALARM_SIGNS)], closed, 3, SAME) == closed
    new = wish("alarm", owner="on-call", sources=(*ALARM_SIGNS, "Observation/c"))
    assert [t.key for t in run([new], closed, 3, SAME) if not t.ended] == ["e/alarm/2"]


def test_what_presses_or_rests_on_a_record_of_the_present_is_asked_for_of_the_past() -> None:
    before = Ground(before_us=frozenset({"old"}), recent=frozenset({"Observation/new"}))
    wishes = [
        wish("stat", "old", priority="stat"), wish("asap", "old", priority="asap"), wish("quiet", "old"),
        wish("news", "old", sources=("Condition/a", "Observation/new")),
    ]  # fmt: skip
    assert [t.rule for t in run(wishes, [], ground=before)] == ["stat", "asap", "news"]


@given(
    st.sampled_from([("done", "completed"), ("declined-by-patient", "cancelled"), ("", "rejected")]),
    st.sampled_from([Ground(died="Patient/p"), Ground(resting=frozenset({"e/r", "e/held"}))]),
    st.lists(st.sampled_from(["asked", "left out", "closed"]), min_size=1, max_size=3),
)
def test_a_death_or_an_end_of_care_that_is_taken_back_changes_no_persons_end(
    end: tuple[str, str], ground: Ground, meanwhile: list[str]
) -> None:
    outcome, status = end
    ended = by_person(outcome, status)
    tasks = [ended]
    for day, how in enumerate(meanwhile, start=1):
        given_then = {"asked": [wish()], "left out": [], "closed": [wish(state=CLOSED)]}
        tasks = run(given_then[how if ground.died else "left out"], tasks, day, ground)
    assert run([wish()], tasks, 9) == [ended]


def test_what_an_end_of_care_ended_is_asked_for_anew_when_care_goes_on() -> None:
    ended = by_person("transferred", "cancelled")
    resting = run([], [ended], 1, Ground(resting=frozenset({"e/r"})))
    assert [(t.key, t.status) for t in run([wish()], resting, 2, Ground(lifted=frozenset({ended.key})))] == [
        ("e/r/1", "cancelled"), ("e/r/2", "ready"),
    ]  # fmt: skip


def test_days_are_days_of_the_facility() -> None:
    rome = Ground(zone=ZoneInfo("Europe/Rome"))
    by_day = wish(
        by_day=True, anchor="cement", due_at=NOW, start_at=NOW - timedelta(days=2), expires_at=NOW + timedelta(days=2)
    )
    (task,) = run([by_day], [], ground=rome)
    assert task.due_at == datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)
    assert task.start_at == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert task.expires_at == datetime(2026, 11, 24, 22, 59, 59, tzinfo=UTC)


def test_a_task_whose_period_lies_ahead_waits_for_it() -> None:
    (task,) = run([wish(start_at=NOW + timedelta(days=1))], [])
    assert (task.status, task.wake_at) == ("requested", NOW + timedelta(days=1))


def test_of_one_thing_a_death_ends_the_call_first_and_the_alarm_is_what_is_left() -> None:
    call, alarm = wish(), wish(episode="e2", owner="on-call")
    before = run([call, alarm], [])
    after = run([call], before, 1, Ground(died="Patient/p", same={"e2": "e"}))  # which is at its end at once
    assert {t.key: (t.status, t.outcome) for t in after} == {"e/r/1": ("cancelled", DIED), "e2/r/1": ("ready", "")}


def test_an_alarm_counts_before_the_task_that_it_was() -> None:
    before = run([wish(), wish(episode="e2", owner="on-call")], [])
    after = run([wish(state=CLOSED)], before, 1, Ground(same={"e2": "e"}))
    assert {t.key: t.status for t in after} == {"e/r/1": "cancelled", "e2/r/1": "ready"}


WISHES = st.lists(
    st.builds(
        wish, st.sampled_from("ab"), st.sampled_from(["e", "e2"]), st.sampled_from(State),
        owner=st.sampled_from(["nurse", "on-call"]), against=st.sampled_from([(), ("Observation/y",)]),
    ),
    max_size=4, unique_by=lambda w: w.key,
)  # fmt: skip
GROUNDS = st.builds(
    Ground,
    withdrawn=st.sampled_from([frozenset(), frozenset({"Observation/x"})]),
    died=st.sampled_from(["", "Patient/p"]),
    before_us=st.sampled_from([frozenset(), frozenset({"e2"})]),
    same=st.sampled_from([{}, {"e2": "e"}]),
)


@given(st.lists(st.tuples(WISHES, GROUNDS), min_size=1, max_size=5))
def test_whatever_went_before_a_second_run_changes_nothing(history: list[tuple[list[Obligation], Ground]]) -> None:
    tasks: list[Task] = []
    for step, (wishes, ground) in enumerate(history):
        asked = [wish for wish in wishes if wish.episode not in ground.same]
        tasks = run(asked, tasks, days=step, ground=ground)  # which checks just that
        if step % 2:  # as if a clinician had ended the alarms
            over = {"status": "completed", "outcome": "done", "by_person": True, "ended_at": NOW}
            tasks = [replace(t, **over) if t.emergency and not t.ended else t for t in tasks]
            run(asked, tasks, days=step, ground=ground)
        open_keys = [f"{t.episode}/{t.rule}" for t in tasks if not t.ended]
        assert len(open_keys) == len(set(open_keys)), "one thing is asked for once at a time"


@given(WISHES, WISHES, st.randoms(use_true_random=False))
def test_the_order_of_wishes_and_tasks_is_of_no_account(
    before: list[Obligation], now: list[Obligation], chance: object
) -> None:
    tasks = run(before, [])
    plain = {t.key: t for t in run(now, tasks, days=1)}
    chance.shuffle(tasks)  # type: ignore[attr-defined]
    chance.shuffle(now)  # type: ignore[attr-defined]
    assert {t.key: t for t in run(now, tasks, days=1)} == plain
