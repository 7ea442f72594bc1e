"""What a reviewer broke once: each a record that made it unsafe or silly, and what must come of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record, concept
from adapters.fhir.reading import ANSWER, FINDING, LEVEL, ORDER
from pathway.canonical import parse
from pathway.tasks import Task
from tests.world import (
    FixedClock,
    candidate,
    decision_on,
    ingest,
    make_house,
    missing,
    outcomes,
    person,
    read,
    settled,
    wishes,
)

pytestmark = pytest.mark.e2e  # whole charts, from FHIR in to the decision


def outcome(record: Record, level: str = "L1") -> str:
    return outcomes(decision_on(record))[level]


def asked(record: Record) -> set[str]:
    return set(wishes(decision_on(record)))


def aside(record: Record) -> list[str]:
    return [item["where"] for item in decision_on(record)["setAside"]]


# --- the neurological alert never falls silent


def test_a_later_preliminary_normal_does_not_silence_a_confirmed_deficit() -> None:
    record = candidate().finding("neurological-examination", "deficit", 1)
    assert "neurology-emergency" in asked(
        record.finding("neurological-examination", "normal", 0.5, status="preliminary")
    )


def test_of_two_examinations_of_one_instant_the_worse_counts() -> None:
    record = person().fracture("L1", 10).finding("neurological-examination", "deficit", 1)
    assert "neurology-emergency" in asked(record.finding("neurological-examination", "normal", 1))


@pytest.mark.parametrize("onset", ["2026", "2026-07"])
def test_a_vague_onset_does_not_make_a_cauda_of_yesterday_old(onset: str) -> None:
    record = person().fracture("L1", 10).condition("G83.4", 1)
    record.resources[-1]["onsetDateTime"] = onset
    assert "neurology-emergency" in asked(record)


def test_an_undated_deficit_is_heard_and_noted() -> None:
    record = person().fracture("L1", 10).finding("neurological-examination", "deficit", 1)
    del record.resources[-1]["effectiveDateTime"]
    record.resources[-1]["issued"] = record.at(1)
    assert "neurology-emergency" in asked(record)
    assert f"Observation/{record.resources[-1]['id']}" in aside(record)


# --- undated records are noted, and never a silent no


def test_undated_cement_is_noted_and_keeps_the_level_from_being_a_candidate() -> None:
    record = candidate().cement("L1", 5)
    del record.resources[-1]["performedDateTime"]
    assert outcome(record) == "insufficient-data"
    assert f"Procedure/{record.resources[-1]['id']}" in aside(record)


def test_an_undated_leak_of_a_known_procedure_still_asks_for_ct() -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9, leaks=["canal"])
    del record.resources[-1]["effectiveDateTime"]
    record.resources[-1]["issued"] = record.at(0.9)
    assert "order-spine-ct" in asked(record)


# --- codes


@pytest.mark.parametrize("code", ["A41.51", "A41.01", "M46.20", "M46.28", "A18.01", "I33.0", "G06.2"])
def test_any_spinal_or_systemic_infection_forbids_cement(code: str) -> None:
    assert outcome(candidate().condition(code, 1)) == "contraindicated"


@pytest.mark.parametrize("code", ["S32.019A", "S22.009A", "S32.009A", "S32.011A", "S12.100A"])
def test_every_code_of_a_vertebral_fracture_is_seen(code: str) -> None:
    assert decision_on(person().fracture("", 10, code))["levels"]


# --- tumour

IN_DOUBT = {
    "fracture-cause": "conflicting", "occult-tumour-signs": "not-recorded", "tumour-kind": "not-recorded",
    "sins": "not-recorded", "surgeon-opinion": "not-recorded",
}  # fmt: skip
"""What decides while a tumour may be the cause: the cause, the tumour itself, and what its vertebra would need."""


def in_doubt(record: Record) -> bool:
    """Whether a tumour is feared at L1: a specialist judges it, its work-up is asked for, and nothing calls for cement.

    What is asked of the vertebra is all of `IN_DOUBT`, and the feared answer is kept beside the conflict.
    """
    body = decision_on(record)
    (sheet,) = (sheet for sheet in body["facts"]["levels"] if sheet["level"] == "L1")
    assert sheet["facts"]["fracture-cause"]["candidate"] == "neoplastic"
    assert missing(body, "L1") == IN_DOUBT
    assert not {row["outcome"] for row in body["levels"]} & {"candidate", "met"}
    assert {"specialist-review", "work-up-cause"} <= set(wishes(body))
    assert "operator-review" not in wishes(body)
    return outcomes(body)["L1"] == "needs-specialist-review"


@pytest.mark.parametrize(("code", "status"), [("C90.01", "remission"), ("C79.51", "inactive"), ("C50.911", "active")])
def test_cancer_on_record_puts_an_osteoporotic_code_in_doubt(code: str, status: str) -> None:
    assert in_doubt(candidate().condition(code, 300, status=status))


def test_a_clinicians_word_on_the_cause_settles_the_doubt() -> None:
    record = candidate().condition("C50.911", 300)
    assert outcome(record.finding("fracture-cause", "osteoporotic", 1, level="L1")) == "candidate"
    assert outcome(record.finding("fracture-cause", "neoplastic", 0.5, level="L1")) == "needs-specialist-review"


def test_two_codes_in_one_condition_that_disagree_conflict() -> None:
    record = candidate()
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    fracture["code"]["coding"].append({"system": fracture["code"]["coding"][0]["system"], "code": "M84.58XA"})
    assert in_doubt(record)


def test_a_tumour_fracture_of_no_named_vertebra_may_be_this_one() -> None:
    assert in_doubt(candidate().condition("M84.58XA", 20))


# --- one vertebra's facts stay its own


def _two_injuries() -> Record:
    record = person().encounter("AMB", 2, ended=1.9).fracture("", 30, "S22.050A").fracture("L1", 30, "S32.010A")
    record.resources[-2]["bodySite"] = [concept("https://pathway.example/fhir/CodeSystem/level", "T6")]
    record.condition("M81.0", 900).tender("T6", True, 2).oedema("T6", True, 3).well(2)
    return record.care(28).pain(8, 26).pain(7, 1)


def test_the_mechanism_of_one_fracture_says_nothing_of_another() -> None:
    high = outcomes(decision_on(_two_injuries().finding("fracture-mechanism", "high-energy", 5, level="T6")))
    assert (high["T6"], high["L1"]) == ("out-of-scope", "insufficient-data")
    low = outcomes(decision_on(_two_injuries().finding("fracture-mechanism", "low-energy", 2, level="L1")))
    assert low["T6"] == "insufficient-data"


def test_a_condition_with_two_body_sites_is_two_fractures() -> None:
    record = person().fracture("L1", 5)
    record.resources[-1]["bodySite"] += person().fracture("L3", 5).resources[-1]["bodySite"]
    assert set(outcomes(decision_on(record))) == {"L1", "L3"}


def test_a_body_site_that_contradicts_its_code_names_no_vertebra_and_is_noted() -> None:
    record = person().fracture("L3", 5, "S32.010A")
    assert set(outcomes(decision_on(record))) == {"unspecified"}
    assert "Condition/p1-fx-1" in aside(record)


def test_unnamed_fractures_of_regions_that_exclude_each_other_are_two() -> None:
    body = decision_on(person().fracture("", 10, "M48.52XA").fracture("", 8, "M48.56XA"))
    assert sorted(e["range"] for e in body["facts"]["episodes"]) == ["C1-C7", "L1-L5"]


# --- conservative care, stay in hospital, onset


def _uncared() -> Record:
    return settled().pain(8, 26).pain(7, 1)


def _care_procedure(status: str, **when: Any) -> Record:
    record = _uncared()
    body = {"resourceType": "Procedure", "status": status, "code": concept(ORDER, "conservative-care"), **when}
    return record._own(body, "cc")


@pytest.mark.parametrize("status", ["entered-in-error", "not-done", "preparation"])
def test_care_that_was_not_given_does_not_count(status: str) -> None:
    start = person().at(28)
    assert outcome(_care_procedure(status, performedDateTime=start)) != "candidate"


def test_care_counts_only_for_the_days_it_was_given() -> None:
    record = person()
    ended = _care_procedure("completed", performedPeriod={"start": record.at(28), "end": record.at(27)})
    assert outcome(ended) == "defer"
    once = _uncared().finding("conservative-care", "analgesia", 28)
    assert outcome(once) == "defer"
    stopped = _uncared().care(28).finding("conservative-care", "absent", 26)
    assert outcome(stopped) == "defer"
    assert outcome(_uncared().care(28)) == "candidate"


def test_care_that_is_preliminary_or_without_a_value_does_not_count() -> None:
    record = _uncared().care(28)
    record.resources[-1]["status"] = "preliminary"
    assert outcome(record) == "insufficient-data"
    record = _uncared().care(28)
    del record.resources[-1]["valueCodeableConcept"]
    record.resources[-1]["dataAbsentReason"] = concept(
        "http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"
    )
    assert outcome(record) == "insufficient-data"


def test_an_inpatient_encounter_that_nobody_closed_shortens_no_wait() -> None:
    record = settled(onset=3).pain(9, 2.9).pain(9, 1).care(2.5).encounter("IMP", 400)
    assert outcome(record) == "defer"


def test_a_vague_onset_never_makes_a_fracture_look_long_cared_for() -> None:
    record = settled(onset=3).care(280).pain(8, 2.5).pain(8, 1)
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    fracture["onsetDateTime"] = "2026"
    assert outcome(record) == "defer"


def test_an_old_fracture_written_up_late_is_not_todays_fracture() -> None:
    record = settled(onset=5).care(395).pain(8, 4).pain(8, 1).fracture("L1", 400)
    record.resources[-1]["recordedDate"] = record.at(40)
    assert outcome(record) == "defer"


# --- cement before, checks after


def test_a_re_fracture_of_a_cemented_vertebra_goes_to_a_specialist() -> None:
    assert outcome(candidate().cement("L1", 200)) == "needs-specialist-review"


def test_cement_dated_a_day_before_the_coded_onset_is_cement_of_this_fracture() -> None:
    assert outcome(candidate().cement("L1", 31)) == "not-a-candidate"


def test_a_check_of_the_morning_closes_nothing_when_the_procedure_has_only_a_date() -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.3)
    record.finding("neurological-examination", "normal", 1.1).finding("chest-check", "normal", 1.1)
    cement = next(r for r in record.resources if r["resourceType"] == "Procedure")
    cement["performedDateTime"] = record.at(1)[:10]
    assert "leak-check" in asked(record)


def test_checks_long_after_the_procedure_close_no_leak_check() -> None:
    record = candidate().cement("L1", 100).leak_statement("L1", 99)
    record.finding("neurological-examination", "normal", 1).finding("chest-check", "normal", 1)
    assert "leak-check" in asked(record)


def test_a_ct_of_something_else_closes_no_ct_of_the_spine() -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9, leaks=["canal"])
    assert "order-spine-ct" in asked(record.study("CT", 0.5, spine=False))
    assert "order-spine-ct" not in asked(record.study("CT", 0.4).report(0.3))


def test_a_statement_without_reference_belongs_to_the_last_procedure_before_it() -> None:
    record = candidate("L1").fracture("L3", 30).cement("L1", 20).cement("L3", 5).leak_statement("L3", 4.9)
    statement = record.resources[-1]
    del statement["partOf"], statement["bodySite"]
    record.finding("neurological-examination", "normal", 4.8).finding("chest-check", "normal", 4.8)
    open_checks = [o for o in decision_on(record)["obligations"] if o["code"] == "leak-check" and o["state"] == "open"]
    assert [o["levels"] for o in open_checks] == [["L1"]]


def test_a_level_proven_and_cemented_before_is_no_discrepancy_of_the_next_procedure() -> None:
    assert "level-discrepancy" not in asked(candidate("L1").fracture("L3", 30).cement("L1", 20).cement("L3", 5))


# --- the latest decides


def test_an_older_tender_neighbour_does_not_outweigh_a_newer_examination_of_the_level() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).oedema("L1", True, 3).well(2).care(28)
    record.height_loss("T12", 0, 3).height_loss("L2", 0, 3).tender("T12", True, 25).tender("L1", False, 1)
    assert outcome(record.pain(8, 26).pain(7, 1)) == "not-a-candidate"


def test_one_tender_spot_between_two_fresh_vertebrae_proves_neither() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).fracture("L3", 30).well(2).care(28)
    record.oedema("L1", True, 3).oedema("L3", True, 3).tender("L2", True, 2)
    for level in ("T12", "L2", "L4"):
        record.height_loss(level, 0, 3)
    assert "candidate" not in outcomes(decision_on(record.pain(8, 26).pain(7, 1))).values()


def test_a_fresh_mri_decides_over_a_scan_and_a_scan_renews_or_contradicts_an_old_one() -> None:
    def scanned(answer: str, mri: float, *, oedema: bool = True) -> Record:
        record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 50).tender("L1", True, 2).well(2).care(45)
        record.oedema("L1", oedema, mri).finding("tracer-uptake", answer, 1, level="L1", technique="spect-ct")
        return record.pain(8, 40).pain(7, 1)

    def freshness(record: Record) -> tuple[str, str]:
        (row,) = (row for row in decision_on(record)["levels"] if row["policy"] == "candidacy")
        (found,) = (c for c in row["criteria"] if c["id"] == "shared.fresh-fracture")
        return row["outcome"], found["message"]

    for days in (25, 29):
        said, why = freshness(scanned("absent", days))
        assert said == "insufficient-data", "a later scan that finds nothing is not passed over"
        assert "conflict" in why
    assert outcome(scanned("present", 25, oedema=False)) == "not-a-candidate"
    for days in (31, 45):
        said, why = freshness(scanned("absent", days))
        assert said == "not-a-candidate"
        assert "SPECT-CT" in why
    assert outcome(scanned("present", 45)) == "candidate"


def test_pain_is_compared_like_with_like_and_with_the_weeks_before() -> None:
    def course(*scores: tuple[int, float]) -> str:
        record = settled().care(28)
        for score, day in scores:
            record.pain(score, day)
        return outcome(record)

    assert course((10, 28), (8, 20), (8, 10), (8, 1)) == "candidate"
    assert course((10, 28), (8, 1)) == "defer"
    mixed = settled().care(28).pain(8, 20, moving=False).pain(2, 5, moving=False).pain(7, 1)
    assert outcome(mixed) == "insufficient-data"


# --- certainty, identity, death


def test_a_provisional_fracture_makes_no_candidate() -> None:
    record = candidate()
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    fracture["verificationStatus"] = concept(
        "http://terminology.hl7.org/CodeSystem/condition-ver-status", "provisional"
    )
    assert outcome(record) == "insufficient-data"


def test_a_suspected_pregnancy_outweighs_a_recorded_no() -> None:
    record = (
        person(age=36).finding("pregnancy-status", "not-pregnant", 10).condition("Z33.1", 1, verification="provisional")
    )
    assert decision_on(record)["facts"]["patient"]["facts"]["pregnancy"]["unknown"] == "unconfirmed"


def test_an_observation_whose_patient_cannot_be_told_is_set_aside() -> None:
    record = settled().care(28).pain(8, 26).pain(7, 1)
    for resource in record.resources:
        if resource["id"].startswith("p1-marrow"):
            resource["subject"] = {"identifier": {"value": "someone-else"}}
    assert outcome(record) == "insufficient-data"


def test_a_finding_of_a_withdrawn_report_is_withdrawn_with_it() -> None:
    record = candidate()
    report = {
        "resourceType": "DiagnosticReport", "status": "entered-in-error", "code": concept(FINDING, "marrow-oedema"),
        "result": [{"reference": "Observation/p1-marrow-oedema-1"}],
    }  # fmt: skip
    assert outcome(record._own(report, "dr")) == "insufficient-data"


def test_after_a_recorded_death_nothing_is_asked_and_the_verdict_says_so() -> None:
    record = candidate().cement("L1", 1)
    record.resources[0]["deceasedDateTime"] = record.at(0.5)
    body = decision_on(record)
    assert outcomes(body) == {"L1": "out-of-scope"}
    assert body["obligations"] == []


def test_a_referral_not_to_be_carried_out_closes_nothing() -> None:
    record = candidate().cement("L1", 20).referral("completed", 5)
    record.resources[-1]["doNotPerform"] = True
    assert "refer-osteoporosis" in asked(record)


def test_records_of_one_operation_on_two_dates_are_one_event() -> None:
    record = candidate().cement("L1", 1.2, "22514")
    record.cement("L1", 0.8, "0QU03JZ", "http://www.cms.gov/Medicare/Coding/ICD10")
    procedures = [e for e in decision_on(record)["facts"]["episodes"] if e["kind"] == "procedure"]
    assert len(procedures) == 1


# --- tasks over time


def tasks(house: House, code: str) -> list[Task]:
    with house.store.read() as ledger:
        return [t for t in ledger.find_tasks() if t.code == code]


def end_by_person(house: House, task: Task) -> None:
    ended = replace(task, status="completed", by_person=True, version=task.version + 1)
    with house.store.write() as ledger:
        ledger.save_task(ended, expect_version=task.version)


def later(house: House, record: Record, days: float) -> Record:
    assert isinstance(house.clock, FixedClock)
    house.clock.forward(days=days)
    record.now = house.clock.now()
    return record


def test_an_emergency_that_a_person_closed_opens_again_for_a_new_sign(house: House) -> None:
    record = person().fracture("L1", 5).finding("neurological-examination", "deficit", 0.1)
    ingest(house, record)
    end_by_person(house, tasks(house, "neurology-emergency")[0])
    ingest(house, record)
    assert len(tasks(house, "neurology-emergency")) == 1
    ingest(house, later(house, record, 60).finding("neurological-examination", "cord-or-cauda-sign", 0.1))
    assert sorted(t.status for t in tasks(house, "neurology-emergency")) == ["completed", "ready"]


def test_neither_evidence_nor_the_clock_ends_an_emergency(house: House) -> None:
    record = person().fracture("L1", 5).finding("neurological-examination", "deficit", 0.1)
    ingest(house, record)
    ingest(house, later(house, record, 1).finding("neurological-examination", "normal", 0.1))
    (task,) = tasks(house, "neurology-emergency")
    assert task.status == "ready"
    assert "clinician closes it" in task.status_reason
    ingest(house, later(house, record, 120).pain(5, 0.1))
    assert [t.status for t in tasks(house, "neurology-emergency")] == ["ready"]


def test_a_stale_mri_is_asked_for_again_although_a_person_once_closed_the_task(house: House) -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).tender("L1", True, 2).well(2).care(28)
    ingest(house, record.pain(8, 26).pain(7, 1))
    end_by_person(house, tasks(house, "order-spine-mri")[0])
    ingest(house, later(house, record, 1).oedema("L1", True, 0.5))
    again = later(house, record, 40).tender("L1", True, 0.5).well(0.5).pain(7, 0.5)
    ingest(house, again)
    assert sorted(t.status for t in tasks(house, "order-spine-mri")) == ["completed", "ready"]


@pytest.mark.parametrize(("code", "record"), [
    ("re-evaluate", settled(onset=5).care(4).pain(7, 4).pain(7, 1)),
    ("operator-review", candidate()),
])  # fmt: skip
def test_data_grown_old_withdraws_no_task(house: House, code: str, record: Record) -> None:
    ingest(house, record)
    ingest(house, later(house, record, 15).height_loss("L5", 0, 0.1))
    assert [t.status for t in tasks(house, code)] == ["ready"]


def test_answers_are_coded(house: House) -> None:
    """The tests above speak the codes that the code systems define."""
    known = {"osteoporotic", "neoplastic", "deficit", "cord-or-cauda-sign", "high-energy", "low-energy"}
    assert all(house.terms.match("answer", [{"system": ANSWER, "code": code}]) for code in known)


# --- a second reviewer


@pytest.mark.parametrize("end", ["9999-12-31", "9998-12-31", "0001-01-01"])
def test_a_filler_for_an_open_end_neither_crashes_nor_keeps_anybody_in_hospital(end: str) -> None:
    record = settled(onset=3).pain(9, 2.9).pain(9, 1).care(2.5).encounter("IMP", 3, ended=2)
    record.resources[-1]["period"]["end"] = end
    assert outcome(record) == "defer"


def test_a_very_old_procedure_is_no_crash() -> None:
    assert outcome(candidate().cement("L4", 46000)) == "candidate"


@pytest.mark.parametrize("date", [10, 7])
def test_a_deficit_with_a_vague_date_does_not_lose_to_a_normal_of_the_same_time(date: int) -> None:
    record = candidate().finding("neurological-examination", "deficit", 0.3)
    record.resources[-1]["effectiveDateTime"] = record.at(0.1)[:date]
    assert "neurology-emergency" in asked(record.finding("neurological-examination", "normal", 0.4))


def test_a_positive_screen_or_a_negative_mri_of_the_same_day_is_not_outrun_by_a_time() -> None:
    record = candidate().finding("infection-screen", "present", 0.1)
    record.resources[-1]["effectiveDateTime"] = record.at(0.1)[:10]
    assert outcome(record.finding("infection-screen", "absent", 0.2)) == "insufficient-data"
    record = candidate().oedema("L1", False, 0.1)
    record.resources[-1]["effectiveDateTime"] = record.at(0.1)[:10]
    assert outcome(record.oedema("L1", True, 0.2)) == "insufficient-data"


def test_a_new_sign_beside_an_old_diagnosis_is_an_emergency() -> None:
    record = candidate().condition("G83.4", 120)
    assert "neurology-emergency" in asked(record.finding("neurological-examination", "cord-or-cauda-sign", 0.1))
    record = candidate().condition("G83.4", 120, verification="provisional")
    assert "neurology-emergency" in asked(
        record.finding("neurological-examination", "deficit", 0.1, status="preliminary")
    )


def test_a_local_status_code_beside_the_standard_one_changes_nothing() -> None:
    record = candidate()
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    fracture["verificationStatus"]["coding"] = [
        {"system": "urn:local", "code": "2"},
        {**fracture["verificationStatus"]["coding"][0], "code": "refuted"},
    ]
    assert outcome(record) == "insufficient-data"
    record = candidate().condition("A41.51", 1)
    record.resources[-1]["clinicalStatus"]["coding"].insert(0, {"system": "urn:local", "code": "resolved"})
    assert outcome(record) == "contraindicated"


def test_a_stated_leak_is_never_lost() -> None:
    assert "order-spine-ct" in asked(candidate().cement("", 1).leak_statement("L1", 0.9, leaks=["canal"]))
    assert "order-spine-ct" in asked(candidate().cement("L1", 1).leak_statement("L2", 0.9, leaks=["canal"]))
    early = candidate().cement("L1", 1).leak_statement("L1", 1.05, leaks=["canal"])
    del early.resources[-1]["partOf"]
    assert "order-spine-ct" in asked(early)


def test_a_fracture_without_any_date_still_carries_an_alert() -> None:
    record = person().fracture("L1", 10).finding("neurological-examination", "deficit", 1)
    fracture = record.resources[1]
    del fracture["onsetDateTime"], fracture["recordedDate"]
    assert "neurology-emergency" in asked(record)
    assert "Condition/p1-fx-1" in aside(record)


def test_undated_cement_alone_still_carries_an_alert() -> None:
    record = person().cement("L1", 1).finding("neurological-examination", "deficit", 0.5)
    del record.resources[1]["performedDateTime"]
    assert "neurology-emergency" in asked(record)


def test_a_procedure_with_only_its_end_is_followed_up() -> None:
    record = candidate().cement("L1", 1)
    record.resources[-1]["performedPeriod"] = {"end": record.resources[-1].pop("performedDateTime")}
    assert "leak-check" in asked(record)


def test_references_by_full_url_are_followed_for_every_resource() -> None:
    url = "urn:uuid:6f0c3f0e-0000-4000-8000-000000000001"
    record = candidate()
    report = {
        "resourceType": "DiagnosticReport", "status": "entered-in-error", "code": concept(FINDING, "marrow-oedema"),
        "result": [{"reference": url}],
    }  # fmt: skip
    bundle = record._own(report, "dr").bundle()
    for entry in bundle["entry"]:
        if entry["resource"]["id"].startswith("p1-marrow"):
            entry["fullUrl"] = url
    (delivery,) = read(bundle).deliveries
    withdrawn = next(r for r, _ in delivery.resources if r.type == "DiagnosticReport")
    assert withdrawn.body["result"][0]["reference"] == "Observation/p1-marrow-oedema-1"


def test_an_add_on_code_leaves_the_other_levels_in_doubt() -> None:
    record = candidate().fracture("L3", 30).oedema("L3", True, 3).tender("L3", True, 2).cement("L1", 1)
    assert outcome(record.cement("", 1, "22515"), "L3") == "insufficient-data"


def test_two_unnamed_fractures_of_two_regions_keep_their_own_episodes(house: House) -> None:
    record = person().fracture("", 8, "M48.56XA")
    ingest(house, record)
    ingest(house, record.fracture("", 10, "M48.52XA"))
    with house.store.read() as ledger:
        assert sorted(e.range for e in ledger.episodes("local|p1") if e.range) == ["C1-C7", "L1-L5"]


# --- coverage: nothing is met by the luck of a vague date, and a set that does not run is no denial


def covered() -> Record:
    """Original Medicare in California, every criterion and every document of L34228 there."""
    record = settled().encounter("AMB", 0.1).place("CA").coverage("original-medicare").care(28).pain(7, 26).pain(7, 1)
    record.height_loss("L1", 31, 2.5).finding("kyphotic-deformity", "present", 3, level="L1")
    record.attest({"pain-attribution": "this-fracture", "care-optimal": "yes"}, 2, level="L1")
    return record.attest(dict.fromkeys(DOCUMENTS, "yes"), 2)


DOCUMENTS = ("bone-density-referral", "osteoporosis-education", "treatment-programme")


def coverage(record: Record) -> tuple[str, list[str]]:
    """Of L1. A vertebra that only an order names has a row of its own, and nothing is met there."""
    rows = {row["level"]: row for row in decision_on(record)["levels"] if row.get("lcd") == "L34228"}
    row = rows.pop("L1")
    assert all(other["outcome"] == "insufficient-data" for other in rows.values())
    return row["outcome"], [item["datum"] for item in row["missing"]]


def with_onset(record: Record, **onset: Any) -> Record:
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    del fracture["onsetDateTime"]
    fracture |= {**onset, "recordedDate": record.at(3)}
    return record


@pytest.mark.parametrize(
    "onset",
    [
        {"onsetDateTime": "2026-08"},  # 82 to 113 days ago
        {"onsetDateTime": "2026-10"},
        {"onsetPeriod": {"start": "2026-08-01", "end": "2026-11-01"}},
        {"onsetPeriod": {"end": "2026-11-01"}},
    ],
)
def test_an_onset_without_its_day_meets_no_twelve_weeks_and_is_asked_for(onset: dict[str, Any]) -> None:
    assert coverage(covered()) == ("met", [])
    outcome, asked_for = coverage(with_onset(covered(), **onset))
    assert outcome == "insufficient-data"
    assert "days-since-onset" in asked_for


def test_an_onset_of_a_day_or_the_start_of_a_period_is_one() -> None:
    assert coverage(with_onset(covered(), onsetDateTime="2026-10-23"))[0] == "met"
    assert coverage(with_onset(covered(), onsetPeriod={"start": "2026-10-23"}))[0] == "met"


@pytest.mark.parametrize(
    ("off", "said"),
    [("coverage-cms-lcd-l34228", "insufficient-data"), ("coverage-cms-lcd-l38201", "chosen")],
)
def test_a_determination_that_is_switched_off_is_not_called_not_applicable(tmp_path: Path, off: str, said: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        f"site: t\nstatus: draft\noff:\n  - {{rule-set: {off}, set-on: 2026-11-20, by: [A. Person], reason: why}}\n"
    )
    house = make_house(tmp_path, site_rules=site)
    try:
        made = ingest(house, covered()).decision
        (choice,) = parse(made.body)["choices"]
        assert choice["outcome"] == said
        assert (off in choice["reason"]) is (said == "insufficient-data")
        assert house.service.replay(made.id).body_sha256 == made.body_sha256
    finally:
        house.close()


def sign(record: Record, flag: str, days: float) -> Record:
    """What a reason may excuse, found some days ago."""
    match flag:
        case "neurology":
            return record.finding("neurological-examination", "cord-or-cauda-sign", days)
        case "allergy":
            return record.allergy("bone-cement", days)
        case "coagulopathy":
            return record.finding("coagulation-check", "abnormal", days)
        case _:
            return record.order("vertebral-augmentation", days, levels=["T11", "T12", "L1", "L2"])


FLAGS = ("neurology", "allergy", "coagulopathy", "level-count")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_reason_excuses_nothing_that_was_found_after_it(flag: str) -> None:
    outcome, asked_for = coverage(sign(covered().reason(flag, 900), flag, 0.5))
    assert (outcome, asked_for) == ("documentation-missing", [f"reason-despite-{flag}"])


@pytest.mark.parametrize("flag", FLAGS)
def test_a_reason_given_on_the_day_or_later_stands(flag: str) -> None:
    assert coverage(sign(covered().reason(flag, 0.2), flag, 0.5))[0] == "met"
    assert coverage(sign(covered().reason(flag, 0.5), flag, 0.4))[0] == "met"  # both on the same day


def test_a_reason_for_a_deficit_outlasts_its_next_examination_but_no_worse_one() -> None:
    record = covered().finding("neurological-examination", "deficit", 1.5).reason("neurology", 1.4)
    assert coverage(record.finding("neurological-examination", "deficit", 0.2))[0] == "met"
    worse = record.finding("neurological-examination", "cord-or-cauda-sign", 0.1)
    assert coverage(worse)[0] == "documentation-missing"


def test_a_kyphosis_known_from_before_the_fracture_is_no_item_for_sure() -> None:
    record = settled().encounter("AMB", 0.1).place("CA").coverage("original-medicare").care(28).pain(7, 26).pain(7, 1)
    record.height_loss("L1", 31, 2.5).attest(
        {"pain-attribution": "this-fracture", "care-optimal": "yes"}, 2, level="L1"
    )
    record.attest(dict.fromkeys(DOCUMENTS, "yes"), 2)

    def diagnosed(code: str, days: float) -> tuple[str, list[str]]:
        record.condition(code, days)
        record.resources[-1]["bodySite"] = [concept(LEVEL, "L1")]
        found = coverage(record)
        record.resources.pop()
        return found

    assert diagnosed("M40.15", 5)[0] == "met"
    for code, days in (("M40.15", 4000), ("M40.14", 5)):  # before the fracture; of another region than its bodySite
        outcome, asked_for = diagnosed(code, days)
        assert (outcome, "kyphosis" in asked_for) == ("insufficient-data", True)


def test_oedema_within_a_year_of_an_active_fracture_is_of_it_and_sixteen_weeks_are_chronic() -> None:
    def noted(days: float, status: str = "active", verification: str = "confirmed") -> Record:
        record = covered()
        (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
        fracture |= record.fracture("L1", days, status=status, verification=verification).resources.pop() | {
            "id": fracture["id"], "recordedDate": record.at(days)
        }  # fmt: skip
        return record

    assert coverage(noted(112))[0] == "not-met"
    assert coverage(noted(360))[0] == "not-met"
    for other in (noted(400), noted(112, "resolved"), noted(112, verification="provisional")):
        outcome, asked_for = coverage(other)  # it may be another fracture
        assert outcome == "insufficient-data"
        assert "days-since-onset" in asked_for


def test_an_onset_of_sixteen_weeks_that_is_stated_after_the_oedema_answers_and_is_chronic() -> None:
    record = covered()
    (fracture,) = (r for r in record.resources if r["resourceType"] == "Condition")
    fracture |= {"onsetDateTime": record.at(400), "recordedDate": record.at(400)}
    assert "days-since-onset" in coverage(record)[1]  # it may be another fracture
    record.fracture("L1", 1, stated=False)
    assert "days-since-onset" in coverage(record)[1]
    record.fracture("L1", 112)
    record.resources[-1]["recordedDate"] = record.at(1)
    assert coverage(record)[0] == "not-met"
    record.resources[-1]["onsetDateTime"] = record.at(380)  # too far back to be joined, but whoever wrote it knew
    assert coverage(record)[0] == "not-met"
    for status, verification in (("resolved", "confirmed"), ("active", "provisional"), ("active", "refuted")):
        record.resources.pop()
        record.fracture("L1", 112, status=status, verification=verification)
        record.resources[-1]["recordedDate"] = record.at(1)
        assert "days-since-onset" in coverage(record)[1]
