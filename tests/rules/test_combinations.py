"""Proofs over every combination of criterion verdicts of `candidacy`; those of every rule set: test_every_set.py."""

import pytest

from pathway.conditions import All, AnyOf, Condition, Leaf, leaves
from pathway.forms import VERDICTS
from tests.rules import proofs
from tests.rules.book import BOOK, CANDIDACY
from tests.rules.proofs import criteria_read, grouped, member, picked
from tests.rules.walk import Group, Verdict, walk

RULES = CANDIDACY.recommendations
DATA = criteria_read(CANDIDACY.id)

ALTERNATIVES = {"candidacy.care-given-its-time": "candidacy.wait-may-be-shorter"}
"""The one gate with a way round it: in hospital or bed-bound with pain not controlled, the wait may be shorter."""

ASKED_ELSEWHERE = {
    "shared.adult": "a missing birth date is mended at registration; it stands under missing",
    "shared.spine-level": "unknown only together with the vertebra's name, which is asked for",
    "shared.level-named": "never not-met: no source records that a vertebra is not named",
    "shared.osteoporotic-fracture": "unknown only together with the cause, which is asked for",
    "candidacy.not-yet-cemented": "after-cement.name-cemented-level asks the operator",
    "candidacy.no-cement-before-onset": "a statement about the record, which the builder always makes",
    "shared.alive": "a statement about the record, which the builder always makes",
}
"""Gates whose gap opens no task in this rule set, and why."""


def verdict(criterion: str, *codes: str) -> Leaf:
    return proofs.verdict(CANDIDACY, criterion, *codes)


def every_combination(*probes: Condition) -> list[tuple[str, tuple[Verdict, ...], Group]]:
    return proofs.every_combination(CANDIDACY.id, *probes)


def test_the_hit_order_is_the_default_of_clinical_policies() -> None:
    assert CANDIDACY.hit_order == (
        "out-of-scope", "contraindicated", "not-a-candidate", "needs-specialist-review", "insufficient-data", "defer",
        "candidate",
    )  # fmt: skip


def test_candidate_needs_no_hit_order() -> None:
    """Where it is possible nothing else is, so that no slip in the order can let it overtake a refusal."""
    fired = list(grouped(CANDIDACY.id))
    place = [rule.outcome for rule in RULES].index("candidate")
    assert [verdicts for verdicts in fired if verdicts[place] and verdicts.count(True) > 1] == []


GATES = [rule.id for rule in CANDIDACY.criteria if rule.role == "gate"]


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_that_is_unknown_or_not_met_yields_candidate(gate: str) -> None:
    probe: Condition = verdict(gate, "unknown", "not-met")
    if gate in ALTERNATIVES:
        probe = All((probe, verdict(ALTERNATIVES[gate], "unknown", "not-met")))
    assert [g.example for outcome, (open_,), g in every_combination(probe) if open_ and outcome == "candidate"] == []


@pytest.mark.parametrize("criterion", ["shared.no-infection", "shared.not-pregnant"])
def test_an_absolute_contraindication_never_coexists_with_candidate(criterion: str) -> None:
    probe = verdict(criterion, "not-met")
    outcomes = {outcome for outcome, (forbidden,), _ in every_combination(probe) if forbidden}
    assert outcomes == {"out-of-scope", "contraindicated"}


def test_what_is_fully_known_is_never_insufficient() -> None:
    known = All(tuple(verdict(id_, "met", "not-met") for id_ in DATA if id_ != "shared.level-named"))
    probe = All((known, verdict("shared.level-named", "met")))
    assert "insufficient-data" not in {outcome for outcome, (holds,), _ in every_combination(probe) if holds}


def test_insufficient_data_on_a_current_fracture_always_has_a_task() -> None:
    """Someone is asked for what is missing, whatever else is known; the gates asked elsewhere say where."""
    tasks = [condition for rule in CANDIDACY.obligations for condition in rule.conditions()]
    names = {leaf.datum.id for condition in tasks for leaf in leaves(condition)}
    answers: dict[str, tuple[str | None, ...]] = dict.fromkeys((rule.id for rule in CANDIDACY.criteria), VERDICTS)
    answers |= {"candidacy.spoken-of-lately": ("met",), "outcome": ("insufficient-data",)}
    answers |= dict.fromkeys(names & set(BOOK.vocabulary.data), (None,))
    elsewhere = AnyOf(tuple(verdict(gate, "unknown", "not-met") for gate in ASKED_ELSEWHERE))
    groups = walk([*(rule.when for rule in RULES), *tasks, elsewhere], answers, member)
    silent: list[object] = []
    for verdicts, group in groups.items():
        rule, rest = picked(CANDIDACY, verdicts[: len(RULES)]), verdicts[len(RULES) :]
        opened = any(rest[n] is True and rest[n + 1] is not True for n in range(0, len(tasks), 2))
        if rule is not None and rule.outcome == "insufficient-data" and not opened and rest[-1] is not True:
            silent.append(group.example)
    assert silent == []
