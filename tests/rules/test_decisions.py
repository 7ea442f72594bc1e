"""Whatever the facts: one outcome per level, the same bytes every time, and never cement against a gate."""

import random
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given

from pathway.canonical import parse
from pathway.case import Case
from pathway.decide import decide
from pathway.facts import Fact, Reason, Value, unknown
from pathway.rulebook import from_document, load
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, CANDIDACY, RULES, copy, machines
from tests.rules.people import GOOD, POOLS, Person, known, people, rounds
from tests.rules.test_combinations import ALTERNATIVES, GATES

WELL = Person({}, {"L1": {}}, {})
CEMENTED = Person({}, {"L1": {}}, {"L1": {}})
Said = tuple[str, Value]
READ_BY_GATES = sorted({name for rule in CANDIDACY.criteria if rule.role == "gate" for name in rule.reads()})


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
    """Under the clinical policy, and under the coverage that was chosen, if one was."""
    case, made = person.case(), body(person)
    policies = ["candidacy", *made["choices"][0]["chosen"]]
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


@given(people(most=2))
@rounds(5_000)
def test_a_candidate_has_met_every_gate(person: Person) -> None:
    for row in rows(person):
        verdicts = {criterion["id"]: criterion["verdict"] for criterion in row["criteria"]}
        open_ = [
            gate for gate in GATES if verdicts[gate] != "met" and verdicts.get(ALTERNATIVES.get(gate, "")) != "met"
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
    "needs-specialist-review": ((Scope.LEVEL, "fracture-cause", "neoplastic"),),
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


@pytest.mark.parametrize(
    ("about", "finding"),
    [
        (("fracture-cause", "neoplastic"), ("acuity-imaging", "none")),
        (("fracture-cause", "neoplastic"), ("tenderness", "absent")),
        (("self-report", False), ("pain-score", Decimal(2))),
        (("self-report", False), ("tenderness", "absent")),
    ],
)
def test_a_tumour_or_a_person_without_words_goes_to_a_specialist(about: Said, finding: Said) -> None:
    """What proves an osteoporotic fracture harmless proves nothing about them."""
    person = WELL
    for datum, value in (about, finding):
        person = person.but(BOOK.vocabulary[datum].scope, "L1", known(datum, value))
    assert outcomes(person) == ["needs-specialist-review"]
