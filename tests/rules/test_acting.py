"""One clinical policy acts: its obligations become tasks. The others only give verdicts; other kinds always act."""

from functools import cache
from typing import Any

import pytest

from pathway.canonical import parse
from pathway.case import Case
from pathway.decide import decide
from pathway.facts import unknown
from pathway.panel import Panel
from pathway.strata import Machine
from pathway.trace import explain_decision
from pathway.vocabulary import Scope
from tests.rules.book import BOOK
from tests.rules.people import Person, known

SETS = ("candidacy", "nice-ta279", "pre-procedure", "considerations", "after-cement")
WELL = Person({}, {"L1": {}}, {"L1": {}})
UNSURE = WELL.but(Scope.PATIENT, "patient", unknown("pain-score")).but(Scope.PATIENT, "patient", unknown("platelets"))
DEFICIT = WELL.but(Scope.PATIENT, "patient", known("neurology", "deficit"))
EMERGENCY = "candidacy.neurology-emergency"


@cache
def machines() -> tuple[Machine, ...]:
    return tuple(Machine(BOOK.sets[id_]) for id_ in SETS)


def body(person: Person, acting: str = "", chosen: tuple[Machine, ...] | None = None) -> dict[str, Any]:
    return dict(decide(person.case(), machines() if chosen is None else chosen, acting=acting).body)


def asked_by(made: dict[str, Any]) -> set[str]:
    """The rule sets whose own rules ask for something."""
    return {obligation["rule"].partition(".")[0] for obligation in made["obligations"] if obligation["state"] == "open"}


@pytest.mark.parametrize(("acting", "silent"), [("candidacy", "nice-ta279"), ("nice-ta279", "candidacy")])
def test_only_the_acting_policy_asks_for_something(acting: str, silent: str) -> None:
    asked = asked_by(body(UNSURE, acting))
    assert acting in asked
    assert silent not in asked
    assert "pre-procedure" in asked, "other kinds always act"


@pytest.mark.parametrize("acting", ["candidacy", "nice-ta279"])
def test_every_policy_gives_its_verdict_whichever_acts(acting: str) -> None:
    assert body(UNSURE, acting)["levels"] == body(UNSURE)["levels"]
    assert body(UNSURE, acting)["considerations"] == body(UNSURE)["considerations"]


def test_without_an_acting_policy_all_of_them_act_and_the_body_does_not_name_one() -> None:
    made = body(UNSURE)
    assert {"candidacy", "nice-ta279"} <= asked_by(made)
    assert "acting" not in made


@pytest.mark.parametrize("acting", ["", "candidacy", "nice-ta279"])
def test_an_emergency_is_one_obligation_whichever_policy_acts(acting: str) -> None:
    (found,) = (one for one in body(DEFICIT, acting)["obligations"] if one["rule"] == EMERGENCY)
    assert (found["state"], found["owner"], found["priority"]) == ("open", "on-call", "stat")


def test_an_emergency_fires_where_no_clinical_policy_runs() -> None:
    only = tuple(machine for machine in machines() if machine.rule_set.kind == "safety")
    (found,) = (one for one in body(DEFICIT, "candidacy", only)["obligations"] if one["rule"] == EMERGENCY)
    assert (found["state"], found["release"].partition("|")[0]) == ("open", "pre-procedure")


def test_the_order_of_rule_sets_changes_nothing_about_an_emergency() -> None:
    there, back = body(DEFICIT), body(DEFICIT, chosen=machines()[::-1])
    assert there["obligations"] == back["obligations"]


def test_where_the_acting_policy_did_not_run_none_takes_its_place() -> None:
    rest = tuple(machine for machine in machines() if machine.rule_set.id != "candidacy")
    not_run = [{"ruleSet": "candidacy", "code": "switched-off", "why": "for a test"}]
    made = decide(UNSURE.case(), rest, not_run, acting="candidacy").body
    assert "nice-ta279" not in asked_by(dict(made))
    assert (made["acting"], made["notRun"]) == ("candidacy", not_run)


@pytest.mark.parametrize("acting", ["", "candidacy"])
def test_a_decision_replays_byte_for_byte_alone_and_at_a_panel(acting: str) -> None:
    made = decide(UNSURE.case(), machines(), acting=acting).to_bytes()
    again = Case.from_decision(BOOK.vocabulary, parse(made))
    assert decide(again, machines(), acting=parse(made).get("acting", "")).to_bytes() == made
    panel = Panel(machines())
    assert decide(again, panel, acting=acting).to_bytes() == made
    panel.close()


# --- what a set of considerations says


def test_considerations_stand_apart_from_verdicts_with_what_is_not_recorded() -> None:
    person = WELL.but(Scope.LEVEL, "L1", unknown("morphology")).but(Scope.TREATED_LEVEL, "L1", unknown("sedation"))
    made = body(person, "candidacy")
    level, treated = made["considerations"]
    assert [row["ruleSet"] for row in (level, treated)] == ["considerations"] * 2
    assert (level["instance"], treated["instance"]) == ("L1", "event@L1")
    said = {c["id"]: (c["verdict"], c["message"]) for row in (level, treated) for c in row["criteria"]}
    assert said["considerations.morphology"] == ("unknown", "Shape of L1: not recorded")
    assert said["considerations.sedation"] == ("unknown", "Sedation at L1: not recorded")
    assert set(said) == {rule.id for rule in BOOK.sets["considerations"].criteria}
    assert not [row for row in (*made["levels"], *made["treated"]) if "considerations" in row.values()]


def test_the_trace_of_considerations_gives_their_comparisons() -> None:
    made = body(WELL, "candidacy")
    trace = explain_decision(made, [machine.rule_set for machine in machines()])
    assert [sheet.level for sheet in trace.considerations] == ["L1", "L1"]
    (cleft,) = (
        one for sheet in trace.considerations for one in sheet.criteria if one.rule.id == "considerations.cleft"
    )
    assert (cleft.verdict, cleft.comparisons[0].datum) == ("not-met", "cleft")


def test_verdicts_of_other_kinds_say_their_kind() -> None:
    kinds = {row["policy"]: row.get("kind") for row in body(WELL)["levels"]}
    assert kinds == {"candidacy": None, "nice-ta279": None, "pre-procedure": "safety"}
