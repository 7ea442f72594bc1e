"""Every clinical policy is whole: any could be the one that acts. It says what it rests on and who paid for that."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pathway import casebook, forms, prose, rulebook
from pathway.conditions import All, AnyOf, Condition, Leaf, Op
from pathway.errors import RuleBookError
from pathway.kleene import fold
from pathway.rulebook import Rule, RuleSet
from pathway.strict_yaml import read_file
from tests.rules.book import BOOK, RULES, copy, edit
from tests.rules.proofs import counterexample, criteria_read, member, picked
from tests.rules.test_combinations import ASKED_ELSEWHERE
from tests.rules.walk import Verdict

CLINICAL = [one for one in BOOK.sets.values() if one.kind == "clinical"]
NEVER_CANDIDATE = {"rand-2018", "aaos-2010-vertebroplasty", "nass-osteoporotic"}
every_policy = pytest.mark.parametrize("policy", CLINICAL, ids=lambda one: one.id)

CURRENT = "candidacy.spoken-of-lately"

WHOLE = {
    "shared.alive", "shared.adult", "shared.spine-level", "shared.level-named", "shared.cause-in-scope",
    "shared.self-report", "shared.no-infection", "shared.not-pregnant", "shared.neurology-intact",
    "candidacy.not-yet-cemented", "candidacy.no-cement-before-onset", "shared.no-coagulopathy",
    "shared.no-cement-allergy", "shared.stable-spine", "shared.no-impingement", "shared.no-retropulsion",
    "shared.few-levels", "shared.heart-and-lungs", "shared.not-collapsed", "shared.no-epidural-tumour",
    "shared.typical-pattern", "shared.pain-from-fracture", CURRENT, "candidacy.outcome-out-of-scope",
    "candidacy.outcome-contraindicated", "shared.outcome-flagged", "candidacy.neurology-emergency",
    "candidacy.specialist-review", "candidacy.name-the-level",
}  # fmt: skip
"""What each policy takes in, whatever else it asks: scope, gates, flags, and the tasks that come of them."""


@every_policy
def test_a_policy_is_whole_on_its_own(policy: RuleSet) -> None:
    assert {rule.id for rule in policy.rules()} >= WHOLE


@every_policy
def test_only_the_words_of_clinical_policies_are_used_in_their_order(policy: RuleSet) -> None:
    assert list(policy.hit_order) == [word for word in forms.OUTCOMES["clinical"] if word in policy.hit_order]
    assert ("candidate" in policy.hit_order) is (policy.id not in NEVER_CANDIDATE)


def comes_to(condition: Condition, verdicts: Mapping[str, str], outcome: str) -> Verdict:
    """A condition of a task under an outcome on a current fracture; what is not given may be anything. MRI is safe."""
    given = {CURRENT: "met", **verdicts, "outcome": outcome}

    def judged(leaf: Leaf) -> Verdict:
        if leaf.datum.id == "mri-unsafe":
            return leaf.op is Op.RECORDED and leaf.operand is True
        return member(leaf, given.get(leaf.datum.id))

    return fold(condition, judged)


def opens(rule: Rule, verdicts: Mapping[str, str], outcome: str) -> bool:
    closed = rule.closed_by is not None and comes_to(rule.closed_by, verdicts, outcome) is True
    return comes_to(rule.when, verdicts, outcome) is True and not closed


@every_policy
@pytest.mark.parametrize("outcome", ["candidate", "defer", "needs-specialist-review"])
def test_whoever_has_to_act_gets_a_task_whatever_the_criteria(policy: RuleSet, outcome: str) -> None:
    """One task at least depends on nothing but the outcome, and that the fracture is a current matter."""
    tasks = [rule.id for rule in policy.obligations if opens(rule, {}, outcome)]
    assert bool(tasks) is (outcome in policy.hit_order)


@every_policy
def test_candidate_needs_no_hit_order(policy: RuleSet) -> None:
    """Where it is possible nothing else is, so that no slip in the order can let it overtake a refusal."""
    yes = [rule.when for rule in policy.recommendations if rule.outcome == "candidate"]
    no = [rule.when for rule in policy.recommendations if rule.outcome != "candidate"]
    if yes:
        assert counterexample(policy, All((AnyOf(tuple(yes)), AnyOf(tuple(no))))) is None


CAUSE = {"shared.cause-in-scope", "shared.osteoporotic-fracture", "shared.tumour-fracture"}
"""They read one datum, so they are unknown together."""


def bases(policy: RuleSet) -> list[dict[str, str]]:
    """Everything met; and the same with what only this policy asks not met, where that is what lets it go on."""
    read = criteria_read(policy.id)
    return [{id_: own if id_.startswith(f"{policy.id}.") else "met" for id_ in read} for own in ("met", "not-met")]


@every_policy
def test_whatever_alone_is_missing_opens_a_task(policy: RuleSet) -> None:
    elsewhere = set(ASKED_ELSEWHERE) - CAUSE - {"shared.level-named"}
    found: dict[str, bool] = {}
    for base in bases(policy):
        for gate in set(base) - elsewhere:
            row = {**base, **dict.fromkeys(set(base) & (CAUSE if gate in CAUSE else {gate}), "unknown")}
            rule = picked(policy, tuple(fold(rule.when, _by(row)) for rule in policy.recommendations))
            assert rule is not None
            if rule.outcome == "insufficient-data":
                found[gate] = any(opens(task, row, rule.outcome) for task in policy.obligations)
    assert {gate for gate, asked in found.items() if not asked} == set()
    assert found


def _by(row: Mapping[str, str]) -> Callable[[Leaf], Verdict]:
    return lambda leaf: member(leaf, row[leaf.datum.id])


# --- what a policy rests on


@every_policy
def test_a_policy_says_what_it_rests_on_and_who_paid_for_that(policy: RuleSet) -> None:
    basis = policy.document["ruleset"]["basis"]
    assert set(basis) == set(forms.BASIS)
    page = prose.show_set(policy)
    assert f"Rests on: {basis['label']} ({basis['strength']}; {basis['status']}, {basis['read']})\n" in page
    assert f"Funding of that work: {basis['funding'].replace('not-verified', 'not verified')}\n" in page


def test_the_panel_that_a_maker_paid_for_says_so_and_that_it_is_approximate() -> None:
    rand = BOOK.sets["rand-2018"]
    assert "device maker" in rand.document["ruleset"]["basis"]["funding"]
    counted = [rule for rule in rand.recommendations if rule.id.startswith("rand-2018.outcome-")]
    reviews = [rule for rule in counted if rule.outcome == "needs-specialist-review"]
    assert len(reviews) == 5
    assert [rule.id for rule in reviews if not rule.say["reason"].startswith("Approximate, ")] == []


def _header(policy: str, **changed: Any) -> dict[str, Any]:
    header = {**read_file(RULES / policy / "ruleset.yaml", RULES), **changed}
    return {key: value for key, value in header.items() if value is not None}


WRONG: list[tuple[Any, str]] = [
    ("NICE", "not whole"),
    ({"label": "NICE", "strength": "strong", "read": "2026-11-22", "status": "read"}, "not whole"),
    ({"label": "x", "strength": "x", "read": "2026-11-22", "status": "background", "funding": "x"}, "may not ship"),
    ({"label": "x", "strength": "x", "read": "2026-11-22", "status": "read", "funding": ""}, "who paid"),
]


@pytest.mark.parametrize(("basis", "says"), WRONG, ids=[says for _, says in WRONG[1:]] + ["a text"])
def test_a_basis_that_is_not_whole_does_not_load(basis: Any, says: str) -> None:
    with pytest.raises(RuleBookError, match=says):
        forms.check_header(_header("nice-ta279", basis=basis))


def test_a_working_policy_without_a_basis_does_not_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copy(tmp_path)
    edit(root, "nice-ta279/ruleset.yaml", "\nbasis: ", "\n# basis: ")
    book = rulebook.load(root)
    monkeypatch.setattr(casebook, "check_rule", lambda *_: ())  # which runs the cases of every rule
    monkeypatch.setattr(casebook, "too_weak", lambda _: ())
    (fault,) = casebook.check(root, book)
    assert (fault.where, fault.what) == ("nice-ta279/ruleset.yaml", "a clinical policy says what it rests on")


def test_a_set_that_was_frozen_before_there_was_a_basis_still_reads() -> None:
    forms.check_header(_header("candidacy", basis=None))


@every_policy
def test_no_source_stands_behind_a_policy_that_was_only_remembered(policy: RuleSet) -> None:
    rules: list[Rule] = [rule for rule in policy.rules() if rule.document is not None]
    cited = [one for rule in rules for one in (rule.document or {}).get("evidence", ())]
    assert {one["status"] for one in cited} <= {"read", "abstract", "secondary", "project-default"}
