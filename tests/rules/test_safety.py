"""What may never happen, whatever the facts: an alarm that falls silent, a loop that closes without its evidence."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.casefiles import AS_OF
from pathway.completions import representatives
from pathway.conditions import Leaf, leaves
from pathway.decide import decide
from pathway.episodes import person_episode_id
from pathway.facts import Fact, Reason, Value, unknown
from pathway.forms import Stratum
from pathway.kleene import evaluate
from pathway.rulebook import Rule
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, machines, of
from tests.rules.people import PATIENT, POOLS, Person, known, people, rounds, unknowns, values

ALERTS = {rule.id: rule for rule in of(Stratum.OBLIGATIONS) if rule.priority in ("stat", "asap")}
LEAKS = [id_ for id_ in BOOK.vocabulary.data if id_.startswith("leak-")]
ASKED = [id_ for id_ in LEAKS if id_ not in ("leak-intradural", "leak-heart-or-cava")]
"""The destinations that the operator's statement has to name; the other two are stated only where cement is there."""
ALIVE = known("deceased", False)
LIVING = people(most=6).map(lambda person: person.but(Scope.PATIENT, "patient", ALIVE))
CEMENTED = LIVING.map(lambda person: replace(person, treated={"L1": {}}))


def obligations(person: Person) -> list[dict[str, Any]]:
    return decide(person.case(), machines()).body["obligations"]


def states(person: Person) -> dict[tuple[str, str], str]:
    """Open and closed obligations by episode and rule."""
    return {(o["episode"], o["rule"]): o["state"] for o in obligations(person)}


def test_there_are_alerts() -> None:
    assert {"candidacy.neurology-emergency", "candidacy.work-up-cause", "after-cement.level-discrepancy"} <= set(ALERTS)


# --- learning one more datum never turns an alert into silence, unless that datum contradicts it


def contradicts(before: Fact, learned: Value) -> bool:
    """Whether an answer takes back what an unconfirmed record had said. A death ends every task."""
    died = before.datum == ALIVE.datum and learned is True
    return died or (before.reason is Reason.UNCONFIRMED and before.candidate != learned)


def facts_of(asked: list[Leaf]) -> list[Fact]:
    """Ways to know or not know one datum: each value, each as unconfirmed, not at all. A verdict is always there."""
    datum = asked[0].datum
    if datum.id not in BOOK.vocabulary.data:
        return [Fact(datum.id, verdict) for verdict in datum.values]
    found = [unknown(datum.id)]
    for value in representatives(datum, asked):
        found += [known(datum.id, value), unknown(datum.id, Reason.UNCONFIRMED, candidate=value, at=AS_OF)]
    return found


def fallen_silent(rule: Rule, asked: Mapping[str, list[Leaf]]) -> Iterator[tuple[str, Value]]:
    """Every way in which one answer turns an alert off that it does not contradict, over all views of the rule."""
    rings = {id_: facts_of(found) for id_, found in asked.items()}
    for facts in product(*rings.values()):
        view = {fact.datum: fact for fact in facts}
        if evaluate(rule.when, view, AS_OF) is not True:
            continue
        for fact in facts:
            for value in () if fact.known else representatives(asked[fact.datum][0].datum, asked[fact.datum]):
                later = {**view, fact.datum: known(fact.datum, value)}
                closed = rule.closed_by is not None and evaluate(rule.closed_by, later, AS_OF) is True
                if not (closed or evaluate(rule.when, later, AS_OF) or contradicts(fact, value)):
                    yield fact.datum, value


@pytest.mark.slow  # every view that the rule can see
@pytest.mark.parametrize("rule", ALERTS.values(), ids=list(ALERTS))
def test_no_answer_silences_an_alert_that_it_does_not_contradict(rule: Rule) -> None:
    asked: dict[str, list[Leaf]] = {}
    for leaf in leaves(rule.when):
        asked.setdefault(leaf.datum.id, []).append(leaf)
    if rule.closed_by is not None:
        closers = {leaf.datum.id: leaf for leaf in leaves(rule.closed_by)}
        asked |= {id_: asked.get(id_, [leaf]) for id_, leaf in closers.items()}
    assert list(fallen_silent(rule, asked)) == []


