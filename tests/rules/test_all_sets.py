"""What may never be, over all rule sets together: proved over every combination of verdicts, random over facts.

Nothing here names a policy, so that a rule set added tomorrow is held to the same.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.canonical import canonical
from pathway.conditions import All, Condition, Not
from pathway.decide import decide
from pathway.facts import Fact, Interval, Reason, unknown
from pathway.rulebook import RuleSet
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, machines
from tests.rules.people import POOLS, Person, known, people, rounds
from tests.rules.proofs import comes_to, counterexample, supposing, verdict
from tests.world import case_of, person

CLINICAL = [one for one in BOOK.sets.values() if one.kind == "clinical"]
TREATING = [one for one in CLINICAL if "candidate" in one.hit_order]
every_policy = pytest.mark.parametrize("policy", CLINICAL, ids=lambda one: one.id)
every_treating_policy = pytest.mark.parametrize("policy", TREATING, ids=lambda one: one.id)

NOT_KNOWN = object()
"""As a fact: not recorded."""

ABSOLUTE = ("shared.no-infection", "shared.not-pregnant")
GATES = (
    *ABSOLUTE, "shared.alive", "shared.adult", "shared.spine-level", "shared.level-named", "shared.cause-in-scope",
    "shared.self-report", "shared.neurology-intact", "candidacy.not-yet-cemented", "candidacy.no-cement-before-onset",
)  # fmt: skip
"""What has to be shown of everybody before any policy says candidate."""
FLAGGED = next(rule for one in CLINICAL for rule in one.recommendations if rule.id == "shared.outcome-flagged")
FLAGS = tuple(id_ for id_ in FLAGGED.reads() if id_ not in GATES)
"""What needs a documented reason, whatever the policy."""
READ_BY_GATES = sorted({name for one in CLINICAL for r in one.criteria if r.id in GATES for name in r.reads()})


# --- proved: for every combination of the verdicts of all criteria, under each policy


def never(policy: RuleSet, *conditions: Condition) -> None:
    assert counterexample(policy, All(conditions)) is None


def test_there_are_flags_gates_and_several_policies() -> None:
    assert len(FLAGS) == 11
    assert len(CLINICAL) > 1
    assert {"infection", "pregnancy", "neurology", "self-report", "deceased"} <= set(READ_BY_GATES)


@every_treating_policy
def test_a_candidate_can_be_reached_and_has_passed_every_gate(policy: RuleSet) -> None:
    candidate = comes_to(policy, "candidate")
    assert counterexample(policy, candidate) is not None
    for gate in GATES:
        never(policy, candidate, verdict(policy, gate, "unknown", "not-met"))


@every_treating_policy
def test_a_gate_that_is_unknown_passes_only_where_no_answer_would_matter(policy: RuleSet) -> None:
    """Also the gates of one policy or one branch alone: candidate on a gap means candidate whatever fills it."""
    candidate = comes_to(policy, "candidate")
    for gate in (rule.id for rule in policy.criteria if rule.role == "gate"):
        whatever = [supposing(candidate, gate, answer) for answer in ("met", "not-met")]
        never(policy, supposing(candidate, gate, "unknown"), Not(All(tuple(whatever))))


@every_treating_policy
def test_a_flag_without_its_reason_is_never_a_candidates_and_an_unknown_one_blocks_nothing(policy: RuleSet) -> None:
    candidate = comes_to(policy, "candidate")
    for flag in FLAGS:
        never(policy, candidate, verdict(policy, flag, "not-met"))
        never(policy, supposing(candidate, flag, "met"), Not(supposing(candidate, flag, "unknown")))


@every_policy
def test_an_absolute_contraindication_comes_before_everything_but_scope(policy: RuleSet) -> None:
    for criterion in ABSOLUTE:
        never(
            policy, verdict(policy, criterion, "not-met"), Not(comes_to(policy, "contraindicated", "out-of-scope")),
        )  # fmt: skip


@every_policy
@pytest.mark.parametrize("gate", ["shared.neurology-intact", "shared.self-report"])
def test_a_deficit_or_a_person_without_words_is_never_left_to_the_rules(policy: RuleSet, gate: str) -> None:
    """No candidate, nothing deferred, nothing asked for instead: a specialist, unless something else refuses."""
    never(policy, verdict(policy, gate, "not-met"), comes_to(policy, "candidate", "defer", "insufficient-data"))


# --- random: whatever the facts of a chart


def clinical() -> tuple[Machine, ...]:
    return tuple(machine for machine in machines() if machine.rule_set.kind == "clinical")


def rows(someone: Person) -> list[Mapping[str, Any]]:
    """The levels under every clinical policy."""
    return list(decide(someone.case(), clinical()).body["levels"])


def outcomes(someone: Person) -> list[tuple[str, str, str]]:
    return [(row["policy"], row["level"], row["outcome"]) for row in rows(someone)]


@given(people(most=2))
@rounds(2_000)
def test_no_candidate_of_any_policy_has_an_open_gate_or_an_unexplained_flag(someone: Person) -> None:
    for row in rows(someone):
        verdicts = {criterion["id"]: criterion["verdict"] for criterion in row["criteria"]}
        if row["outcome"] == "candidate":
            assert {verdicts[gate] for gate in GATES} == {"met"}
            assert "not-met" not in {verdicts[flag] for flag in FLAGS}


@pytest.mark.slow  # each way of not knowing each datum, under every policy
@pytest.mark.parametrize("datum", READ_BY_GATES)
@pytest.mark.parametrize("cause", ["osteoporotic", "neoplastic"])
def test_no_policy_takes_a_gap_for_a_yes(datum: str, cause: str) -> None:
    someone = Person({}, {"L1": {"fracture-cause": known("fracture-cause", cause)}}, {})
    assert any(outcome == "candidate" for *_, outcome in outcomes(someone))
    ways = [fact for fact in POOLS[datum] if not fact.known]
    assert {fact.reason for fact in ways} == set(Reason)
    for fact in ways:
        changed = someone.but(BOOK.vocabulary[datum].scope, "L1", fact)
        assert [found for found in outcomes(changed) if found[2] == "candidate"] == []


BLOCKING = [
    *(fact for datum in ("infection", "pregnancy") for fact in POOLS[datum] if True in (fact.value, fact.candidate)),
    *(fact for fact in POOLS["neurology"] if {fact.value, fact.candidate} & {"deficit", "cord-or-cauda"}),
    known("self-report", False), unknown("self-report", Reason.UNCONFIRMED, candidate=False),
]  # fmt: skip


@given(people(most=3), st.sampled_from(BLOCKING))
@rounds(2_000)
def test_infection_pregnancy_a_deficit_or_missing_words_never_stand_beside_candidate(
    someone: Person, fact: Fact
) -> None:
    """Confirmed or suspected, of today or of last year, under every policy."""
    found = outcomes(someone.but(Scope.PATIENT, "patient", fact))
    assert [one for one in found if one[2] == "candidate"] == []


@given(people(most=2), st.sampled_from(POOLS["pain-score"]))
@rounds(1_000)
def test_a_score_decides_nothing_about_a_person_who_cannot_report_pain(someone: Person, score: Fact) -> None:
    """Least of all does a low one refuse: whatever stands there, the outcome is the same as with severe pain."""
    mute = someone.but(Scope.PATIENT, "patient", known("self-report", False))
    severe = mute.but(Scope.PATIENT, "patient", known("pain-score", Decimal(8)))
    assert outcomes(mute.but(Scope.PATIENT, "patient", score)) == outcomes(severe)


@pytest.mark.parametrize("cause", ["osteoporotic", "neoplastic"])
def test_whoever_a_policy_would_treat_goes_to_review_without_words(cause: str) -> None:
    someone = Person({}, {"L1": {"fracture-cause": known("fracture-cause", cause)}}, {})
    mute = someone.but(Scope.PATIENT, "patient", known("self-report", False))
    treated = [policy for policy, _, outcome in outcomes(someone) if outcome == "candidate"]
    assert treated
    without = {policy: outcome for policy, _, outcome in outcomes(mute)}
    assert {without[policy] for policy in treated} == {"needs-specialist-review"}


@pytest.mark.slow  # once for every policy that may act
@pytest.mark.parametrize("acting", [one.id for one in CLINICAL])
@pytest.mark.parametrize("finding", ["deficit", "cord-or-cauda"])
def test_a_deficit_is_an_emergency_whichever_policy_acts(acting: str, finding: str) -> None:
    for cemented in ({}, {"L1": {}}):
        someone = Person({"neurology": known("neurology", finding)}, {"L1": {}}, cemented)
        found = decide(someone.case(), machines(), acting=acting).body["obligations"]
        assert [o["state"] for o in found if o["rule"] == "candidacy.neurology-emergency"] == ["open"]


@given(people(most=4), st.sampled_from(CLINICAL))
@rounds(500)
def test_the_order_of_the_facts_changes_no_byte_whichever_policy_acts(someone: Person, acting: RuleSet) -> None:
    made = decide(someone.case(), machines(), acting=acting.id)
    assert decide(someone.case(order=-1), machines(), acting=acting.id).to_bytes() == made.to_bytes()


@given(people(most=4), st.randoms(use_true_random=False))
@rounds(500)
def test_what_one_policy_finds_does_not_hang_on_its_neighbours(someone: Person, rng: Any) -> None:
    """The order in which rule sets stand, and which stand there at all, changes no verdict of any of them."""
    some = rng.sample(clinical(), rng.randint(1, len(clinical())))
    whole = {(row["policy"], row["level"]): canonical(row) for row in rows(someone)}
    for row in decide(someone.case(), some).body["levels"]:
        assert canonical(row) == whole[row["policy"], row["level"]]


# --- whole charts, read as a sender wrote them


@pytest.mark.slow  # whole charts under every rule set
@pytest.mark.parametrize(("about", "asked"), [
    ({"gender": "male", "age": 40}, False), ({"gender": "male", "age": 78}, False),
    ({"gender": "female", "age": 78}, False), ({"gender": "female", "age": 36}, True),
])  # fmt: skip
def test_pregnancy_is_never_asked_of_a_man_or_of_a_woman_of_78(about: dict[str, Any], asked: bool) -> None:
    """Neither among what is missing, nor in the words of any task; the woman of 36 shows that it would be."""
    ask = BOOK.vocabulary["pregnancy"].ask
    words = BOOK.vocabulary.asks[ask].say
    for record in (
        person(**about).fracture("L1", 5),
        person(**about).fracture("L1", 30).pain(8, 1).tender("L1", True, 2),
    ):
        body = decide(case_of(record), machines()).body
        missing = [item["datum"] for row in body["levels"] for item in row["missing"]]
        said = [
            sentence
            for o in body["obligations"]
            for sentence in (*o["why"], *(i["ask"] for i in o.get("items", ()) if "ask" in i))
        ]
        assert ("pregnancy" in missing) is asked
        assert any(words in sentence for sentence in said) is asked


# --- a tumour vertebra that may give way (I-05)

UNHELD: list[Mapping[str, Any]] = [
    {"sins": Interval(13, 13), "surgeon-opinion": True},
    {"sins": Interval(18, 18), "surgeon-opinion": True},
    {"sins": Interval(12, 14), "surgeon-opinion": True},
    {"sins": Interval(7, 7), "surgeon-opinion": False},
    {"sins": Interval(12, 12), "surgeon-opinion": NOT_KNOWN},
    {"sins": Interval(4, 8), "surgeon-opinion": False},
    {"sins": NOT_KNOWN, "surgeon-opinion": False},
]
"""Plainly unstable, or perhaps so, or perhaps not reliable without a surgeon's opinion."""


