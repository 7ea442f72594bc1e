"""Red flags read from charts: what stands, what answers it, and what never takes a warning back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.demo.record import ATC, ICD, SNOMED, Record
from pathway.facts import Fact, Reason
from tests.world import NOW, case_of, person

SIGNS = ("leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble")


def fact(record: Record, datum: str) -> Fact:
    return case_of(record).person.facts[datum]


def treated(record: Record, datum: str, which: int = 0) -> Fact:
    return case_of(record).treated[which].facts[datum]


def broken(onset: float = 30) -> Record:
    return person().fracture("L1", onset)


def cemented(days: float = 4) -> Record:
    return broken(days + 20).cement("L1", days)


# --- legs, saddle, bladder and bowel


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_stands_until_a_normal_examination_that_is_later(sign: str) -> None:
    record = broken().finding(sign, "present", 2)
    assert (fact(record, sign).value, fact(record, sign).sources) == (True, (f"Observation/p1-{sign}-1",))
    record.finding(sign, "absent", 1)
    assert fact(record, sign).value is True, "the next call takes it not back"
    record.finding("neurological-examination", "normal", 0.5)
    assert (fact(record, sign).value, fact(record, sign).at) == (False, fact(record, "neurology").at)
    assert fact(record.finding(sign, "present", 0.2), sign).value is True


@pytest.mark.parametrize("exam", [("normal", 3.0, "final"), ("normal", 2.0, "final"), ("normal", 1.0, "preliminary")])
def test_an_earlier_equal_or_unsigned_normal_examination_answers_no_sign(exam: tuple[str, float, str]) -> None:
    answer, days, status = exam
    record = broken().finding("leg-weakness", "present", 2)
    record.finding("neurological-examination", answer, days, status=status)
    assert fact(record, "leg-weakness").value is True
    assert fact(record, "neurology").value is None
    assert fact(record, "neurology").candidate == "deficit"


def test_a_sign_whose_hour_is_not_known_is_not_answered_by_an_examination_of_its_day() -> None:
    record = broken().finding("leg-weakness", "present", 1).finding("neurological-examination", "normal", 0.9)
    assert fact(record, "leg-weakness").value is False
    record.resources[-2]["effectiveDateTime"] = record.resources[-2]["effectiveDateTime"][:10]
    assert fact(record, "leg-weakness").value is True


@pytest.mark.parametrize("sign", SIGNS)
def test_absent_is_an_answer_where_it_was_never_present(sign: str) -> None:
    assert fact(broken(), sign).reason is Reason.NOT_RECORDED
    assert fact(broken().finding(sign, "absent", 1), sign).value is False
    doubted = fact(broken().finding(sign, "absent", 1, status="preliminary"), sign)
    assert (doubted.reason, doubted.candidate) == (Reason.UNCONFIRMED, False)
    feared = fact(broken().finding(sign, "present", 1, status="preliminary"), sign)
    assert (feared.reason, feared.candidate) == (Reason.UNCONFIRMED, True)


@pytest.mark.parametrize("code", ["M21.371", "M21.379"])
def test_a_foot_drop_since_the_fracture_is_a_weak_leg(code: str) -> None:
    assert fact(broken(30).condition(code, 3), "leg-weakness").value is True
    assert fact(broken(30).condition(code, 3), "neurology").candidate == "deficit"
    assert fact(broken(30).condition(code, 400), "leg-weakness").reason is Reason.NOT_RECORDED
    assert fact(broken(30).condition(code, 3, status="resolved"), "leg-weakness").reason is Reason.NOT_RECORDED


def test_bladder_and_cord_are_read_from_snomed_and_from_rarer_codes_too() -> None:
    for code in ("267064002", "165232002"):
        assert fact(broken(30).condition(code, 3, SNOMED), "bladder-or-bowel-trouble").value is True
    for code in ("G95.19", "S34.3XXA"):
        assert fact(broken(30).condition(code, 3), "neurology").value == "cord-or-cauda"


@pytest.mark.parametrize("code", ["R33.9", "R32", "R15.9", "N31.9", "N39.490", "K59.2"])
def test_trouble_with_bladder_or_bowel_is_read_from_diagnoses_that_began_since_the_fracture(code: str) -> None:
    datum = "bladder-or-bowel-trouble"
    assert fact(broken(30).condition(code, 3), datum).value is True
    assert fact(broken(30).condition(code, 40), datum).reason is Reason.NOT_RECORDED
    old = broken(30).condition(code, 400)
    old.resources[-1]["recordedDate"] = old.at(1)  # written down again yesterday, begun last year
    assert fact(old, datum).reason is Reason.NOT_RECORDED
    assert fact(broken(30).condition(code, 3, status="resolved"), datum).reason is Reason.NOT_RECORDED
    feared = fact(broken(30).condition(code, 3, verification="provisional"), datum)
    assert (feared.reason, feared.candidate) == (Reason.UNCONFIRMED, True)
    assert fact(broken(30).condition(code, 3).finding("neurological-examination", "normal", 1), datum).value is False


def test_a_sign_from_before_the_fracture_is_of_something_else_and_cement_reaches_further_back() -> None:
    early = broken(10).finding("leg-weakness", "present", 20)
    assert fact(early, "leg-weakness").reason is Reason.NOT_RECORDED
    assert fact(broken(10).cement("L3", 60).finding("leg-weakness", "present", 20), "leg-weakness").value is True


def test_a_sign_makes_the_examination_before_it_doubtful_and_names_itself() -> None:
    record = broken().well(3).finding("saddle-numbness", "present", 1).residual_urine(350, 1)
    found = fact(record, "neurology")
    assert (found.reason, found.candidate) == (Reason.UNCONFIRMED, "cord-or-cauda")
    assert found.detail["note"] == " (saddle numbness, residual urine 350 mL)"
    seen = fact(record.finding("neurological-examination", "deficit", 0.5), "neurology")
    assert (seen.value, seen.at) == ("deficit", NOW - timedelta(days=0.5))
    assert "saddle numbness" in seen.detail["note"]


def test_a_new_sign_makes_an_old_deficit_of_now() -> None:
    record = broken(200).finding("neurological-examination", "deficit", 120).finding("leg-weakness", "present", 1)
    found = fact(record, "neurology")
    assert (found.value, found.at) == ("deficit", fact(record, "leg-weakness").at)


def test_neurology_after_cement_is_doubtful_too_and_what_was_told_before_it_is_not_of_it() -> None:
    record = cemented().finding("neurological-examination", "normal", 3)
    assert treated(record, "neurology-after-cement").value == "normal"
    found = treated(record.finding("leg-weakness", "present", 1), "neurology-after-cement")
    assert (found.reason, found.candidate) == (Reason.UNCONFIRMED, "deficit")
    before = cemented().finding("leg-weakness", "present", 6)
    assert treated(before, "neurology-after-cement").reason is Reason.NOT_RECORDED
    assert fact(before, "leg-weakness").value is True


def test_of_residual_volumes_the_greatest_counts_until_a_normal_examination() -> None:
    record = broken().residual_urine(320, 2).residual_urine(40, 1)
    assert fact(record, "residual-urine").value == 320
    assert fact(record.finding("neurological-examination", "normal", 0.5), "residual-urine").reason is not None
    scanned, undated = broken().residual_urine(999, 2), broken().residual_urine(320, 2)
    scanned.resources[-1]["valueQuantity"]["comparator"] = ">"
    assert fact(scanned, "residual-urine").value == 999
    scanned.resources[-1]["valueQuantity"]["comparator"] = "<"
    assert fact(scanned, "residual-urine").reason is Reason.NOT_RECORDED
    del undated.resources[-1]["effectiveDateTime"]
    assert fact(undated, "residual-urine").candidate == 320
    unsigned = fact(broken().residual_urine(320, 2, status="preliminary"), "residual-urine")
    assert (unsigned.reason, unsigned.candidate) == (Reason.UNCONFIRMED, 320)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ((), None), (("leg-weakness",), "in-part"), (("leg-weakness", "saddle-numbness"), "in-part"),
        (SIGNS, "answered"), (("residual",), "in-part"), (("exam",), "answered"),
    ],
)  # fmt: skip
def test_questions_are_answered_in_full_or_in_part(told: tuple[str, ...], state: str | None) -> None:
    record = broken()
    for name in told:
        if name == "exam":
            record.finding("neurological-examination", "normal", 1)
        elif name == "residual":
            record.residual_urine(30, 1)
        else:
            record.finding(name, "absent", 1)
    assert fact(record, "neurology-asked").value == state


def test_a_contact_without_the_questions_leaves_them_unanswered_and_a_sign_is_an_answer() -> None:
    record = cemented(21).finding("neurological-examination", "normal", 20).contact(1)
    assert fact(record, "neurology-asked").value == "unanswered"
    assert fact(record.finding("leg-weakness", "absent", 1), "neurology-asked").value == "in-part"
    assert fact(record.finding("saddle-numbness", "present", 0.9), "neurology-asked").value == "answered"
    booked = cemented(21).finding("neurological-examination", "normal", 20).appointment(-1)
    assert fact(booked, "neurology-asked").value == "answered"


def test_cement_in_the_canal_is_known_for_ever_with_its_vertebra() -> None:
    assert fact(person(), "cement-in-canal").value is False
    assert fact(cemented(2000), "cement-in-canal").detail == {"places": "not stated", "cemented": "L1"}
    none = fact(cemented(2000).leak_statement("L1", 2000), "cement-in-canal")
    assert (none.value, none.detail["places"]) == (False, "none on record")
    undated = cemented(2000)
    del undated.resources[-1]["performedDateTime"]
    open_ = fact(undated, "cement-in-canal")
    assert (open_.value, open_.detail) == (None, {"places": "not stated", "cemented": "L1 (no date)"})
    leaked = cemented(2000).leak_statement("L1", 2000, leaks=["canal"]).cement("L3", 10).leak_statement("L3", 10)
    found = fact(leaked, "cement-in-canal")
    assert (found.value, found.detail) == (True, {"places": "L1", "cemented": "L1, L3"})


# --- the chest


def test_early_relief_excludes_nothing_and_what_nobody_dates_or_came_late_is_over() -> None:
    datum = "chest-symptom-after-cement"
    fainted = cemented(4).condition("R55", 1, status="resolved")
    assert treated(fainted, datum).value is True
    assert treated(fainted.finding("chest-check", "normal", 0.5), datum).value is False
    same_day = cemented(4).condition("R55", 3.9, status="resolved")
    same_day.resources[-1]["onsetDateTime"] = same_day.at(3.9)[:10]
    assert treated(same_day, datum).value is True
    undated = cemented(4).condition("R55", 1, status="resolved")
    del undated.resources[-1]["onsetDateTime"]
    assert treated(undated, datum).reason is Reason.NOT_RECORDED
    assert treated(cemented(60).condition("R55", 1, status="resolved"), datum).reason is Reason.NOT_RECORDED
    assert treated(cemented(4).condition("R55", 9, status="resolved"), datum).reason is Reason.NOT_RECORDED
    assert treated(cemented(4).condition("R55", 1, verification="refuted"), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("code", ["267036007", "29857009", "271594007", "389087006", "59282003"])
def test_chest_symptoms_are_read_from_snomed_too(code: str) -> None:
    assert treated(cemented(4).condition(code, 1, SNOMED), "chest-symptom-after-cement").value is True


@pytest.mark.parametrize("code", ["R06.00", "R06.01", "R06.02", "R07.2", "R07.9", "R09.02", "R55", "J96.00", "I26.92"])
def test_a_chest_symptom_is_read_from_a_diagnosis_since_the_cement(code: str) -> None:
    datum = "chest-symptom-after-cement"
    found = treated(cemented(4).condition(code, 1), datum)
    assert (found.value, treated(cemented(4).condition(code, 1), "chest-check-day").value) == (True, 3)
    assert treated(cemented(4).condition(code, 9), datum).reason is Reason.NOT_RECORDED
    feared = treated(cemented(4).condition(code, 1, verification="provisional"), datum)
    assert (feared.reason, feared.candidate) == (Reason.UNCONFIRMED, True)


def test_only_a_later_normal_check_answers_a_chest_symptom() -> None:
    datum = "chest-symptom-after-cement"
    record = cemented(4).finding("chest-check", "normal", 3).condition("R06.02", 2, ICD)
    assert (treated(record, datum).value, treated(record, "chest-after-cement").value) == (True, "symptoms")
    assert treated(record.lab("59408-5", 98, "%", 1), datum).value is True
    assert treated(record.finding("chest-check", "normal", 0.5, status="preliminary"), datum).value is True
    answered = record.finding("chest-check", "normal", 0.2)
    assert (treated(answered, datum).value, treated(answered, "chest-after-cement").value) == (False, "normal")


def test_a_normal_check_long_after_answers_the_symptom_and_is_none_of_the_observation() -> None:
    record = cemented(200).finding("chest-check", "symptoms", 3).finding("chest-check", "normal", 1)
    assert treated(record, "chest-symptom-after-cement").value is False
    assert treated(record, "chest-after-cement").reason is Reason.NOT_RECORDED


def test_of_saturations_the_lowest_and_of_pulses_the_fastest_counts_each_with_its_day() -> None:
    record = cemented(10).lab("59408-5", 88, "%", 7).lab("2708-6", 97, "%", 1)
    record.lab("8867-4", 131, "/min", 6).lab("8867-4", 80, "/min", 1)
    sheet, watched = case_of(record).treated[0].facts, ("saturation-after-cement", "saturation-day")
    assert [sheet[datum].value for datum in watched] == [88, 3]
    assert [sheet[datum].value for datum in ("pulse-after-cement", "pulse-day")] == [131, 4]
    after = case_of(record.finding("chest-check", "normal", 0.5)).treated[0].facts
    assert after["saturation-after-cement"].reason is Reason.NOT_RECORDED, "a later normal check answers them"


@pytest.mark.parametrize(
    ("code", "value", "unit", "datum", "known", "feared"),
    [
        ("59408-5", 92.9, "%", "saturation-after-cement", 92, None),
        ("59408-5", 0.919, "1", "saturation-after-cement", 91, None),
        ("2710-2", 91, "%", "saturation-after-cement", 91, None),
        ("59408-5", 0.97, "%", "saturation-after-cement", None, 97),
        ("59408-5", 0.88, "percent", "saturation-after-cement", None, 88),
        ("59408-5", 88, "1", "saturation-after-cement", None, 88),
        ("59408-5", 0.88, "{fraction}", "saturation-after-cement", None, 88),
        ("59408-5", 85, "percent", "saturation-after-cement", None, 85),
        ("59408-5", "< 90 %", "", "saturation-after-cement", None, 90),
        ("59408-5", 12, "%", "saturation-after-cement", None, 30),
        ("8867-4", 119.1, "/min", "pulse-after-cement", 120, None),
        ("8867-4", 130, "bpm", "pulse-after-cement", None, 130),
    ],
)
def test_vital_signs_are_rounded_towards_what_warns_and_a_strange_unit_only_warns(
    code: str, value: Any, unit: str, datum: str, known: int | None, feared: int | None
) -> None:
    found = treated(cemented(4).lab(code, value, unit, 1), datum)
    assert (found.value, found.candidate) == (known, feared)


def test_a_vital_sign_from_before_the_cement_is_none_of_it_unless_its_hour_is_not_known() -> None:
    assert treated(cemented(4).lab("59408-5", 85, "%", 4.1), "saturation-after-cement").reason is Reason.NOT_RECORDED
    vague = cemented(4).lab("59408-5", 85, "%", 4)
    procedure = next(r for r in vague.resources if r["resourceType"] == "Procedure")
    procedure["performedDateTime"] = procedure["performedDateTime"][:10]
    assert treated(vague, "saturation-after-cement").value == 85


# --- infection and bleeding


def test_of_temperatures_of_the_last_week_the_highest_counts_until_somebody_has_looked() -> None:
    datum = "highest-temperature"
    record = cemented(20).lab("8310-5", 38.4, "Cel", 2).lab("8310-5", 36.8, "Cel", 1)
    assert fact(record, datum).value == Decimal("38.4")
    assert fact(record.finding("infection-screen", "absent", 0.5), datum).reason is Reason.NOT_RECORDED
    assert fact(cemented(20).lab("8310-5", 38.4, "Cel", 8), datum).reason is Reason.NOT_RECORDED
    assert fact(cemented(1).lab("8310-5", 38.4, "Cel", 2), datum).reason is Reason.NOT_RECORDED
    assert fact(broken().lab("8310-5", 38.4, "Cel", 2), datum).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize("status", ["final", "preliminary"])
def test_night_pain_and_discharge_stand_until_somebody_has_looked_for_infection(status: str) -> None:
    record = cemented(20).finding("night-pain", "present", 3, status=status)
    record.finding("wound-check", "discharge", 3, status=status)
    record.finding("night-pain", "absent", 2).finding("wound-check", "clean", 2)
    for found, value in ((fact(record, "night-pain"), True), (treated(record, "wound-after-cement"), "discharge")):
        assert (found.value if status == "final" else found.candidate) == value
    record.finding("infection-screen", "absent", 1)
    assert (fact(record, "night-pain").value, treated(record, "wound-after-cement").value) == (False, "clean")


def test_a_second_procedure_answers_no_sign_of_infection_after_the_first() -> None:
    record = cemented(20).finding("night-pain", "present", 3).lab("8310-5", 38.4, "Cel", 3).cement("L3", 2)
    assert (fact(record, "night-pain").value, fact(record, "highest-temperature").value) == (True, Decimal("38.4"))


def test_of_a_haematoma_and_a_clean_puncture_site_the_later_counts_and_each_procedure_has_its_own() -> None:
    record = cemented(20).finding("wound-check", "haematoma", 19)
    assert treated(record, "wound-after-cement").value == "haematoma"
    both = record.cement("L3", 5, code="22514").finding("wound-check", "clean", 4)
    assert [treated(both, "wound-after-cement", n).value for n in (0, 1)] == ["haematoma", "clean"]
    assert treated(cemented(20).finding("wound-check", "haematoma", 19).finding("wound-check", "clean", 9),
                   "wound-after-cement").value == "clean"  # fmt: skip


# --- the antithrombotic that was held

PLANNED = "antithrombotic-restart-days"
AGAIN = "antithrombotic-restarted"


def held(cement: float = 3, restart: float = 0) -> Record:
    """Held a week ago, cemented, to be taken again so many days from now."""
    return broken().medicine("apixaban 5 mg", 60, code="1364430").hold(7, restart=restart).cement("L1", cement)


@pytest.mark.parametrize(("restart", "days"), [(2, -2), (0, 0), (-1, 1)])
def test_the_days_since_the_planned_restart_count_from_its_local_beginning(restart: float, days: int) -> None:
    found = fact(held(restart=restart), PLANNED)
    assert found.value == days
    assert found.since is not None
    assert found.since.hour == 0


def test_without_cement_since_the_plan_nothing_is_to_be_taken_again() -> None:
    assert fact(broken().hold(7, restart=0), PLANNED).reason is Reason.NOT_RECORDED
    assert fact(broken().cement("L1", 9).hold(7, restart=0), PLANNED).reason is Reason.NOT_RECORDED
    assert fact(held().hold(1, answer="continue"), PLANNED).reason is Reason.NOT_RECORDED
    unsigned = held()
    del next(r for r in unsigned.resources if "antithrombotic-plan" in r["id"])["performer"]
    assert (fact(unsigned, PLANNED).reason, fact(unsigned, PLANNED).candidate) == (Reason.UNCONFIRMED, 0)


def test_taken_again_is_shown_by_a_finding_or_a_medicine_taken_or_given_never_by_an_order() -> None:
    assert fact(held(), AGAIN).reason is Reason.NOT_RECORDED
    ordered = held().medicine("apixaban 5 mg", 0.1, code="1364430")
    handed = held().medicine("apixaban 5 mg", 0.1, code="1364430", kind="MedicationDispense", status="completed")
    assert (fact(ordered, AGAIN).value, fact(handed, AGAIN).value) == (None, None)
    said = held().finding(AGAIN, "yes", 0.1)
    reviewed = held().finding("antithrombotic", "anticoagulant", 0.1)
    taken = held().medicine("apixaban 5 mg", 0.1, code="1364430", kind="MedicationStatement")
    given = held(restart=2).medicine("apixaban 5 mg", 1, kind="MedicationAdministration", status="completed")
    assert [fact(record, AGAIN).value for record in (said, reviewed, taken, given)] == [True] * 4
    assert fact(taken.finding(AGAIN, "no", 0.05), AGAIN).value is False


def test_a_list_of_medicines_from_before_the_day_and_another_kind_show_nothing() -> None:
    listed = held(restart=2).medicine("apixaban 5 mg", 1, code="1364430", kind="MedicationStatement")
    other = held().medicine("aspirin 100 mg", 0.1, code="1191", kind="MedicationStatement")
    assert (fact(listed, AGAIN).value, fact(other, AGAIN).value) == (None, None)


@pytest.mark.parametrize("drug", ["enoxaparin 40 mg", "heparin lock flush", "Clexane 0.4 ml", "fondaparinux 2.5 mg"])
@pytest.mark.parametrize("kind", ["MedicationAdministration", "MedicationStatement"])
def test_an_injected_drug_in_the_place_of_the_one_that_is_held_is_no_restart(drug: str, kind: str) -> None:
    status = "completed" if kind == "MedicationAdministration" else "active"
    assert fact(held().medicine(drug, 0.1, kind=kind, status=status), AGAIN).value is None
    switched = held().medicine(drug, 6, kind=kind, status=status).medicine(drug, 0.1, kind=kind, status=status)
    assert fact(switched, AGAIN).value is None
    own = broken().medicine(drug, 60).hold(7, restart=0).cement("L1", 3)
    assert fact(own.medicine(drug, 0.1, kind=kind, status=status), AGAIN).value is True


def test_an_injected_drug_is_known_by_its_group_too() -> None:
    group = held().medicine("", 0.1, code="B01AB05", system=ATC, kind="MedicationStatement")
    assert fact(group, AGAIN).value is None
    direct = held().medicine("", 0.1, code="B01AF02", system=ATC, kind="MedicationStatement")
    assert fact(direct, AGAIN).value is True
