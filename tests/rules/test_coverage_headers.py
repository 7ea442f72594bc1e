"""A coverage header that leaves something unsaid, or a list that fits no rule, is refused with how to mend it."""

from pathlib import Path

import pytest

from pathway.casebook import check_rule
from pathway.casefiles import variants
from pathway.errors import RuleBookError
from pathway.prose import show, show_set
from pathway.rulebook import load
from tests.rules.book import ALL, BOOK, FILES, RULES, copy, edit

HEAD = "coverage-cms-lcd-l38201/ruleset.yaml"
RULE = next(rule for rule in ALL if rule.id == "coverage-cms-lcd.outpatient-path")

WRONG = [
    (HEAD, "lcd: L38201\n", "", "key 'lcd' is missing"),
    (HEAD, "family: coverage-cms-lcd\n", "", "key 'family' is missing"),
    (HEAD, "status: not-verified", "status: believed", "has a status that is not known"),
    (HEAD, "{name: j15, states:", "{states:", "lacks 'name'"),
    (HEAD, "payer: [original-medicare]", "payer: [medicare]", "applies-to 'payer' names no codes of the person"),
    (HEAD, "place-of-service: [j15]", "place: [j15]", "no datum 'place' is declared"),
    (HEAD, "secondary-items: [height-loss,", "secondary: [height-loss,", "no rule counts by the list 'secondary'"),
    (HEAD, "items: [height-loss, ky", "items: [loss, ky", "the list 'secondary-items' names 'loss'"),
    (HEAD, "[height-loss, kyphosis, function]", "[height-loss]", "2 of 1 items cannot be counted"),
    (HEAD, 'status: read}\n  - {label: "Published', 'status: heard}\n  - {label: "Published', "may not ship"),
    (
        HEAD,
        "  - coverage-cms-lcd.symptomatic\n",
        "  - coverage-cms-lcd.painful\n",
        "no shared rule 'coverage-cms-lcd.painful'",
    ),
    ("candidacy/ruleset.yaml", "kind: clinical\n", "kind: clinical\nlcd: L1\n", "'lcd' belongs to coverage"),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), WRONG)
def test_a_header_that_is_wrong_says_so(tmp_path: Path, file: str, old: str, new: str, words: str) -> None:
    root = copy(tmp_path)
    edit(root, file, old, new)
    with pytest.raises(RuleBookError) as fault:
        load(root)
    assert words in fault.value.sentence()
    assert fault.value.fix


def test_a_list_that_a_rule_set_has_needs_cases_to_either_side(tmp_path: Path) -> None:
    root = copy(tmp_path)
    for _ in range(3):
        edit(
            root,
            "coverage-cms-lcd/outpatient-path.cases.yaml",
            "    lists: {secondary-items: [height-loss, kyphosis, function]}\n",
            "",
        )
    said = [fault.sentence() for fault in check_rule(root, BOOK.vocabulary, RULE, variants(BOOK, RULE))]
    for word in ("met", "not-met"):
        assert any(f"no case with the lists of a rule set expects {word}." in one for one in said)


def test_the_fullest_list_is_the_rule_and_the_others_are_variants() -> None:
    assert RULE.lists == {"secondary-items": ("progression", "height-loss", "kyphosis", "function")}
    assert variants(BOOK, RULE) == ({"secondary-items": ("height-loss", "kyphosis", "function")},)


def test_the_page_of_a_rule_shows_the_count_and_what_a_rule_set_leaves_out() -> None:
    page = show(RULE, len(FILES[RULE.id].examples))
    assert "at least 2 (items-needed) of these, as far as the rule set's list secondary-items names them:" in page
    assert "- progression: Progressive loss of height: yes\n" in page
    (shorter,) = (r for r in BOOK.sets["coverage-cms-lcd-l38201"].criteria if r.id == RULE.id)
    assert "- progression: does not count, it is not in this rule set's list\n" in show(shorter, 0)


@pytest.mark.parametrize("rule_set", [s for s in BOOK.sets.values() if s.lcd], ids=lambda s: s.id)
def test_the_page_of_a_rule_set_shows_whose_it_is_and_what_is_open(rule_set) -> None:  # type: ignore[no-untyped-def]
    header, page = rule_set.document["ruleset"], show_set(rule_set)
    assert page.startswith(f"{rule_set.id}|{rule_set.version}: {rule_set.title} (coverage, draft)\n")
    assert header["contractor"]["name"] in page
    assert header["contractor"]["status"].replace("-", " ") in page
    assert all(one["states"] in page for one in header["jurisdiction"])
    assert all(question in page for question in header["open-questions"])
    assert all(one["label"] in page for one in header["evidence"])


def test_a_set_without_coverage_has_a_page_too() -> None:
    page = show_set(BOOK.sets["candidacy"])
    assert "LCD" not in page
    assert "Open questions" not in page


def test_a_shelf_is_a_folder_of_rules_that_rule_sets_name() -> None:
    assert not (RULES / "coverage-cms-lcd" / "ruleset.yaml").exists()
    assert "coverage-cms-lcd" not in BOOK.sets
