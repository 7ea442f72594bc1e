"""Whatever the facts: one outcome per level, the same bytes every time, and never cement against a gate."""

import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pathway.canonical import parse
from pathway.case import Case
from pathway.decide import decide
from pathway.facts import Fact, Interval, Reason, Value, unknown
from pathway.rulebook import from_document, load
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, CANDIDACY, RULES, copy, machines
from tests.rules.people import GOOD, POOLS, Person, known, people, rounds
from tests.rules.test_combinations import ALTERNATIVES, GATES, OF_FRAGILITY, OF_TUMOURS, OSTEOPOROTIC

WELL = Person({}, {"L1": {}}, {})
CEMENTED = Person({}, {"L1": {}}, {"L1": {}})
TUMOUR = Person({}, {"L1": {"fracture-cause": known("fracture-cause", "neoplastic")}}, {})
Said = tuple[str, Value]
READ_BY_GATES = sorted(
    {name for rule in CANDIDACY.criteria if rule.id in {*GATES} - OF_TUMOURS for name in rule.reads()}
)
READ_OF_TUMOURS = sorted(
    {name for rule in CANDIDACY.criteria if rule.id in {*GATES} - OF_FRAGILITY for name in rule.reads()}
)


def body(person: Person) -> dict[str, Any]:
    return dict(decide(person.case(), machines()).body)


def rows(person: Person) -> list[dict[str, Any]]:
    """The levels under the clinical policy."""
    return [row for row in body(person)["levels"] if row["policy"] == CANDIDACY.id]


def outcomes(person: Person) -> list[str]:
    return [row["outcome"] for row in rows(person)]


@given(people())
@example(WELL)
@example(CEMENTED)
@rounds(5_000)
def test_each_level_gets_exactly_one_outcome(person: Person) -> None:
    """Under every policy that is for everybody, and under those of a family that were chosen for this person."""
    case, made = person.case(), body(person)
    chosen = {id_ for choice in made["choices"] for id_ in choice["chosen"]}
    deciding = [one for one in BOOK.sets.values() if one.recommendations]
    policies = [one.id for one in deciding if not one.applies_to or one.id in chosen]
    expected = [(policy, sheet.level) for policy in policies for sheet in case.levels]
    assert [(row["policy"], row["level"]) for row in made["levels"]] == expected
    assert all(row["outcome"] in BOOK.sets[row["policy"]].hit_order for row in made["levels"])


@given(people(most=12))
@rounds(5_000)
def test_the_same_facts_give_the_same_bytes_in_any_order_and_on_replay(person: Person) -> None:
    made = decide(person.case(), machines())
    assert decide(person.case(order=-1), machines()).to_bytes() == made.to_bytes()
    again = Case.from_decision(BOOK.vocabulary, parse(made.to_bytes()))
    assert decide(again, machines()).to_bytes() == made.to_bytes()


def test_a_plain_candidate_is_one() -> None:
    assert outcomes(WELL) == ["candidate"]


@pytest.mark.parametrize("datum", READ_BY_GATES)
def test_no_gate_with_an_unknown_datum_yields_candidate(datum: str) -> None:
    """Every way of not knowing one datum of an otherwise plain candidate; the length of care has a way round it."""
    scope = BOOK.vocabulary[datum].scope
    ways = [fact for fact in POOLS[datum] if not fact.known]
    assert {fact.reason for fact in ways} == set(Reason)
    assert [fact for fact in ways if outcomes(WELL.but(scope, "L1", fact)) == ["candidate"]] == []


@pytest.mark.parametrize("datum", READ_OF_TUMOURS)
def test_no_gate_of_a_tumour_with_an_unknown_datum_yields_candidate(datum: str) -> None:
    assert outcomes(TUMOUR) == ["candidate"]
    scope = BOOK.vocabulary[datum].scope
    ways = [fact for fact in POOLS[datum] if not fact.known]
    assert [fact for fact in ways if outcomes(TUMOUR.but(scope, "L1", fact)) == ["candidate"]] == []


