"""The site layer: a site's own numbers and switches, visible, bounded, and without a byte changed elsewhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway import site_file
from pathway.canonical import parse
from pathway.decide import decide
from pathway.errors import RuleBookError
from pathway.rulebook import from_document
from pathway.site import EMPTY, Choice, Entry, Layer, Override
from pathway.strata import Machine
from tests.rules.book import BOOK, CANDIDACY, RULES
from tests.rules.people import Person, known

AFTER_CEMENT = BOOK.sets["after-cement"]
PAIN = "shared.severe-spinal-pain"
TEXT = """\
site: example-hospital
status: draft
parameters:
  - rule-set: candidacy
    rule: shared.severe-spinal-pain
    parameter: pain-min
    value: 6
    unit: "{score}"
    set-on: 2026-12-01
    by: [A. Person]
    reason: The spine clinic treats from 6
off:
  - rule-set: after-cement
    rule: after-cement.ct-for-leak
    set-on: 2026-12-01
    by: [B. Person]
    reason: The scanner is out of use
"""


def entry(rule_set: str = "candidacy", rule: str = PAIN, reason: str = "why") -> Entry:
    return Entry(rule_set, rule, "2026-12-01", ("A. Person",), reason, "site.yaml:4")


def override(value: int | Decimal = 6, parameter: str = "pain-min", unit: str = "{score}", **about: str) -> Override:
    return Override(entry(**about), parameter, value, unit)


def layer(*overrides: Override, off: tuple[Entry, ...] = (), status: str = "draft") -> Layer:
    return Layer("example", status, overrides, off)


BONE = BOOK.sets["bone-treatment"]
LISTS = """\
lists:
  - rule-set: bone-treatment
    list: very-high-risk-by
    items: [thai-2023]
    set-on: 2026-12-01
    by: [C. Person]
    reason: The clinic follows the Thai guideline
