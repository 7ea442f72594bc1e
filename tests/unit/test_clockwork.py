"""The clock of tasks: what it does when, how far it goes, and what it never does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pathway.acts import act
from pathway.clockwork import PACE, set_going, tick, told, tries, wound
from pathway.lifecycle import Tick, reopened
from pathway.people import TRIED, Act, OutOfTurnError, Person, Role, Said
from pathway.tasks import EXPIRED, ON_CALL, Attempt, Task

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPOKE = Attempt(NOW, "a", "phone", "reached")
CORA = Person("cora", Role.COORDINATOR, "Cora C.")
CLIO = Person("clio", Role.CLINICIAN, "Clio K.")


def made(**changed: Any) -> Task:
    """A task that was asked for just now and is due in three days."""
    task = Task(
        key="e/r/1", patient="s|p", episode="e", rule="after-cement.r", occurrence=1, code="c", title="Call",
        status="ready", priority="routine", owner="coordinator", due_at=NOW + 3 * DAY, anchor="asked", focus="",
        release="after-cement|0.4.0", decision="d", authored_at=NOW, modified_at=NOW,
    )  # fmt: skip
    task = replace(task, **changed)
    return set_going(None, replace(task, emergency=task.owner == ON_CALL), PACE, NOW)


def until(task: Task, end: datetime) -> list[tuple[datetime, Tick | None, Task]]:
    """What the clock does to a task until an instant, each at the instant at which it wakes."""
    done: list[tuple[datetime, Tick | None, Task]] = []
    while (at := task.wake_at) is not None and at <= end:
        step = tick(task, PACE, at)
        assert step is not None, "it woke and nothing was to do"
        task = step[0]
        done.append((at, step[1], task))
        assert len(done) < 500
    return done


def test_before_its_time_nothing_happens() -> None:
    task = made()
    assert task.wake_at is not None
    assert tick(task, PACE, task.wake_at - timedelta(seconds=1)) is None


def test_a_task_begins_when_its_period_does() -> None:
    task = made(status="requested", start_at=NOW + DAY)
    (first, *_) = until(task, NOW + 2 * DAY)
    assert (first[0], first[1], first[2].status, first[2].version) == (NOW + DAY, Tick.START, "ready", 2)


@pytest.mark.parametrize(
    ("priority", "wait", "then"),
    [
        pytest.param("routine", DAY, 7 * DAY, id="routine"),
        pytest.param("urgent", DAY, 7 * DAY, id="urgent"),
        pytest.param("asap", 4 * HOUR, DAY, id="asap"),
        pytest.param("stat", HOUR, DAY, id="stat"),
    ],
)
def test_a_late_task_goes_to_the_role_then_the_supervisor_and_is_never_silent(
    priority: str, wait: timedelta, then: timedelta
) -> None:
    """The more it presses, the sooner; and the supervisor hears of it again for as long as it is open."""
    task = made(priority=priority)
    done = until(task, NOW + 365 * DAY)
    told_at = [task.due_at + wait, task.due_at + 2 * wait, task.due_at + 2 * wait + then]
    assert [at for at, _, _ in done[:3]] == told_at
    assert [told(task.stage) for _, _, task in done[:3]] == ["role", "supervisor", "supervisor"]
    assert done[-1][2].wake_at == done[-1][0] + then


def test_a_late_task_in_somebodys_hands_begins_with_them() -> None:
    task = act(made(), Act.CLAIM, CORA, NOW)
    assert [told(task.stage) for _, _, task in until(task, NOW + 7 * DAY)] == ["holder", "role", "supervisor"]


def test_whoever_takes_a_late_task_gets_their_own_time() -> None:
    late = until(made(), NOW + 4 * DAY)[-1][2]
    taken = act(late, Act.CLAIM, CORA, NOW + 4 * DAY + HOUR)
    assert (taken.stage, taken.escalate_at) == (0, NOW + 5 * DAY + HOUR)


def test_an_emergency_rings_each_quarter_of_an_hour_then_ever_less_often_until_somebody_answers() -> None:
    emergency = made(owner=ON_CALL, due_at=NOW)
    rung = until(emergency, NOW + 4 * HOUR)
    assert [(int((at - NOW).total_seconds() // 60), told(task.stage)) for at, _, task in rung] == [
        (15, "role"), (30, "supervisor"), (90, "supervisor"), (210, "supervisor"),
    ]  # fmt: skip
    assert [task.stage for _, _, task in rung] == [2, 3, 4, 5], "each ring has a number of its own"
    in_a_year = until(emergency, NOW + 365 * DAY)
    assert in_a_year[-1][0] - in_a_year[-2][0] == DAY, "nobody is left alone with it for longer than a day"


@pytest.mark.parametrize("answer", [Act.CLAIM, Act.ACKNOWLEDGE])
def test_an_answer_stops_the_timer_and_giving_it_back_starts_it_again(answer: Act) -> None:
    emergency = made(owner=ON_CALL, due_at=NOW)
    answered = act(emergency, answer, CLIO, NOW + timedelta(minutes=14))
    assert answered.acknowledged_by == "Clio K."
    assert until(answered, NOW + HOUR) == []
    given_back = act(answered, Act.RELEASE, CLIO, NOW + 2 * HOUR)
    assert given_back.escalate_at == NOW + 2 * HOUR + timedelta(minutes=15)


def test_an_answered_emergency_that_nobody_ends_is_not_forgotten() -> None:
    answered = act(made(owner=ON_CALL, due_at=NOW), Act.ACKNOWLEDGE, CLIO, NOW + timedelta(minutes=5))
    assert [told(task.stage) for _, _, task in until(answered, NOW + 3 * DAY)] == ["role", "supervisor"]


def test_somebody_given_an_emergency_has_not_answered_it() -> None:
    other = replace(CLIO, name="ken", display="Ken")
    given = act(made(owner=ON_CALL, due_at=NOW), Act.ASSIGN, CLIO, NOW, Said(to=other))
    assert (given.holder, given.acknowledged_at, given.escalate_at) == ("ken", None, NOW + timedelta(minutes=15))
    assert act(given, Act.ACKNOWLEDGE, other, NOW).status == "in-progress"


@pytest.mark.parametrize("outcome", TRIED)
def test_an_attempt_silences_no_emergency_however_late_the_next_try(outcome: str) -> None:
    said = Said(channel="phone", outcome=outcome, until=NOW + 170 * DAY)
    tried = act(made(owner=ON_CALL, due_at=NOW), Act.ATTEMPT, CLIO, NOW, said)
    assert (tried.acknowledged_by, tried.escalate_at) == ("Clio K.", NOW + DAY)


def test_an_emergency_that_is_handed_round_rings_no_later_for_that() -> None:
    emergency = until(made(owner=ON_CALL, due_at=NOW), NOW + DAY)[-1][2]
    at = NOW + DAY
    for name in ("ken", "kim", "ken"):
        handed = act(emergency, Act.ASSIGN, CLIO, at, Said("on call", to=replace(CLIO, name=name)))
        assert handed.escalate_at == min(emergency.escalate_at or at, at + timedelta(minutes=15))
        at, emergency = at + timedelta(minutes=5), handed


def test_an_emergency_that_is_given_back_unanswered_rings_when_it_would_have_rung() -> None:
    other = replace(CLIO, name="ken")
    given = act(made(owner=ON_CALL, due_at=NOW), Act.ASSIGN, CLIO, NOW, Said(to=other))
    for what, who in ((Act.RELEASE, other), (Act.UNASSIGN, CLIO)):
        back = act(given, what, who, NOW + timedelta(minutes=10), Said("off duty"))
        assert (back.holder, back.escalate_at) == ("", NOW + timedelta(minutes=15))


def test_a_snooze_rests_and_comes_back_as_it_was() -> None:
    held = act(made(due_at=NOW - 9 * DAY), Act.CLAIM, CORA, NOW)
    asleep = act(held, Act.SNOOZE, CORA, NOW, Said("on holiday", until=NOW + 14 * DAY))
    assert (asleep.status, asleep.wake_at) == ("on-hold", NOW + 14 * DAY)
    ((at, what, back), *later) = until(asleep, NOW + 15 * DAY)
    assert (at, what, back.status, back.holder) == (NOW + 14 * DAY, Tick.RETURN, "accepted", "cora")
    assert [(task.stage, at - NOW) for at, _, task in later] == [(1, 15 * DAY)]


def test_the_third_attempt_in_vain_escalates_at_once_past_whoever_tried() -> None:
    task, said = made(), Said(channel="phone", outcome="no-answer")
    for n in range(2):
        task = act(task, Act.ATTEMPT, CORA, NOW + n * HOUR, said)
        assert tick(task, PACE, NOW + n * HOUR) is None
    task = act(task, Act.ATTEMPT, CORA, NOW + 2 * HOUR, said)
    step = tick(task, PACE, NOW + 2 * HOUR)
    assert step is not None
    assert (step[1], told(step[0].stage), step[0].status) == (Tick.ESCALATE, "role", "in-progress")


def test_a_word_with_the_patient_starts_the_count_anew() -> None:
    said = [Attempt(NOW, "a", "phone", outcome) for outcome in ("no-answer", "no-answer", "reached", "left-message")]
    assert [tries(tuple(said[:n])) for n in range(5)] == [0, 1, 2, 0, 1]


def test_a_planned_next_try_is_no_neglect() -> None:
    said = Said(channel="phone", outcome="no-answer", until=NOW + 20 * DAY)
    assert act(made(), Act.ATTEMPT, CORA, NOW, said).escalate_at == NOW + 21 * DAY


@pytest.mark.parametrize(
    ("attempts", "status"), [((), "cancelled"), ((Attempt(NOW, "a", "phone", "reached"),), "failed")]
)
def test_what_nobody_has_expires_with_its_period(attempts: tuple[Attempt, ...], status: str) -> None:
    task = made(expires_at=NOW + 2 * DAY, attempts=attempts)
    (done,) = until(task, NOW + 99 * DAY)
    assert (done[1], done[2].status, done[2].outcome, done[2].by_person) == (Tick.EXPIRE, status, EXPIRED, False)


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param({"owner": ON_CALL}, id="an emergency"),
        pytest.param({"release": "bone-health|0.4.0", "rule": "bone-health.r"}, id="osteoporosis care"),
        pytest.param({"status": "accepted", "holder": "cora", "by_person": True}, id="in somebody's hands"),
        pytest.param({"by_person": True}, id="somebody's words stand on it"),
    ],
)
def test_what_the_clock_never_ends(kept: dict[str, Any]) -> None:
    task = made(expires_at=NOW + DAY, **kept)
    assert all(what is Tick.ESCALATE for _, what, _ in until(task, NOW + 60 * DAY))


def test_a_sweeper_that_was_away_for_weeks_escalates_one_stage_and_then_waits() -> None:
    step = tick(made(), PACE, NOW + 40 * DAY)
    assert step is not None
    assert (told(step[0].stage), step[0].escalate_at) == ("role", NOW + 41 * DAY)
    assert tick(step[0], PACE, NOW + 40 * DAY) is None


def test_a_task_from_before_there_were_clocks_is_given_one_in_silence() -> None:
    old = replace(made(), escalate_at=None)
    step = tick(old, PACE, NOW + 60 * DAY)
    assert step is not None
    assert (step[1], step[0].stage, step[0].wake_at) == (None, 0, NOW + 61 * DAY)
    assert tick(replace(old, status="requested"), PACE, NOW) is not None


def test_a_new_due_date_sets_the_timer_and_another_reason_does_not() -> None:
    task = made()
    later = replace(task, due_at=NOW + 30 * DAY)
    assert set_going(task, later, PACE, NOW).escalate_at == NOW + 31 * DAY
    assert set_going(task, replace(task, why=("other",)), PACE, NOW + DAY) == replace(task, why=("other",))


def test_a_new_due_date_revives_the_timer_of_what_went_all_the_way() -> None:
    late = replace(until(made(), NOW + 6 * DAY)[-1][2], escalate_at=None)
    moved = set_going(late, replace(late, due_at=NOW + 30 * DAY), PACE, NOW + 6 * DAY)
    assert (moved.stage, moved.escalate_at) == (0, NOW + 31 * DAY)


def test_what_stays_late_and_an_emergency_are_told_of_no_later_for_a_new_date() -> None:
    late = until(made(), NOW + 4 * DAY)[-1][2]
    for hours in (1, 2, 20):
        late = set_going(late, replace(late, due_at=NOW + hours * HOUR), PACE, NOW + 4 * DAY + hours * HOUR)
        assert (late.stage, late.escalate_at) == (2, NOW + 5 * DAY)
    rings = made(owner=ON_CALL, due_at=NOW)
    moved = set_going(rings, replace(rings, due_at=NOW + DAY), PACE, NOW + timedelta(minutes=10))
    assert moved.escalate_at == rings.escalate_at


def test_what_presses_more_than_it_did_is_told_of_sooner() -> None:
    planned = Said(channel="phone", outcome="no-answer", until=NOW + 170 * DAY)
    tried = act(made(), Act.ATTEMPT, CORA, NOW, planned)
    assert set_going(tried, replace(tried, priority="stat"), PACE, NOW + HOUR).escalate_at == NOW + 3 * DAY + HOUR


@pytest.mark.parametrize(("priority", "days"), [("routine", 180), ("urgent", 30), ("asap", 3), ("stat", 2)])
@pytest.mark.parametrize("what", [Act.SNOOZE, Act.ATTEMPT])
def test_nothing_is_put_off_further_than_its_priority_allows(what: Act, priority: str, days: int) -> None:
    task = made(priority=priority)
    said = Said("busy", "no-answer", "phone", NOW + days * DAY)
    assert act(task, what, CLIO, NOW, said).wake_at is not None
    with pytest.raises(OutOfTurnError, match=f"{days} days"):
        act(task, what, CLIO, NOW, replace(said, until=NOW + days * DAY + HOUR))


def test_a_site_that_wants_less_of_everything_gets_it() -> None:
    hasty = replace(PACE, grace=timedelta(minutes=30), longest_snooze=DAY)
    for priority in ("routine", "urgent", "asap", "stat"):
        task = made(priority=priority)
        assert (hasty.grace_of(task), hasty.furthest(task)) == (timedelta(minutes=30), DAY)


def test_what_ended_has_no_clock_and_what_is_reopened_has_one_again() -> None:
    task = made(expires_at=NOW + DAY)
    over = set_going(task, replace(task, status="completed", ended_at=NOW), PACE, NOW)
    assert over.wake_at is None
    again = set_going(over, reopened(over, NOW + 9 * DAY, "withdrawn"), PACE, NOW + 9 * DAY)
    assert (again.status, again.expires_at, again.wake_at) == ("ready", None, NOW + 10 * DAY)


def test_a_reopened_emergency_rings_under_a_number_of_its_own() -> None:
    task = replace(made(owner=ON_CALL), status="completed", stage=3, acknowledged_at=NOW)
    again = reopened(task, NOW, "withdrawn")
    assert (again.stage, again.acknowledged_at) == (4, None)
    assert wound(again, PACE, NOW, anew=True).wake_at == NOW + timedelta(minutes=15)