ALARMING = [
    *((Scope.PATIENT, fact) for fact in POOLS["neurology"] if "normal" not in (fact.value, fact.candidate)),
    *((Scope.PATIENT, known(sign, True)) for sign in ("leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble")),
    (Scope.TREATED_LEVEL, known("chest-symptom-after-cement", True)),
    (Scope.TREATED_LEVEL, known("saturation-after-cement", 88)),
    (Scope.TREATED_LEVEL, known("wound-after-cement", "discharge")),
    *((Scope.TREATED_LEVEL, known(leak, True)) for leak in LEAKS),
    *((Scope.TREATED_LEVEL, unknown(leak, Reason.UNCONFIRMED, candidate=True, at=AS_OF)) for leak in LEAKS),
    (Scope.TREATED_LEVEL, known("cemented-against-proof", "other-level-proven")),
]


@given(CEMENTED, st.sampled_from(ALARMING), st.randoms(use_true_random=False))
@rounds(3_000)
def test_one_more_answer_never_silences_an_open_alert(person: Person, alarm: tuple[Scope, Fact], rng: Any) -> None:
    person = replace(person, standing=True).but(alarm[0], "L1", alarm[1])
    before = {key for key, state in states(person).items() if state == "open" and key[1] in ALERTS}
    for scope, instance, datum in unknowns(person):
        value = rng.choice(values(datum))
        if contradicts(person.fact(scope, instance, datum.id), value):
            continue
        after = states(person.but(scope, instance, known(datum.id, value, timedelta(0))))
        assert before <= set(after), f"{datum.id} = {value}"


# --- named promises


@given(LIVING, st.sampled_from(["deficit", "cord-or-cauda"]), st.booleans(), st.integers(0, 90))
@rounds(3_000)
def test_a_neurological_deficit_is_never_without_an_emergency_task(
    person: Person, finding: str, confirmed: bool, days: int
) -> None:
    """With cement or without, whatever the outcome, and before anybody has confirmed it."""
    age = timedelta(days=days)
    suspected = unknown("neurology", Reason.UNCONFIRMED, candidate=finding, at=AS_OF - age)
    person = person.but(Scope.PATIENT, "patient", known("neurology", finding, age) if confirmed else suspected)
    found = [o for o in obligations(person) if o["rule"] == "candidacy.neurology-emergency"]
    assert [(o["state"], o["priority"], o["owner"]) for o in found] == [("open", "stat", "on-call")]


NERVE_SIGNS = [
    ("neurology", "deficit"), ("neurology", "cord-or-cauda"), ("leg-weakness", True), ("saddle-numbness", True),
    ("bladder-or-bowel-trouble", True), ("residual-urine", 200),
]  # fmt: skip


@given(CEMENTED, st.sampled_from(NERVE_SIGNS), st.booleans(), st.integers(0, 90))
@rounds(1_000)
def test_a_new_neurological_sign_after_cement_always_has_an_emergency_whatever_else_is_known(
    person: Person, sign: tuple[str, Value], confirmed: bool, days: int
) -> None:
    datum, value = sign
    at = AS_OF - timedelta(days=days)
    feared = unknown(datum, Reason.UNCONFIRMED, candidate=value, at=at)
    person = person.but(Scope.PATIENT, "patient", Fact(datum, value, at=at) if confirmed else feared)
    found = [o for o in obligations(person) if o["rule"] == "candidacy.neurology-emergency"]
    assert [(o["state"], o["priority"], o["owner"]) for o in found] == [("open", "stat", "on-call")]


@cache
def follow_up() -> tuple[Machine, ...]:
    """The one rule set that asks for what follows cement alone."""
    return tuple(machine for machine in machines() if machine.rule_set.id == "after-cement")


def followed_up(person: Person) -> list[dict[str, Any]]:
    return decide(person.case(), follow_up()).body["obligations"]


