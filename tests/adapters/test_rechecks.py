"""Time goes by and nothing comes: what it changes is decided again, and what it does not leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.bootstrap import House
from pathway.deciding import Decider, concluded
from pathway.errors import ChartMovedError
from pathway.horizon import next_change
from pathway.lifecycle import Act
from pathway.people import Person, Role, Said
from pathway.ports import Head
from pathway.reconcile import UNASKED
from pathway.service import Service
from pathway.tasks import Task
from tests.world import (
    NOW,
    ROOT,
    FixedClock,
    candidate,
    case_of,
    decision_on,
    ingest,
    machines,
    make_house,
    person,
    read,
    settled,
)

pytestmark = pytest.mark.e2e
PATIENT = "local|p1"
CORA = Person("cora", Role.COORDINATOR, "Cora")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(tmp_path: Path, database: str, clock: FixedClock) -> Iterator[House]:
    made = make_house(tmp_path, clock, database_url=database)
    yield made
    made.close()


def head(house: House) -> Head:
    with house.store.read() as ledger:
        return ledger.head(PATIENT)


def decisions(house: House) -> int:
    with house.store.read() as ledger:
        return len(ledger.decisions(PATIENT))


def codes(house: House) -> set[str]:
    with house.store.read() as ledger:
        return {task.code for task in ledger.tasks(PATIENT) if not task.ended}


def to_next(house: House, clock: FixedClock) -> None:
    at = head(house).recheck_at
    assert at is not None
    clock.at = at


def test_who_is_decided_on_is_left_alone_until_time_may_tell(house: House, clock: FixedClock) -> None:
    ingest(house, candidate())
    assert house.service.catch_up() == 0
    to_next(house, clock)
    assert house.service.catch_up() == 1
    assert house.service.catch_up() == 0, "it was noted when to look again"


def test_a_recheck_that_changes_nothing_logs_nothing_and_moves_no_task(house: House, clock: FixedClock) -> None:
    ingest(house, candidate())
    with house.store.read() as ledger:
        before = ledger.tasks(PATIENT)
    to_next(house, clock)  # some fact nears its bound, the outcome stays
    assert house.service.catch_up() == 1
    with house.store.read() as ledger:
        assert ledger.tasks(PATIENT) == before
    assert decisions(house) == 1


def test_what_time_alone_changes_is_decided_and_asked_for_without_a_delivery(house: House, clock: FixedClock) -> None:
    ingest(house, candidate())
    assert "assess-at-bedside" not in codes(house)
    for _ in range(20):
        to_next(house, clock)
        house.service.catch_up()
    assert "assess-at-bedside" in codes(house), "examination and pain have grown old, and nobody sent anything"
    with house.store.read() as ledger:
        last = ledger.decisions(PATIENT)[0]
    assert (last.trigger, last.actor, last.id) == ("recheck", "pathway", head(house).decision)
    assert house.service.replay(last.id).body == last.body


def task_of(house: House, rule: str) -> Task:
    with house.store.read() as ledger:
        return next(task for task in ledger.tasks(PATIENT) if task.rule == rule)


def test_other_rules_that_move_only_a_priority_reach_a_quiet_patient(
    tmp_path: Path, database: str, clock: FixedClock
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    with closing(make_house(tmp_path, clock, database_url=database, rules=rules, rules_from="working")) as old:
        ingest(old, candidate())
        old.service.catch_up()
        before = task_of(old, "candidacy.operator-review")
    review = rules / "candidacy" / "operator-review.yaml"
    review.write_text(review.read_text().replace("\npriority: urgent", "\npriority: asap", 1))
    with closing(make_house(tmp_path, clock, database_url=database, rules=rules, rules_from="working")) as new:
        assert new.service.catch_up() == 1
        after = task_of(new, "candidacy.operator-review")
        assert (before.priority, after.priority) == ("urgent", "asap")
        assert (after.key, after.decision) == (before.key, head(new).decision), "the decision that moved it is logged"
        assert decisions(new) == 2


def test_an_item_of_a_checklist_that_grows_old_is_open_again_without_a_delivery(
    tmp_path: Path, database: str, clock: FixedClock
) -> None:
    sets = ("candidacy", "pre-procedure")
    taken, week = NOW - timedelta(days=0.3), timedelta(days=7)
    record = candidate().order("vertebral-augmentation", 1, levels=["L1"]).lab("777-3", 210, "10*3/uL", 0.3)
    with closing(make_house(tmp_path, clock, database_url=database, rules_from="working", policies=sets)) as house:
        ingest(house, record)
        while clock.at <= taken + week:
            items = {item.id: item.verdict for item in task_of(house, "pre-procedure.checklist").items}
            assert items["pre-procedure.platelets"] == "met"
            to_next(house, clock)
            assert house.service.catch_up() == 1
        assert clock.at < taken + week + timedelta(seconds=1)
        items = {item.id: item.verdict for item in task_of(house, "pre-procedure.checklist").items}
        assert items["pre-procedure.platelets"] == "unknown"


def test_a_task_that_was_reopened_while_care_had_ended_is_asked_for_once_it_goes_on(
    house: House, clock: FixedClock
) -> None:
    record = settled(onset=5).care(4).pain(7, 1)
    ingest(house, record)
    desk = house.service.desk
    over = desk.end_care(PATIENT, "", "transferred", CORA, "to the spine clinic")
    (ended,) = [task for task in over if task.code == "re-evaluate"]
    desk.act(ended.id, Act.REOPEN, CORA, ended.version, Said("that was another patient"))
    ingest(house, record)
    assert task_of(house, ended.rule).status_reason == UNASKED
    clock.forward(hours=1)
    desk.resume_care(PATIENT, "", CORA, "she never left")
    assert house.service.catch_up() == 1
    task = task_of(house, ended.rule)
    assert (task.ended, task.status_reason) == (False, "")


def test_a_patient_whose_chart_ran_ahead_is_caught_up_with(house: House) -> None:
    ingest(house, settled(onset=5).care(4).pain(7, 1))
    (delivery,) = read(candidate()).deliveries
    with house.store.write() as ledger:  # as a load does that stores first
        for resource, body in delivery.resources:
            ledger.put_resource(PATIENT, resource, body)
    assert head(house).lags
    assert house.service.catch_up() == 1
    assert "operator-review" in codes(house)


def test_one_chart_that_cannot_be_decided_on_stops_nobody_else(
    house: House, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, candidate())
    to_next(house, clock)
    told: list[tuple[str, dict[str, str]]] = []

    class Broken:
        def build(self, *_: object) -> None:
            raise KeyError("a fault of ours")

    service = Service(
        house.store, Broken(), house.rules, clock, tell=lambda event, **about: told.append((event, about))
    )
    assert service.catch_up() == 1
    assert told == [("recheck-failed", {"patient": PATIENT, "fault": "KeyError"})]
    assert service.catch_up() == 0, "it waits for its next try"
    clock.forward(hours=1)
    assert house.service.catch_up() == 1


def test_two_sweepers_decide_once(house: House, clock: FixedClock) -> None:
    ingest(house, candidate())
    for _ in range(20):
        to_next(house, clock)
        house.service.catch_up()
    before = decisions(house)
    with house.store.read() as ledger:
        seen = ledger.due_again(clock.at, 100)
    assert seen == ()
    assert house.service.catch_up() == 0
    assert decisions(house) == before


@pytest.mark.slow
@pytest.mark.parametrize("onset", [3, 20, 41])
def test_until_the_next_change_every_outcome_and_obligation_stays(onset: int) -> None:
    """Against every half day of ten weeks, for one record: nothing changes that was not foretold."""
    sets = [machine.rule_set for machine in machines()]
    record = settled(onset=onset).care(min(onset, 28)).pain(8, min(onset, 26)).pain(7, 1)
    said, ahead = concluded(decision_on(record, NOW)), next_change(case_of(record, NOW), sets)
    for half_day in range(1, 140):
        at = NOW + timedelta(hours=12 * half_day, minutes=7)
        while ahead is not None and ahead <= at:
            said, ahead = concluded(decision_on(record, ahead)), next_change(case_of(record, ahead), sets)
        assert concluded(decision_on(record, at)) == said, at


def test_a_chart_that_moves_at_every_try_waits_a_moment_and_keeps_no_sweep_busy(
    house: House, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, candidate())
    to_next(house, clock)

    def moves(*_: object) -> None:
        raise ChartMovedError("the task changed since it was read")

    monkeypatch.setattr(Decider, "decide_again", moves)
    assert house.service.catch_up() == 0, "nothing was done"
    with house.store.read() as ledger:
        assert ledger.due_again(clock.at, 100) == ()
    monkeypatch.undo()
    clock.forward(minutes=1)
    assert house.service.catch_up() == 1


def test_a_release_that_ends_is_a_day_to_look_again(clock: FixedClock) -> None:
    """Before anything else of an empty chart does, the rules grow old: at the midnight here after their last day."""
    zone = ZoneInfo("America/New_York")
    empty, one = person(), machines()[0].rule_set
    header = dict(one.document["ruleset"]) | {"effective": {"from": "2026-11-01", "to": "2026-12-01"}}
    ends = replace(one, document=dict(one.document) | {"ruleset": header}, sha256="ends")
    over = datetime(2026, 12, 2, 5, tzinfo=UTC)
    assert next_change(case_of(empty), [ends], zone) == over
    lasting = next_change(case_of(empty), [replace(one, sha256="lasts")], zone)
    assert lasting is None or lasting > over