@given(people(most=2), st.booleans())
@rounds(5_000)
def test_a_candidate_has_met_every_gate_of_its_branch(person: Person, tumour: bool) -> None:
    if tumour:
        person = replace(
            person, levels={level: {**TUMOUR.levels["L1"], **person.levels[level]} for level in person.levels}
        )
    for row in rows(person):
        verdicts = {criterion["id"]: criterion["verdict"] for criterion in row["criteria"]}
        idle = OF_TUMOURS if verdicts[OSTEOPOROTIC] == "met" else OF_FRAGILITY
        gates = [gate for gate in GATES if gate not in idle]
        open_ = [
            gate for gate in gates if verdicts[gate] != "met" and verdicts.get(ALTERNATIVES.get(gate, "")) != "met"
        ]
        assert row["outcome"] != "candidate" or open_ == []


@pytest.mark.parametrize("datum", ["infection", "pregnancy"])
@given(person=people(most=3))
@rounds(2_000)
def test_an_absolute_contraindication_never_coexists_with_candidate(datum: str, person: Person) -> None:
    for fact in (known(datum, True), unknown(datum, Reason.UNCONFIRMED, candidate=True)):
        assert "candidate" not in outcomes(person.but(Scope.PATIENT, "patient", fact))


REACHED: dict[str, tuple[tuple[Scope, str, Any], ...]] = {
    "out-of-scope": ((Scope.PATIENT, "age", 17),),
    "contraindicated": ((Scope.PATIENT, "infection", True),),
    "not-a-candidate": ((Scope.LEVEL, "acuity-imaging", "none"),),
    "needs-specialist-review": ((Scope.LEVEL, "fracture-cause", "other-disease"),),
    "insufficient-data": ((Scope.PATIENT, "neurology", None),),
    "defer": ((Scope.LEVEL, "conservative-care-days", 20),),
    "candidate": ((Scope.LEVEL, "conservative-care-days", 21),),
}


@pytest.mark.parametrize("outcome", CANDIDACY.hit_order)
def test_facts_lead_to_every_outcome(outcome: str) -> None:
    person = WELL
    for scope, datum, value in REACHED[outcome]:
        person = person.but(scope, "L1", unknown(datum) if value is None else known(datum, value))
    assert outcomes(person) == [outcome]


def test_the_order_of_rule_files_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    glob, rng = Path.glob, random.Random(7)

    def shuffled(self: Path, pattern: str) -> Iterator[Path]:
        found = list(glob(self, pattern))
        rng.shuffle(found)
        return iter(found)

    before = decide(CEMENTED.case(), machines()).to_bytes()
    monkeypatch.setattr(Path, "glob", shuffled)
    again = load(RULES)
    assert {id_: one.sha256 for id_, one in again.sets.items()} == {id_: one.sha256 for id_, one in BOOK.sets.items()}
    assert decide(CEMENTED.case(), [Machine(one) for one in again.sets.values()]).to_bytes() == before


def test_the_place_of_the_rules_folder_changes_no_byte(tmp_path: Path) -> None:
    assert [s.sha256 for s in load(copy(tmp_path)).sets.values()] == [s.sha256 for s in BOOK.sets.values()]


@given(people(most=6))
@rounds(2_000)
def test_the_order_of_rules_in_a_release_changes_no_conclusion(person: Person) -> None:
    """Beyond the hash of the release, which names its document: outcomes, verdicts and obligations are the same."""
    turned = dict(decide(person.case(), backwards()).body)
    assert _conclusions(turned) == _conclusions(body(person))


@cache
def backwards() -> tuple[Machine, ...]:
    documents = ({**one.document, "rules": one.document["rules"][::-1]} for one in BOOK.sets.values())
    return tuple(Machine(from_document(document)) for document in documents)


def _conclusions(found: dict[str, Any]) -> object:
    levels = [
        (
            row["level"],
            row["outcome"],
            {c["id"]: c["verdict"] for c in row["criteria"]},
            {m["datum"] for m in row["missing"]},
        )
        for row in found["levels"]
    ]
    return levels, [(o["rule"], o["episode"], o["state"], o["due"]) for o in found["obligations"]]


def test_the_plain_person_has_every_datum() -> None:
    assert set(GOOD) == set(BOOK.vocabulary.data)