def tumour(**facts: Any) -> Person:
    """A painful vertebra with a tumour, in order but for these facts."""
    made = Person({}, {"L1": {}}, {})
    rows = {"fracture-cause": "neoplastic", "pain-score": Decimal(8), **facts}
    for id_, value in rows.items():
        fact = unknown(id_) if value is NOT_KNOWN else known(id_, value)
        made = made.but(BOOK.vocabulary[id_].scope, "L1", fact)
    return made


@pytest.mark.parametrize("kind", ["myeloma", "metastasis"])
@pytest.mark.parametrize("facts", UNHELD, ids=range(len(UNHELD)))
def test_a_tumour_vertebra_that_may_give_way_is_nobodys_candidate(kind: str, facts: Mapping[str, Any]) -> None:
    found = outcomes(tumour(**{"tumour-kind": kind}, **facts))
    assert [row for row in found if row[2] == "candidate"] == []
    held = outcomes(tumour(**{"tumour-kind": kind, "sins": Interval(6, 6)}))
    assert [row for row in held if row[2] == "candidate"] != []


@pytest.mark.parametrize("kind", ["myeloma", "metastasis"])
def test_little_pain_refuses_no_plainly_unstable_tumour_vertebra(kind: str) -> None:
    someone = tumour(**{"tumour-kind": kind, "sins": Interval(15, 15), "pain-score": Decimal(2)})
    words = {policy: word for policy, _, word in outcomes(someone)}
    for policy in ("candidacy", "nass-neoplastic", *(["imwg-2019"] if kind == "myeloma" else [])):
        assert words[policy] == "needs-specialist-review"
