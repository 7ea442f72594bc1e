"""Reconcile: desired against actual. Level-triggered, and people win."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.decisions import THIRD
from pathway.episodes import person_episode_id
from pathway.obligations import Obligation, State, merge
from pathway.reconcile import Changes, reconcile
from pathway.tasks import Task

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def wish(rule: str = "r", episode: str = "e", state: State = State.OPEN, **other: object) -> Obligation:
    made = Obligation(
        rule=rule, release="s|1", code="c", title="T", episode=episode, state=state, levels=("L1",), anchor="asked",
        due_at=NOW + timedelta(days=3), owner="nurse", priority="routine", focus="Condition/a", why=("because",),
        evidence=("Observation/x",) if state is State.CLOSED else (),
    )  # fmt: skip
    return replace(made, **other)  # type: ignore[arg-type]


def apply(tasks: list[Task], changes: Changes) -> list[Task]:
    return list({task.key: task for task in [*tasks, *changes.created, *changes.updated]}.values())


def run(wishes: list[Obligation], tasks: list[Task], days: float = 0) -> list[Task]:
    return apply(tasks, reconcile("p", wishes, tasks, "d", NOW + timedelta(days=days)))


wishes = st.lists(
    st.builds(wish, st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from(State)),
    max_size=5,
    unique_by=lambda w: w.key,
)


@given(st.lists(wishes, min_size=1, max_size=4))
def test_running_it_again_changes_nothing_whatever_went_before(history: list[list[Obligation]]) -> None:
    tasks: list[Task] = []
    for step in history:
        tasks = run(step, tasks)
    assert reconcile("p", history[-1], tasks, "other", NOW + timedelta(days=9)) == Changes()


@given(st.lists(wishes, min_size=1, max_size=4))
def test_every_open_wish_ends_with_exactly_one_open_task(history: list[list[Obligation]]) -> None:
    tasks: list[Task] = []
    for step in history:
        tasks = run(step, tasks)
    open_keys = sorted(f"{t.episode}/{t.rule}" for t in tasks if not t.ended)
    assert open_keys == sorted(w.key for w in history[-1] if w.state is State.OPEN)


def test_a_wish_becomes_one_task_with_its_reasons() -> None:
    (task,) = run([wish()], [])
    assert (task.status, task.key, task.why, task.owner) == ("ready", "e/r/1", ("because",), "nurse")


def test_evidence_completes_a_task_and_says_which() -> None:
    (task,) = run([wish(state=State.CLOSED)], run([wish()], []))
    assert (task.status, task.evidence) == ("completed", ("Observation/x",))


def test_closed_by_evidence_before_anybody_was_asked_makes_no_task() -> None:
    assert run([wish(state=State.CLOSED)], []) == []


def test_what_is_no_longer_wanted_is_cancelled_with_a_reason() -> None:
    (task,) = run([], run([wish()], []))
    assert task.status == "cancelled"
    assert "no longer needed" in task.status_reason


def test_what_comes_back_is_a_new_occurrence_and_the_old_one_stays_as_it_ended() -> None:
    tasks = run([wish()], run([wish(state=State.CLOSED)], run([wish()], [])))
    assert {t.key: t.status for t in tasks} == {"e/r/1": "completed", "e/r/2": "ready"}


@pytest.mark.parametrize("status", ["completed", "rejected", "cancelled", "failed"])
def test_what_a_person_ended_is_not_asked_for_again(status: str) -> None:
    (task,) = run([wish()], [])
    ended = replace(task, status=status, by_person=True)
    assert run([wish()], [ended]) == [ended]


def test_a_task_that_a_person_holds_is_not_cancelled_from_under_them() -> None:
    (task,) = run([wish()], [])
    held = replace(task, status="in-progress", owner="practitioner-7", by_person=True)
    (after,) = run([], [held])
    assert (after.status, after.owner) == ("in-progress", "practitioner-7")
    assert "no longer asks" in after.status_reason


def test_what_evidence_closes_in_somebodys_hands_was_closed_by_evidence_and_stays_in_their_name() -> None:
    (task,) = run([wish()], [])
    held = replace(task, status="accepted", holder="m.rossi", by_person=True)
    (after,) = run([wish(state=State.CLOSED)], [held], days=1)
    assert (after.status, after.by_person, after.holder) == ("completed", False, "m.rossi")
    assert after.ended_at == NOW + timedelta(days=1)


def test_a_lapse_after_the_end_does_not_move_the_end() -> None:
    ended = run([wish(state=State.CLOSED)], run([wish()], []), days=1)
    person = [replace(ended[0], by_person=True, lapsed=False)]
    (later,) = run([], person, days=5)
    assert later.lapsed
    assert later.ended_at == ended[0].ended_at


def test_owner_and_asked_for_date_are_kept_and_reasons_follow_the_facts() -> None:
    (task,) = run([wish()], [])
    claimed = replace(task, owner="practitioner-7", by_person=True)
    (after,) = run([wish(why=("better",), due_at=NOW + timedelta(days=30))], [claimed], days=1)
    assert (after.owner, after.due_at, after.why) == ("practitioner-7", task.due_at, ("better",))


def test_a_due_date_that_hangs_on_an_event_follows_the_event() -> None:
    (task,) = run([wish(anchor="cement")], [])
    (after,) = run([wish(anchor="cement", due_at=NOW + timedelta(days=1))], [task])
    assert after.due_at == NOW + timedelta(days=1)


def test_an_upgrade_of_the_rules_re_creates_nothing() -> None:
    tasks = run([wish()], [])
    assert [t.key for t in run([wish(release="s|2")], tasks)] == [t.key for t in tasks]


def test_ids_are_the_same_on_every_machine() -> None:
    (one,) = run([wish()], [])
    (other,) = run([wish()], [])
    assert one.id == other.id


def test_wishes_of_several_levels_of_one_episode_become_one_that_is_open_while_any_is() -> None:
    one = wish(levels=("L2",), state=State.CLOSED)
    other = wish(levels=("L1",), why=("also",), due_at=NOW + timedelta(days=1))
    (joined,) = merge([one, other])
    assert (joined.state, joined.levels, joined.due_at) == (State.OPEN, ("L1",), NOW + timedelta(days=1))
    assert joined.why == ("also",), "what is settled of one level is no reason of the other's task"
    assert merge([other, one]) == (joined,)
    (before,) = merge([one, other], THIRD)
    assert (before.levels, set(before.why)) == (("L1", "L2"), {"because", "also"}), "as decisions of 0.4.0 replay"


def test_an_emergency_is_ended_by_people_alone_whoever_has_claimed_it() -> None:
    (task,) = run([wish(owner="on-call", priority="stat")], [])
    claimed = replace(task, owner="practitioner-7")
    (unasked,) = run([], [claimed])
    (answered,) = run([wish(owner="on-call", state=State.CLOSED)], [claimed])
    assert (unasked.status, answered.status) == ("ready", "ready")
    assert "a clinician closes it" in unasked.status_reason
    assert "a clinician closes it" in answered.status_reason


def test_an_emergency_that_a_person_closed_comes_back_for_a_new_sign_only() -> None:
    (task,) = run([wish(owner="on-call", sources=("Observation/1",))], [])
    closed = replace(task, status="completed", by_person=True)
    assert run([wish(owner="on-call", sources=("Observation/1",))], [closed]) == [closed]
    after = run([wish(owner="on-call", sources=("Observation/1", "Observation/2"))], [closed])
    assert [t.status for t in after] == ["completed", "ready"]


def test_what_a_person_ended_comes_back_after_its_ground_has_gone_and_returned() -> None:
    (task,) = run([wish()], [])
    ended = replace(task, status="rejected", by_person=True)
    gone = run([], [ended])
    assert [t.status for t in run([wish()], gone)] == ["rejected", "ready"]


def of_person(*levels: str) -> Obligation:
    """A wish for the whole person, which rests on some vertebrae."""
    return wish(episode=person_episode_id("p"), levels=levels)


def ended_by_person(*levels: str, **other: object) -> list[Task]:
    (task,) = run([of_person(*levels)], [])
    return [replace(task, status="completed", outcome="done", by_person=True, **other)]  # type: ignore[arg-type]


def test_what_a_person_ended_for_one_vertebra_is_asked_for_again_for_another() -> None:
    tasks = run([of_person("L1", "T8")], ended_by_person("L1"))
    assert [(t.occurrence, t.status) for t in tasks] == [(1, "completed"), (2, "ready")]
    assert run([of_person("L1", "T8")], tasks) == tasks


@pytest.mark.parametrize("now", [("L1",), ("L1", "unspecified")])
def test_what_a_person_ended_is_not_asked_for_again_for_the_same_vertebra(now: tuple[str, ...]) -> None:
    assert len(run([of_person(*now)], ended_by_person("L1", "T8"))) == 1


def test_a_vertebra_that_is_only_named_at_last_asks_for_nothing_again() -> None:
    assert len(run([of_person("L1")], ended_by_person("unspecified"))) == 1


def test_another_vertebra_is_no_new_emergency() -> None:
    assert len(run([of_person("L1", "T8")], ended_by_person("L1", emergency=True))) == 1
