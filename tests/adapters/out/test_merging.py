"""What is written over what is there, field by field: who changed it last, and whose it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from adapters.fhir import from_plan
from adapters.out.merging import LISTS, OURS, SHARED, merged, same, trace
from pathway.episodes import Episode, EpisodeKind
from pathway.obligations import Item
from pathway.tasks import Note, Task
from tests.world import NOW

Json = dict[str, Any]
DUE = {"period": {"end": "2026-12-01T12:00:00+00:00"}}
KEY = {"system": from_plan.TASK_KEY, "value": "k"}


def task(**fields: Any) -> Json:
    base: Json = {
        "resourceType": "Task", "id": "1", "status": "ready", "intent": "plan", "identifier": [KEY],
        "priority": "urgent", "input": [why("Because")], "restriction": DUE,
    }  # fmt: skip
    return base | fields


def why(text: str) -> Json:
    return {"type": {"coding": [{"system": from_plan.TASK_PART, "code": "why"}]}, "valueString": text}


def there_of(body: Json, **fields: Any) -> Json:
    """As a server holds it, changed by somebody."""
    return copy.deepcopy(body) | {"meta": {"versionId": "3", "lastUpdated": "x"}} | fields


def test_nothing_changed_is_nothing_to_write() -> None:
    body = task()
    there = there_of(body, restriction={"period": {"end": "2026-12-01T12:00:00.000Z"}})
    assert same(merged(body, there, [trace(body, body)]), {k: v for k, v in there.items() if k != "meta"})


def test_what_only_we_changed_is_ours() -> None:
    before, now = task(), task(status="in-progress", priority="stat")
    result = merged(now, there_of(before), [trace(before, before)])
    assert (result["status"], result["priority"]) == ("in-progress", "stat")


@pytest.mark.parametrize("mine", ["ready", "in-progress"])
def test_what_somebody_there_changed_is_theirs_even_if_we_did_too(mine: str) -> None:
    before = task()
    result = merged(
        task(status=mine), there_of(before, status="accepted", owner={"display": "A"}), [trace(before, before)]
    )
    assert (result["status"], result["owner"]) == ("accepted", {"display": "A"})


def test_after_we_wrote_around_their_change_a_new_word_of_ours_counts() -> None:
    before = task()
    there = there_of(before, status="accepted")
    written = merged(task(), there, [trace(before, before)])
    result = merged(task(status="in-progress"), there_of(written), [trace(task(), written)])
    assert result["status"] == "in-progress"


@pytest.mark.parametrize("ended", ["completed", "cancelled", "failed", "rejected"])
def test_an_end_is_not_opened_by_either_side(ended: str) -> None:
    before = task()
    assert merged(before, there_of(before, status=ended), [trace(before, before)])["status"] == ended
    assert merged(task(status=ended), there_of(before, status="accepted"), [trace(before, before)])["status"] == ended
    assert merged(task(status=ended), there_of(before), [])["status"] == ended  # nobody knows what we wrote


def test_the_reason_goes_with_the_status() -> None:
    before = task(statusReason={"text": "ours"})
    there = there_of(before, status="on-hold", statusReason={"text": "theirs"})
    result = merged(task(status="ready", statusReason={"text": "new"}), there, [trace(before, before)])
    assert (result["status"], result["statusReason"]) == ("on-hold", {"text": "theirs"})


def test_a_write_that_was_lost_is_known_as_ours() -> None:
    first, lost, now = task(), task(status="in-progress"), task(status="completed")
    assert merged(now, there_of(lost), [trace(first, first), trace(lost, lost)])["status"] == "completed"
    assert merged(now, there_of(first), [trace(first, first), trace(lost, lost)])["status"] == "completed"
    reopened = task(status="ready")
    assert merged(reopened, there_of(now), [trace(lost, lost), trace(now, now)])["status"] == "ready"


def test_what_is_ours_alone_is_ours_and_goes_when_we_drop_it() -> None:
    before = task(description="old", performerType=[{"text": "nurse"}])
    there = there_of(before, description="theirs")
    result = merged(task(description="new"), there, [trace(before, before)])
    assert result["description"] == "new"
    assert "performerType" not in result


def test_what_we_never_write_stays() -> None:
    other = {"location": {"reference": "Location/1"}, "text": {"status": "generated", "div": "<div/>"}}
    there = there_of(task(), **other, meta={"versionId": "3", "tag": [{"code": "x"}]})
    result = merged(task(), there, [])
    assert {key: result[key] for key in other} == other
    assert result["meta"] == {"tag": [{"code": "x"}]}


def test_lists_keep_what_others_added_and_lose_what_was_ours() -> None:
    note, foreign = {"text": "called"}, {"system": "urn:other", "value": "7"}
    asked = {"type": {"text": "asked"}, "valueString": "yes"}
    there = there_of(task(note=[note], identifier=[KEY, foreign], input=[why("Old"), asked]))
    result = merged(task(note=[{"text": "ours"}]), there, [])
    assert result["note"] == [{"text": "ours"}, note]
    assert result["identifier"] == [KEY, foreign]
    assert result["input"] == [why("Because"), asked]


def test_an_activity_goes_on_and_is_not_there_twice() -> None:
    def plan(*activities: Json) -> Json:
        return {"resourceType": "CarePlan", "id": "1", "status": "active", "activity": list(activities)}

    ours, theirs = {"reference": {"reference": "Task/1"}}, {"reference": {"reference": "Appointment/1"}}
    gone_on = ours | {"progress": [{"text": "done"}]}
    assert merged(plan(gone_on), plan(ours, theirs), [])["activity"] == [gone_on, theirs]


def test_the_id_is_that_of_the_server() -> None:
    assert merged(task(), there_of(task(), id="theirs"), [])["id"] == "theirs"


def test_every_field_that_we_write_has_a_place() -> None:
    def lacking(body: Json) -> set[str]:
        kind = body["resourceType"]
        shared = {key for group in SHARED[kind] for key in group}
        return set(body) - {"id", "meta"} - shared - OURS[kind] - LISTS[kind]

    at, item = NOW, Item("x", "unknown", "A message", "An ask")
    full = Task(
        key="k", patient="test|p1", episode="e", rule="r", occurrence=1, code="c", title="t", status="cancelled",
        priority="urgent", owner="nurse", due_at=at, anchor="a", focus="Condition/1", release="r|1", decision="d",
        authored_at=at, modified_at=at, levels=("L1",), why=("w",), sources=("Condition/1",), evidence=("Procedure/1",),
        status_reason="s", holder="anna", holder_display="Anna", outcome="done", notes=(Note(at, "Anna", "n"),),
        ended_at=at, items=(item,), start_at=at, by_person=True,
    )  # fmt: skip
    episode = Episode("e", EpisodeKind.FRACTURE, ("L1",), at, at, ("Condition/1", "Observation/1"))
    assert lacking(from_plan.task(full)) == set()
    assert lacking(from_plan.care_plan(episode, "test|p1", [full])) == set()


@pytest.mark.parametrize("kind", SHARED)
def test_a_field_has_one_place(kind: str) -> None:
    shared = [key for group in SHARED[kind] for key in group]
    assert len(shared) == len(set(shared))
    assert not set(shared) & OURS[kind]
    assert not (set(shared) | OURS[kind]) & LISTS[kind]
