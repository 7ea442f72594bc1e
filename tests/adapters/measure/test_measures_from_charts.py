"""Measures from FHIR in: every boundary of every measure, as a sender would have written it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.demo.record import Record
from adapters.fhir.measure_facts import Told, fracture_facts, measurement_year, procedure_facts, sex
from pathway import strict_yaml
from pathway.episodes import EpisodeKind
from pathway.facts import unknown
from pathway.measures import Standing
from tests.adapters.measure.charts import ALENDRONATE, DXA, chart_of, lines, stands
from tests.world import NOW, ROOT, case_of

OMW = "osteoporosis-180"
FRACTURED = 300
"""Days before now at which the woman of these tests broke L1: 2026-01-26, of the measurement year 2026."""


def woman(age: int = 74, **about: Any) -> Record:
    return Record("w", NOW, age=age, **about).fracture("L1", FRACTURED)


def density(record: Record, day: float, status: str = "final") -> Record:
    return record.lab(DXA, -2.7, "{T-score}", FRACTURED - day, status=status)


def drug(record: Record, day: float, kind: str = "MedicationRequest", status: str = "active") -> Record:
    return record.medicine("Alendronate", FRACTURED - day, kind=kind, status=status, **ALENDRONATE)


# --- M-01


@pytest.mark.parametrize(("age", "stands_"), [(66, ""), (67, "unknown"), (85, "unknown"), (86, "")])
def test_women_of_67_to_85_at_the_end_of_the_year_belong_to_it(age: int, stands_: str) -> None:
    assert stands(woman(age), OMW) == stands_


def test_it_is_the_age_on_the_last_day_of_the_year_not_that_of_today() -> None:
    record = woman(67)
    record.resources[0]["birthDate"] = "1959-12-31"
    assert stands(record, OMW) == "unknown", "66 today, 67 on 31 December"


@pytest.mark.parametrize(("month", "day", "year"), [(6, 30, 2026), (7, 1, 2027), (1, 1, 2026), (12, 31, 2027)])
def test_from_july_on_a_fracture_is_of_the_next_measurement_year(month: int, day: int, year: int) -> None:
    assert measurement_year(datetime(2026, month, day, tzinfo=UTC).date()) == year


def test_a_man_does_not_belong_to_it_and_a_sex_that_nobody_recorded_is_in_doubt() -> None:
    assert stands(woman(gender="male"), OMW) == ""
    assert stands(woman(gender="unknown"), OMW) == Standing.IN_DOUBT


@pytest.mark.parametrize("what", [density, drug])
@pytest.mark.parametrize(("day", "stands_"), [(0, "numerator"), (1, "numerator"), (180, "numerator"), (181, "not")])
def test_day_180_counts_and_day_181_does_not(what: Callable[..., Record], day: int, stands_: str) -> None:
    assert stands(what(woman(), day), OMW) == stands_


@pytest.mark.parametrize("kind", ["MedicationDispense", "MedicationAdministration"])
def test_a_drug_handed_out_or_given_in_hospital_counts(kind: str) -> None:
    assert stands(drug(woman(), 3, kind, "completed"), OMW) == "numerator"


def test_an_order_for_a_test_closes_nothing_nor_does_what_is_not_final_or_not_known_by_its_code() -> None:
    assert stands(woman().order("bone-density", FRACTURED - 5), OMW) == "unknown"
    assert stands(density(woman(), 5, "preliminary"), OMW) == "unknown"
    assert stands(woman().medicine("Alendronate 70 mg", FRACTURED - 5), OMW) == "unknown"
    assert stands(drug(woman(), 5, status="entered-in-error"), OMW) == "unknown"


@pytest.mark.parametrize(
    ("what", "before", "stands_"),
    [(density, 730, "excluded"), (density, 731, "unknown"), (drug, 365, "excluded"), (drug, 366, "unknown")],
)
def test_who_was_tested_or_treated_shortly_before_is_set_apart(
    what: Callable[..., Record], before: int, stands_: str
) -> None:
    assert stands(what(woman(), -before), OMW) == stands_
    assert stands(density(what(woman(), -before), 30), OMW) == ("excluded" if stands_ == "excluded" else "numerator")


def test_hospice_by_the_end_of_the_measurement_year_sets_apart() -> None:
    assert stands(woman(), OMW, Told(hospice=(NOW - timedelta(days=9),))) == "excluded"
    older = Record("w", NOW).fracture("L1", 700)  # of the measurement year 2025
    assert stands(older, OMW, Told(hospice=(NOW - timedelta(days=9),))) == "unknown"


@pytest.mark.parametrize(("later", "stands_"), [(180, "running"), (181, "unknown")])
def test_until_the_180_days_are_over_nothing_is_missed(later: int, stands_: str) -> None:
    record = Record("w", NOW).fracture("L1", later)
    assert stands(record, OMW) == stands_
    assert stands(record.lab(DXA, -2.7, "{T-score}", later - 2), OMW) == "numerator"


def test_the_first_fracture_counts_also_where_the_same_vertebra_broke_again() -> None:
    record = density(woman(), 10).fracture("L1", 20)
    (line,) = [line for line in lines(record) if line.measure == OMW]
    assert (line.on.isoformat(), line.standing) == ("2026-01-26", Standing.DONE)
    assert "day 10" in line.why
    fractures = [line for line in lines(record) if line.measure == "fls-84"]
    assert [(line.on.isoformat(), line.standing.value) for line in fractures] == [
        ("2026-01-26", "unknown"), ("2026-11-02", "running"),
    ]  # fmt: skip


def test_as_of_an_earlier_day_the_record_of_then_counts() -> None:
    record = density(woman(), 100)
    assert stands(record, OMW, as_of=NOW - timedelta(days=FRACTURED - 99)) == "running"
    assert stands(record, OMW, as_of=NOW - timedelta(days=FRACTURED - 101)) == "numerator"


@pytest.mark.parametrize("day", ["2026", "2026-01", "2026-07"])
def test_a_test_without_a_day_neither_sets_apart_nor_is_in_time(day: str) -> None:
    record = density(woman(), -30)
    record.resources[-1]["effectiveDateTime"] = day
    assert stands(record, OMW) == stands(record, "fls-density-84") == "unknown"


@pytest.mark.parametrize(
    ("kind", "date"), [("MedicationDispense", "whenHandedOver"), ("MedicationStatement", "dateAsserted")]
)
def test_a_drug_without_a_date_is_no_miss_by_the_day_it_was_sent(kind: str, date: str) -> None:
    record = drug(woman(), 40, kind, {"MedicationDispense": "completed"}.get(kind, "active"))
    del record.resources[-1][date]
    assert stands(record, OMW) == "unknown"
    record = handed(cemented(), 190)
    del record.resources[-1]["whenHandedOver"]
    record.resources[-1]["whenPrepared"] = "2026"
    assert stands(record, "bone-care-90") == "unknown"


@pytest.mark.parametrize(
    ("said", "begun", "ended", "stands_"),
    [
        (40, -1000, None, "excluded"),
        (300, -1000, None, "excluded"),
        (300, -1000, -500, "unknown"),
        (299, 10, None, "numerator"),
        (299, 181, None, "not"),
        (40, None, -1, "excluded"),
        (40, None, 90, "numerator"),
    ],
)
def test_a_drug_that_is_taken_counts_from_when_it_was_begun(
    said: int, begun: int | None, ended: int | None, stands_: str
) -> None:
    record = drug(woman(), said, "MedicationStatement")
    times = {"start": begun, "end": ended}
    record.resources[-1]["effectivePeriod"] = {
        name: record.at(FRACTURED - day) for name, day in times.items() if day is not None
    }
    assert stands(record, OMW) == stands_


def test_a_record_of_another_century_stops_nobody() -> None:
    record = density(woman(), 40).cement("L1", 100).contact(80)
    record.lab(DXA, -2.7, "{T-score}", 1)
    record.resources[-1]["effectiveDateTime"] = "1850-01-01"
    assert stands(record, OMW) == "numerator"
    for one in record.resources:
        if one["resourceType"] == "Procedure":
            one["performedDateTime"] = "1850-01-01"
    assert stands(record, OMW) == "numerator"
    assert case_of(record).treated, "and a decision is made"


# --- M-04


@pytest.mark.parametrize(("day", "stands_"), [(0, "numerator"), (84, "numerator"), (85, "not")])
def test_a_referral_is_placed_within_twelve_weeks(day: int, stands_: str) -> None:
    assert stands(woman().referral("active", FRACTURED - day), "fls-84") == stands_
    assert stands(density(woman(), day), "fls-density-84") == stands_


def test_no_referral_is_unknown_a_revoked_one_is_none_and_a_tumours_fracture_is_not_for_the_service() -> None:
    assert stands(woman(), "fls-84") == "unknown"
    assert stands(woman().referral("revoked", FRACTURED - 5), "fls-84") == "unknown"
    assert stands(Record("w", NOW).fracture("L1", FRACTURED, "M84.58XA"), "fls-84") == "", "a tumour's"


@pytest.mark.parametrize(
    ("gender", "age", "counted"),
    [("female", 59, False), ("female", 60, True), ("male", 69, False), ("male", 70, True)],
)
def test_densitometry_is_for_women_from_60_and_men_from_70(gender: str, age: int, counted: bool) -> None:
    assert bool(stands(woman(age, gender=gender), "fls-density-84")) is counted


# --- M-03, M-07, M-08


def cemented(days: float = 200) -> Record:
    return Record("c", NOW).fracture("L1", days + 20).cement("L1", days)


def handed(record: Record, days: float) -> Record:
    return record.medicine("Alendronate", days, kind="MedicationDispense", status="completed", **ALENDRONATE)


@pytest.mark.parametrize(("day", "by_90", "by_180"), [(90, "numerator", "numerator"), (91, "unknown", "numerator")])
def test_a_drug_in_the_patients_hands_closes_the_care_of_the_bone(day: int, by_90: str, by_180: str) -> None:
    record = handed(cemented(), 200 - day)
    assert (stands(record, "bone-care-90"), stands(record, "bone-care-180")) == (by_90, by_180)


def test_a_prescription_alone_closes_nothing_and_a_drug_from_before_cement_does() -> None:
    assert stands(cemented().medicine("Alendronate", 190, **ALENDRONATE), "bone-care-90") == "unknown"
    assert stands(handed(cemented(), 210), "bone-care-90") == "numerator"
    assert stands(handed(cemented(), 230), "bone-care-90") == "unknown", "before the fracture it was for another"


@pytest.mark.parametrize(("day", "by_90", "by_180"), [(90, "numerator", "numerator"), (91, "unknown", "numerator")])
def test_a_reason_that_a_person_gave_closes_it_too(day: int, by_90: str, by_180: str) -> None:
    record = cemented()
    (event,) = [one.id for one in chart_of(record).case.episodes if one.kind == "procedure"]
    told = Told(reasons={event: NOW - timedelta(days=200 - day)})
    assert (stands(record, "bone-care-90", told), stands(record, "bone-care-180", told)) == (by_90, by_180)


def test_both_too_late_is_a_miss_and_who_died_meanwhile_is_set_apart() -> None:
    record = handed(cemented(), 200 - 91)
    (event,) = [one.id for one in chart_of(record).case.episodes if one.kind == "procedure"]
    assert stands(record, "bone-care-90", Told(reasons={event: NOW - timedelta(days=200 - 91)})) == "not"
    record = cemented()
    record.resources[0]["deceasedDateTime"] = record.at(150)[:10]
    assert (stands(record, "bone-care-90"), stands(record, "visit-28")) == ("excluded", "unknown")


@pytest.mark.parametrize(
    ("day", "stands_"), [(13, "unknown"), (14, "numerator"), (28, "numerator"), (29, "not"), (90, "not")]
)
def test_the_visit_is_kept_from_day_14_to_day_28(day: int, stands_: str) -> None:
    assert stands(cemented().contact(200 - day), "visit-28") == stands_


def test_a_visit_that_was_only_booked_is_unknown_and_a_later_contact_takes_none_back() -> None:
    assert stands(cemented().appointment(200 - 20, "booked"), "visit-28") == "unknown"
    assert stands(cemented().contact(200 - 20).contact(10), "visit-28") == "numerator"
    assert stands(cemented(28), "visit-28") == "running"


@pytest.mark.parametrize(
    ("measure", "first", "last"),
    [("scores-one-month", 14, 76), ("scores-three-months", 77, 167), ("scores-twelve-months", 351, 455)],
)
def test_a_score_counts_from_the_first_to_the_last_of_its_days(measure: str, first: int, last: int) -> None:
    def scored(day: int) -> str:
        return stands(cemented(500).pain(3, 500 - day), measure)

    assert [scored(first - 1), scored(first), scored(last), scored(last + 1)] == [
        "not",
        "numerator",
        "numerator",
        "not",
    ]
    assert stands(cemented(500).disability(9, 500 - first), measure) == "numerator"
    assert stands(cemented(500).pain(3, 500 - first, site=False), measure) == "not"
    assert stands(cemented(last), measure) == "running"


# --- M-06


def test_a_leak_is_counted_by_its_destination_and_silence_is_unknown() -> None:
    record = cemented().leak_statement("L1", 199.9, leaks=["disc"], silent=["lungs"])
    found = {line.measure: line.standing.value for line in lines(record)}
    assert (found["leak-disc"], found["leak-canal"], found["leak-lungs"]) == ("numerator", "not", "unknown")
    assert found["embolism"] == "unknown"
    assert stands(cemented().leak_statement("L1", 199.9, leaks=["lungs"]), "embolism") == "numerator"


def test_cement_inside_the_dura_or_in_the_heart_is_a_leak_of_the_ledger_and_silence_keeps_nothing_open() -> None:
    silent = cemented().leak_statement("L1", 199.9).finding("chest-check", "symptoms", 190)
    assert (stands(silent, "leak-with-symptoms"), stands(silent, "leak-intradural")) == ("not", "unknown")
    for place in ("intradural", "heart-or-cava"):
        record = cemented().leak_statement("L1", 199.9, leaks=[place]).finding("chest-check", "symptoms", 190)
        assert (stands(record, f"leak-{place}"), stands(record, "leak-with-symptoms")) == ("numerator", "numerator")
        assert stands(record, "embolism") == ("numerator" if place == "heart-or-cava" else "not")


def test_a_leak_has_symptoms_only_where_somebody_looked() -> None:
    leak = cemented().leak_statement("L1", 199.9, leaks=["disc"])
    assert stands(leak, "leak-with-symptoms") == "unknown"
    leak.finding("neurological-examination", "normal", 199.8)
    assert stands(leak, "leak-with-symptoms") == "unknown", "the chest is missing"
    leak.finding("chest-check", "normal", 199.8)
    assert stands(leak, "leak-with-symptoms") == "not"
    assert stands(leak.finding("chest-check", "symptoms", 190), "leak-with-symptoms") == "numerator"


@pytest.mark.parametrize(
    ("exams", "passed", "lasting"),
    [
        ([], "unknown", "unknown"),
        ([("normal", 199)], "not", "not"),
        ([("deficit", 199)], "not", "numerator"),
        ([("deficit", 199), ("normal", 100)], "numerator", "not"),
        ([("deficit", 199), ("normal", 198), ("deficit", 50)], "not", "numerator"),
        ([("deficit", 205), ("deficit", 199)], "not", "not"),
        ([("deficit", 205), ("cord-or-cauda-sign", 199)], "not", "numerator"),
        ([("cord-or-cauda-sign", 205), ("deficit", 199)], "not", "not"),
        ([("deficit", 205), ("normal", 199), ("deficit", 190)], "not", "numerator"),
        ([("deficit", 205), ("deficit", 199), ("normal", 190)], "not", "not"),
        ([("normal", 199), ("deficit", 100)], "not", "not"),
        ([("deficit", 100)], "unknown", "unknown"),
    ],
)
def test_a_deficit_passes_or_lasts(exams: list[tuple[str, int]], passed: str, lasting: str) -> None:
    record = cemented()
    for answer, days in exams:
        record.finding("neurological-examination", answer, days)
    assert (stands(record, "deficit-passed"), stands(record, "deficit-lasting")) == (passed, lasting)


HARMS: dict[str, tuple[int, Callable[[Record, float], Any]]] = {
    "infection-90": (90, lambda record, days: record.condition("M46.25", days)),
    "new-fracture-30": (30, lambda record, days: record.fracture("L3", days)),
    "death-30": (30, lambda record, days: record.resources[0].update(deceasedDateTime=record.at(days)[:10])),
}


@pytest.mark.parametrize("measure", HARMS)
def test_missing_follow_up_is_unknown_and_never_none(measure: str) -> None:
    last, _ = HARMS[measure]
    assert stands(cemented(), measure) == "unknown"
    assert stands(cemented().contact(200 - last + 1), measure) == "unknown"
    assert stands(cemented().contact(200 - last), measure) == "not"
    assert stands(cemented(last), measure) == "running"


@pytest.mark.parametrize("measure", HARMS)
def test_what_went_wrong_counts_up_to_its_last_day(measure: str) -> None:
    last, happened = HARMS[measure]
    for day, stands_ in ((1, "numerator"), (last, "numerator"), (last + 1, "not")):
        record = cemented()
        happened(record, 200 - day)
        assert stands(record, measure) == stands_, day


def test_what_is_only_suspected_or_has_no_day_is_unknown_in_spite_of_a_contact() -> None:
    suspected = cemented().contact(50).condition("M46.25", 190, verification="provisional")
    assert stands(suspected, "infection-90") == "unknown"
    assert stands(cemented().contact(50).fracture("L3", 190, stated=False), "new-fracture-30") == "unknown"
    dead = cemented()
    dead.resources[0]["deceasedBoolean"] = True
    assert stands(dead, "death-30") == stands(dead, "visit-28") == "unknown"


@pytest.mark.parametrize("day", ["2026", "2026-05", "2026-01-01"])
def test_a_death_without_its_day_or_from_before_cement_is_no_death_of_day_nought(day: str) -> None:
    record = cemented()  # on 2026-05-06
    record.resources[0]["deceasedDateTime"] = day
    found = {line.measure: line for line in lines(record)}
    assert {found[one].standing.value for one in ("death-30", "bone-care-90", "visit-28")} == {"unknown"}
    assert "recorded, but not readable" in found["death-30"].why


def test_why_it_is_unknown_says_nothing_that_is_not_so() -> None:
    record = handed(cemented(), 200 - 91).contact(50).condition("M46.25", 190, verification="provisional")
    why = {line.measure: line.why for line in lines(record)}
    assert why["infection-90"] == (
        "Whether there was one by day 90 is unknown: recorded, but not confirmed, last contact on day 150"
    )
    assert why["bone-care-90"] == (
        "Not closed by day 90, as far as is known. Day of treatment: 91 (recorded); day of a reason: not recorded"
    )


# --- M-02


@pytest.mark.parametrize(
    ("documents", "stands_"), [("complete", "numerator"), ("missing", "not"), ("not-asked", ""), ("", "in-doubt")]
)
def test_documents_stand_as_they_did_at_the_last_decision_before_cement(documents: str, stands_: str) -> None:
    record = cemented()
    (event,) = [one.id for one in chart_of(record).case.episodes if one.kind == "procedure"]
    told = Told(documents={(event, "L1"): (documents, NOW - timedelta(days=201))}) if documents else Told()
    assert stands(record, "documents", told) == stands_


def test_the_order_of_the_record_changes_nothing() -> None:
    record = handed(cemented(), 190).leak_statement("L1", 199.9).contact(170).contact(100).pain(3, 170)
    record.finding("neurological-examination", "normal", 199.8).finding("chest-check", "normal", 199.8)
    found = lines(record)
    record.resources[1:] = record.resources[:0:-1]
    assert lines(record) == found
    assert len({line.measure for line in found}) == len(found) >= 20


def test_every_datum_that_measures_count_by_has_a_reader() -> None:
    own = strict_yaml.read_file(ROOT / "rules/vocabulary/measures.yaml", ROOT / "rules")["data"].keys()
    record = handed(cemented(), 190).contact(170).pain(3, 170).condition("M46.25", 100).fracture("L3", 90)
    record.resources[0]["deceasedDateTime"] = record.at(1)[:10]
    chart = chart_of(record)
    known, (event,) = chart.known, chart.known.episodes_of(EpisodeKind.PROCEDURE)
    told = Told((), {event.id: NOW}, {(event.id, "L1"): ("complete", NOW)})
    fracture = known.episodes_of(EpisodeKind.FRACTURE)[0]
    facts = [sex(known), *fracture_facts(known, fracture, told), *procedure_facts(known, event, "L1", told)]
    scores = {"score-at-three-months", "score-at-twelve-months"}  # their days are not over
    assert own - {fact.datum for fact in facts} <= scores
    assert {fact.datum for fact in facts} <= own


def test_a_decision_on_a_chart_has_none_of_these_data() -> None:
    own = strict_yaml.read_file(ROOT / "rules/vocabulary/measures.yaml", ROOT / "rules")["data"].keys()
    case = case_of(handed(cemented(), 190).contact(170))
    sheets = (case.person, *case.levels, *case.treated)
    found = [id_ for sheet in sheets for id_, fact in sheet.facts.items() if id_ in own and fact != unknown(id_)]
    assert found == []
