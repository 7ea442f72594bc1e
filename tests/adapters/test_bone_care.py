"""The bone after cement, and after a fracture without it: which tasks there are, and what alone ends them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import ATC, Record
from pathway.clockwork import SUPERVISOR
from pathway.decide import decide
from pathway.lifecycle import Act
from pathway.people import Person, Role, Said
from pathway.strata import Machine
from pathway.tasks import Task
from tests.world import NOW, FixedClock, book, case_of, ingest, make_house, person

COORDINATOR = Person("c", Role.COORDINATOR, "Co")
PLACE, REFER, WORK_UP, TREAT = (
    "place-osteoporosis-referral", "refer-osteoporosis", "bone-work-up", "start-bone-treatment",
)  # fmt: skip
CARE = {REFER, WORK_UP, TREAT}
ONCOLOGY, GAP, REVIEW = "oncology-bone-plan", "denosumab-continuity", "review-bone-treatment"
CORE = ("17861-6", "2777-1", "6768-6", "1751-7", "2160-0", "1989-3", "3016-3")


@cache
def machine() -> tuple[Machine, ...]:
    return (Machine(book().sets["bone-health"]),)


def wanted(record: Record, after: float = 0) -> dict[str, dict[str, Any]]:
    """The open obligations by rule, so many days from now."""
    body = decide(case_of(record, NOW + timedelta(days=after)), machine()).body
    return {o["rule"].removeprefix("bone-health."): o for o in body["obligations"] if o["state"] == "open"}


def codes(record: Record, after: float = 0) -> list[str]:
    return sorted(o["code"] for o in wanted(record, after).values())


def cemented(*levels: str, days: float = 1) -> Record:
    record = person()
    for level in levels or ("L1",):
        record.fracture(level, 15 + days).cement(level, days)
    return record


def dose(record: Record, days: float, text: str = "", code: str = "M05BX04") -> Record:
    given = {"kind": "MedicationAdministration", "status": "completed"}
    return record.medicine(text, days, code=code, system=ATC if code else "", **given)


def dispensed(record: Record, *days: float) -> Record:
    for day in days:
        record.medicine("", day, code="M05BA04", system=ATC, kind="MedicationDispense", status="completed")
    return record


# --- O-01: the referral after cement


def test_the_referral_is_to_be_placed_at_the_procedure_and_kept_within_ninety_days() -> None:
    found = wanted(cemented())
    assert {o["code"] for o in found.values()} == {PLACE, *CARE}
    assert (found["place-referral"]["due"][:10], found["place-referral"]["priority"]) == ("2026-11-22", "urgent")
    kept = found["osteoporosis-referral"]
    assert (kept["start"][:10], kept["due"][:10]) == ("2026-12-19", "2027-02-19")


@pytest.mark.parametrize("before", [3, 0.5], ids=["before the procedure", "after it"])
def test_an_order_places_the_referral_and_leaves_it_to_be_kept(before: float) -> None:
    assert codes(cemented().referral("active", before)) == sorted(CARE)


def test_a_referral_of_an_older_fracture_places_nothing() -> None:
    assert PLACE in codes(cemented().referral("active", 60))


def test_a_referral_that_was_withdrawn_is_to_be_placed_again() -> None:
    assert PLACE in codes(cemented().referral("revoked", 0.5))


def test_a_referral_that_was_kept_ends_both() -> None:
    assert codes(cemented().referral("completed", 0.5)) == sorted({WORK_UP, TREAT})


def test_a_cement_that_is_heard_of_after_four_weeks_makes_one_task_of_the_referral() -> None:
    assert codes(cemented(days=29)) == sorted(CARE)
    assert codes(cemented(days=27)) == sorted({PLACE, *CARE})


def test_the_talk_about_falls_nutrition_and_the_three_messages_are_lines_of_the_referral() -> None:
    record = cemented().finding("three-messages", "yes", 0.5).finding("falls-assessment", "no", 0.5)
    items = {i["id"]: (i["verdict"], "ask" in i) for i in wanted(record)["osteoporosis-referral"]["items"]}
    assert items == {
        "bone-health.messages-given": ("met", False), "bone-health.falls-assessed": ("not-met", False),
        "bone-health.nutrition-advised": ("unknown", True),
    }  # fmt: skip


def test_the_work_up_closes_without_the_electrophoresis_that_has_no_code() -> None:
    record = cemented()
    for code in CORE:
        record.lab(code, 1, "1", 0.5)
    record.lab("38263-0", -2, "{score}", 0.5)
    assert WORK_UP not in codes(record)
    record = cemented().finding("electrophoresis", "abnormal", 0.5).lab("2731-8", 50, "pg/mL", 0.5)
    lines = {i["id"]: i["verdict"] for i in wanted(record)["work-up"]["items"]}
    assert (lines["bone-health.electrophoresis-there"], lines["bone-health.parathyroid-hormone-there"]) == ("met",) * 2


# --- what ends it: evidence and people, never time


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(tmp_path: Path, clock: FixedClock) -> Iterator[House]:
    house = make_house(tmp_path, clock, policies=("candidacy", "bone-health"))
    yield house
    house.close()


def tasks(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return [task for task in ledger.tasks("local|p1") if task.rule.startswith("bone-health.")]


def the(house: House, code: str) -> Task:
    (task,) = (task for task in tasks(house) if task.code == code)
    return task


def wake(house: House) -> None:
    while house.service.wake(100):
        pass


def test_the_referral_that_nobody_placed_is_overdue_and_told_of_after_four_weeks(
    house: House, clock: FixedClock
) -> None:
    ingest(house, cemented())
    assert (the(house, PLACE).status, the(house, REFER).status) == ("ready", "requested")
    for _ in range(28):
        clock.forward(days=1)
        wake(house)
    late = the(house, PLACE)
    assert late.due_at < clock.now()
    assert late.stage >= SUPERVISOR
    assert (the(house, REFER).status, the(house, REFER).due_at > clock.now()) == ("ready", True)


def test_treatment_that_has_not_begun_at_day_ninety_is_with_the_supervisor(house: House, clock: FixedClock) -> None:
    ingest(house, cemented())
    for _ in range(18):
        clock.forward(days=5)
        wake(house)
    assert the(house, TREAT).stage >= SUPERVISOR


def test_time_ends_no_care_of_the_bone(house: House, clock: FixedClock) -> None:
    ingest(house, cemented())
    for _ in range(8):
        clock.forward(days=365)
        wake(house)
    assert [task.ended for task in tasks(house)] == [False] * 4


@pytest.mark.parametrize("outcome", ["not-needed", "declined-by-patient", "hospice", "died"])
def test_a_person_ends_it_with_an_outcome_and_it_stays_ended(house: House, clock: FixedClock, outcome: str) -> None:
    ingest(house, cemented())
    task = the(house, PLACE)
    said = Said(outcome=outcome, text="as the family told us")
    house.service.desk.act(task.id, Act.COMPLETE, COORDINATOR, task.version, said)
    clock.forward(days=40)
    wake(house)
    ingest(house, cemented().pain(3, 0.1))
    ended = the(house, PLACE)
    assert (ended.ended, ended.outcome) == (True, outcome)
    assert not the(house, REFER).ended


def test_not_needed_wants_its_reason(house: House) -> None:
    ingest(house, cemented())
    task = the(house, PLACE)
    with pytest.raises(Exception, match=r"reason|text"):
        house.service.desk.act(task.id, Act.COMPLETE, COORDINATOR, task.version, Said(outcome="not-needed"))
    assert not the(house, PLACE).ended


# --- fractures that were never cemented


def test_two_fractures_that_were_never_cemented_make_one_task_of_each_kind() -> None:
    record = person().fracture("L1", 15).fracture("T8", 20)
    assert codes(record) == sorted(CARE)
    found = wanted(record)
    assert {tuple(o["levels"]) for o in found.values()} == {("T8", "L1")}
    starts = {rule: o.get("start", "at once")[:10] for rule, o in found.items()}
    assert starts == {
        "fracture-referral": "at once", "fracture-work-up": "2026-12-20", "fracture-treatment": "2026-12-20",
    }, "one of them is at work at a time"  # fmt: skip


@pytest.mark.parametrize(("code", "cause"), [("M48.56XA", "unknown"), ("M84.58XA", "a tumour"), ("M80.08XA", "bone")])
def test_care_follows_the_cause(code: str, cause: str) -> None:
    found = codes(person().fracture("L1", 15, code))
    assert found == ([ONCOLOGY] if cause == "a tumour" else sorted(CARE))


def test_great_force_asks_for_no_care_of_the_bone() -> None:
    record = person().fracture("L1", 15, "S32.010A").finding("fracture-mechanism", "high-energy", 15, level="L1")
    assert codes(record) == []


def test_a_fresh_fracture_that_only_imaging_shows_is_cared_for() -> None:
    assert codes(person().oedema("L1", True, 3)) == sorted(CARE)


@pytest.mark.parametrize("onset", [364, 366])
def test_an_ancient_fracture_asks_for_nothing(onset: float) -> None:
    assert bool(codes(person().fracture("L1", onset))) is (onset < 365)


def test_a_deformity_alone_asks_for_nothing() -> None:
    assert codes(person().height_loss("L1", 40, 10)) == []


def test_each_of_the_three_ends_by_its_own_evidence() -> None:
    record = person().fracture("L1", 15).referral("active", 3)
    assert codes(record) == sorted(CARE)
    assert codes(record.referral("completed", 2)) == sorted({WORK_UP, TREAT})
    assert codes(dispensed(record, 1)) == [WORK_UP]


def test_cement_carries_the_care_of_all_that_broke_for_the_same_cause() -> None:
    record = person().fracture("L1", 15).fracture("T8", 20).cement("L1", 1)
    assert set(wanted(record)) == {"place-referral", "osteoporosis-referral", "work-up", "treatment"}


def test_cement_into_a_tumour_carries_no_osteoporosis() -> None:
    record = person().fracture("T8", 20, "M48.54XA").fracture("L1", 15, "M84.58XA").cement("L1", 1)
    assert set(wanted(record)) == {"fracture-referral", "fracture-work-up", "fracture-treatment", "oncology-plan"}


def test_cement_into_a_tumour_with_osteoporosis_beside_it_carries_both() -> None:
    record = person().condition("M81.0", 900).fracture("T8", 20, "M48.54XA").fracture("L1", 15, "M84.58XA")
    found = wanted(record.cement("L1", 1))
    assert set(found) == {"place-referral", "osteoporosis-referral", "work-up", "treatment", "oncology-plan"}


def test_an_earlier_procedure_carries_a_new_fracture_while_its_own_care_is_not_done() -> None:
    record = cemented(days=60).fracture("T8", 10)
    assert not {rule for rule in wanted(record) if rule.startswith("fracture-")}
    done = dispensed(cemented(days=60).referral("completed", 50), 40).fracture("T8", 10)
    assert set(wanted(done)) == {"work-up", "fracture-referral", "fracture-work-up", "fracture-treatment"}
    assert "fracture-referral" in wanted(cemented(days=100).fracture("T8", 10))


def test_cement_overtakes_what_was_asked_for_the_fracture(house: House, clock: FixedClock) -> None:
    record = person().fracture("L1", 15)
    ingest(house, record)
    assert {task.code for task in tasks(house)} == CARE
    clock.forward(days=2)
    record.now = clock.now()
    ingest(house, record.cement("L1", 0.5))
    ended = {(t.status, t.status_reason) for t in tasks(house) if t.rule.startswith("bone-health.fracture-")}
    assert ended == {("cancelled", "overtaken: cement is in, and its own tasks go on")}
    assert {t.code for t in tasks(house) if not t.ended} == {PLACE, *CARE}


def test_what_a_person_ended_is_asked_for_again_when_another_vertebra_breaks(house: House, clock: FixedClock) -> None:
    record = person().fracture("L1", 15)
    ingest(house, record)
    task = the(house, REFER)
    said = Said(outcome="not-needed", text="the bone clinic has her")
    house.service.desk.act(task.id, Act.COMPLETE, COORDINATOR, task.version, said)
    ingest(house, record.pain(3, 0.1))
    assert the(house, REFER).ended
    ingest(house, record.fracture("T8", 1))
    assert [t.ended for t in tasks(house) if t.code == REFER] == [True, False]


# --- O-15: tumours


def tumour(record: Record) -> Record:
    return record.fracture("L1", 16, "M84.58XA").cement("L1", 1)


def test_a_cemented_myeloma_has_the_plan_of_oncology_and_no_osteoporosis_referral() -> None:
    record = tumour(person().condition("C90.00", 100))
    assert codes(record) == [ONCOLOGY]
    assert codes(record.finding("oncology-bone-plan", "yes", 0.5)) == []


def test_a_plan_from_before_this_fracture_or_without_a_name_closes_nothing() -> None:
    assert ONCOLOGY in codes(tumour(person().finding("oncology-bone-plan", "yes", 200)))
    unsigned = tumour(person()).finding("oncology-bone-plan", "yes", 0.5)
    del unsigned.resources[-1]["performer"]
    assert ONCOLOGY in codes(unsigned)


@pytest.mark.parametrize("beside", ["M81.0", "Z79.811"])
def test_breast_cancer_with_osteoporosis_or_hormones_has_both(beside: str) -> None:
    record = tumour(person().condition("C79.51", 100).condition(beside, 300))
    assert codes(record) == sorted({ONCOLOGY, PLACE, *CARE})


def test_a_hormone_that_only_a_text_names_adds_nothing_and_is_told() -> None:
    record = tumour(person().condition("C79.51", 100).medicine("Letrozole 2.5 mg", 90))
    assert codes(record) == [ONCOLOGY]
    fact = case_of(record).person.facts["hormone-therapy"]
    assert (fact.value, fact.candidate) == (None, True)


def test_a_cause_that_is_not_known_beside_a_tumour_in_bone_has_both() -> None:
    record = person().condition("C79.51", 100).fracture("L1", 16, "M48.56XA").cement("L1", 1)
    assert codes(record) == sorted({ONCOLOGY, PLACE, *CARE})


# --- O-10: denosumab


def broken_long_ago() -> Record:
    return person().fracture("L1", 900)


@pytest.mark.parametrize(("days", "rings"), [(213, False), (213.9, False), (214, True), (900, True), (1500, True)])
def test_denosumab_is_overdue_after_seven_months(days: float, *, rings: bool) -> None:
    assert (GAP in codes(dose(broken_long_ago(), days))) is rings


def test_a_dose_that_only_a_text_names_is_missed_as_well() -> None:
    assert GAP in codes(dose(broken_long_ago(), 214, "Denosumab 60 mg", code=""))


def test_a_dose_that_is_only_prescribed_is_none() -> None:
    record = dose(broken_long_ago(), 214).medicine("", 5, code="M05BX04", system=ATC)
    assert GAP in codes(record)
    assert GAP not in codes(dose(record, 3))


def test_what_follows_ends_it_once_it_is_in_the_patients_hands() -> None:
    prescribed = dose(broken_long_ago(), 214).medicine("", 5, code="M05BA08", system=ATC)
    assert GAP in codes(prescribed)
    assert GAP not in codes(dose(prescribed, 2, code="M05BA08"))
    assert GAP in codes(dose(dose(broken_long_ago(), 214), 230, code="M05BA08")), "it came before the last dose"


def test_a_planned_stop_with_nothing_to_follow_is_told_in_good_time() -> None:
    record = dose(broken_long_ago(), 90)
    assert GAP not in codes(record)
    assert GAP in codes(record.finding("denosumab-plan", "stop", 10))
    assert GAP not in codes(dispensed(record, 5))
    stopped = dose(broken_long_ago(), 90).medicine("", 300, code="M05BX04", system=ATC, status="stopped")
    assert GAP in codes(stopped)
    assert GAP not in codes(stopped.medicine("", 30, code="M05BX04", system=ATC))


def test_it_is_asked_once_and_becomes_due_by_itself(house: House, clock: FixedClock) -> None:
    record = dose(broken_long_ago().fracture("T8", 900), 200)
    ingest(house, record)
    assert [task for task in tasks(house) if task.code == GAP] == []
    clock.forward(days=13)
    house.service.catch_up()
    assert GAP not in {task.code for task in tasks(house)}
    clock.forward(days=1, hours=1)
    house.service.catch_up()
    assert the(house, GAP).priority == "urgent"


def test_no_time_withdraws_a_gap_that_stands(house: House, clock: FixedClock) -> None:
    record = dose(broken_long_ago(), 300)
    ingest(house, record)
    for _ in range(4):
        clock.forward(days=365)
        wake(house)
        ingest(house, record.pain(3, 0.1))
    assert not the(house, GAP).ended


# --- O-12: a fracture under treatment


def test_a_fracture_after_a_year_of_treatment_asks_for_one_review() -> None:
    record = dispensed(person().fracture("L1", 10).fracture("T8", 10), *range(20, 390, 84))
    assert codes(record).count(REVIEW) == 1
    assert "broke after 346 days of treatment" in wanted(record)["review-treatment"]["why"][0]
    assert REVIEW not in codes(record.finding("treatment-review", "yes", 3))


@pytest.mark.parametrize(("begun", "asks"), [(189, False), (190, True)])
def test_treatment_has_to_have_lasted_half_a_year(begun: int, *, asks: bool) -> None:
    record = dispensed(person().fracture("L1", 10), *range(begun, 10, -60))
    assert (REVIEW in codes(record)) is asks


def test_a_fracture_from_before_the_treatment_or_long_after_it_asks_for_no_review() -> None:
    assert REVIEW not in codes(dispensed(person().fracture("L1", 300), *range(20, 290, 84)))
    assert REVIEW not in codes(dispensed(person().fracture("L1", 10), *range(140, 500, 84)))


def test_a_cemented_fracture_under_treatment_is_reviewed_too() -> None:
    assert REVIEW in codes(dispensed(cemented(), *range(20, 390, 84)))
