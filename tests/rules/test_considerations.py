"""What to weigh: both techniques side by side, warnings, and never a ranking. The physician chooses."""

import re
from functools import cache
from typing import Any

import pytest

from pathway.decide import decide
from pathway.facts import unknown
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK
from tests.rules.people import Person, known

WEIGHED = BOOK.sets["considerations"]
RANKS = re.compile(
    r"recommend|should|must|prefer|choose|advis|better|best|superior|first choice|favou?r|instead|avoid|consider"
    r"|\buse\b|indicated",
    re.IGNORECASE,
)
"""Words by which a list would turn into advice."""

SIDE_BY_SIDE = ["extra-step", "cement-delivery", "height", "leak-risk"]
MESSAGES = [(rule.id, text) for rule in WEIGHED.criteria for text in rule.say.values()]


@cache
def machine() -> Machine:
    return Machine(WEIGHED)


def said(**facts: Any) -> dict[str, tuple[str, str]]:
    made = Person({}, {"L1": {}}, {"L1": {}})
    for name, value in facts.items():
        id_ = name.replace("_", "-")
        fact = unknown(id_) if value is None else known(id_, value)
        made = made.but(BOOK.vocabulary[id_].scope, "L1", fact)
    rows = decide(made.case(), [machine()]).body["considerations"]
    return {c["id"].partition(".")[2]: (c["verdict"], c["message"]) for row in rows for c in row["criteria"]}


@pytest.mark.parametrize(
    ("rule", "text"), MESSAGES, ids=[f"{rule}-{place}" for place, (rule, _) in enumerate(MESSAGES)]
)
def test_no_message_recommends(rule: str, text: str) -> None:
    assert RANKS.search(text) is None


@pytest.mark.parametrize("text", ["Kyphoplasty should be preferred", "the better technique", "Use viscous cement"])
def test_advice_would_be_found(text: str) -> None:
    assert RANKS.search(text)


@pytest.mark.parametrize("row", SIDE_BY_SIDE)
def test_each_row_names_both_techniques_in_one_breath(row: str) -> None:
    verdict, message = said()[row]
    assert verdict == "met"
    assert message.startswith("Vertebroplasty: ")
    assert "; kyphoplasty: " in message


def test_the_conflict_between_sources_stands_where_the_choice_is_open() -> None:
    message = said()["sources-disagree"][1]
    for source in ("NICE TA279", "AAOS 2010", "Cochrane 2018", "meta-analysis"):
        assert source in message
    assert said(cement_on_record=True)["sources-disagree"][0] == "not-met"


@pytest.mark.parametrize(
    ("facts", "met"),
    [({}, set()), ({"planned_technique": None}, set()), ({"days_since_onset": 13}, {"embolism-early"})],
    ids=["nothing makes it likelier", "one factor not recorded", "an early fracture"],
)
def test_embolism_risk(facts: dict[str, Any], met: set[str]) -> None:
    found = {name: verdict for name, (verdict, _) in said(**facts).items() if name.startswith("embolism-")}
    assert {name for name, verdict in found.items() if verdict == "met"} == met
    assert found["embolism-technique"] == ("unknown" if "planned_technique" in facts else "not-met")


@pytest.mark.parametrize("scope", [Scope.LEVEL, Scope.TREATED_LEVEL])
def test_a_code_for_another_region_warns(scope: Scope) -> None:
    datum, rule = {
        Scope.LEVEL: ("order_code_fits", "order-code-differs"),
        Scope.TREATED_LEVEL: ("procedure_code_fits", "procedure-code-differs"),
    }[scope]
    assert said(**{datum: False})[rule][0] == "met"
    assert said()[rule][0] == "not-met"


def test_what_was_not_recorded_of_a_procedure_says_so() -> None:
    names = ["technique-used", "guidance", "approach", "sedation", "stopped-for-leak", "cement-volume"]
    found = said(**{name.replace("-", "_"): None for name in names})
    assert {found[name][0] for name in names} == {"unknown"}
    assert all(found[name][1].endswith("not recorded") for name in names)


def test_a_set_of_considerations_asks_for_nothing_and_decides_nothing() -> None:
    body = decide(Person({}, {"L1": {}}, {"L1": {}}).case(), [machine()]).body
    assert (body["levels"], body["treated"], body["obligations"]) == ([], [], [])