off:
"""


def choice(*items: str, name: str = "very-high-risk-by", rule_set: str = "bone-treatment") -> Choice:
    return Choice(entry(rule_set, ""), name, items or ("thai-2023",))


def listing(*choices: Choice, status: str = "draft") -> Layer:
    return Layer("example", status, lists=choices)


def read(tmp_path: Path, old: str = "", new: str = "") -> Layer:
    """The layer of `TEXT`, with one place changed."""
    assert old in TEXT
    path = tmp_path / "site.yaml"
    path.write_text(TEXT.replace(old, new, 1) if old else TEXT)
    return site_file.read(path)


def test_a_number_is_replaced_and_says_whose_it_is(tmp_path: Path) -> None:
    laid = read(tmp_path).apply(CANDIDACY)
    (rule,) = (rule for rule in laid.criteria if rule.id == PAIN)
    assert (rule.parameters["pain-min"].value, rule.parameters["pain-min"].status) == (6, "site")
    assert rule.document is not None
    assert rule.document["parameters"]["pain-min"] == {
        "value": 6, "unit": "{score}", "status": "site", "set-on": "2026-12-01", "by": ["A. Person"],
        "reason": "The spine clinic treats from 6", "was": 5,
    }  # fmt: skip
    assert laid.site["base"] == CANDIDACY.sha256
    assert laid.sha256 != CANDIDACY.sha256
    assert from_document(parse(laid.body)).sha256 == laid.sha256


def test_the_decision_follows_the_site_and_names_release_and_layer() -> None:
    case = Person({"pain-score": known("pain-score", Decimal(5))}, {"L1": {}}, {}).case()
    laid = layer(override(6)).apply(CANDIDACY)
    bodies = [decide(case, [Machine(one)]).body for one in (CANDIDACY, laid)]
    verdicts = [next(c["verdict"] for c in b["levels"][0]["criteria"] if c["id"] == PAIN) for b in bodies]
    assert verdicts == ["met", "not-met"]
    (release,) = bodies[1]["releases"]
    assert (release["base"], release["site"]) == (CANDIDACY.sha256, layer(override(6)).sha256)
    assert set(bodies[0]["releases"][0]) == {"id", "version", "kind", "status", "sha256"}


def test_a_switched_off_obligation_asks_for_nothing_and_the_others_stand(tmp_path: Path) -> None:
    laid = read(tmp_path).apply(AFTER_CEMENT)
    gone = {rule.id for rule in AFTER_CEMENT.rules()} - {rule.id for rule in laid.rules()}
    assert gone == {"after-cement.ct-for-leak"} == set(laid.site["off"])
    assert laid.site["off"]["after-cement.ct-for-leak"]["reason"] == "The scanner is out of use"


def test_a_whole_rule_set_is_switched_off_by_its_id_alone() -> None:
    thrown = layer(off=(entry(rule=""),))
    assert thrown.switch("candidacy") == entry(rule="")
    assert thrown.switch("after-cement") is None
    assert thrown.apply(CANDIDACY) is CANDIDACY


@pytest.mark.parametrize("rule", [PAIN, "candidacy.outcome-candidate"])
def test_a_criterion_or_an_outcome_cannot_be_switched_off_alone(rule: str) -> None:
    with pytest.raises(RuleBookError, match=r"site\.yaml:4: .* is not an obligation.*whole rule set"):
        layer(off=(entry(rule=rule),)).apply(CANDIDACY)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (override(unit="d"), "is in '{score}', not in 'd'. Keep the unit"),
        (override(parameter="pain-mini"), "has no parameter 'pain-mini'. Its parameters: pain-max-age, pain-min"),
        (override(rule="shared.severe-pain"), "has no rule 'shared.severe-pain'"),
        (override(11), "site.yaml:4: no "),
        (override(-14, parameter="pain-max-age", unit="d"), "site.yaml:4: parameter 'pain-max-age' is a negative time"),
        (override(Decimal("5.5555")), "decimal places"),
    ],
    ids=["unit", "parameter", "rule", "out-of-reach", "negative-time", "decimal-places"],
)
def test_what_does_not_fit_the_rule_is_refused(one: Override, words: str) -> None:
    with pytest.raises(RuleBookError) as caught:
        layer(one).apply(CANDIDACY)
    assert words in caught.value.sentence()


def test_what_a_payer_prescribes_is_not_the_sites_to_change() -> None:
    document = parse(CANDIDACY.body)
    document["ruleset"] |= {
        "kind": "coverage", "family": "cover", "lcd": "L00000", "contractor": CONTRACTOR, "jurisdiction": [CONTRACTOR],
        "applies-to": {}, "evidence": [], "open-questions": [],
    }  # fmt: skip
    rules = {rule["id"]: rule for rule in document["rules"]}
    coverage = from_document(document)
    assert layer(override(6)).apply(coverage).site["base"] == coverage.sha256
    rules[PAIN]["parameters"]["pain-min"]["status"] = "secondary"
    with pytest.raises(RuleBookError, match=r"site\.yaml:4: pain-min is the payer's number"):
        layer(override(6)).apply(from_document(document))


@pytest.mark.parametrize("value", [0, -1, Decimal("-0.5")])
@pytest.mark.parametrize("shelf", ["coverage-cms-lcd-l34228", "coverage-cms-lcd-l38201"])
def test_pain_that_worsens_cannot_be_made_to_mean_pain_that_does_not(shelf: str, value: int | Decimal) -> None:
    rule = "coverage-cms-lcd.outpatient-path"
    rule_set, where = BOOK.sets[shelf], entry(rule_set=shelf, rule=rule)
    with pytest.raises(RuleBookError, match=r"site\.yaml:4: worsening of .* no longer a change in the direction of 1"):
        layer(Override(where, "worsening", value, "{score}")).apply(rule_set)
    assert layer(Override(where, "worsening", 2, "{score}")).apply(rule_set).site["base"] == rule_set.sha256
    with pytest.raises(RuleBookError, match="is the payer's number"):
        layer(Override(where, "outpatient-pain", 6, "{score}")).apply(rule_set)


CONTRACTOR = {"name": "invented", "status": "not-verified", "from": "2026-11-22"}


def test_numbers_that_nobody_approved_make_a_draft_of_an_active_release() -> None:
    document = parse(CANDIDACY.body)
    document["ruleset"] |= {"status": "active", "approvers": ["A. Person", "B. Person"]}
    active = from_document(document)
    assert layer(override(6)).apply(active).status == "draft"
    assert layer(override(6), status="active").apply(active).status == "active"
    assert layer(override(6), status="active").apply(CANDIDACY).status == "draft"


def test_a_rule_file_cannot_speak_as_a_site() -> None:
    document = parse(CANDIDACY.body)
    (rule,) = (rule for rule in document["rules"] if rule["id"] == PAIN)
    rule["parameters"]["pain-min"]["status"] = "site"
    with pytest.raises(RuleBookError, match="sets a number as a site"):
        from_document(document)


@pytest.mark.parametrize("rule_set", list(BOOK.sets.values()), ids=list(BOOK.sets))
def test_a_layer_that_does_not_name_a_rule_set_changes_no_byte_of_it(rule_set: Any) -> None:
    other = layer(override(rule_set="another"), off=(entry("another", ""),))
    assert EMPTY.apply(rule_set) is rule_set
    assert other.apply(rule_set).body == rule_set.body


NUMBERS = [
    override(6),
    override(21, parameter="pain-max-age", unit="d"),
    override(-3, parameter="falling", rule="candidacy.pain-not-falling"),
]


@given(order=st.permutations(NUMBERS), off=st.permutations([entry(rule="candidacy.order-spine-mri"), entry(rule="")]))
def test_the_order_of_entries_never_matters(order: list[Override], off: list[Entry]) -> None:
    assert layer(*order, off=tuple(off)).sha256 == layer(*NUMBERS, off=tuple(sorted(off))).sha256
    laid = layer(*order, off=tuple(off)).apply(CANDIDACY)
    assert laid.body == layer(*NUMBERS, off=tuple(sorted(off))).apply(CANDIDACY).body


def test_a_slip_in_the_name_of_a_rule_set_does_not_go_unnoticed(tmp_path: Path) -> None:
    with pytest.raises(RuleBookError, match=r"site\.yaml:13: no rule set 'after-cemment'. Known: after-cement"):
        read(tmp_path, "set: after-cement\n", "set: after-cemment\n").check_names(
            frozenset({"after-cement", "candidacy"})
        )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("site: example-hospital", "site: ''", "site.yaml:1: the layer does not say whose it is"),
        ("status: draft", "status: approved", "site.yaml:2: status 'approved' is not known. One of: draft, active"),
        ("status: draft", "status: active", "site.yaml:10: by names fewer than 2 people"),
        (
            "parameters:",
            "parameter:",
            "site.yaml:3: unknown key 'parameter'. Known keys: site, status, parameters, lists, off",
        ),
        ("    value: 6\n", "", "site.yaml:4: key 'value' is missing"),
        ("value: 6", "value: six", "site.yaml:7: value is no plain number. Write 18 or 2.5"),
        ("value: 6", "value: true", "site.yaml:7: value is no plain number"),
        ("set-on: 2026-12-01", "set-on: today", "site.yaml:9: 'today' is no day. Write 2026-11-22"),
        ("by: [A. Person]", "by: []", "site.yaml:10: by names nobody"),
        ("    reason: The spine", "    because: x\n    reason: The spine", "site.yaml:11: unknown key 'because'"),
        ("reason: The spine clinic treats from 6", "reason:", "site.yaml:11: reason is no text"),
        ("off:", "off: []\nofff:", "unknown key 'offf'"),
        ("    reason: The scanner is out of use\n", "", "site.yaml:13: key 'reason' is missing"),
        ("    value: 6", "    value: 6\n    value: 7", "site.yaml:8: key 'value' stands twice"),
    ],
)
def test_a_slip_in_the_file_is_refused_with_line_and_fix(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(RuleBookError) as caught:
        read(tmp_path, old, new)
    assert words in caught.value.sentence()


def test_the_same_number_cannot_be_set_twice(tmp_path: Path) -> None:
    first, second = TEXT.index("  - rule-set: candidacy"), TEXT.index("off:")
    with pytest.raises(RuleBookError, match=r"site\.yaml:12: this stands twice"):
        read(tmp_path, "off:", TEXT[first:second] + "off:")


def test_two_people_can_approve_a_layer_and_one_throws_a_switch(tmp_path: Path) -> None:
    text = TEXT.replace("status: draft", "status: active").replace("[A. Person]", "[A. Person, C. Person]")
    path = tmp_path / "site.yaml"
    path.write_text(text)
    assert site_file.read(path).overrides[0].entry.by == ("A. Person", "C. Person")
    path.write_text(text.replace("[A. Person, C. Person]", "[A. Person, A. Person]"))
    with pytest.raises(RuleBookError, match="fewer than 2"):
        site_file.read(path)


def test_a_layer_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        RuleBookError, match=r"none\.yaml: the site layer cannot be read \(No such .* PATHWAY_SITE_RULES"
    ):
        site_file.read(tmp_path / "none.yaml")


def test_the_example_that_we_ship_sets_nothing_and_approves_nothing() -> None:
    found = site_file.read(RULES.parent / "docs" / "site.example.yaml")
    assert (found.status, found.overrides, found.off) == ("draft", (), ())


@pytest.mark.parametrize(
    ("rule", "parameter", "value", "unit"),
    [
        (PAIN, "pain-min", 0, "{score}"),
        ("shared.adult", "adult-age", 0, "a"),
        ("candidacy.care-given-its-time", "care-min", 0, "d"),
        ("candidacy.pain-not-falling", "falling", 10, "{score}"),
        ("shared.fresh-fracture", "imaging-max-age", 367, "d"),
        ("shared.neurology-intact", "neurology-max-age", 40000, "d"),
    ],
)
def test_a_number_that_lets_everybody_through_or_nobody_is_refused(
    rule: str, parameter: str, value: int, unit: str
) -> None:
    with pytest.raises(RuleBookError):
        layer(override(value, parameter, unit, rule=rule)).apply(CANDIDACY)


@pytest.mark.parametrize(
    ("rule", "parameter", "value", "unit"),
    [
        (PAIN, "pain-min", 1, "{score}"),
        (PAIN, "pain-min", 10, "{score}"),
        ("candidacy.care-given-its-time", "care-min", 1, "d"),
        ("shared.fresh-fracture", "imaging-max-age", 366, "d"),
    ],
)
def test_the_last_number_that_still_tells_people_apart_is_the_sites_to_choose(
    rule: str, parameter: str, value: int, unit: str
) -> None:
    assert layer(override(value, parameter, unit, rule=rule)).apply(CANDIDACY).sha256 != CANDIDACY.sha256


# --- lists


def test_a_list_is_chosen_from_the_written_items_and_says_whose_choice_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, "off:\n", LISTS)
    laid = found.apply(BONE)
    (rule,) = (rule for rule in laid.criteria if rule.lists)
    assert rule.lists == {"very-high-risk-by": ("thai-2023",)}
    assert laid.site["lists"] == {
        "very-high-risk-by": {
            "set-on": "2026-12-01", "by": ["C. Person"], "reason": "The clinic follows the Thai guideline",
            "was": ["aace-2020"],
        },
    }  # fmt: skip
    assert (laid.status, laid.site["base"], laid.site["sha256"]) == ("draft", BONE.sha256, found.sha256)
    assert from_document(parse(laid.body)).sha256 == laid.sha256 != BONE.sha256
    assert found.apply(AFTER_CEMENT).site["off"], "the other entries of the file hold too"


def test_a_layer_without_lists_keeps_the_hash_that_stored_decisions_name() -> None:
    assert layer(override(6)).sha256 == "8e48f1f7d92e9e01ff10844daa8f041600fe444f44bb5baabae74df6ea3f0fbc"
    assert listing(choice()).sha256 != EMPTY.sha256 != listing(choice("aace-2020")).sha256


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            choice(name="high-risk-by"),
            "bone-treatment|0.1.0 has no list 'high-risk-by'. Its lists: very-high-risk-by",
        ),
        (choice(rule_set="after-cement"), "has no list 'very-high-risk-by'. Its lists: none; a site adds none"),
        (
            choice("aace-2020", "mine"),
            "very-high-risk-by has no item 'mine'. Its items: aace-2020, thai-2023",
        ),
        (
            choice("kyphosis", name="secondary-items", rule_set="coverage-cms-lcd-l34228"),
            "site.yaml:4: secondary-items is the payer's list, not the site's",
        ),
    ],
    ids=["list", "no-lists", "item", "payer"],
)
def test_a_list_that_does_not_fit_is_refused(one: Choice, words: str) -> None:
    with pytest.raises(RuleBookError) as caught:
        listing(one).apply(BOOK.sets[one.entry.rule_set])
    assert words in caught.value.sentence()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("items: [thai-2023]", "items: []", "site.yaml:15: items lists no names, each once. Write items: [one, other]"),
        ("items: [thai-2023]", "items: thai-2023", "site.yaml:15: items lists no names"),
        ("items: [thai-2023]", "items: [thai-2023, thai-2023]", "site.yaml:15: items lists no names"),
        ("    list: very-high-risk-by\n", "", "site.yaml:13: key 'list' is missing. Each entry of lists says it"),
        ("reason: The clinic", "rule: x\n    reason: The clinic", "site.yaml:18: unknown key 'rule'"),
    ],
)
def test_a_slip_in_a_list_is_refused_with_line_and_fix(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(RuleBookError) as caught:
        read(tmp_path, "off:\n", LISTS.replace(old, new))
    assert words in caught.value.sentence()


def test_an_active_layer_takes_two_names_on_a_list(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("site: example\nstatus: active\n" + LISTS.removesuffix("off:\n"))
    with pytest.raises(RuleBookError, match=r"site\.yaml:8: by names fewer than 2 people"):
        site_file.read(path)


def test_the_name_of_a_rule_set_with_a_list_is_checked_and_the_order_of_lists_never_matters() -> None:
    with pytest.raises(RuleBookError, match="no rule set 'bones'"):
        listing(choice(rule_set="bones")).check_names(frozenset(BOOK.sets))
    both = (choice(), choice("kyphosis", name="secondary-items"))
    assert listing(*both).sha256 == listing(*both[::-1]).sha256
