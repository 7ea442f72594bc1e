"""What may never happen, whatever the facts: an alarm that falls silent, a loop that closes without its evidence."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathway.casefiles import AS_OF
from pathway.completions import representatives
from pathway.conditions import Leaf, leaves
from pathway.decide import decide
from pathway.facts import Fact, Reason, Value, unknown
from pathway.forms import Stratum
from pathway.kleene import evaluate
from pathway.rulebook import Rule
from pathway.vocabulary import Scope
from tests.rules.book import BOOK, machines, of
from tests.rules.people import POOLS, Person, known, people, rounds, unknowns, values

ALERTS = {rule.id: rule for rule in of(Stratum.OBLIGATIONS) if rule.priority in ("stat", "asap")}
LEAKS = [id_ for id_ in BOOK.vocabulary.data if id_.startswith("leak-")]
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


@given(CEMENTED, st.sampled_from(POOLS["osteoporosis-referral"]), st.sampled_from(POOLS["treated-cause"]))
@rounds(3_000)
def test_a_cemented_osteoporotic_level_has_an_open_or_honestly_closed_referral(
    person: Person, referral: Fact, cause: Fact
) -> None:
    for fact in (known("days-since-cement", 3), referral, cause):
        person = person.but(Scope.TREATED_LEVEL, "L1", fact)
    state = states(person).get(("procedure-L1", "bone-health.osteoporosis-referral"))
    if cause.value in (None, "osteoporotic"):
        assert state == ("closed" if referral.value == "kept" else "open")


@pytest.mark.parametrize("datum", [*LEAKS, "neurology-after-cement", "chest-after-cement"])
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