CHEST_SIGNS = [
    ("chest-symptom-after-cement", True, "chest-check-day"), ("saturation-after-cement", 92, "saturation-day"),
    ("saturation-after-cement", 70, "saturation-day"), ("pulse-after-cement", 120, "pulse-day"),
]  # fmt: skip
REASSURING = {
    "chest-symptom-after-cement": False, "chest-after-cement": "normal", "saturation-after-cement": 100,
    "saturation-day": 30, "pulse-after-cement": 60, "pulse-day": 30, "chest-check-day": 30, "leak-lungs": False,
    "leak-paravertebral-veins": False, "ct-after-cement": True, "pain-after-cement": Decimal(0),
    "days-since-cement": 30,
}  # fmt: skip


@given(CEMENTED, st.sampled_from(CHEST_SIGNS), st.integers(0, 30), st.integers(0, 90))
@rounds(2_000)
def test_nothing_that_reassures_silences_a_chest_sign_of_the_first_thirty_days(
    person: Person, sign: tuple[str, Value, str], day: int, days: int
) -> None:
    """A normal saturation or pulse, a clean CT, no leak, no pain, a normal check on record, or that it is long ago."""
    datum, value, when = sign
    age = timedelta(days=days)
    soothing = {d: known(d, v, timedelta(0)) for d, v in REASSURING.items() if d not in (datum, when)}
    facts = soothing | {datum: known(datum, value, age), when: known(when, day, age)}
    for fact in facts.values():
        person = person.but(Scope.TREATED_LEVEL, "L1", fact)
    found = [o for o in followed_up(person) if o["rule"] == "after-cement.chest-emergency"]
    assert [(o["state"], o["priority"], o["owner"]) for o in found] == [("open", "stat", "on-call")]


@given(CEMENTED, st.sampled_from(["highest-temperature", "night-pain", "wound-after-cement"]))
@rounds(1_000)
def test_a_sign_of_infection_in_its_time_always_has_its_search(person: Person, datum: str) -> None:
    """Whatever the screen before cement and the markers say."""
    signs: dict[str, Value] = {
        "highest-temperature": Decimal("38.0"), "night-pain": True, "wound-after-cement": "discharge",
    }  # fmt: skip
    scope = Scope.TREATED_LEVEL if datum == "wound-after-cement" else Scope.PATIENT
    person = person.but(Scope.TREATED_LEVEL, "L1", known("days-since-cement", 20))
    person = person.but(scope, "L1", known(datum, signs[datum]))
    found = {(o["episode"], o["rule"]): o["state"] for o in followed_up(person)}
    assert found["procedure-L1", "after-cement.infection-work-up"] == "open"


CARE = {
    "osteoporosis-referral": ("osteoporosis-referral", "kept"), "treatment": ("osteoporosis-treatment", "dispensed"),
}  # fmt: skip
"""Rules of the care after cement -> the datum that ends each, and the one value that does."""
OF_FRACTURE = {
    "fracture-referral": ("fracture-referral", "kept"), "fracture-treatment": ("fracture-treatment", "dispensed"),
}  # fmt: skip


@cache
def bone_care() -> tuple[Machine, ...]:
    return tuple(machine for machine in machines() if machine.rule_set.id == "bone-health")


def of_the_bone(person: Person) -> dict[tuple[str, str], str]:
    found = decide(person.case(), bone_care()).body["obligations"]
    return {(o["episode"], o["rule"].removeprefix("bone-health.")): o["state"] for o in found}


@given(CEMENTED, st.data(), st.integers(0, 20_000))
@rounds(3_000)
def test_cement_in_an_osteoporotic_or_unstated_vertebra_leaves_its_care_open_until_evidence(
    person: Person, data: st.DataObject, days: int
) -> None:
    """An order closes nothing, nor does time, however many days after cement."""
    cause = data.draw(st.sampled_from(POOLS["treated-cause"]))
    facts = {datum: data.draw(st.sampled_from(POOLS[datum])) for datum, _ in CARE.values()}
    for fact in (known("days-since-cement", days), cause, *facts.values()):
        person = person.but(Scope.TREATED_LEVEL, "L1", fact)
    found = of_the_bone(person)
    if cause.value in (None, "osteoporotic", "other-disease"):
        for rule, (datum, ends) in CARE.items():
            assert found.get(("procedure-L1", rule)) == ("closed" if facts[datum].value == ends else "open")
        placed = facts["osteoporosis-referral"].value in ("placed", "kept")
        assert found.get(("procedure-L1", "place-referral")) == ("closed" if placed else "open")


