"""Red flags from charts to tasks: what rings, what it says, what answers it, and what stays quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from adapters.demo.record import Record
from adapters.fhir.to_facts import ChartReader
from adapters.settings import Settings
from pathway.canonical import parse_instant
from pathway.decide import decide
from pathway.episodes import person_episode_id
from pathway.horizon import next_change
from pathway.strata import Machine
from tests.world import NOW, book, case_of, decision_on, machines, person, read, terms

NERVES, CHEST = "candidacy.neurology-emergency", "after-cement.chest-emergency"
STUDY, INFECTION = "after-cement.examine-nerves", "after-cement.infection-work-up"
SITE, SITE_UNDER = "after-cement.puncture-site", "after-cement.puncture-site-antithrombotic"
HAEMATOMA, RESTART = "after-cement.haematoma-emergency", "after-cement.restart-antithrombotic"
COMPARE = "after-cement.severe-pain-antithrombotic"
MINE = {NERVES, CHEST, STUDY, INFECTION, SITE, SITE_UNDER, HAEMATOMA, RESTART, COMPARE}
SETS = (("after-cement",), ("pre-procedure",), ("candidacy",), ("nice-ta279", "after-cement"), ("acr", "pre-procedure"))


def cemented(days: float = 4, level: str = "L1") -> Record:
    return person().fracture(level, days + 20).cement(level, days)


@cache
def of_sets(names: Sequence[str]) -> tuple[Machine, ...]:
    return tuple(Machine(rule_set) for rule_set in book().choose(names))


def open_tasks(record: Record, at: datetime = NOW) -> dict[str, Mapping[str, Any]]:
    return {o["rule"]: o for o in decision_on(record, at)["obligations"] if o["state"] == "open"}


def rings(record: Record, at: datetime = NOW) -> set[str]:
    return MINE & open_tasks(record, at).keys()


def due_in(task: Mapping[str, Any], at: datetime = NOW) -> timedelta:
    return parse_instant(task["due"]) - at


# --- the brief's own people


def test_breathless_on_day_four_with_a_normal_saturation_and_a_clean_film_is_an_emergency() -> None:
    record = cemented(4).finding("chest-check", "symptoms", 0.02).lab("59408-5", 96, "%", 0.02)
    record.study("DX", 0.02, spine=False).report(0.01)
    task = open_tasks(record)[CHEST]
    assert (task["priority"], task["owner"], due_in(task)) == ("stat", "on-call", timedelta(hours=1))
    assert "cement embolism" in task["why"][0]
    assert "lowest saturation 96 % (day 4)" in task["why"][0]


@pytest.mark.parametrize("minutes", [0, 1, 20])
def test_a_weak_leg_at_hour_nought_is_an_emergency_within_the_hour(minutes: int) -> None:
    record = person().fracture("L1", 20).well(1).cement("L1", minutes / 1440).finding("leg-weakness", "present", 0)
    task = open_tasks(record)[NERVES]
    assert (task["priority"], task["owner"], due_in(task)) == ("stat", "on-call", timedelta(hours=1))
    assert "leg weakness" in task["why"][0]
    assert "Cement in: L1" in task["why"][0]


def test_an_uncemented_fracture_with_retention_and_weak_legs_is_an_emergency_now() -> None:
    record = person().fracture("T12", 10).condition("R33.9", 0.2).finding("leg-weakness", "present", 0.2)
    task = open_tasks(record)[NERVES]
    assert (task["priority"], due_in(task)) == ("stat", timedelta(hours=1))
    said = " ".join((*task["why"], task["title"]))
    assert "leg weakness, trouble with bladder or bowel" in said
    assert "MRI within 4 h" in said
    assert "spinal surgery now" in said
    assert "relative" not in said.lower()


def test_six_years_on_well_in_dermatology_there_is_no_task_and_no_alarm() -> None:
    years = 6 * 365
    record = cemented(years).leak_statement("L1", years).finding("neurological-examination", "normal", years - 1)
    record.finding("chest-check", "normal", years - 1).encounter("AMB", 0.1)
    assert rings(record) == set()
    body = decision_on(record)
    assert [o for o in body["obligations"] if o["state"] == "open"] == []


# --- nerves


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_the_emergency_fires_whichever_sets_are_configured_and_whichever_acts(names: tuple[str, ...]) -> None:
    case = case_of(cemented(2).finding("saddle-numbness", "present", 0.1))
    for acting in ("", "candidacy", names[0]):
        found = [o for o in decide(case, of_sets(names), acting=acting).body["obligations"] if o["rule"] == NERVES]
        assert [(o["state"], o["priority"]) for o in found] == [("open", "stat")]


@pytest.mark.parametrize("days", [30, 365, 9 * 365])
def test_a_late_change_with_known_cement_in_the_canal_names_it(days: int) -> None:
    record = cemented(days).leak_statement("L1", days, leaks=["canal"]).finding("leg-weakness", "present", 0.2)
    said = open_tasks(record)[NERVES]["why"][0]
    assert "known in the canal: L1" in said
    assert "CT of that vertebra" in said


def test_an_antithrombotic_and_a_tumour_are_named_with_what_they_call_for() -> None:
    record = cemented(2).medicine("apixaban 5 mg", 30, code="1364430").condition("C79.51", 200)
    said = open_tasks(record.finding("neurological-examination", "deficit", 0.1))[NERVES]["why"][0]
    assert "Antithrombotic: anticoagulant; on one, an epidural haematoma until excluded" in said
    assert "Tumour: metastasis; with one, MRI of the whole spine as soon as possible, always within 24 h" in said
    assert "the physician decides" in said


@pytest.mark.parametrize(("volume", "loud"), [(199, False), (200, True)])
def test_residual_urine_only_raises(volume: int, loud: bool) -> None:
    record = person().fracture("L1", 20).residual_urine(volume, 0.1)
    assert (NERVES in rings(record)) is loud
    numb = person().fracture("L1", 20).finding("saddle-numbness", "present", 0.2).residual_urine(volume, 0.1)
    assert NERVES in rings(numb)


def test_the_emergency_ends_by_a_later_normal_examination_or_a_death_and_by_nothing_else() -> None:
    def found(record: Record) -> str:
        case = case_of(record)
        standing = replace(case, standing=(f"{person_episode_id(case.patient)}/{NERVES}",))
        return {o["rule"]: o["state"] for o in decide(standing, machines()).body["obligations"]}.get(NERVES, "silent")

    def weak() -> Record:
        return cemented(4).well(3).finding("leg-weakness", "present", 1)

    assert found(weak().finding("leg-weakness", "absent", 0.5).pain(0, 0.4).residual_urine(20, 0.3)) == "open"
    assert found(weak().finding("neurological-examination", "normal", 0.5, status="preliminary")) == "open"
    assert found(weak().finding("neurological-examination", "normal", 0.5)) == "closed"
    dead = weak()
    dead.resources[0]["deceasedDateTime"] = dead.at(0.1)
    assert found(dead) == "closed"


def test_a_contact_that_leaves_the_nerves_open_asks_once_and_an_answer_ends_it() -> None:
    record = cemented(21).leak_statement("L1", 21).well(20).finding("chest-check", "normal", 20).contact(1)
    task = open_tasks(record)[STUDY]
    assert (task["priority"], task["owner"], due_in(task)) == ("asap", "clinician", timedelta(hours=4))
    for sign in ("leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble"):
        assert STUDY in rings(record)
        record.finding(sign, "absent", 0.9)
    assert rings(record) == set()


def test_without_a_contact_or_a_part_of_an_answer_nobody_is_asked() -> None:
    assert rings(cemented(300)) == set()
    assert rings(cemented(300).encounter("AMB", 0.1)) == set()
    assert rings(cemented(300).contact(1)) == set(), "a visit a year later whose house codes no answers"
    assert rings(cemented(300).finding("leg-weakness", "absent", 1)) == {STUDY}
    assert rings(cemented(300).finding("leg-weakness", "absent", 20)) == set(), "a part of long ago asks nobody now"


# --- chest


@pytest.mark.parametrize(
    ("days", "told", "loud"),
    [
        (4, ("R06.02",), True), (30, ("R06.02",), True), (31, ("R06.02",), False), (4, (92, 80), True),
        (4, (93, 119), False), (4, (99, 120), True),
    ],
)  # fmt: skip
def test_any_one_chest_sign_of_the_first_thirty_days_rings(days: int, told: tuple[Any, ...], loud: bool) -> None:
    record = cemented(days)
    if isinstance(told[0], str):
        record.condition(told[0], 0)
    else:
        record.lab("59408-5", told[0], "%", 0.1).lab("8867-4", told[1], "/min", 0.1)
    assert (CHEST in rings(record)) is loud


REASSURING = ("saturation", "film", "relief", "absent", "old")


@pytest.mark.parametrize("how", REASSURING)
def test_what_reassures_silences_no_chest_emergency(how: str) -> None:
    record = cemented(6).finding("chest-check", "symptoms", 3)
    later = {
        "saturation": lambda: record.lab("59408-5", 99, "%", 1).lab("8867-4", 64, "/min", 1),
        "film": lambda: record.study("DX", 1, spine=False).report(0.5),
        "relief": lambda: record.pain(0, 1).finding("mobility", "ambulant", 1),
        "absent": lambda: record.finding("chest-check", "normal", 3.5).contact(1),
        "old": lambda: record.lab("59408-5", 97, "%", 400).condition("R06.02", 400),
    }
    later[how]()
    assert CHEST in rings(record)


def test_a_later_normal_check_of_the_chest_answers_it() -> None:
    assert CHEST not in rings(cemented(6).finding("chest-check", "symptoms", 3).finding("chest-check", "normal", 1))


# --- infection and bleeding


@pytest.mark.parametrize(
    ("days", "sign", "loud"),
    [
        (20, "fever", True), (3 * 365, "fever", False), (20, "discharge", True), (400, "night", True),
        (1200, "night", False),
    ],
)  # fmt: skip
def test_signs_of_infection_ask_for_one_search_in_their_time(days: int, sign: str, loud: bool) -> None:
    record = cemented(days).finding("infection-screen", "absent", days + 1)
    if sign == "fever":
        record.lab("8310-5", 38.0, "Cel", 1).lab("8310-5", 36.6, "Cel", 0.5)
    else:
        record.finding(*(("wound-check", "discharge") if sign == "discharge" else ("night-pain", "present")), 1)
    assert (INFECTION in rings(record)) is loud
    if loud:
        task = open_tasks(record)[INFECTION]
        assert all(word in task["why"][0] for word in ("CRP and ESR", "blood cultures", "MRI"))
        assert due_in(task) == timedelta(hours=24)


def test_the_search_ends_when_what_it_found_is_recorded_not_by_an_order_or_one_normal_marker() -> None:
    record = cemented(20).lab("8310-5", 38.6, "Cel", 1).lab("1988-5", 4, "mg/L", 0.6, flag="N").order("spine-mri", 0.5)
    assert INFECTION in rings(record)
    assert INFECTION not in rings(record.finding("infection-screen", "absent", 0.2))


def test_a_fever_that_grew_old_is_not_called_searched_by_the_screen_from_before_the_cement() -> None:
    def found(record: Record) -> set[str]:
        case = case_of(record)
        standing = tuple(f"{sheet.episode}/{INFECTION}" for sheet in case.treated)
        wishes = decide(replace(case, standing=standing), machines()).body["obligations"]
        return {o["state"] for o in wishes if o["rule"] == INFECTION}

    def feverish() -> Record:
        return cemented(20).finding("infection-screen", "absent", 21).lab("8310-5", 38.6, "Cel", 7.5)

    assert found(feverish()) == set()
    assert found(feverish().finding("infection-screen", "absent", 1)) == {"closed"}


@pytest.mark.parametrize(("drug", "rule", "hours"), [("", SITE, 72), ("apixaban 5 mg", SITE_UNDER, 4)])
def test_a_haematoma_is_looked_at_sooner_under_an_antithrombotic(drug: str, rule: str, hours: int) -> None:
    record = cemented(2).finding("wound-check", "haematoma", 1)
    record = record.medicine(drug, 30) if drug else record
    task = open_tasks(record)[rule]
    assert rings(record) == {rule}
    assert due_in(task) == timedelta(hours=hours)
    assert rings(record.finding("wound-check", "clean", 0.5)) == set()


@pytest.mark.parametrize(
    ("drug", "days", "before", "after", "loud"),
    [
        ("apixaban", 1, 4, 9, True), ("aspirin 100 mg", 1, 4, 9, True), ("", 1, 4, 9, False),
        ("apixaban", 30, 4, 9, False), ("apixaban", 1, 9, 9, False),
    ],
)  # fmt: skip
def test_new_severe_pain_soon_after_cement_under_an_antithrombotic_is_a_haematoma_until_excluded(
    drug: str, days: int, before: int, after: int, loud: bool
) -> None:
    record = cemented(days).pain(before, days + 1).pain(after, 0.1)
    record = record.medicine(drug, 60) if drug else record
    assert (HAEMATOMA in rings(record)) is loud
    if loud:
        assert "epidural haematoma until excluded" in open_tasks(record)[HAEMATOMA]["why"][0]


@pytest.mark.parametrize(("drug", "loud"), [("apixaban", True), ("", False)])
def test_severe_pain_under_an_antithrombotic_without_a_score_from_before_is_asked_about(drug: str, loud: bool) -> None:
    record = cemented(1).pain(9, 0.1)
    record = record.medicine(drug, 60) if drug else record
    assert rings(record) == ({COMPARE} if loud else set())
    if loud:
        task = open_tasks(record)[COMPARE]
        assert (task["priority"], task["owner"], due_in(task)) == ("urgent", "clinician", timedelta(hours=4))
        assert rings(record.finding("new-back-pain", "absent", 0.5)) == {COMPARE}, "said before that score"
        assert rings(record.finding("new-back-pain", "present", 0.05)) == {HAEMATOMA}


# --- the antithrombotic that was held


def held(restart: float) -> Record:
    return person().fracture("L1", 20).medicine("apixaban 5 mg", 60, code="1364430").hold(7, restart=restart)


def test_the_restart_opens_on_the_planned_day_and_the_chart_wakes_on_it() -> None:
    record = held(restart=2).cement("L1", 1)
    assert RESTART not in rings(record)
    day, at = (NOW + timedelta(days=2)).replace(hour=0, minute=0), NOW
    sets, wakes = [machine.rule_set for machine in of_sets(("after-cement",))], set[datetime]()
    while (turn := next_change(case_of(record, at), sets)) and turn <= day:
        wakes.add(turn)
        at = turn
    assert day in wakes
    assert RESTART not in rings(record, day - timedelta(seconds=1))
    task = open_tasks(record, day)[RESTART]
    assert (task["owner"], due_in(task, day)) == ("clinician", timedelta(days=1))
    assert day.date().isoformat() in task["why"][0]


def test_the_restart_ends_by_what_is_taken_or_a_later_plan_and_never_by_an_order() -> None:
    def due() -> Record:
        return held(restart=-1).cement("L1", 3)

    assert RESTART in rings(due())
    assert RESTART in rings(due().medicine("apixaban 5 mg", 0.1, code="1364430"))
    taken = due().medicine("apixaban 5 mg", 0.1, code="1364430", kind="MedicationStatement")
    later, on = due().hold(0.1, restart=5), due().hold(0.1, answer="continue")
    assert [RESTART in rings(r) for r in (taken, later, on, due().finding("antithrombotic-restarted", "yes", 0.1))] == [
        False
    ] * 4


@pytest.mark.parametrize("sign", ["leg-weakness", "chest-check", "saturation", "retention"])
def test_a_sign_that_a_fast_clock_stamped_is_kept_at_the_door_and_rings_at_its_hour(sign: str) -> None:
    def told(ahead: float) -> Record:
        record = cemented(4)
        if sign == "saturation":
            return record.lab("59408-5", 85, "%", -ahead)
        if sign == "retention":
            return record.condition("R33.9", -ahead)
        return record.finding(sign, "symptoms" if sign == "chest-check" else "present", -ahead)

    def found(ahead: float, at: datetime) -> set[str]:
        (delivery,) = read(told(ahead)).deliveries
        chart = [resource for resource, _ in delivery.resources]
        case = ChartReader(book().vocabulary, terms()).build(delivery.patient, chart, at)
        return {NERVES, CHEST} & {
            o["rule"] for o in decide(case, machines()).body["obligations"] if o["state"] == "open"
        }

    hour = NOW + timedelta(hours=5)
    assert found(5 / 24, NOW) == set()
    assert (turn := case_of(told(5 / 24)).turns_at) is not None
    assert turn <= hour
    assert len(found(5 / 24, hour)) == 1
    assert found(25 / 24, NOW + timedelta(hours=25)) == set(), "a day ahead is no clock"


def test_what_reassures_is_refused_if_it_comes_from_the_future() -> None:
    for record in (cemented(4).finding("neurological-examination", "normal", -0.2), cemented(4).pain(1, -0.2)):
        told = read(record).deliveries[0]
        assert [r.type for r, _ in told.resources].count("Observation") == 0


def test_a_restart_that_was_planned_anew_after_the_cement_opens_on_its_new_day() -> None:
    record, day = held(restart=-1).cement("L1", 3).hold(0.1, restart=5), (NOW + timedelta(days=5)).replace(hour=9)
    assert RESTART not in rings(record, day - timedelta(days=1))
    assert RESTART in rings(record, day)


def test_a_held_drug_asks_for_nothing_before_the_cement_or_a_year_after_it() -> None:
    assert RESTART not in rings(held(restart=-1))
    assert RESTART not in rings(person().fracture("L1", 400).hold(390, restart=-380).cement("L1", 388))


def test_all_sets_of_the_default_settings_were_asked() -> None:
    assert {machine.rule_set.id for machine in machines()} >= {"candidacy", "pre-procedure", "after-cement"}
    assert "after-cement" in Settings().policies


# --- more signs, never fewer emergencies


def test_a_later_sign_of_the_chest_never_makes_an_unanswered_early_one_a_late_one() -> None:
    early = cemented(35).finding("chest-check", "symptoms", 31)
    assert CHEST in rings(early)
    assert CHEST in rings(early.finding("chest-check", "symptoms", 0.1)), "worse on day 35 is not less"
    fast = cemented(33).lab("8867-4", 130, "/min", 30)
    assert CHEST in rings(fast)
    assert CHEST in rings(fast.lab("8867-4", 140, "/min", 0.1))


def test_cement_in_dura_or_heart_rings_whenever_it_is_first_told() -> None:
    for place, task in (("intradural", "intradural-emergency"), ("heart-or-cava", "heart-emergency")):
        record = cemented(400).leak_statement("L1", 0.1, [place])
        assert task in {one["code"] for one in decision_on(record)["obligations"] if one["state"] == "open"}
