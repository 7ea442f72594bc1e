"""The main job, from a FHIR record to the verdict and what follows: one test for each thing it must show."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.demo.patients import demo_patients
from tests.world import NOW, candidate, decision_on, missing, outcomes, person, settled, wishes


def test_the_demo_reaches_all_seven_outcomes() -> None:
    seen = {outcome for record in demo_patients(NOW) for outcome in outcomes(decision_on(record)).values()}
    assert seen == {
        "out-of-scope", "contraindicated", "not-a-candidate", "needs-specialist-review", "insufficient-data", "defer",
        "candidate",
    }  # fmt: skip


def test_two_codes_of_one_encounter_are_one_episode_of_an_unspecified_level_that_lacks_data() -> None:
    record = person().encounter("IMP", 7, ended=3)
    record.fracture("", 7, "M48.50XA", status="resolved", encounter="p1-enc-1")
    record.fracture("", 7, "M80.08", status="resolved", encounter="p1-enc-1")
    body = decision_on(record)
    assert [(e["kind"], e["levels"]) for e in body["facts"]["episodes"]] == [("fracture", ["unspecified"])]
    assert outcomes(body) == {"unspecified": "insufficient-data"}
    lacking = set(missing(body, "unspecified"))
    assert {"level-named", "pain-score", "tenderness", "acuity-imaging", "infection", "neurology"} <= lacking


def test_resolved_alone_never_proves_healing() -> None:
    record = candidate()
    for resource in record.resources:
        if resource["resourceType"] == "Condition":
            resource["clinicalStatus"]["coding"][0]["code"] = "resolved"
    assert outcomes(decision_on(record)) == {"L1": "candidate"}


def test_a_readmission_does_not_reset_the_onset() -> None:
    record = person().fracture("", 50, "M80.08").fracture("", 12, "M48.50XA").fracture("", 3, "M80.08XA")
    (episode,) = decision_on(record)["facts"]["episodes"]
    assert episode["onset"] == (NOW - timedelta(days=50)).isoformat().replace("+00:00", "Z")


def test_healed_and_tender_beside_fresh_and_painless_is_no_candidate_twice_and_examined_again() -> None:
    record = person().fracture("L1", 500).tender("L1", True, 2).oedema("L1", False, 3).height_loss("L1", 35, 3)
    record.fracture("L2", 30).tender("L2", False, 2).oedema("L2", True, 3).well(2).care(28).pain(8, 26).pain(7, 1)
    body = decision_on(record)
    assert outcomes(body) == {"L1": "not-a-candidate", "L2": "not-a-candidate"}
    assert wishes(body)["examine-spine"]["levels"] == ["L2"]


def test_a_negative_stir_of_yesterday_settles_it_and_asks_for_no_mri() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).tender("L1", True, 2).oedema("L1", False, 1)
    body = decision_on(record.well(2).care(28).pain(8, 26).pain(7, 1))
    assert outcomes(body) == {"L1": "not-a-candidate"}
    assert missing(body, "L1") == {}
    assert "order-spine-mri" not in wishes(body)


def test_a_stale_mri_is_unknown_and_a_new_one_is_asked_for() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 50).tender("L1", True, 2).oedema("L1", True, 45)
    body = decision_on(record.well(2).care(45).pain(8, 40).pain(7, 1))
    assert outcomes(body) == {"L1": "insufficient-data"}
    assert missing(body, "L1") == {"acuity-imaging": "stale"}
    assert "order-spine-mri" in wishes(body)


def test_day_five_with_pain_seven_and_analgesia_just_begun_is_deferred_with_a_re_evaluation() -> None:
    body = decision_on(settled(onset=5).care(4).pain(7, 1))
    assert outcomes(body) == {"L1": "defer"}
    assert wishes(body)["re-evaluate"]["due"] == "2026-12-13T12:00:00Z"


def test_day_five_without_any_encounter_is_deferred_too_and_says_what_was_not_assessed() -> None:
    record = person().fracture("L1", 5).tender("L1", True, 2).oedema("L1", True, 3).well(2).care(0.5).pain(7, 1)
    body = decision_on(record)
    assert outcomes(body) == {"L1": "defer"}


def test_a_hospitalised_patient_with_uncontrolled_pain_need_not_wait_three_weeks() -> None:
    record = settled(onset=8).care(7).pain(9, 6).pain(9, 1).encounter("IMP", 7)
    assert outcomes(decision_on(record)) == {"L1": "candidate"}


def test_the_wrong_level_is_asked_about_at_once_and_osteoporosis_care_opens_all_the_same() -> None:
    record = settled("L2").care(28).pain(8, 26).pain(8, 2).cement("L1", 0.5)
    open_wishes = wishes(decision_on(record))
    assert open_wishes["level-discrepancy"]["priority"] == "stat"
    assert open_wishes["level-discrepancy"]["due"] == "2026-11-22T13:00:00Z"
    assert {"refer-osteoporosis", "leak-check"} <= set(open_wishes)


def test_one_event_under_three_codes_opens_each_obligation_once() -> None:
    record = candidate().cement("L1", 1, "22514")
    record.cement("L1", 1, "0QU03JZ", "http://www.cms.gov/Medicare/Coding/ICD10")
    record.cement("L1", 1, "0QS03ZZ", "http://www.cms.gov/Medicare/Coding/ICD10")
    body = decision_on(record)
    assert len([e for e in body["facts"]["episodes"] if e["kind"] == "procedure"]) == 1
    asked = [(wish["episode"], wish["rule"]) for wish in body["obligations"]]
    assert len(set(asked)) == len(asked)
    assert {"leak-check", "refer-osteoporosis"} <= {wish["code"] for wish in body["obligations"]}


def test_a_leak_check_closes_by_statement_and_clean_checks_and_by_nothing_less() -> None:
    def check(*, silent: tuple[str, ...] = (), neurology: str = "normal", chest: str = "normal") -> bool:
        record = candidate().cement("L1", 1).leak_statement("L1", 0.9, silent=silent)
        record.finding("neurological-examination", neurology, 0.8).finding("chest-check", chest, 0.8).study("DX", 0.7)
        return "leak-check" in wishes(decision_on(record))

    assert not check()
    assert check(silent=("canal",))
    assert check(neurology="deficit")
    assert check(chest="symptoms")


def test_a_clean_plain_film_never_closes_a_leak_check() -> None:
    record = candidate().cement("L1", 1).study("DX", 0.5).study("CR", 0.4)
    assert "leak-check" in wishes(decision_on(record))


@pytest.mark.parametrize("place", ["canal", "foramen", "epidural-veins", "paravertebral-veins"])
def test_cement_towards_nerve_or_vein_asks_for_ct_even_if_well(place: str) -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9, leaks=[place])
    record.finding("neurological-examination", "normal", 0.8).finding("chest-check", "normal", 0.8)
    assert {"order-spine-ct", "leak-check"} <= set(wishes(decision_on(record)))
    assert "order-spine-ct" not in wishes(decision_on(record.study("CT", 0.2).report(0.1)))


def test_cement_in_the_lungs_asks_for_ct_of_the_chest_even_if_well_and_a_ct_of_the_spine_is_none() -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9, leaks=["lungs"])
    record.finding("neurological-examination", "normal", 0.8).finding("chest-check", "normal", 0.8)
    found = set(wishes(decision_on(record.study("CT", 0.2).report(0.1))))
    assert {"order-chest-ct", "leak-check"} <= found
    assert "order-spine-ct" not in found


def test_a_referral_that_is_ordered_stays_open_and_one_that_is_kept_closes() -> None:
    assert "refer-osteoporosis" in wishes(decision_on(candidate().cement("L1", 20).referral("active", 19)))
    assert "refer-osteoporosis" not in wishes(decision_on(candidate().cement("L1", 20).referral("completed", 5)))


def test_a_deficit_is_an_emergency_with_or_without_a_procedure_even_if_unconfirmed() -> None:
    record = candidate().finding("neurological-examination", "deficit", 0.1, status="preliminary")
    assert wishes(decision_on(record))["neurology-emergency"]["owner"] == "on-call"
    after = candidate().cement("L1", 1).finding("neurological-examination", "cord-or-cauda-sign", 0.1)
    assert wishes(decision_on(after))["neurology-emergency"]["priority"] == "stat"


def test_cemented_six_years_ago_and_well_nothing_is_asked() -> None:
    body = decision_on(person().fracture("L1", 2200).cement("L1", 2190))
    assert body["obligations"] == []


def test_a_preliminary_mri_asks_and_an_amended_one_decides() -> None:
    def verdict(status: str) -> str:
        record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).tender("L1", True, 2).well(2).care(28)
        record.finding("marrow-oedema", "present", 3, level="L1", technique="stir", status=status)
        return outcomes(decision_on(record.pain(8, 26).pain(7, 1)))["L1"]

    assert verdict("preliminary") == "insufficient-data"
    assert verdict("amended") == "candidate"
    assert verdict("entered-in-error") == "insufficient-data"


def test_oedema_without_a_technique_is_unconfirmed() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).tender("L1", True, 2).well(2).care(28)
    record.finding("marrow-oedema", "present", 3, level="L1").pain(8, 26).pain(7, 1)
    assert missing(decision_on(record), "L1") == {"acuity-imaging": "unconfirmed"}


def test_a_later_negative_outweighs_an_earlier_positive() -> None:
    assert outcomes(decision_on(candidate().oedema("L1", False, 1))) == {"L1": "not-a-candidate"}


def test_a_pain_score_without_a_place_is_unconfirmed() -> None:
    record = settled().care(28).pain(8, 26, site=False).pain(7, 1, site=False)
    lacking = missing(decision_on(record), "L1")
    assert lacking["pain-score"] == "unconfirmed"


def test_one_level_off_counts_only_where_neither_neighbour_is_deformed() -> None:
    def off(**heights: int) -> str:
        record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).oedema("L1", True, 3).tender("L2", True, 2)
        for level, percent in heights.items():
            record.height_loss(level, percent, 3)
        return outcomes(decision_on(record.well(2).care(28).pain(8, 26).pain(7, 1)))["L1"]

    assert off(T12=0, L2=0) == "candidate"
    assert off(T12=0, L2=20) == "insufficient-data"
    assert off(L2=0) == "insufficient-data"
    body = decision_on(
        person().encounter("AMB", 2, ended=1.9).fracture("L1", 30).oedema("L1", True, 3).tender("L2", True, 2)
        .height_loss("T12", 0, 3).height_loss("L2", 0, 3).well(2).care(28).pain(8, 26).pain(7, 1)
    )  # fmt: skip
    (said,) = (c["message"] for c in body["levels"][0]["criteria"] if c["id"] == "shared.tender-at-level")
    assert "one level off" in said


def test_a_code_for_a_pair_of_levels_names_none_of_them() -> None:
    body = decision_on(person().fracture("", 5, "S22.080A"))
    assert outcomes(body) == {"unspecified": "insufficient-data"}
    assert body["facts"]["episodes"][0]["range"] == "T11-T12"


def test_a_sacral_fracture_is_out_of_scope() -> None:
    assert outcomes(decision_on(person().fracture("", 5, "M48.58XA"))) == {"S1": "out-of-scope"}


def test_a_person_who_cannot_report_pain_goes_to_a_specialist() -> None:
    record = settled().care(28).finding("self-report-ability", "unable", 1)
    assert outcomes(decision_on(record)) == {"L1": "needs-specialist-review"}


def test_what_had_not_happened_yet_is_set_aside_and_listed() -> None:
    record = candidate()
    body = decision_on(record, NOW - timedelta(days=20))
    later = [item["where"] for item in body["setAside"] if item["code"] == "not-yet-known"]
    assert "Observation/p1-marrow-oedema-1" in later
    assert outcomes(body) == {"L1": "insufficient-data"}