@given(CEMENTED, st.sampled_from(POOLS["oncology-bone-plan"]))
@rounds(1_500)
def test_cement_in_a_tumour_always_has_oncologys_plan_open_until_it_is_there(person: Person, plan: Fact) -> None:
    for fact in (known("treated-cause", "neoplastic"), known("days-since-cement", 3)):
        person = person.but(Scope.TREATED_LEVEL, "L1", fact)
    found = of_the_bone(person.but(Scope.PATIENT, "patient", plan))
    assert found["procedure-L1", "oncology-plan"] == ("closed" if plan.value is True else "open")


@given(LIVING, st.data())
@rounds(3_000)
def test_a_fracture_that_was_never_cemented_keeps_its_care_open_until_evidence(
    person: Person, data: st.DataObject
) -> None:
    person = replace(person, levels={"L1": dict(person.levels.get("L1", {}))}, treated={})
    facts = {datum: data.draw(st.sampled_from(POOLS[datum])) for datum, _ in OF_FRACTURE.values()}
    cause = data.draw(st.sampled_from([f for f in POOLS["fracture-cause"] if f.value in (None, "osteoporotic")]))
    seen = known("fracture-evidence", data.draw(st.sampled_from(["diagnosed", "acute-imaging"])))
    for fact in (known("bone-care-by-cement", value=False), cause, seen, *facts.values()):
        person = person.but(Scope.LEVEL, "L1", fact)
    found = of_the_bone(person)
    for rule, (datum, ends) in OF_FRACTURE.items():
        state = "closed" if facts[datum].value == ends else "open"
        assert found.get((person_episode_id(PATIENT), rule)) == state


@pytest.mark.parametrize("datum", [*ASKED, "neurology-after-cement", "chest-after-cement"])
@given(person=CEMENTED)
@rounds(500)
def test_a_leak_check_never_closes_on_something_that_nobody_stated(datum: str, person: Person) -> None:
    """So a clean plain film, about which there is no datum, never closes it."""
    for fact in POOLS[datum]:
        if not fact.known:
            assert (
                states(person.but(Scope.TREATED_LEVEL, "L1", fact)).get(("procedure-L1", "after-cement.leak-check"))
                != "closed"
            )


@given(CEMENTED)
@rounds(3_000)
def test_every_cement_of_the_last_year_has_its_leak_check(person: Person) -> None:
    person = person.but(Scope.TREATED_LEVEL, "L1", known("days-since-cement", 365))
    assert ("procedure-L1", "after-cement.leak-check") in states(person)


TOWARDS = [leak for leak in LEAKS if leak not in ("leak-disc", "leak-soft-tissue")]
EVIDENCE = (
    "ct-after-cement", "chest-ct-after-cement", "surgeon-after-cement", "heart-team", "embolism-place", "embolism-plan",
)  # fmt: skip
"""What CT, a surgeon or a physician may have said of a leak."""


@pytest.mark.parametrize("confirmed", [True, False])
@given(CEMENTED, st.sampled_from(TOWARDS))
@rounds(500)
def test_a_leak_towards_nerve_vein_lung_or_heart_leaves_something_open_until_there_is_evidence(
    confirmed: bool, person: Person, leak: str
) -> None:
    stated = known(leak, True) if confirmed else unknown(leak, Reason.UNCONFIRMED, candidate=True, at=AS_OF)
    for fact in (known("days-since-cement", 1), stated, *map(unknown, EVIDENCE)):
        person = person.but(Scope.TREATED_LEVEL, "L1", fact)
    assert states(person)[("procedure-L1", "after-cement.leak-check")] == "open"
