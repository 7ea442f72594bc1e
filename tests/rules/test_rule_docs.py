"""The pages made from the rules: they hold everything, they are what the rules give now, and nothing of the day."""

from __future__ import annotations

import re

import pytest

from adapters.fhir.terminology import load_local_codes
from pathway import ruledocs
from pathway.casecoverage import kept
from pathway.conditions import leaves
from pathway.ruledocs import Catalogue
from pathway.vocabulary import Kind
from tests.each import each
from tests.rules.book import ALL, BOOK, FILES, RULES

CATALOGUE = ruledocs.read_catalogue(RULES)
SUBJECTS = ruledocs.read_subjects(RULES)
INDEX = ruledocs.rule_index(BOOK, {id_: len(file.examples) for id_, file in FILES.items()}, CATALOGUE)
DATA = ruledocs.data_page(BOOK, SUBJECTS, {}, {})


def section(page: str, id_: str) -> str:
    return page.split(f"\n### {id_}\n", 1)[1].split("\n##", 1)[0]


@each(ALL, lambda rule: rule.id)
def test_every_rule_stands_once_with_its_cases_its_rows_and_what_it_compares(rule: ruledocs.Rule) -> None:
    assert INDEX.count(f"\n### {rule.id}\n") == 1
    text = section(INDEX, rule.id)
    raw = rule.document or {}
    assert f"Cases: {len(FILES[rule.id].examples)}." in text
    assert all(row in text for row in raw.get("catalogue", ()))
    assert all(f"{one['status']}, {one['read']}" in text for one in raw.get("evidence", ()))
    said = text.replace("\\", "")
    assert all(" ".join(leaf.datum.title.split()) in said for part in (rule.when,) for leaf in leaves(part))


@pytest.mark.parametrize("rule_set", BOOK.sets)
def test_every_rule_set_stands_with_its_question_its_outcomes_and_its_rules(rule_set: str) -> None:
    one, text = BOOK.sets[rule_set], section(INDEX, rule_set)
    assert one.question in text
    assert ", ".join(one.hit_order) in text
    if f"those of [{one.family}" not in text:
        assert set(re.findall(r"\[([^]]+)\]\(#", text)) == {rule.id for rule in one.rules()}


def test_the_members_of_a_family_are_told_by_their_differences() -> None:
    first, *others = [one for one in BOOK.sets.values() if one.family == "coverage-cms-lcd"]
    own = {rule.id for rule in first.rules()}
    for one in others:
        text = section(INDEX, one.id).split("- rules: those of ")[1]
        more, _, less = text.partition("- without ")
        found = own | set(re.findall(r"\[([^]]+)\]", more)) - {first.id}
        assert found - set(re.findall(r"\[([^]]+)\]", less)) == {rule.id for rule in one.rules()}, one.id


@each(BOOK.vocabulary.data.values(), lambda datum: datum.id)
def test_every_datum_stands_once_with_what_an_integrator_asks(datum: ruledocs.Datum) -> None:
    assert DATA.count(f"\n### {datum.id}\n") == 1
    text = section(DATA, datum.id).replace("\\", "")
    for words in (datum.title, datum.found, datum.negative, datum.combine):
        assert " ".join(words.split()) in text
    assert all(value in text for value in datum.values)
    assert datum.kind in (Kind.BOOLEAN, Kind.CODE) or f"{datum.lo} to {datum.hi}" in text
    assert not datum.ask or BOOK.vocabulary.asks[datum.ask].say in text
    readers = {rule.id for rule in ALL if datum.id in rule.reads()}
    assert set(re.findall(r"\[([^]]+)\]\(rule-index", text)) == readers


def test_every_datum_stands_under_the_file_that_declares_it() -> None:
    listed = [id_ for subject in SUBJECTS for id_ in subject.data]
    assert sorted(listed) == sorted(BOOK.vocabulary.data)
    assert all(subject.about for subject in SUBJECTS)


def test_every_link_within_the_pages_leads_to_a_heading() -> None:
    heads = {line[4:].replace(".", "") for line in INDEX.splitlines() if line.startswith("### ")}
    assert {link for page in (INDEX, DATA) for link in re.findall(r"\]\((?:rule-index\.md)?#([^)]+)\)", page)} <= heads


def test_the_written_pages_are_what_the_rules_give_now() -> None:
    """`pathway rules docs` writes them."""
    codes = {concept["code"]: concept["definition"] for concept in load_local_codes()["finding"]}
    data = ruledocs.data_page(BOOK, SUBJECTS, codes, kept(RULES))
    written = [(RULES.parent / "docs" / name).read_text(encoding="utf-8") for name in ("rule-index.md", "data.md")]
    assert written == [INDEX, data]


def test_the_same_book_gives_the_same_page() -> None:
    cases = {id_: len(file.examples) for id_, file in reversed(FILES.items())}
    assert ruledocs.rule_index(BOOK, cases, CATALOGUE) == INDEX


def test_what_markdown_would_take_for_its_own_is_shown_as_it_stands() -> None:
    assert ruledocs._plain("a <b> *c* d_e\n f") == "a \\<b> \\*c\\* d\\_e f"


# --- the catalogue


ROWS = {
    "E": 10, "L": 6, "A": 9, "C": 6, "I": 9, "X": 5, "R": 10, "P": 13, "K": 6, "Q": 16, "F": 9, "U": 5, "J": 9,
    "O": 16, "M": 8,
}  # fmt: skip


def test_every_row_of_the_catalogue_is_listed() -> None:
    assert list(CATALOGUE.rows) == [f"{letter}-{n:02}" for letter, last in ROWS.items() for n in range(1, last + 1)]


def test_every_row_is_implemented_or_it_is_said_why_not() -> None:
    assert [fault.sentence() for fault in CATALOGUE.faults(BOOK)] == []


def test_a_row_that_is_neither_and_one_that_is_both_are_faults() -> None:
    covered = next(iter(ruledocs.rows_of(BOOK)))
    strange = Catalogue({"Z-01": "new", covered: "old"}, {covered: "not wanted", "Z-02": "x"})
    said = " ".join(fault.sentence() for fault in strange.faults(BOOK))
    assert "row Z-01 is neither covered nor explained" in said
    assert f"row {covered} is covered by" in said
    assert "there is no row Z-02" in said


def test_the_table_shows_what_no_rule_covers_and_why() -> None:
    page = ruledocs.rule_index(BOOK, {}, Catalogue({"Z-01": "a", "Z-02": "b"}, {"Z-01": "asked of a person"}))
    assert "| Z-01 | a | none: asked of a person |" in page
    assert "| Z-02 | b | **none, and nobody said why** |" in page
