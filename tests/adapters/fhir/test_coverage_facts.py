"""Who pays and where care is given: what is believed, what stays open, and that nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.demo.record import LOINC, SNOMED, SOPT, Record
from adapters.fhir.places import Places, places
from adapters.fhir.to_facts import ChartReader
from pathway.case import Case
from pathway.errors import RuleBookError
from pathway.facts import Fact, Reason
from tests.world import NOW, book, case_of, person, read, settled, terms


def payer(record: Record) -> Fact:
    return case_of(record).person.facts["payer"]


def place(record: Record, state: str = "") -> Fact:
    return built(record, state).person.facts["place-of-service"]


def built(record: Record, state: str = "", order: list[int] | None = None) -> Case:
    (delivery,) = read(record).deliveries
    chart = [resource for resource, _ in delivery.resources]
    chart = [chart[n] for n in order] if order else chart
    return ChartReader(book().vocabulary, terms(), state=state).build(delivery.patient, chart, NOW)


@pytest.mark.parametrize(
    ("code", "system", "said"),
    [
        ("121", SOPT, "original-medicare"), ("12", SOPT, "original-medicare"), ("111", SOPT, "medicare-advantage"),
        ("11", SOPT, "medicare-advantage"), ("2", SOPT, "other-payer"), ("81", SOPT, "other-payer"),
        ("512", "urn:oid:2.16.840.1.113883.3.221.5", "other-payer"),
    ],
)  # fmt: skip
def test_the_type_of_a_coverage_says_who_pays(code: str, system: str, said: str) -> None:
    fact = payer(person().coverage(code, system))
    assert (fact.value, fact.sources) == (said, ("Coverage/p1-coverage-1",))


def test_a_local_code_says_who_pays() -> None:
    assert payer(person().coverage("medicare-advantage")).value == "medicare-advantage"


def test_without_a_coverage_nobody_knows_who_pays() -> None:
    assert payer(person()).reason is Reason.NOT_RECORDED


@pytest.mark.parametrize(
    "about", [{"status": "cancelled"}, {"status": "entered-in-error"}, {"status": "draft"}, {"ended": 1}, {"begun": -1}]
)
def test_a_coverage_that_does_not_stand_today_pays_nothing(about: dict[str, object]) -> None:
    record = person().coverage("121", SOPT, **about)  # type: ignore[arg-type]
    assert payer(record).reason is Reason.NOT_RECORDED
    assert payer(record.coverage("2", SOPT)).value == "other-payer"


def test_of_several_coverages_the_first_by_order_pays_and_without_an_order_they_conflict() -> None:
    first = person().coverage("2", SOPT, order=2).coverage("121", SOPT, order=1)
    assert payer(first).value == "original-medicare"
    last = person().coverage("2", SOPT, order=1).coverage("121", SOPT, order=2)
    assert payer(last).value == "other-payer"
    for record in (
        person().coverage("2", SOPT).coverage("121", SOPT),
        person().coverage("2", SOPT).coverage("121", SOPT, order=1),
        person().coverage("2", SOPT, order=1).coverage("121", SOPT, order=1),
    ):
        assert payer(record).reason is Reason.CONFLICTING
    assert payer(person().coverage("12", SOPT).coverage("121", SOPT)).value == "original-medicare"


def test_a_supplement_or_drug_plan_beside_medicare_changes_nothing_and_alone_says_nothing() -> None:
    assert (
        payer(person().coverage("121", SOPT).coverage("523", SOPT).coverage("122", SOPT)).value == "original-medicare"
    )
    assert payer(person().coverage("122", SOPT)).reason is Reason.NOT_RECORDED


def test_medicare_without_its_kind_is_only_a_candidate() -> None:
    fact = payer(person().coverage("1", SOPT))
    assert (fact.value, fact.reason, fact.candidate) == (None, Reason.UNCONFIRMED, "original-medicare")


@pytest.mark.parametrize(("code", "system"), [("XYZ", "urn:site:plans"), ("98", SOPT), ("121", "urn:site:plans")])
def test_a_type_in_no_table_is_reported_and_not_guessed(code: str, system: str) -> None:
    case = case_of(person().coverage(code, system))
    assert case.person.facts["payer"].reason is Reason.UNCONFIRMED
    assert [(s.where, s.code) for s in case.set_aside] == [("Coverage/p1-coverage-1", "unmapped")]
    assert payer(person().coverage(code, system).coverage("121", SOPT)).reason is Reason.UNCONFIRMED


def test_another_patients_coverage_is_refused_with_the_bundle() -> None:
    record = person().coverage("121", SOPT)
    record.resources[-1]["beneficiary"] = {"reference": "Patient/p2"}
    with pytest.raises(Exception, match="two patients"):
        read(record)


# --- place


@pytest.mark.parametrize(
    ("state", "area"),
    [
        ("CA", "je"), ("GU", "je"), ("WA", "jf"), ("IA", "j5"), ("WI", "j6"), ("MI", "j8"), ("TX", "jh"), ("GA", "jj"),
        ("MA", "jk"), ("ma", "jk"), ("Massachusetts", "jk"), ("DC", "jl"), ("NC", "jm"), ("FL", "jn"), ("OH", "j15"),
    ],
)  # fmt: skip
def test_the_state_of_the_current_encounters_place_gives_the_area(state: str, area: str) -> None:
    assert place(person().encounter("IMP", 2).place(state), state="AK").value == area


def test_without_a_place_the_sites_own_state_counts_and_without_that_nothing() -> None:
    assert place(person().encounter("IMP", 2), state="MA").value == "jk"
    assert place(person(), state="jm").value == "jm"
    assert place(person(), state="elsewhere").value == "elsewhere"
    assert place(person()).reason is Reason.NOT_RECORDED


def test_the_patients_home_is_not_the_place_of_care() -> None:
    record = person().encounter("IMP", 2)
    record.resources[0]["address"] = [{"state": "TX", "country": "US"}]
    assert place(record).reason is Reason.NOT_RECORDED
    assert place(record, state="MA").value == "jk"


def test_an_encounter_that_is_over_planned_or_was_never_closed_says_nothing() -> None:
    planned = person().encounter("AMB", 1).place("TX")
    planned.resources[-1]["status"] = "planned"
    over = person().encounter("AMB", 3, ended=2).place("TX")
    forgotten = person().encounter("AMB", 400).place("TX")
    for record in (planned, over, forgotten):
        assert place(record, state="MA").value == "jk"


def test_a_place_abroad_is_elsewhere_and_a_territory_is_not_abroad() -> None:
    assert place(person().encounter("IMP", 2).place("BY", "DE"), state="MA").value == "elsewhere"
    assert place(person().encounter("IMP", 2).place("ON", "CA")).value == "elsewhere"
    assert place(person().encounter("IMP", 2).place("", "PR")).value == "jn"
    assert place(person().encounter("IMP", 2).place("PA", "United States of America")).value == "jl"


def test_a_state_in_no_table_is_unknown_and_does_not_fall_back() -> None:
    assert place(person().encounter("IMP", 2).place("ZZ"), state="MA").reason is Reason.UNPARSEABLE


def test_a_state_that_two_contractors_share_is_only_a_candidate() -> None:
    for district, likely in (("", "jm"), ("Fairfax County", "jl"), ("Roanoke", "jm")):
        fact = place(person().encounter("IMP", 2).place("VA", district=district))
        assert (fact.reason, fact.candidate) == (Reason.UNCONFIRMED, likely)


def test_two_current_encounters_in_two_areas_conflict() -> None:
    record = person().encounter("IMP", 2).place("MA").encounter("AMB", 1).place("TX")
    assert place(record).reason is Reason.CONFLICTING


def test_the_service_providers_house_is_followed_where_the_location_has_no_address() -> None:
    record = person().encounter("IMP", 2)
    encounter = record.resources[-1]
    encounter["location"] = [{"location": {"reference": "Location/bed"}}]
    encounter["serviceProvider"] = {"reference": "Organization/ward"}
    record.resources += [
        {"resourceType": "Location", "id": "bed", "name": "Bed 4"},
        {"resourceType": "Organization", "id": "ward", "name": "Ward", "partOf": {"reference": "Organization/house"}},
        {"resourceType": "Organization", "id": "house", "name": "House", "address": [{"state": "MA", "country": "US"}]},
    ]
    assert place(record).value == "jk"
    record.resources[-3]["partOf"] = {"reference": "Location/bed"}  # a place within itself ends somewhere
    assert place(record).value == "jk"
    encounter["location"][0]["location"] = {"reference": "Location/nowhere"}
    assert place(record).value == "jk"


def test_a_location_that_was_left_does_not_count() -> None:
    record = person().encounter("IMP", 2).place("TX")
    record.resources[-1]["location"][0]["status"] = "completed"
    assert place(record, state="MA").value == "jk"


def test_every_area_that_a_rule_may_name_has_a_state_and_every_state_its_source() -> None:
    table = places()
    assert {row["jurisdiction"] for row in table.states.values()} | {"elsewhere"} == set(
        book().vocabulary["place-of-service"].values
    )
    assert len(table.states) == 56  # 50 states, the District of Columbia and five territories


def test_a_state_without_a_source_and_a_setting_that_is_no_place_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "medicare-jurisdictions.yaml"
    file.write_text(
        "sources: {a: b}\nstates:\n  MA: {name: Massachusetts, jurisdiction: jk, source: [c]}\ndivided: {}\n"
    )
    with pytest.raises(RuleBookError, match="MA names no source"):
        Places.load(tmp_path)
    with pytest.raises(RuleBookError, match="not in the table"):
        ChartReader(book().vocabulary, terms(), state="Bavaria")


# --- order


def _rich() -> Record:
    record = (
        settled().encounter("IMP", 2).place("MA").coverage("121", SOPT).coverage("523", SOPT).coverage("x", "urn:x")
    )
    record.allergy("716186003", 9, SNOMED).condition("M53.2X6", 4).condition("Z79.01", 40).disability(18, 2)
    record.order("bone-density", 1).order("vertebral-augmentation", 1.2, levels=["L1"]).order(
        "24966-4", 3, system=LOINC
    )
    record.attest({"pain-attribution": "this-fracture", "care-optimal": "yes", "retropulsion": "absent"}, 1, level="L1")
    record.finding("pain-attribution", "something-else", 1, level="L1").finding("kyphotic-deformity", "present", 3)
    record.height_loss("L1", 20, 9, "radiograph").height_loss("L1", 30, 1, "radiograph").height_loss("L1", 28, 1, "ct")
    return record.height_loss("L1", 28, 8, "ct").finding("coagulation-check", "normal", 2).reason("allergy", 3)


@given(order=st.permutations(range(len(_rich().resources))))
@settings(max_examples=60, deadline=None)
def test_the_order_of_resources_changes_no_byte_of_the_case(order: list[int]) -> None:
    first, other = built(_rich()), built(_rich(), order=list(order))
    as_text = [
        json.dumps([s.to_json() for s in (c.person, *c.levels)], default=str, sort_keys=True) for c in (first, other)
    ]
    assert as_text[0] == as_text[1]