def test_an_undated_answer_is_not_a_recent_one() -> None:
    person = WELL.but(Scope.PATIENT, "patient", Fact("pain-score", GOOD["pain-score"]))
    assert outcomes(person) == ["insufficient-data"]


@pytest.mark.parametrize("finding", [("pain-score", Decimal(2)), ("tenderness", "absent")])
def test_a_person_without_words_goes_to_a_specialist(finding: Said) -> None:
    """What proves an osteoporotic fracture harmless proves nothing about them."""
    assert outcomes(_with(WELL, ("self-report", False), finding)) == ["needs-specialist-review"]


OF_A_TUMOUR: list[tuple[str, tuple[Said, ...], str]] = [
    ("painful, unreliable and seen by a surgeon", (), "candidate"),
    ("no oedema, not tender, no weeks of care, pain falling",
     (("acuity-imaging", "none"), ("tenderness", "absent"),
      ("conservative-care-days", 0), ("pain-change", Decimal(-4))),
     "candidate"),
    ("stable", (("sins", Interval(6, 6)),), "not-a-candidate"),
    ("of 7", (("sins", Interval(7, 7)),), "candidate"),
    ("of 12", (("sins", Interval(12, 12)),), "candidate"),
    ("unstable", (("sins", Interval(13, 13)),), "needs-specialist-review"),
    ("an item of the score is missing and it may reach 7", (("sins", Interval(5, 8)),), "needs-specialist-review"),
    ("an item is missing and it may be unstable", (("sins", Interval(11, 14)),), "needs-specialist-review"),
    ("no surgeon was asked", (("surgeon-opinion", False),), "needs-specialist-review"),
    ("without pain", (("pain-score", Decimal(2)),), "not-a-candidate"),
    ("without pain and unstable", (("pain-score", Decimal(2)), ("sins", Interval(15, 15))), "needs-specialist-review"),
    ("stable, without words", (("sins", Interval(4, 4)), ("self-report", False)), "needs-specialist-review"),
    ("reaching into the canal", (("epidural-extension", True),), "needs-specialist-review"),
    ("with a destroyed pedicle, which the tumour explains", (("atypical-pattern", True),), "candidate"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "outcome"), [row[1:] for row in OF_A_TUMOUR], ids=[row[0] for row in OF_A_TUMOUR])
def test_a_vertebra_broken_through_a_tumour(said: tuple[Said, ...], outcome: str) -> None:
    assert outcomes(_with(TUMOUR, *said)) == [outcome]


def test_a_tumour_vertebra_that_nobody_scored_goes_to_a_surgeon_and_is_scored() -> None:
    person = TUMOUR.but(Scope.LEVEL, "L1", unknown("sins")).but(Scope.LEVEL, "L1", unknown("surgeon-opinion"))
    assert outcomes(person) == ["needs-specialist-review"]
    assert {"consult-surgeon", "specialist-review"} <= tasks(person)


@pytest.mark.parametrize("fact", [
    known("occult-tumour-signs", True), unknown("occult-tumour-signs", Reason.UNCONFIRMED, candidate=True),
    known("atypical-pattern", True), unknown("atypical-pattern", Reason.UNCONFIRMED, candidate=True),
])  # fmt: skip
@pytest.mark.parametrize("finding", [None, ("acuity-imaging", "none"), ("tenderness", "absent")])
def test_a_cause_in_doubt_is_held_and_worked_up(fact: Fact, finding: Said | None) -> None:
    """Also where a fragility fracture would be called healed: a hidden tumour need be neither hot nor tender."""
    person = _with(WELL, *([finding] if finding else [])).but(BOOK.vocabulary[fact.datum].scope, "L1", fact)
    assert outcomes(person) == ["needs-specialist-review"]
    assert "work-up-cause" in tasks(person)


def test_a_cause_that_nobody_settled_beside_a_metastasis_is_worked_up() -> None:
    person = WELL.but(Scope.LEVEL, "L1", unknown("fracture-cause", Reason.CONFLICTING))
    assert outcomes(person) == ["needs-specialist-review"]
    assert "work-up-cause" in tasks(person)
    assert outcomes(person.but(Scope.PATIENT, "patient", unknown("tumour-kind"))) == ["insufficient-data"]


