"""People and tasks: every role with every act, and what an act makes of a task."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.fhir.from_plan import task as fhir_task
from adapters.fhir.terminology import load_local_codes
from adapters.fhir.validate import check_written
from pathway.acts import act, acts_for, acts_now
from pathway.clockwork import PACE, wound
from pathway.history import act_event
from pathway.people import (
    MOST_TEXT,
    OUTCOMES,
    Act,
    ActRefusedError,
    NotYoursError,
    OutOfTurnError,
    Person,
    Role,
    Said,
)
from pathway.tasks import EXPIRED, Attempt, Task

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PEOPLE = {role: Person(f"{role}-1", role, f"A. {role.title()}") for role in Role}
OTHER = Person("coordinator-2", Role.COORDINATOR, "B. Coordinator")
CORA = PEOPLE[Role.COORDINATOR]
CLIO = PEOPLE[Role.CLINICIAN]
CARERS = (Role.CLINICIAN, Role.COORDINATOR)
OPEN = wound(Task(
    key="e/r/1", patient="s|p", episode="e", rule="r", occurrence=1, code="spine-mri", title="MRI", status="ready",
    priority="routine", owner="coordinator", due_at=NOW + timedelta(days=3), anchor="asked", focus="Condition/a",
    release="s|1", decision="00000000-0000-0000-0000-000000000001", authored_at=NOW - timedelta(days=1),
    modified_at=NOW - timedelta(days=1), levels=("L1",), why=("because",), sources=("Condition/a",),
), PACE, NOW)  # fmt: skip
EMERGENCY = wound(replace(OPEN, owner="on-call", priority="stat", emergency=True), PACE, NOW)
IN_VAIN = tuple(
    Attempt(NOW - timedelta(days=n), "B. Coordinator (coordinator)", "phone", "no-answer") for n in (3, 2, 1)
)
SAID: dict[Act, dict[str, Any]] = {
    Act.CLAIM: {},
    Act.RELEASE: {"text": "off duty"},
    Act.ASSIGN: {"to": CLIO},
    Act.UNASSIGN: {"text": "is on leave"},
    Act.SNOOZE: {"text": "away until then", "until": NOW + timedelta(days=14)},
    Act.RESUME: {},
    Act.ATTEMPT: {"channel": "phone", "outcome": "no-answer"},
    Act.ACKNOWLEDGE: {},
    Act.REOPEN: {"text": "not settled after all"},
    Act.COMPLETE: {"outcome": "done"},
    Act.DECLINE: {"text": "asked for elsewhere"},
    Act.COMMENT: {"text": "called, no answer"},
}


def held(task: Task, by: Person) -> Task:
    return act(task, Act.CLAIM, by, NOW - timedelta(hours=1))


def do(task: Task, what: Act, who: Person, **said: Any) -> Task:
    return act(task, what, who, NOW, Said(**(SAID[what] | said)))


# Every cell: role, act, ordinary task, emergency.
ALLOWED = {
    **{(Role.COORDINATOR, what): (True, False) for what in Act},
    **{(Role.CLINICIAN, what): (True, True) for what in Act},
    (Role.COORDINATOR, Act.COMMENT): (True, True),
    **{(Role.CLINICIAN, what): (True, False) for what in (Act.DECLINE, Act.SNOOZE, Act.RESUME)},
    (Role.COORDINATOR, Act.ACKNOWLEDGE): (False, False),
    (Role.CLINICIAN, Act.ACKNOWLEDGE): (False, True),
    **{(role, what): (False, False) for role in (Role.AUDITOR, Role.ADMIN) for what in Act},
}


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN])
@pytest.mark.parametrize("task", [OPEN, EMERGENCY, replace(OPEN, status="completed")])
def test_who_does_not_act_is_told_who_does(role: Role, task: Task) -> None:
    with pytest.raises(NotYoursError, match="only coordinators and clinicians act"):
        do(task, Act.COMMENT, PEOPLE[role])


def test_the_table_has_every_cell() -> None:
    assert set(ALLOWED) == {(role, what) for role in Role for what in Act}


@pytest.mark.parametrize("emergency", [False, True], ids=["ordinary", "emergency"])
@pytest.mark.parametrize(("role", "what"), ALLOWED)
def test_what_a_role_may_do(role: Role, what: Act, emergency: bool) -> None:
    task = before(what, EMERGENCY if emergency else OPEN, PEOPLE[role])
    assert (what in acts_for(role, task)) is ALLOWED[role, what][emergency]
    if ALLOWED[role, what][emergency]:
        assert do(task, what, PEOPLE[role]).version == task.version + 1
    else:
        kind = OutOfTurnError if (what, emergency) == (Act.ACKNOWLEDGE, False) and role in CARERS else NotYoursError
        with pytest.raises(kind) as refused:
            do(task, what, PEOPLE[role])
        assert refused.value.fix


@pytest.mark.parametrize("owner", ["clinician", "operator", "coordinator", "nurse"])
@pytest.mark.parametrize("priority", ["routine", "urgent", "asap", "stat"])
def test_what_presses_on_a_clinician_is_put_off_by_a_clinician_alone(owner: str, priority: str) -> None:
    task = replace(OPEN, owner=owner, priority=priority)
    tomorrow = NOW + timedelta(days=1)
    assert do(task, Act.SNOOZE, CLIO, until=tomorrow).status == "on-hold"
    presses = owner in ("clinician", "operator") and priority in ("asap", "stat")
    assert (Act.SNOOZE in acts_now(task, CORA)) is not presses
    if presses:
        with pytest.raises(NotYoursError) as refused:
            do(task, Act.SNOOZE, CORA, until=tomorrow)
        assert "emergency" not in str(refused.value)
        assert acts_now(task, CLIO) - acts_now(task, CORA) == {Act.SNOOZE}
    else:
        assert do(task, Act.SNOOZE, CORA, until=tomorrow).status == "on-hold"


def before(what: Act, task: Task, who: Person) -> Task:
    """A task as it has to stand for an act."""
    match what:
        case Act.RELEASE:
            return replace(task, status="accepted", holder=who.name, holder_display=who.display, held_at=NOW)
        case Act.UNASSIGN:
            return held(task, OTHER if not task.emergency else replace(CLIO, name="clinician-2"))
        case Act.RESUME:
            return replace(task, status="on-hold", returns_at=NOW + timedelta(days=3))
        case Act.REOPEN:
            return replace(task, status="completed", ended_at=NOW)
        case _:
            return task


@pytest.mark.parametrize("what", Act)
@pytest.mark.parametrize("status", ["completed", "cancelled", "rejected", "failed"])
def test_an_ended_task_takes_words_or_is_reopened_and_nothing_else(status: str, what: Act) -> None:
    ended = replace(OPEN, status=status, ended_at=NOW, holder=CORA.name)
    if what is Act.COMMENT:
        after = do(ended, what, CORA)
        assert (after.status, after.by_person, after.ended_at) == (status, False, NOW)
    elif what is Act.REOPEN:
        assert do(ended, what, CORA).status == "ready"
    elif what is not Act.ACKNOWLEDGE:
        with pytest.raises(OutOfTurnError, match="ended"):
            do(ended, what, CORA)


def test_a_claim_says_who_holds_it_and_since_when_and_leaves_the_role() -> None:
    after = do(OPEN, Act.CLAIM, CORA)
    assert (after.status, after.holder, after.holder_display) == ("accepted", CORA.name, CORA.display)
    assert (after.held_at, after.owner, after.by_person) == (NOW, "coordinator", True)


@pytest.mark.parametrize("what", [Act.CLAIM, Act.COMPLETE, Act.DECLINE])
def test_what_somebody_else_holds_is_not_taken_from_them(what: Act) -> None:
    with pytest.raises(OutOfTurnError) as refused:
        do(held(OPEN, OTHER), what, CORA)
    assert refused.value.why == "B. Coordinator holds it since 2026-11-22 08:30 UTC"


def test_claiming_twice_does_not_move_the_time() -> None:
    with pytest.raises(OutOfTurnError, match="already"):
        do(held(OPEN, CORA), Act.CLAIM, CORA)


def test_a_release_leaves_the_task_as_if_nobody_had_touched_it() -> None:
    after = act(held(OPEN, CORA), Act.RELEASE, CORA, NOW)
    assert replace(after, version=OPEN.version, modified_at=OPEN.modified_at) == OPEN


def test_words_stay_when_the_task_is_given_back() -> None:
    after = do(do(held(OPEN, CORA), Act.COMMENT, CORA), Act.RELEASE, CORA, text="")
    assert (after.by_person, [note.text for note in after.notes]) == (True, ["called, no answer"])


@pytest.mark.parametrize("what", [Act.UNASSIGN, Act.ASSIGN])
def test_a_task_is_taken_from_somebody_with_a_reason_only(what: Act) -> None:
    with pytest.raises(OutOfTurnError, match="reason"):
        do(held(OPEN, OTHER), what, CORA, text="  ")
    after = do(held(OPEN, OTHER), what, CORA, text="B is on leave")
    given = ("", "ready") if what is Act.UNASSIGN else (CLIO.name, "accepted")
    assert (after.holder, after.status, after.notes[0].text) == (*given, "B is on leave")


def test_somebody_elses_task_is_not_given_back_for_them() -> None:
    with pytest.raises(OutOfTurnError, match="somebody else"):
        do(held(OPEN, OTHER), Act.RELEASE, CORA)


def test_nobody_takes_a_task_from_themselves() -> None:
    with pytest.raises(OutOfTurnError, match="yourself"):
        do(held(OPEN, CORA), Act.UNASSIGN, CORA)


@pytest.mark.parametrize("what", [Act.RELEASE, Act.UNASSIGN])
def test_what_nobody_holds_cannot_be_given_back(what: Act) -> None:
    with pytest.raises(OutOfTurnError, match="nobody"):
        do(OPEN, what, CORA)


@pytest.mark.parametrize("code", OUTCOMES)
def test_an_outcome_leads_to_its_status_with_its_words(code: str) -> None:
    after = do(replace(OPEN, attempts=IN_VAIN), Act.COMPLETE, CORA, outcome=code, text="as agreed")
    assert (after.status, after.outcome) == (OUTCOMES[code].status, code)
    assert after.ended
    assert (after.ended_at, after.by_person, after.holder) == (NOW, True, CORA.name)
    assert after.status_reason == f"{OUTCOMES[code].display}: as agreed"


@pytest.mark.parametrize("outcome", ["", "DONE", "won", "completed"])
@pytest.mark.parametrize("task", [OPEN, EMERGENCY], ids=["ordinary", "emergency"])
def test_without_a_known_outcome_nothing_is_completed(task: Task, outcome: str) -> None:
    with pytest.raises(OutOfTurnError, match="outcome"):
        do(task, Act.COMPLETE, CLIO, outcome=outcome)


NEED_A_REASON = {"not-needed", "unreachable"}


@pytest.mark.parametrize("code", OUTCOMES)
@pytest.mark.parametrize("task", [OPEN, EMERGENCY], ids=["ordinary", "emergency"])
def test_an_end_that_was_not_reached_by_doing_it_says_why_and_an_emergencys_always_does(task: Task, code: str) -> None:
    if code in NEED_A_REASON or (task.emergency and code != "done"):
        with pytest.raises(OutOfTurnError, match="reason"):
            do(task, Act.COMPLETE, CLIO, outcome=code, text=" ")
    else:
        assert do(task, Act.COMPLETE, CLIO, outcome=code).ended


@pytest.mark.parametrize("what", [Act.DECLINE, Act.COMMENT])
@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_refusal_or_a_comment_without_words_is_none(what: Act, text: str) -> None:
    with pytest.raises(OutOfTurnError):
        do(OPEN, what, CORA, text=text)


def test_a_refusal_ends_the_task_with_its_reason() -> None:
    after = do(OPEN, Act.DECLINE, CORA)
    assert (after.status, after.status_reason, after.outcome) == ("rejected", "asked for elsewhere", "")


def test_a_comment_changes_nothing_but_the_words() -> None:
    after = do(OPEN, Act.COMMENT, CORA)
    assert after.notes[0].author == "A. Coordinator (coordinator)"
    back = replace(after, notes=(), by_person=False, version=1, modified_at=OPEN.modified_at)
    assert back == OPEN


def test_a_text_has_an_end() -> None:
    assert do(OPEN, Act.COMMENT, CORA, text="x" * MOST_TEXT).notes
    with pytest.raises(OutOfTurnError, match=str(MOST_TEXT)):
        do(OPEN, Act.COMMENT, CORA, text="x" * (MOST_TEXT + 1))


@pytest.mark.parametrize("character", ["\0", "\x08", "\x1b", "\x7f", "\x9b"])
def test_a_text_holds_nothing_that_a_fhir_string_may_not_hold(character: str) -> None:
    with pytest.raises(OutOfTurnError, match="control character"):
        do(OPEN, Act.COMMENT, CORA, text=f"a{character}b")
    assert do(OPEN, Act.COMMENT, CORA, text="a\tb\r\nc").notes[-1].text == "a\tb\r\nc"


@pytest.mark.parametrize("text", ["\u200b", "\u2060 \ufeff", "\u202e\u00ad", "\u3000"])
def test_a_reason_that_nobody_can_see_ends_nothing(text: str) -> None:
    with pytest.raises(OutOfTurnError, match="needs a reason"):
        do(EMERGENCY, Act.COMPLETE, CLIO, outcome="died", text=text)
    for what in (Act.DECLINE, Act.COMMENT):
        with pytest.raises(OutOfTurnError):
            do(OPEN, what, CORA, text=text)
    done = do(OPEN, Act.COMPLETE, CORA, text=text)
    assert act_event(OPEN, done, Act.COMPLETE, CORA, Said(text, "done")).text == ""


def test_no_refusal_repeats_what_was_written() -> None:
    for role in Role:
        for what in Act:
            for task in (EMERGENCY, held(OPEN, OTHER), replace(OPEN, status="completed")):
                with suppress(ActRefusedError):
                    act(task, what, PEOPLE[role], NOW, Said("MARKER", "done"))
                    continue
                with pytest.raises(ActRefusedError) as refused:
                    act(task, what, PEOPLE[role], NOW, Said("MARKER", "MARKER", "MARKER"))
                assert "MARKER" not in str(refused.value)


def test_outcomes_are_those_of_the_local_code_list() -> None:
    listed = {concept["code"]: concept["display"] for concept in load_local_codes()["task-outcome"]}
    assert {code: outcome.display for code, outcome in OUTCOMES.items()} | {EXPIRED: "Expired"} == listed


def test_on_the_wire_a_task_says_who_has_it_how_it_ended_and_what_was_written() -> None:
    ended = do(held(OPEN, CORA), Act.COMPLETE, CORA, outcome="hospice", text="since Monday")
    body: dict[str, Any] = fhir_task(ended)
    check_written(body)
    assert body["owner"]["display"] == "A. Coordinator"
    assert body["output"][0]["valueCodeableConcept"]["coding"][0]["code"] == "hospice"
    assert body["note"] == [
        {"authorString": "A. Coordinator (coordinator)", "time": "2026-11-22T09:30:00Z", "text": "since Monday"}
    ]
    assert body["statusReason"]["text"] == "In hospice care: since Monday"
    later = fhir_task(act(ended, Act.COMMENT, CORA, NOW + timedelta(days=2), Said("flowers")))
    assert later["executionPeriod"]["end"] == body["executionPeriod"]["end"]


def test_a_page_offers_what_is_not_refused() -> None:
    others, mine = held(OPEN, OTHER), held(OPEN, CORA)
    assert acts_now(others, CORA) == {Act.ASSIGN, Act.UNASSIGN, Act.COMMENT}
    assert acts_now(mine, CORA) == set(Act) - {Act.CLAIM, Act.UNASSIGN, Act.RESUME, Act.ACKNOWLEDGE, Act.REOPEN}
    assert {Act.RELEASE, Act.UNASSIGN} & acts_now(OPEN, CORA) == set()
    assert acts_now(replace(OPEN, status="completed"), CORA) == {Act.COMMENT, Act.REOPEN}
    assert Act.ACKNOWLEDGE in acts_now(EMERGENCY, CLIO)
    assert Act.ACKNOWLEDGE not in acts_now(do(EMERGENCY, Act.ACKNOWLEDGE, CLIO), CLIO)
