"""Proofs over every combination of criterion verdicts of `candidacy`; those of every rule set: test_every_set.py."""

import pytest

from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op, leaves
from pathway.forms import VERDICTS
from tests.rules import proofs
from tests.rules.book import BOOK, CANDIDACY
from tests.rules.proofs import comes_to, counterexample, criteria_read, grouped, member, supposing
from tests.rules.walk import Verdict, walk

RULES = CANDIDACY.recommendations
DATA = criteria_read(CANDIDACY.id)

ALTERNATIVES = {"candidacy.care-given-its-time": "candidacy.wait-may-be-shorter"}
"""The one gate with a way round it: in hospital or bed-bound with pain not controlled, the wait may be shorter."""

OSTEOPOROTIC, TUMOUR = "shared.osteoporotic-fracture", "shared.tumour-fracture"
OF_TUMOURS = {
    TUMOUR, "candidacy.structurally-unreliable", "candidacy.not-unstable", "candidacy.surgeon-consulted",
}  # fmt: skip
OF_FRAGILITY = {
    OSTEOPOROTIC, "shared.tender-at-level", "shared.fresh-fracture", "candidacy.pain-not-falling",
    "candidacy.care-given-its-time",
}  # fmt: skip
"""The gates of one branch alone: a fragility fracture, or a fracture through a tumour. All others belong to both."""

ASKED_ELSEWHERE = {
    "shared.adult": "a missing birth date is mended at registration; it stands under missing",
    "shared.spine-level": "unknown only together with the vertebra's name, which is asked for",
    "shared.level-named": "never not-met: no source records that a vertebra is not named",
    "shared.osteoporotic-fracture": "unknown only together with the cause, which is asked for",
    "shared.tumour-fracture": "unknown only together with the cause, which is asked for",
    "candidacy.not-yet-cemented": "after-cement.name-cemented-level asks the operator",
    "candidacy.no-cement-before-onset": "a statement about the record, which the builder always makes",
    "shared.alive": "a statement about the record, which the builder always makes",
}
"""Gates whose gap opens no task in this rule set, and why."""


def verdict(criterion: str, *codes: str) -> Leaf:
    return proofs.verdict(CANDIDACY, criterion, *codes)


def test_the_hit_order_is_the_default_of_clinical_policies() -> None:
    assert CANDIDACY.hit_order == (
        "out-of-scope", "contraindicated", "not-a-candidate", "needs-specialist-review", "insufficient-data", "defer",
        "candidate",
    )  # fmt: skip


def test_candidate_needs_no_hit_order() -> None:
    """Where it is possible nothing else is, so that no slip in the order can let it overtake a refusal."""
    fired = list(grouped(CANDIDACY.id))
    places = [place for place, rule in enumerate(RULES) if rule.outcome == "candidate"]
    assert len(places) == 2
    assert [v for v in fired if any(v[place] for place in places) and v.count(True) > 1] == []


GATES = [rule.id for rule in CANDIDACY.criteria if rule.role == "gate"]


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_that_is_unknown_or_not_met_yields_candidate(gate: str) -> None:
    probe: Condition = verdict(gate, "unknown", "not-met")
    if gate in ALTERNATIVES:
        probe = All((probe, verdict(ALTERNATIVES[gate], "unknown", "not-met")))
    if gate in OF_TUMOURS:
        probe = All((probe, verdict(OSTEOPOROTIC, "not-met", "unknown")))
    if gate in OF_FRAGILITY:
        probe = All((probe, verdict(TUMOUR, "not-met", "unknown")))
    assert counterexample(CANDIDACY, All((comes_to(CANDIDACY, "candidate"), probe))) is None


def test_nothing_but_its_own_branch_makes_a_candidate() -> None:
    """A fragility fracture that is none needs the whole of the tumour's branch, and no oedema or tenderness then."""
    no_fragility = verdict(OSTEOPOROTIC, "not-met", "unknown")
    for gate in OF_TUMOURS:
        wrong = All((comes_to(CANDIDACY, "candidate"), no_fragility, verdict(gate, "unknown", "not-met")))
        assert counterexample(CANDIDACY, wrong) is None
    idle = [verdict(gate, "unknown", "not-met") for gate in OF_FRAGILITY - {OSTEOPOROTIC}]
    assert counterexample(CANDIDACY, All((comes_to(CANDIDACY, "candidate"), no_fragility, *idle))) is not None


@pytest.mark.parametrize("criterion", ["shared.no-infection", "shared.not-pregnant"])
def test_an_absolute_contraindication_never_coexists_with_candidate(criterion: str) -> None:
    wrong = All((verdict(criterion, "not-met"), Not(comes_to(CANDIDACY, "out-of-scope", "contraindicated"))))
    assert counterexample(CANDIDACY, wrong) is None


def test_what_is_fully_known_is_never_insufficient() -> None:
    known = [verdict(id_, "met", "not-met") for id_ in DATA if id_ != "shared.level-named"]
    known += [verdict("shared.level-named", "met")]
    assert counterexample(CANDIDACY, All((comes_to(CANDIDACY, "insufficient-data"), *known))) is None


def test_insufficient_data_on_a_current_fracture_always_has_a_task() -> None:
    """Someone is asked for what is missing, whatever else is known; the gates asked elsewhere say where."""

    def now(condition: Condition) -> Condition:
        current = supposing(condition, "candidacy.spoken-of-lately", "met")
        return supposing(current, "outcome", "insufficient-data")

    tasks = [rule for rule in CANDIDACY.obligations if "outcome" in rule.reads() and rule.closed_by is not None]
    opened = AnyOf(tuple(All((now(rule.when), Not(now(rule.closed_by or All(()))))) for rule in tasks))
    elsewhere = AnyOf(tuple(verdict(gate, "unknown", "not-met") for gate in ASKED_ELSEWHERE))
    silent = All((comes_to(CANDIDACY, "insufficient-data"), Not(opened), Not(elsewhere)))
    data = {leaf.datum.id for leaf in leaves(opened)} & set(BOOK.vocabulary.data)
    answers: dict[str, tuple[str | None, ...]] = dict.fromkeys(data, (None,))
    answers |= {"mri-unsafe": ("unsafe", "safe", "silent")}
    answers |= dict.fromkeys((rule.id for rule in CANDIDACY.criteria), VERDICTS)
    groups = walk([silent], answers, answered)
    assert {verdicts: group.example for verdicts, group in groups.items() if verdicts != (False,)} == {}


def answered(leaf: Leaf, answer: str | None) -> Verdict:
    """As `member`; whether MRI is unsafe, safe or not recorded decides which study is ordered."""
    if leaf.datum.id != "mri-unsafe":
        return member(leaf, answer)
    if leaf.op is Op.RECORDED:
        return (answer != "silent") is leaf.operand
    return None if answer == "silent" else (answer == "unsafe") is leaf.operand
