"""Coverage on whole decisions: section 15 of the catalogue at its boundaries, section 16 by row, and who is asked."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given

from pathway.canonical import canonical
from pathway.decide import decide
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, machines
from tests.rules.people import AS_OF, POOLS, Person, known, people, rounds
from tests.rules.test_coverage_proofs import BRANCHING, CODES, FAILED, LYTIC, MYELOMA, OSTEOPOROTIC_ONLY, SETS
from tests.rules.test_coverage_proofs import TUMOUR as TUMOUR_GATE

PLACE = {one.lcd: one.applies_to["place-of-service"][0] for one in SETS}
L34228, L35130, L34976 = PLACE["L34228"], PLACE["L35130"], PLACE["L34976"]
TUMOUR_LCDS = ("L38201", "L34976", "L38737")
NOT_KNOWN = object()
"""As a fact: not recorded."""

Facts = Mapping[str, object]
PLAIN: Facts = {"pain-score": 6, "progressive-height-loss": False, "kyphosis": True, "height-loss": 30}
"""At home, stable pain of 6, two secondary items of those that every list has; everything else is in order."""


def person(place: str, facts: Facts, level: str = "L1") -> Person:
    made = Person({}, {level: {}}, {})
    for datum, value in {"place-of-service": place, **PLAIN, **facts}.items():
        scope = BOOK.vocabulary[datum].scope
        made = made.but(scope, level, _fact(datum, value))
    return made


def _fact(datum: str, value: object) -> Fact:
    if isinstance(value, Fact):
        return value
    return unknown(datum) if value is NOT_KNOWN else known(datum, _typed(datum, value))


def _typed(datum: str, value: Any) -> Value:
    kind = BOOK.vocabulary[datum].kind.value
    if kind == "interval" and isinstance(value, int):
        return Interval(value, value)
    return Decimal(str(value)) if kind == "decimal" else value


@cache
def family() -> tuple[Machine, ...]:
    """The determinations alone: of the other rule sets these tests say nothing."""
    return tuple(Machine(rule_set) for rule_set in SETS)


def body(person: Person) -> dict[str, Any]:
    return dict(decide(person.case(), family()).body)


def coverage(made: Person) -> list[dict[str, Any]]:
    return [row for row in body(made)["levels"] if row.get("kind") == "coverage"]


def row(facts: Facts, place: str = L34228) -> dict[str, Any]:
    (found,) = coverage(person(place, facts))
    return found


def missing(found: Mapping[str, Any]) -> list[str]:
    return [item["datum"] for item in found["missing"]]


def said(found: Mapping[str, Any], criterion: str) -> str:
    return next(c["message"] for c in found["criteria"] if c["id"] == f"coverage-cms-lcd.{criterion}")


def flags(found: Mapping[str, Any]) -> list[str]:
    return [item["id"].removeprefix("coverage-cms-lcd.") for item in found["notAssessed"]]


IN_HOSPITAL = {"hospitalised": True, "kyphosis": False, "height-loss": 10, "care-optimal": NOT_KNOWN}
"""Severe pain in hospital needs neither secondary items nor a statement about care."""

BOUNDARIES: list[tuple[str, Facts, str]] = [
    ("six weeks less a day is acute", {"days-since-onset": 41}, "met"),
    ("exactly 6.0 weeks is subacute and covered", {"days-since-onset": 42}, "met"),
    ("exactly 12.0 weeks is covered", {"days-since-onset": 84}, "met"),
    ("twelve weeks and a day is chronic", {"days-since-onset": 85}, "not-met"),
    ("height loss of 25 % is no item", {"height-loss": 25}, "not-met"),
    ("height loss of 25.01 % is one", {"height-loss": "25.01"}, "met"),
    ("height loss of 26 % is one", {"height-loss": 26}, "met"),
    ("a disability of 17 is no item", {"height-loss": 10, "disability-score": 17}, "not-met"),
    ("a disability of 18 is one", {"height-loss": 10, "disability-score": 18}, "met"),
    ("one secondary item is too few", {"height-loss": 10}, "not-met"),
    ("two secondary items are enough", {}, "met"),
    ("worsening needs no item", {"height-loss": 10, "kyphosis": False, "pain-change": 1}, "met"),
    ("pain of 4 is too little", {"pain-score": 4}, "not-met"),
    ("pain of 4 that worsens is too little", {"pain-score": 4, "pain-change": 2}, "not-met"),
    ("pain of 5 is enough", {"pain-score": 5}, "met"),
    ("pain of 7 in hospital goes the outpatient path", {"pain-score": 7, "hospitalised": True}, "met"),
    ("pain of 7 in hospital without items is not met", {**IN_HOSPITAL, "pain-score": 7}, "not-met"),
    ("pain of 5 in hospital without items is not met", {**IN_HOSPITAL, "pain-score": 5}, "not-met"),
    ("pain of 4 in hospital is not met", {"pain-score": 4, "hospitalised": True}, "not-met"),
    ("pain of 8 in hospital needs no items and no care", {**IN_HOSPITAL, "pain-score": 8}, "met"),
    ("pain of 8 at home without items is not met", {**IN_HOSPITAL, "hospitalised": False, "pain-score": 8}, "not-met"),
    ("T1 is the highest vertebra", {"level-order": 8}, "met"),
    ("C7 lies above it", {"level-order": 7}, "not-met"),
    ("L5 is the lowest vertebra", {"level-order": 24}, "met"),
    ("S1 lies below it", {"level-order": 25}, "not-met"),
    ("a vertebra that nobody named is asked for", {"level-named": NOT_KNOWN}, "insufficient-data"),
    ("no oedema is an old fracture", {"acuity-imaging": "none"}, "not-met"),
    ("a CT or a plain film alone is no proof", {"acuity-imaging": NOT_KNOWN}, "insufficient-data"),
    ("an onset that nobody recorded is asked for", {"days-since-onset": NOT_KNOWN}, "insufficient-data"),
    ("pain from something else is excluded", {"pain-attribution": "something-else"}, "not-met"),
    ("pain whose source nobody stated is asked about", {"pain-attribution": NOT_KNOWN}, "insufficient-data"),
    ("an infection is excluded", {"infection": True}, "not-met"),
    ("a pregnancy is excluded", {"pregnancy": True}, "not-met"),
    ("a fracture that does not hurt is not covered", {"pain-score": 0}, "not-met"),
    ("a vertebra cemented already is no longer asked about", {"cement-on-record": True}, "not-applicable"),
    ("a child is outside every rule set", {"age": 17}, "not-applicable"),
    ("a high-energy injury is outside every rule set", {"fracture-cause": "high-energy"}, "not-applicable"),
]  # fmt: skip


@pytest.mark.parametrize("lcd", PLACE)
@pytest.mark.parametrize(("name", "facts", "outcome"), BOUNDARIES, ids=[name for name, *_ in BOUNDARIES])
def test_section_15_at_its_boundaries(lcd: str, name: str, facts: Facts, outcome: str) -> None:
    assert row(facts, PLACE[lcd])["outcome"] == outcome


@pytest.mark.parametrize(("days", "band"), [(41, "Acute band"), (42, "Subacute band"), (84, "Subacute band")])
def test_the_band_is_named(days: int, band: str) -> None:
    assert said(row({"days-since-onset": days}), "acute-band").startswith(band)


# --- an unknown that could still decide, and one that could not


def test_an_unknown_that_could_still_be_the_second_item_is_asked_for() -> None:
    found = row({"height-loss": NOT_KNOWN})
    assert (found["outcome"], missing(found)) == ("insufficient-data", ["height-loss"])


def test_an_unknown_that_cannot_make_two_items_is_not_asked_for() -> None:
    found = row({"height-loss": NOT_KNOWN, "kyphosis": False})
    assert (found["outcome"], missing(found)) == ("not-met", [])


@pytest.mark.parametrize("datum", ["disability-score", "progressive-height-loss", "pain-change"])
def test_an_unknown_beside_two_items_is_not_asked_for(datum: str) -> None:
    found = row({datum: NOT_KNOWN})
    assert (found["outcome"], missing(found)) == ("met", [])


def test_in_hospital_with_severe_pain_nothing_of_the_other_path_is_asked_for() -> None:
    open_ = dict.fromkeys(
        ["height-loss", "kyphosis", "progressive-height-loss", "disability-score", "pain-change"], NOT_KNOWN
    )
    found = row({**open_, "hospitalised": True, "pain-score": 8, "care-optimal": NOT_KNOWN})
    assert (found["outcome"], missing(found)) == ("met", [])


def test_an_exclusion_asks_for_nothing_more_about_the_fracture() -> None:
    found = row(
        {"infection": True, "height-loss": NOT_KNOWN, "days-since-onset": NOT_KNOWN, "treatment-programme": NOT_KNOWN}
    )
    assert (found["outcome"], missing(found)) == ("not-met", [])


def test_the_trend_alone_is_asked_for_where_the_items_are_too_few() -> None:
    found = row({"pain-change": NOT_KNOWN, "height-loss": 10})
    assert (found["outcome"], missing(found)) == ("insufficient-data", ["pain-change"])


def test_progression_counts_where_the_list_holds_it_and_only_there() -> None:
    facts = {"progressive-height-loss": True, "height-loss": 10}
    found = {lcd: row(facts, place)["outcome"] for lcd, place in PLACE.items()}
    assert {lcd for lcd, outcome in found.items() if outcome == "not-met"} == set(TUMOUR_LCDS)
    assert {outcome for lcd, outcome in found.items() if lcd not in TUMOUR_LCDS} == {"met"}


# --- documents and flags

DOCUMENTS = ["bone-density-referral", "osteoporosis-education", "treatment-programme", "care-optimal"]


@pytest.mark.parametrize("datum", DOCUMENTS)
def test_a_document_that_nobody_recorded_is_missing_and_asked_for(datum: str) -> None:
    found = row({datum: NOT_KNOWN})
    assert (found["outcome"], missing(found)) == ("documentation-missing", [datum])


@pytest.mark.parametrize("datum", DOCUMENTS)
def test_a_document_that_is_recorded_as_absent_is_missing_too(datum: str) -> None:
    expected = "not-met" if datum == "care-optimal" else "documentation-missing"  # care refuted is no missing paper
    assert row({datum: False})["outcome"] == expected


@pytest.mark.parametrize("datum", [datum for datum in DOCUMENTS if datum != "care-optimal"])
def test_a_document_of_more_than_a_year_ago_is_asked_for_again(datum: str) -> None:
    fresh, old = (row({datum: known(datum, True, timedelta(days=days))}) for days in (365, 366))
    assert (fresh["outcome"], missing(fresh)) == ("met", [])
    assert (old["outcome"], missing(old)) == ("documentation-missing", [datum])


def test_care_stated_not_to_be_optimal_is_no_reason_in_hospital_with_severe_pain() -> None:
    inside = {"hospitalised": True, "pain-score": 8, "care-optimal": False}
    assert row(inside)["outcome"] == "met"
    unsure = row(inside | {"hospitalised": NOT_KNOWN})
    assert (unsure["outcome"], missing(unsure)) == ("insufficient-data", ["hospitalised"])


def test_without_any_document_it_is_still_no_reason_against_care() -> None:
    found = row(dict.fromkeys(DOCUMENTS, NOT_KNOWN))
    assert found["outcome"] == "documentation-missing"
    assert found["reason"] == "The clinical criteria are met, documents are missing: no reason against care"


FLAGS: list[tuple[str, str, object, str]] = [
    ("level-count", "levels-planned", 4, "reason-despite-level-count"),
    ("cement-allergy", "cement-allergy", True, "reason-despite-allergy"),
    ("coagulation", "coagulopathy", True, "reason-despite-coagulopathy"),
    ("neurology", "neurology", "deficit", "reason-despite-neurology"),
    ("neurology", "neurology", "cord-or-cauda", "reason-despite-neurology"),
    ("instability", "spinal-instability", True, "reason-despite-instability"),
    ("impingement", "neural-impingement", True, "reason-despite-impingement"),
    ("retropulsion", "retropulsion", True, "reason-despite-retropulsion"),
]


@pytest.mark.parametrize(("flag", "datum", "present", "reason"), FLAGS)
def test_a_flag_that_is_present_needs_a_documented_reason(flag: str, datum: str, present: object, reason: str) -> None:
    for without in (NOT_KNOWN, False):
        found = row({datum: present, reason: without})
        assert found["outcome"] == "documentation-missing"
        assert re.search("without a documented reason|no documented reason to go on", said(found, flag))
        assert missing(found) == ([reason] if without is NOT_KNOWN else [])
    assert row({datum: present, reason: True})["outcome"] == "met"


@pytest.mark.parametrize(("flag", "datum", "present", "reason"), FLAGS[1:])
def test_a_flag_that_is_suspected_is_neither_absent_nor_merely_not_assessed(
    flag: str, datum: str, present: object, reason: str
) -> None:
    """It asks to be confirmed or refuted, or for a reason; an answer of "absent" or a reason settles it."""
    suspected = unknown(datum, Reason.UNCONFIRMED, candidate=present, at=AS_OF)  # type: ignore[arg-type]
    found = row({datum: suspected, reason: NOT_KNOWN})
    assert (found["outcome"], flags(found)) == ("documentation-missing", [])
    assert "recorded, but not confirmed" in said(found, flag)
    assert set(missing(found)) == {datum, reason}
    assert missing(row({datum: suspected, reason: False})) == [datum]
    assert row({datum: suspected, reason: True})["outcome"] == "met"


def test_a_check_of_coagulation_grows_old_and_an_old_defect_does_not() -> None:
    name, reason = "coagulopathy", {"reason-despite-coagulopathy": NOT_KNOWN}
    assert flags(row(reason | {name: known(name, False, timedelta(days=30))})) == []
    assert flags(row(reason | {name: known(name, False, timedelta(days=31))})) == ["coagulation"]
    assert row(reason | {name: known(name, True, timedelta(days=300))})["outcome"] == "documentation-missing"


@pytest.mark.parametrize(
    ("flag", "datum", "reason"), sorted({(flag, datum, reason) for flag, datum, _, reason in FLAGS})
)
def test_a_flag_that_nobody_assessed_is_a_warning_and_blocks_nothing(flag: str, datum: str, reason: str) -> None:
    found = row({datum: NOT_KNOWN, reason: NOT_KNOWN})
    assert (found["outcome"], flags(found), missing(found)) == ("met", [flag], [])


@pytest.mark.parametrize(
    ("levels", "outcome", "warned"),
    [
        (Interval(1, 3), "met", []),
        (Interval(2, 5), "met", ["level-count"]),
        (Interval(4, 6), "documentation-missing", []),
    ],
)
def test_the_number_of_levels_may_be_known_in_part(levels: Interval, outcome: str, warned: list[str]) -> None:
    found = row({"levels-planned": levels})
    assert (found["outcome"], flags(found)) == (outcome, warned)


def test_no_level_rides_on_the_proof_of_its_neighbour() -> None:
    """E-07: each vertebra has its own onset, imaging and pain."""
    made = person(L34228, {})
    made = replace(
        made,
        levels={
            "L1": made.levels["L1"],
            "L2": {**made.levels["L1"], "acuity-imaging": known("acuity-imaging", "none")},
        },
    )
    assert [(r["level"], r["outcome"]) for r in coverage(made)] == [("L1", "met"), ("L2", "not-met")]


# --- tumours


TUMOUR: Facts = {"fracture-cause": "neoplastic", "days-since-onset": 400, "acuity-imaging": "none", "pain-score": 5,
                 "kyphosis": False, "height-loss": 0, "bone-density-referral": NOT_KNOWN}  # fmt: skip
"""An osteolytic metastasis with pain in spite of treatment and both codes; nothing that osteoporosis would need."""


@pytest.mark.parametrize("lcd", PLACE)
def test_a_tumour_is_met_or_not_addressed_and_never_denied_by_weeks_or_scores(lcd: str) -> None:
    found = row(TUMOUR, PLACE[lcd])
    assert found["outcome"] == ("met" if lcd in TUMOUR_LCDS else "not-applicable")
    assert "tumour clause" in found["reason"] or "no denial" in found["reason"]


TUMOURS: list[tuple[str, Facts, str, list[str]]] = [
    ("myeloma needs no description of its lesion", {"tumour-kind": "myeloma", "tumour-lesion": NOT_KNOWN}, "met", []),
    ("a blastic metastasis is not addressed", {"tumour-lesion": "blastic"}, "not-applicable", []),
    ("a mixed metastasis is not addressed", {"tumour-lesion": "mixed"}, "not-applicable", []),
    ("a haemangioma is not addressed", {"tumour-kind": "other-tumour"}, "not-applicable", []),
    ("a lesion that nobody described", {"tumour-lesion": NOT_KNOWN}, "insufficient-data", ["tumour-lesion"]),
    ("pain that treatment holds bearable", {"pain-controlled": True}, "not-met", []),
    ("pain control that nobody recorded", {"pain-controlled": NOT_KNOWN}, "insufficient-data", ["pain-controlled"]),
    ("one code alone is a coding gap", {"tumour-claim-codes": "fracture-only"}, "documentation-missing", []),
    ("codes that cannot be read", {"tumour-claim-codes": NOT_KNOWN}, "documentation-missing", ["tumour-claim-codes"]),
    ("no pain is not met", {"pain-score": 0}, "not-met", []),
    ("pain from something else is excluded", {"pain-attribution": "something-else"}, "not-met", []),
    ("an infection is excluded", {"infection": True}, "not-met", []),
    ("four levels of a metastasis need a reason", {"levels-planned": 4}, "documentation-missing", []),
    ("four levels of myeloma need none", {"levels-planned": 4, "tumour-kind": "myeloma"}, "met", []),
]  # fmt: skip


@pytest.mark.parametrize("lcd", TUMOUR_LCDS)
@pytest.mark.parametrize(("name", "facts", "outcome", "asked"), TUMOURS, ids=[name for name, *_ in TUMOURS])
def test_the_tumour_clause(lcd: str, name: str, facts: Facts, outcome: str, asked: list[str]) -> None:
    found = row({**TUMOUR, **facts}, PLACE[lcd])
    assert (found["outcome"], missing(found)) == (outcome, asked)


def test_a_coding_gap_is_named() -> None:
    found = row({**TUMOUR, "tumour-claim-codes": "tumour-only"}, L34976)
    assert said(found, "tumour-codes") == "Coding gap: of fracture (M84.58) and tumour the chart codes tumour-only"
    assert "no reason against care" in found["reason"]


def test_a_cause_that_is_not_known_never_denies_what_a_tumour_might_be_given() -> None:
    found = row({"fracture-cause": NOT_KNOWN, "days-since-onset": 400}, L34976)
    assert found["outcome"] == "insufficient-data"
    assert "fracture-cause" in missing(found)


# --- section 16 of the catalogue, column LCD

MATRIX: list[tuple[str, Facts, str]] = [
    ("16 weeks, oedema, pain 8", {"days-since-onset": 112, "pain-score": 8}, "not-met"),
    ("2 weeks, pain 8, in hospital", {**IN_HOSPITAL, "days-since-onset": 14, "pain-score": 8}, "met"),
    ("8 weeks, pain 6, stable, one factor", {"days-since-onset": 56, "height-loss": 10}, "not-met"),
    ("no oedema, old", {"days-since-onset": 200, "acuity-imaging": "none"}, "not-met"),
]


@pytest.mark.parametrize("lcd", PLACE)
@pytest.mark.parametrize(("name", "facts", "outcome"), MATRIX, ids=[name for name, *_ in MATRIX])
def test_conflict_matrix(lcd: str, name: str, facts: Facts, outcome: str) -> None:
    assert row(facts, PLACE[lcd])["outcome"] == outcome


def test_conflict_matrix_myeloma_with_pain_5_is_the_pain_clause_alone() -> None:
    """Weeks, items and papers are idle: whether treatment relieves the pain decides."""
    myeloma = {**TUMOUR, "tumour-kind": "myeloma"}
    assert row(myeloma, L34976)["outcome"] == "met"
    found = row({**myeloma, "pain-controlled": True}, L34976)
    assert found["outcome"] == "not-met"
    assert "pain that medical therapy does not relieve" in found["reason"]


# --- who is asked: payer and place


def choice(made: Person) -> dict[str, Any]:
    (only,) = body(made)["choices"]
    return only


@pytest.mark.parametrize("rule_set", SETS, ids=lambda rule_set: rule_set.id)
def test_the_place_of_care_chooses_one_determination(rule_set: Any) -> None:
    for place in rule_set.applies_to["place-of-service"]:
        made = person(place, {})
        assert [(r["policy"], r["lcd"], r["kind"]) for r in coverage(made)] == [(rule_set.id, rule_set.lcd, "coverage")]
        assert (choice(made)["outcome"], choice(made)["chosen"]) == ("chosen", [rule_set.id])


def test_a_payer_that_is_not_known_is_asked_for_by_the_determination_of_the_place() -> None:
    found = row({"payer": NOT_KNOWN})
    assert (found["outcome"], missing(found)) == ("insufficient-data", ["payer"])


@pytest.mark.parametrize("place", [L34228, "elsewhere", NOT_KNOWN])
@pytest.mark.parametrize("payer", ["medicare-advantage", "other-payer"])
def test_another_payer_is_answered_once_wherever_care_is_given(payer: str, place: Any) -> None:
    made = person(place, {"payer": payer})
    assert coverage(made) == []
    assert (choice(made)["outcome"], choice(made)["missing"]) == ("not-applicable", [])
    assert payer.replace("-", " ") in choice(made)["reason"]


@pytest.mark.parametrize(
    ("payer", "asked"), [("original-medicare", ["record-place"]), (NOT_KNOWN, ["record-place", "record-payer"])]
)
def test_a_place_that_is_not_known_is_asked_for_and_never_passed_over(payer: Any, asked: list[str]) -> None:
    made = person(NOT_KNOWN, {"payer": payer})  # type: ignore[arg-type]
    assert coverage(made) == []
    assert choice(made)["outcome"] == "insufficient-data"
    assert [item["ask"] for item in choice(made)["missing"]] == asked


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNCONFIRMED])
def test_every_way_of_not_knowing_the_place_is_told(reason: Reason) -> None:
    made = person(L34228, {}).but(Scope.PATIENT, "", unknown("place-of-service", reason))
    assert [item["reason"] for item in choice(made)["missing"]] == [reason.value]


def test_a_place_without_a_determination_is_not_applicable() -> None:
    made = person("elsewhere", {})
    assert coverage(made) == []
    assert choice(made)["outcome"] == "not-applicable"


def test_a_suspected_place_chooses_nothing() -> None:
    fact = unknown("place-of-service", Reason.UNCONFIRMED, candidate=L34228)
    assert choice(person(L34228, {}).but(Scope.PATIENT, "", fact))["outcome"] == "insufficient-data"


def test_without_coverage_the_decision_says_nothing_of_it() -> None:
    plain = [m for m in machines() if not m.rule_set.applies_to]
    found = decide(person(L34228, {}).case(), plain).body
    assert "choices" not in found
    assert not any("lcd" in row for row in found["levels"])


@given(people())
@rounds(2_000)
def test_coverage_changes_no_clinical_verdict_and_makes_no_task(made: Person) -> None:
    plain = decide(made.case(), [m for m in machines() if not m.rule_set.applies_to]).body
    both = decide(made.case(), machines()).body
    beside = [row for row in both["levels"] if "lcd" not in row]
    assert canonical(beside) == canonical(plain["levels"])
    assert canonical(both["obligations"]) == canonical(plain["obligations"])
    assert canonical(both["treated"]) == canonical(plain["treated"])


# --- what may never happen

GATE_DATA = sorted(
    {name for one in SETS for rule in one.criteria if rule.role == "gate" for name in rule.reads()}
    - {"hospitalised", "disability-score", "progressive-height-loss", "pain-change"}
    - {"tumour-kind", "tumour-lesion", "pain-controlled", "tumour-claim-codes"}
)


@pytest.mark.parametrize("datum", GATE_DATA)
def test_no_gate_with_an_unknown_datum_yields_met(datum: str) -> None:
    """Every way of not knowing one datum of a fracture that is covered; the three others are idle beside two items."""
    made = person(L34228, {})
    assert [r["outcome"] for r in coverage(made)] == ["met"]
    for fact in (fact for fact in POOLS[datum] if not fact.known):
        assert "met" not in [r["outcome"] for r in coverage(made.but(BOOK.vocabulary[datum].scope, "L1", fact))]


@given(people(most=2))
@rounds(3_000)
def test_met_has_met_every_gate(made: Person) -> None:
    idle = {
        "coverage-cms-lcd.inpatient-path",
        "coverage-cms-lcd.outpatient-path",
        "coverage-cms-lcd.optimal-care-documented",
    }
    for found in coverage(made):
        verdicts = {c["id"]: c["verdict"] for c in found["criteria"]}
        gates = [r.id for r in BOOK.sets[found["policy"]].criteria if r.role == "gate" and r.id not in idle]
        if found["outcome"] != "met":
            continue
        if verdicts["shared.osteoporotic-fracture"] == "met":
            assert {verdicts[gate] for gate in gates if gate not in BRANCHING} == {"met"}
            assert "met" in {verdicts[path] for path in sorted(idle)}
        else:
            tumour = {TUMOUR_GATE, LYTIC, FAILED, CODES}
            assert {verdicts[gate] for gate in {*gates, *tumour} - OSTEOPOROTIC_ONLY - {MYELOMA}} == {"met"}


@given(people(most=4))
@rounds(3_000)
def test_no_document_ever_turns_a_no_into_a_yes_or_a_yes_into_a_no(made: Person) -> None:
    papers: dict[str, Fact] = {}
    for datum in DOCUMENTS:
        papers[datum] = known(datum, True, timedelta(0))
    complete = made
    for datum, fact in papers.items():
        scope = BOOK.vocabulary[datum].scope
        for level in made.case().levels if scope is Scope.LEVEL else made.case().levels[:1]:
            if datum != "care-optimal" or level.facts[datum].value is not False:  # a stated no is no missing paper
                complete = complete.but(scope, level.level, fact)
    for before, after in zip(coverage(made), coverage(complete), strict=True):
        if before["outcome"] in ("not-applicable", "not-met", "insufficient-data"):
            assert after["outcome"] == before["outcome"]
        else:
            assert after["outcome"] in ("documentation-missing", "met")


def test_the_family_is_chosen_by_its_name() -> None:
    chosen = BOOK.choose(["coverage-cms-lcd"])
    assert [one.id for one in chosen] == sorted(one.id for one in SETS)
    assert BOOK.choose(["coverage-cms-lcd-l34228", "coverage-cms-lcd"])[0].id == "coverage-cms-lcd-l34228"
    assert isinstance(Machine(chosen[0]), Machine)
