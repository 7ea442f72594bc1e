"""Drugs for the bone: nothing is fit that something speaks against or nobody has looked at, and no message chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.casefiles import AS_OF
from pathway.decide import decide
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.kleene import evaluate
from pathway.rulebook import Rule
from pathway.site import Choice, Entry, Layer
from pathway.strata import Machine
from pathway.trace import explain_decision
from tests.each import each
from tests.rules.book import BOOK
from tests.rules.people import GOOD_FACTS, POOLS, Person, known
from tests.world import candidate, case_of, person

BONE = BOOK.sets["bone-treatment"]
RULES = {rule.id.partition(".")[2]: rule for rule in BONE.criteria}
DRUGS = ("oral-bisphosphonate", "zoledronic-acid", "denosumab", "teriparatide-abaloparatide", "romosozumab")
ANTIRESORPTIVE = ("oral-bisphosphonate", "zoledronic-acid", "denosumab", "romosozumab")
"""Those that slow the loss of bone; romosozumab does so too."""
ANABOLIC = ("teriparatide-abaloparatide", "romosozumab")
AGAINST: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "oral-bisphosphonate": {
        "creatinine-clearance": (34, 0), "blood-calcium": ("low",), "oesophageal-disease": (True,),
        "cannot-sit-upright": (True,), "fragility-fracture": (False,), "pregnancy": (True,),
        "atypical-femur-fracture": (True,), "jaw-necrosis": (True,),
    },
    "zoledronic-acid": {
        "creatinine-clearance": (34,), "blood-calcium": ("low",), "vitamin-d-low": (True,),
        "fragility-fracture": (False,), "pregnancy": (True,),
        "atypical-femur-fracture": (True,), "jaw-necrosis": (True,),
    },
    "denosumab": {
        "egfr": (29, 0), "blood-calcium": ("low",), "fragility-fracture": (False,), "pregnancy": (True,),
        "atypical-femur-fracture": (True,), "jaw-necrosis": (True,),
    },
    "teriparatide-abaloparatide": {
        "skeletal-malignancy": (True,), "skeletal-radiotherapy": (True,), "paget-disease": (True,),
        "blood-calcium": ("high",), "fragility-fracture": (False,), "pregnancy": (True,),
    },
    "romosozumab": {
        "recent-heart-attack-or-stroke": (True,), "skeletal-malignancy": (True,), "blood-calcium": ("low",),
        "fragility-fracture": (False,), "pregnancy": (True,),
        "atypical-femur-fracture": (True,), "jaw-necrosis": (True,),
    },
}  # fmt: skip
"""For each note what speaks against it: every datum that it reads."""
CONTRAINDICATIONS = [(n, datum, value) for n, data in AGAINST.items() for datum, own in data.items() for value in own]
FAVOUR = {False: 0, None: 1, True: 2}
CHOOSES = re.compile(
    r"recommend|should|must|prefer|advis|better|best|superior|favou?r|instead|\buse\b|prescribe|indicated|start\b",
    re.IGNORECASE,
)


def verdict(rule: Rule, facts: Mapping[str, Fact]) -> bool | None:
    return evaluate(rule.when, facts, AS_OF)


def views(rule: Rule) -> st.SearchStrategy[dict[str, Fact]]:
    """What a rule may see: any fact of each datum that it reads, the good one oftener."""
    return st.fixed_dictionaries({id_: st.just(GOOD_FACTS[id_]) | st.sampled_from(POOLS[id_]) for id_ in rule.reads()})


def test_each_drug_has_what_speaks_against_it_and_fits_a_person_with_none_of_that() -> None:
    for name in DRUGS:
        assert set(RULES[name].reads()) == set(AGAINST[name])
        assert verdict(RULES[name], GOOD_FACTS) is True


@pytest.mark.parametrize(("name", "datum", "value"), CONTRAINDICATIONS)
def test_what_speaks_against_a_drug_does_so_whatever_else_is_known_or_not(name: str, datum: str, value: Any) -> None:
    rule, against = RULES[name], known(datum, value)
    nothing = {id_: unknown(id_) for id_ in rule.reads()}
    assert verdict(rule, {**GOOD_FACTS, datum: against}) is False
    assert verdict(rule, {**nothing, datum: against}) is False


@pytest.mark.parametrize("name", DRUGS)
@given(data=st.data())
def test_to_learn_what_speaks_against_a_drug_never_makes_it_look_fitter(name: str, data: st.DataObject) -> None:
    rule = RULES[name]
    view = data.draw(views(rule))
    datum = data.draw(st.sampled_from(sorted(AGAINST[name])))
    later = {**view, datum: known(datum, data.draw(st.sampled_from(AGAINST[name][datum])))}
    assert FAVOUR[verdict(rule, later)] <= FAVOUR[verdict(rule, view)]
    assert verdict(rule, later) is False


def doubts() -> Iterator[tuple[str, str, Fact]]:
    """Every drug with every datum that it reads, not known in every way, whatever is guessed of it."""
    for name in DRUGS:
        for datum in RULES[name].reads():
            guesses = {fact.value for fact in POOLS[datum] if fact.known}
            for reason in Reason:
                for guess in (None, *sorted(guesses, key=str)):
                    yield name, datum, unknown(datum, reason, candidate=guess, at=AS_OF)


def test_what_is_not_known_never_reads_as_fit() -> None:
    found = [(n, fact) for n, datum, fact in doubts() if verdict(RULES[n], {**GOOD_FACTS, datum: fact}) is True]
    assert found == []


AGES = [
    *((name, "blood-calcium") for name in DRUGS), ("oral-bisphosphonate", "creatinine-clearance"),
    ("zoledronic-acid", "creatinine-clearance"), ("zoledronic-acid", "vitamin-d-low"), ("denosumab", "egfr"),
    ("romosozumab", "recent-heart-attack-or-stroke"), ("romosozumab", "skeletal-malignancy"),
    ("oral-bisphosphonate", "oesophageal-disease"), ("oral-bisphosphonate", "cannot-sit-upright"),
    ("teriparatide-abaloparatide", "skeletal-malignancy"), ("teriparatide-abaloparatide", "skeletal-radiotherapy"),
    ("teriparatide-abaloparatide", "paget-disease"), *((name, "pregnancy") for name in DRUGS),
    *((name, datum) for name in ANTIRESORPTIVE for datum in ("atypical-femur-fracture", "jaw-necrosis")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "datum"), AGES)
def test_an_old_result_or_answer_holds_a_drug_back(name: str, datum: str) -> None:
    old = Fact(datum, GOOD_FACTS[datum].value, at=AS_OF.replace(year=2024))
    assert verdict(RULES[name], {**GOOD_FACTS, datum: old}) is None


@pytest.mark.parametrize("name", DRUGS)
def test_a_feared_reason_speaks_against_a_drug_as_a_known_one_does(name: str) -> None:
    for datum, values in AGAINST[name].items():
        for value in values if datum != "fragility-fracture" else ():
            feared = unknown(datum, Reason.UNCONFIRMED, candidate=value, at=AS_OF)
            assert verdict(RULES[name], {**GOOD_FACTS, datum: feared}) is False, datum


# --- the definition that counts

DEFINITION = {"aace-2020": "very-high-risk-aace-2020", "thai-2023": "very-high-risk-thai-2023"}


def layer(*items: str) -> Layer:
    where = Entry("bone-treatment", "", "2026-12-01", ("A. Person",), "the clinic's guideline", "site.yaml:4")
    return Layer("example", "draft", lists=(Choice(where, "very-high-risk-by", items),))


@cache
def chosen(*items: str) -> Rule:
    """The note on a very high risk, as a site has it that chose these definitions."""
    (rule,) = (rule for rule in layer(*items).apply(BONE).criteria if rule.lists)
    return rule


@pytest.mark.parametrize("item", DEFINITION)
@given(data=st.data())
def test_the_chosen_definition_says_what_its_own_note_says(item: str, data: st.DataObject) -> None:
    own = RULES[DEFINITION[item]]
    assert set(own.reads()) == set(chosen(item).reads())
    view = data.draw(views(own))
    assert verdict(chosen(item), view) is verdict(own, view)


@given(data=st.data())
def test_where_both_definitions_count_either_will_do(data: st.DataObject) -> None:
    both = chosen("aace-2020", "thai-2023")
    view = data.draw(views(both))
    own = [verdict(RULES[name], view) for name in DEFINITION.values()]
    assert verdict(both, view) is (True if True in own else None if None in own else False)


def test_a_site_that_chooses_the_thai_definition_gets_another_verdict_and_the_decision_says_so() -> None:
    case = Person({}, {"L1": {}}, {}).case()  # a fracture of 30 days, T-score -2.4: recent, and not thin enough
    laid = layer("thai-2023").apply(BONE)
    bodies = [decide(case, [Machine(one)]).body for one in (BONE, laid)]
    said = [{c["id"]: c["verdict"] for c in body["considerations"][0]["criteria"]} for body in bodies]
    assert [row["bone-treatment.very-high-risk"] for row in said] == ["met", "not-met"]
    messages = [
        c["message"]
        for body in bodies
        for c in body["considerations"][0]["criteria"]
        if "very-high-risk" in c["id"][-14:]
    ]
    assert [m.partition(")")[0] for m in messages] == [
        "By the definition that counts here (aace-2020", "By the definition that counts here (thai-2023",
    ]  # fmt: skip
    for row in said:  # both definitions are shown in either house
        assert row["bone-treatment.very-high-risk-aace-2020"] == "met"
        assert row["bone-treatment.very-high-risk-thai-2023"] == "not-met"
    (release,) = bodies[1]["releases"]
    assert (release["base"], release["site"]) == (BONE.sha256, layer("thai-2023").sha256)
    assert "site" not in bodies[0]["releases"][0]


def test_the_project_default_is_aace_and_a_t_score_of_exactly_minus_three_counts() -> None:
    (rule,) = (rule for rule in BONE.criteria if rule.lists)
    assert rule.lists == {"very-high-risk-by": ("aace-2020",)}
    old = {**GOOD_FACTS, "days-since-last-fracture": known("days-since-last-fracture", Interval(800, 800))}
    for score, met in (("-2.9", False), ("-3.0", True)):
        assert verdict(rule, {**old, "t-score": known("t-score", Decimal(score))}) is met


# --- on charts


@cache
def machine() -> Machine:
    return Machine(BONE)


def notes(record: Any) -> dict[str, str]:
    rows = decide(case_of(record), [machine()]).body["considerations"]
    return {c["id"].partition(".")[2]: c["verdict"] for row in rows for c in row["criteria"]}


def excluded(record: Any, *but: str) -> Any:
    """A record in which somebody asked for each caution and found none, with blood that is in order."""
    record = record.lab("98979-8", 70, "mL/min/{1.73_m2}", 2).lab("2164-2", 70, "mL/min", 2)
    record = record.lab("17861-6", 9.4, "mg/dL", 2, flag="N").lab("62292-8", 34, "ng/mL", 2, flag="N")
    names = (
        "skeletal-malignancy", "skeletal-radiotherapy", "paget-disease", "oesophageal-disease", "cannot-sit-upright",
        "recent-heart-attack-or-stroke", "atypical-femur-fracture", "jaw-necrosis",
    )  # fmt: skip
    for name in names:
        record = record if name in but else record.finding(name, "absent", 2)
    return record


def test_an_osteoporotic_fracture_with_all_excluded_has_nothing_against_any_drug() -> None:
    assert {name: notes(excluded(candidate()))[name] for name in DRUGS} == dict.fromkeys(DRUGS, "met")


def test_a_chart_that_says_nothing_has_every_drug_held_back() -> None:
    assert {name: notes(candidate())[name] for name in DRUGS} == dict.fromkeys(DRUGS, "unknown")


def test_no_drug_looks_fit_for_a_woman_with_child() -> None:
    assert {notes(excluded(candidate()).condition("Z33.1", 20))[name] for name in DRUGS} == {"not-met"}


@pytest.mark.parametrize("code", ["M84.750A", "M87.180"])
def test_a_harm_of_such_drugs_speaks_against_all_that_slow_the_loss_of_bone(code: str) -> None:
    found = notes(excluded(candidate()).condition(code, 900, status="resolved"))
    assert {name: found[name] for name in DRUGS} == {
        **dict.fromkeys(ANTIRESORPTIVE, "not-met"), "teriparatide-abaloparatide": "met",
    }  # fmt: skip


def test_what_was_denied_years_ago_is_asked_again() -> None:
    old = candidate().lab("2164-2", 70, "mL/min", 2).lab("17861-6", 9.4, "mg/dL", 2, flag="N")
    for name in ("skeletal-malignancy", "skeletal-radiotherapy", "paget-disease", "oesophageal-disease"):
        old.finding(name, "absent", 2200)
    found = notes(old.finding("cannot-sit-upright", "absent", 200))
    assert {found[name] for name in ("oral-bisphosphonate", *ANABOLIC)} == {"unknown"}


def test_radiotherapy_of_bone_that_somebody_later_denies_still_speaks_against() -> None:
    record = excluded(candidate(), "skeletal-radiotherapy").finding("skeletal-radiotherapy", "present", 400)
    assert notes(record.finding("skeletal-radiotherapy", "absent", 2))["teriparatide-abaloparatide"] == "not-met"


def test_cement_in_the_heart_is_a_leak_though_all_else_is_denied() -> None:
    record = candidate().cement("L1", 3)
    assert notes(record.leak_statement("L1", 2))["risk-leak"] == "not-met"
    assert notes(record.leak_statement("L1", 1, leaks=["heart-or-cava"]))["risk-leak"] == "met"


@pytest.mark.parametrize("said", [(), ("skeletal-malignancy",)], ids=["and somebody denies it", "and nobody asked"])
@pytest.mark.parametrize("code", ["C79.51", "C90.00", "C41.2"])
def test_the_person_with_a_tumour_in_bone_never_sees_an_anabolic_drug_as_fit(code: str, said: tuple[str, ...]) -> None:
    both = notes(excluded(candidate().condition(code, 100), *said))
    assert [both[name] for name in ANABOLIC] == ["not-met", "not-met"]


def test_a_tumour_fracture_alone_has_no_drug_for_osteoporosis_as_fit() -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 30, code="M84.58XA").condition("C79.51", 40)
    found = notes(excluded(record))
    assert "met" not in {found[name] for name in DRUGS}
    assert [found[name] for name in ANABOLIC] == ["not-met", "not-met"]


def test_no_message_chooses_for_the_physician() -> None:
    said = [text for rule in BONE.criteria for text in rule.say.values()]
    assert [text for text in said if CHOOSES.search(text)] == []
    assert CHOOSES.search("Denosumab should be preferred")


@each(DRUGS)
def test_a_drug_that_is_held_back_says_for_each_datum_whether_it_is_there(name: str) -> None:
    rule = RULES[name]
    assert all(f"{{{datum}.reason}}" in rule.say["unknown"] for datum in rule.reads())
    assert all(f"{{{datum}.told}}" in rule.say["not-met"] for datum in rule.reads())


def test_the_person_is_listed_once_however_many_vertebrae_broke_and_nothing_is_asked_for() -> None:
    body = decide(Person({}, {"L1": {}, "L3": {}}, {"L1": {}}).case(), [machine()]).body
    assert [(row["level"], row["instance"]) for row in body["considerations"]] == [("", "patient"), ("L1", "event@L1")]
    assert (body["levels"], body["treated"], body["obligations"]) == ([], [], [])


def test_the_trace_of_the_person_gives_the_comparisons_behind_each_note() -> None:
    body = decide(Person({"egfr": known("egfr", 22)}, {"L1": {}}, {}).case(), [machine()]).body
    (sheet,) = explain_decision(body, [BONE]).considerations
    (note,) = (one for one in sheet.criteria if one.rule.id == "bone-treatment.denosumab")
    kidneys = [one for one in note.comparisons if one.datum == "egfr"]  # at least the bound, and not below it
    assert [(one.verdict, one.sources) for one in kidneys] == [(v, ("Observation/egfr",)) for v in ("not-met", "met")]


def test_who_has_no_vertebra_on_record_has_no_list() -> None:
    assert "considerations" not in decide(case_of(person()), [machine()]).body


def test_the_list_of_another_fracture_counts_neither_age_nor_sex_and_makes_no_tier() -> None:
    risks = [rule for name, rule in RULES.items() if name.startswith("risk-")]
    assert len(risks) == 8
    assert not {"age", "sex"} & {datum for rule in risks for datum in rule.reads()}
    assert all(rule.scope == "treated-level" for rule in risks)
    assert not any(re.search(r"\btier\b|high risk|low risk", text) for rule in risks for text in rule.say.values())
