"""What closes follow-up after cement, and what only seems to: another level, another year, another record's arrival."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.demo.record import ATC, Record
from pathway.lifecycle import Act
from pathway.people import Person, Role, Said
from pathway.tasks import Task
from tests.world import NOW, FixedClock, candidate, decision_on, ingest, make_house, person, wishes

COORDINATOR = Person("c", Role.COORDINATOR, "Co")


def leaking() -> Record:
    """Cement in the canal, and all that it asks for but CT: a surgeon knows, and legs were looked at for longer."""
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9, leaks=["canal"])
    record.finding("neurological-examination", "normal", 0.7).finding("chest-check", "normal", 0.7)
    return record.of_procedure("surgeon-informed", "yes", 0.8)


def asked(record: Record) -> set[str]:
    return set(wishes(decision_on(record)))


@pytest.mark.parametrize("level", ["T2", "L2"])
def test_a_ct_of_another_vertebra_closes_neither_the_ct_nor_the_leak_check(level: str) -> None:
    assert {"order-spine-ct", "leak-check"} <= asked(leaking().study("CT", 0.5, level=level).report(0.4))


def test_a_ct_of_this_vertebra_closes_by_its_final_report_alone() -> None:
    assert {"order-spine-ct", "leak-check"} <= asked(leaking().study("CT", 0.5, level="L1"))
    assert {"order-spine-ct", "leak-check"} <= asked(leaking().study("CT", 0.5, level="L1").report(0.4, "preliminary"))
    for status in ("final", "amended", "corrected"):
        done = asked(leaking().study("CT", 0.5, level="L1").report(0.4, status))
        assert not {"order-spine-ct", "leak-check"} & done


def test_a_ct_of_the_whole_spine_closes_by_its_report() -> None:
    assert not {"order-spine-ct", "leak-check"} & asked(leaking().study("CT", 0.5).report(0.4))


def test_the_observation_ends_with_clean_checks_after_two_hours_and_not_before() -> None:
    def observed(neurology: str, chest: str, hours: float) -> bool:
        record = candidate().cement("L1", 4 / 24).finding("neurological-examination", neurology, (4 - hours) / 24)
        return "observe-after-cement" not in asked(record.finding("chest-check", chest, (4 - hours) / 24))

    assert observed("normal", "normal", 2)
    assert not observed("normal", "normal", 0.1)
    assert not observed("deficit", "normal", 2.5)
    assert not observed("normal", "symptoms", 2.5)


def test_legs_looked_at_after_two_hours_do_not_stand_for_the_chest() -> None:
    record = candidate().cement("L1", 4 / 24).finding("neurological-examination", "normal", 1 / 24)
    assert "observe-after-cement" in asked(record.finding("chest-check", "normal", 3.9 / 24))


def test_chest_symptoms_within_thirty_days_of_cement_are_an_emergency() -> None:
    def rings(cemented: float, symptoms: float, answer: str = "symptoms") -> bool:
        return "chest-emergency" in asked(candidate().cement("L1", cemented).finding("chest-check", answer, symptoms))

    assert rings(0.1, 0.01)
    assert rings(30, 0.5)
    assert not rings(31.5, 0.5)
    assert not rings(0.1, 0.01, "normal")


def test_chest_symptoms_of_the_day_of_a_procedure_without_an_hour_are_an_emergency() -> None:
    record = candidate().cement("L1", 0.2).finding("chest-check", "symptoms", 0.1)
    next(r for r in record.resources if r["resourceType"] == "Procedure")["performedDateTime"] = record.at(0.2)[:10]
    assert "chest-emergency" in asked(record)


def drug(record: Record, days: float, kind: str, status: str) -> Record:
    return record.medicine("Alendronate 70 mg tablet", days, code="M05BA04", system=ATC, status=status, kind=kind)


def test_care_from_before_the_cemented_fracture_is_no_care_of_it() -> None:
    record = drug(person().fracture("L1", 15).cement("L1", 1), 61, "MedicationDispense", "completed")
    assert {"start-bone-treatment", "refer-osteoporosis"} <= asked(record.referral("completed", 60))


def test_care_since_the_fracture_began_counts_however_long_before_the_cement_that_was() -> None:
    record = drug(person().fracture("L1", 200).cement("L1", 1), 150, "MedicationDispense", "completed")
    assert not {"start-bone-treatment", "refer-osteoporosis"} & asked(record.referral("completed", 150))


def test_cement_without_a_fracture_on_record_counts_care_of_twelve_weeks_before_it() -> None:
    record = drug(person().cement("L1", 1), 61, "MedicationDispense", "completed")
    assert "start-bone-treatment" not in asked(record)
    assert "start-bone-treatment" in asked(drug(person().cement("L1", 1), 90, "MedicationDispense", "completed"))


def test_a_medicine_that_is_no_longer_taken_closes_nothing() -> None:
    def treated(status: str) -> bool:
        record = person().fracture("L1", 15).cement("L1", 1)
        return "start-bone-treatment" not in asked(drug(record, 0.2, "MedicationStatement", status))

    assert treated("active")
    assert not treated("completed")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(tmp_path: Path, clock: FixedClock) -> Iterator[House]:
    house = make_house(tmp_path, clock)
    yield house
    house.close()


def tasks(house: House) -> dict[str, Task]:
    with house.store.read() as ledger:
        return {task.code: task for task in ledger.tasks("local|p1")}


def test_a_reopening_stands_whatever_else_comes(house: House, clock: FixedClock) -> None:
    record = candidate().cement("L1", 1)
    ingest(house, record)
    ingest(house, record.referral("completed", 0.5))
    kept = tasks(house)["refer-osteoporosis"]
    assert kept.status == "completed"
    assert kept.evidence == (f"ServiceRequest/{record.resources[-1]['id']}",)
    house.service.desk.act(kept.id, Act.REOPEN, COORDINATOR, kept.version, Said(text="she never went"))
    clock.at += timedelta(hours=1)
    ingest(house, record.fracture("L1", 12).pain(3, 0.1))
    assert not tasks(house)["refer-osteoporosis"].ended
    ingest(house, record.referral("completed", 0.01))
    assert tasks(house)["refer-osteoporosis"].status == "completed"


def test_what_nobody_did_before_cement_is_overtaken_and_not_completed(house: House, clock: FixedClock) -> None:
    record = candidate().order("vertebral-augmentation", 0.5, levels=["L1"])
    ingest(house, record)
    undone = {code for code, task in tasks(house).items() if not task.ended} & {
        "pre-procedure-checklist",
        "assess-flags",
    }
    assert len(undone) == 2
    clock.at += timedelta(hours=3)
    record.now = clock.at
    ingest(house, record.cement("L1", 0.05))
    for code in undone:
        task = tasks(house)[code]
        assert (task.status, task.status_reason) == ("cancelled", "overtaken: cement is in")


def test_what_was_in_order_before_cement_stays_completed(house: House, clock: FixedClock) -> None:
    record = candidate()
    ingest(house, record)
    clock.at += timedelta(hours=3)
    record.now = clock.at
    ingest(house, record.cement("L1", 0.05))
    review = tasks(house)["operator-review"]
    assert (review.status, review.status_reason) == ("completed", "closed by evidence")


def test_overtaken_tasks_come_back_when_the_cement_is_withdrawn(house: House, clock: FixedClock) -> None:
    record = candidate().order("vertebral-augmentation", 0.5, levels=["L1"])
    ingest(house, record)
    ingest(house, record.cement("L1", 0.05))
    assert tasks(house)["assess-flags"].status == "cancelled"
    record.resources[-1]["status"] = "entered-in-error"
    ingest(house, record)
    assert [t.status for t in tasks(house).values() if t.code == "assess-flags"] == ["ready"]


def test_a_task_counted_in_hours_is_not_overdue_when_it_is_asked(house: House, clock: FixedClock) -> None:
    ingest(house, candidate().cement("L1", 3 / 24))
    task = tasks(house)["observe-after-cement"]
    assert task.due_at == NOW + timedelta(hours=1)
    assert task.why[-1] == "Arrived late: it was due at 2026-11-22T11:00:00Z"
    clock.at += timedelta(minutes=30)
    ingest(house, candidate().cement("L1", 3 / 24).pain(3, 0.01))
    assert tasks(house)["observe-after-cement"].due_at == NOW + timedelta(hours=1)
