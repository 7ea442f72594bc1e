"""What the cases have seen: the shipped book lacks nothing, and each thing taken away is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pathway.casebook import Result
from pathway.casecoverage import KEPT, Coverage, cover, kept
from pathway.casefiles import CaseFile, Example
from pathway.conditions import AnyOf, leaves
from pathway.facts import Reason
from pathway.forms import Stratum
from pathway.rulebook import RuleBook
from tests.rules.book import BOOK, CANDIDACY, FILES, RULES

KEEP = kept(RULES)
RULE = "shared.fresh-fracture"


def covered(book: RuleBook = BOOK, **files: CaseFile) -> Coverage:
    """The report, with some case files exchanged, as if every case came out as expected."""
    changed = {file.rule.id: file for file in files.values()}
    return cover(book, (FILES | changed).values(), [], KEEP)


def without(rule: str, gone: Callable[[Example], bool]) -> CaseFile:
    return replace(FILES[rule], examples=tuple(one for one in FILES[rule].examples if not gone(one)))


def lacks(found: Coverage) -> list[str]:
    return [fault.sentence() for fault in found.lacking]


def test_the_shipped_cases_have_seen_all_that_must_be_seen() -> None:
    assert lacks(covered()) == []


@pytest.mark.parametrize("word", ["met", "not-met", "unknown"])
def test_a_verdict_that_no_case_has_is_named(word: str) -> None:
    found = lacks(covered(changed=without(RULE, lambda one: one.expect == word)))
    assert [line for line in found if f"{RULE}: never seen {word}. " in line]


def test_staleness_and_conflict_that_no_case_has_are_named() -> None:
    reasons = {Reason.STALE, Reason.CONFLICTING}

    def old_or_torn(one: Example) -> bool:
        return one.expect == "unknown" and (
            one.view["acuity-imaging"].known or one.view["acuity-imaging"].reason in reasons
        )

    found = " ".join(lacks(covered(changed=without(RULE, old_or_torn))))
    assert f"{RULE}: never seen stale" in found
    assert f"{RULE}: never seen conflicting" in found


def test_staleness_is_asked_for_only_where_an_age_is_limited() -> None:
    for one in (one for set_seen in covered().sets for one in set_seen.rules):
        limited = any(leaf.within is not None for leaf in leaves(one.rule.when))
        assert ("stale" in one.must) is (limited and one.rule.stratum is Stratum.CRITERIA), one.rule.id


def test_a_task_that_no_case_closes_is_named() -> None:
    found = lacks(covered(changed=without("candidacy.order-spine-mri", lambda one: one.expect == "closed")))
    assert found == ["candidacy/order-spine-mri.cases.yaml: candidacy.order-spine-mri: never seen closed. "
                     "Add a case that shows it"]  # fmt: skip


def test_a_case_that_fails_shows_nothing() -> None:
    rule = "shared.adult"
    failed = [Result(rule, "", one.name, "met", "not-met") for one in FILES[rule].examples if one.expect == "met"]
    found = [fault.sentence() for fault in cover(BOOK, FILES.values(), failed, KEEP).lacking]
    assert f"shared/adult.cases.yaml: {rule}: never seen met. Add a case that shows it" in found


def test_an_outcome_behind_another_is_not_reached_though_its_own_case_passes() -> None:
    first = CANDIDACY.hit_order[0]
    ruled = next(one for one in CANDIDACY.recommendations if one.outcome == first)
    (leaf, *_) = leaves(ruled.when)
    always = replace(ruled, when=AnyOf(tuple(replace(leaf, operand=word) for word in leaf.datum.values)))
    others = (one for one in CANDIDACY.recommendations if one is not ruled)
    shadow = replace(CANDIDACY, recommendations=(always, *others))
    found = covered(replace(BOOK, sets={**BOOK.sets, "candidacy": shadow}))
    (candidacy,) = (one for one in found.sets if one.rule_set.id == "candidacy")
    assert candidacy.outcomes == {first}
    assert "candidacy: outcome candidate is never reached." in " ".join(lacks(found))


# --- data


def test_a_datum_that_no_rule_reads_is_kept_for_a_reason_or_is_lacking() -> None:
    gait = replace(BOOK.vocabulary["age"], id="gait")
    wider = replace(BOOK, vocabulary=replace(BOOK.vocabulary, data={**BOOK.vocabulary.data, "gait": gait}))
    fix = f"Say in {KEPT} why each is kept, or remove it"
    assert lacks(covered(wider)) == [f"vocabulary: no rule reads gait. {fix}"]
    found = cover(wider, FILES.values(), [], {**KEEP, "gait": "recorded for follow-up"})
    assert found.lacking == ()
    assert [one.kept for one in found.data if one.id == "gait"] == ["recorded for follow-up"]


@pytest.mark.parametrize(("datum", "says"), [("age", "age is read by a rule"), ("gait", "gait is not declared")])
def test_a_reason_for_what_needs_none_is_a_fault(datum: str, says: str) -> None:
    found = cover(BOOK, FILES.values(), [], {**KEEP, datum: "for later"})
    assert [fault.sentence() for fault in found.lacking] == [f"{KEPT}: {says}. Take it off the list"]


def test_a_datum_that_only_chooses_among_rule_sets_is_used() -> None:
    (place,) = (one for one in covered().data if one.id == "place-of-service")
    assert (place.read_by, place.used, place.seen) == ((), True, True)
    assert len(place.chooses) > 1


def test_a_folder_without_such_a_file_keeps_nothing(tmp_path: Path) -> None:
    assert kept(tmp_path) == {}


def test_a_datum_that_no_case_has_unknown_is_named() -> None:
    name = "bone-treatment.zoledronic-acid"
    found = lacks(covered(changed=without(name, lambda one: not one.view["vitamin-d-low"].known)))
    assert "vocabulary: vitamin-d-low: no case has it unknown" in " ".join(found)