def test_the_pain_of_something_else_refuses_and_a_suspicion_of_it_goes_to_a_specialist() -> None:
    assert outcomes(_with(WELL, ("pain-attribution", "something-else"))) == ["not-a-candidate"]
    suspected = unknown("pain-attribution", Reason.UNCONFIRMED, candidate="something-else")
    assert outcomes(WELL.but(Scope.LEVEL, "L1", suspected)) == ["needs-specialist-review"]
    assert outcomes(WELL.but(Scope.LEVEL, "L1", unknown("pain-attribution"))) == ["candidate"]


def test_flags_that_nobody_assessed_block_nothing_and_are_one_task() -> None:
    person = WELL
    flags = (
        "coagulopathy", "cement-allergy", "spinal-instability", "neural-impingement", "retropulsion", "height-loss",
        "cardiopulmonary-disease", "epidural-extension", "atypical-pattern", "pain-attribution", "levels-planned",
        "occult-tumour-signs",
    )  # fmt: skip
    for datum in flags:
        person = person.but(BOOK.vocabulary[datum].scope, "L1", unknown(datum))
    (row,) = rows(person)
    assert row["outcome"] == "candidate"
    assert len(row["notAssessed"]) == len(flags) + 1  # where the pain comes from is asked of two criteria
    asked = [o for o in body(person)["obligations"] if o["code"] == "assess-flags"]
    left = {"coagulopathy", "cement-allergy"}  # cement is ordered: these two stand on its checklist
    assert sum(len(o["why"]) - 1 for o in asked) == len(set(flags) - left)
    assert {o["rule"] for o in asked} == {"candidacy.assess-flags", "candidacy.assess-canal"}  # a tumour is on record
    assert "assess-flags" not in tasks(WELL)


def test_where_mri_is_unsafe_a_bone_scan_is_asked_for_instead() -> None:
    person = WELL.but(Scope.LEVEL, "L1", unknown("acuity-imaging"))
    assert {"order-spine-mri", "order-bone-scan"} & tasks(person) == {"order-spine-mri"}
    unsafe = person.but(Scope.PATIENT, "patient", known("mri-unsafe", True))
    assert {"order-spine-mri", "order-bone-scan"} & tasks(unsafe) == {"order-bone-scan"}


def test_a_cleft_is_not_oedema() -> None:
    assert outcomes(_with(WELL, ("acuity-imaging", "none"), ("cleft", True))) == ["not-a-candidate"]


def test_a_tumour_candidate_whose_claim_lacks_a_code_has_a_task_and_stays_a_candidate() -> None:
    person = _with(TUMOUR, ("tumour-claim-codes", "fracture-only"))
    assert outcomes(person) == ["candidate"]
    assert "code-tumour-claim" in tasks(person)
    assert "code-tumour-claim" not in tasks(TUMOUR)


@given(people(most=3))
@rounds(1_000)
def test_each_fracture_is_proven_for_itself(person: Person) -> None:
    """A vertebra without oedema and tenderness of its own is no candidate, whatever is proven of its neighbours."""
    proven = {**person.levels, "T12": {}, "L1": {}}
    for datum, value in (("acuity-imaging", "none"), ("tenderness", "absent")):
        fact = known(datum, value)
        beside = replace(person, levels={**proven, "L1": {datum: fact}})
        found = {row["level"]: row["outcome"] for row in rows(beside)}
        assert found["L1"] != "candidate"
        alone = replace(person, levels={"T12": {}})
        assert found["T12"] == {row["level"]: row["outcome"] for row in rows(alone)}["T12"]


def _with(person: Person, *said: Said) -> Person:
    for datum, value in said:
        person = person.but(BOOK.vocabulary[datum].scope, "L1", known(datum, value))
    return person


def tasks(person: Person) -> set[str]:
    """The open tasks, by code, with this policy acting."""
    found = decide(person.case(), machines(), acting=CANDIDACY.id).body["obligations"]
    return {o["code"] for o in found if o["state"] == "open"}
