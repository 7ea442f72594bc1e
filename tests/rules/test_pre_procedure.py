"""Before cement: what holds it up, what is asked for, and what is never asked."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given

from adapters.demo.record import Record
from pathway.decide import decide
from pathway.facts import Fact, Reason, unknown
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.rules.book import BOOK
from tests.rules.people import Person, known, people, rounds
from tests.world import NOW, candidate, case_of

SAFETY = BOOK.sets["pre-procedure"]
WELL = Person({}, {"L1": {}}, {})
NOT_KNOWN = None
EVERY_GATE = [rule for rule in SAFETY.criteria if rule.role == "gate" and rule.id != "pre-procedure.inr-needed"]


@cache
def machine() -> Machine:
    return Machine(SAFETY)


def person(**facts: Any) -> Person:
    """Somebody for whom all is in order, but for these facts."""
    made = WELL
    for name, value in facts.items():
        id_ = name.replace("_", "-")
        fact = unknown(id_) if value is None else value if isinstance(value, Fact) else known(id_, value)
        made = made.but(BOOK.vocabulary[id_].scope, "L1", fact)
    return made


def body(made: Person) -> dict[str, Any]:
    return dict(decide(made.case(), [machine()]).body)


def row(made: Person) -> dict[str, Any]:
    (found,) = body(made)["levels"]
    return found


def outcome(**facts: Any) -> str:
    return row(person(**facts))["outcome"]


def items(made: dict[str, Any]) -> dict[str, str]:
    (found,) = (one for one in made["obligations"] if one["rule"] == "pre-procedure.checklist")
    return {item["id"].partition(".")[2]: item["verdict"] for item in found["items"]}


SUSPECTED = unknown("antithrombotic", Reason.UNCONFIRMED, candidate="anticoagulant")
HELD = {
    "antithrombotic": "anticoagulant", "antithrombotic_plan": "hold", "antithrombotic_restart": True,
    "thrombotic_risk": "not-high",
}  # fmt: skip
NO_PLAN = {"antithrombotic_plan": NOT_KNOWN, "antithrombotic_restart": NOT_KNOWN, "thrombotic_risk": NOT_KNOWN}

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("all is in order", {}, "ready"),
    ("an anticoagulant and INR 1.1 without a plan", {"antithrombotic": "anticoagulant", **NO_PLAN}, "not-ready"),
    ("an anticoagulant by its text alone, no plan", {"antithrombotic": SUSPECTED, **NO_PLAN}, "not-ready"),
    ("an anticoagulant that is held until a date", HELD, "ready"),
    ("a plan to hold without a date", {**HELD, "antithrombotic_restart": False}, "not-ready"),
    ("an anticoagulant that goes on", {**HELD, "antithrombotic_plan": "continue"}, "ready"),
    ("a high risk of thrombosis, not discussed",
     {**HELD, "thrombotic_risk": "high", "team_discussion": False}, "not-ready"),
    ("a high risk of thrombosis, discussed", {**HELD, "thrombotic_risk": "high"}, "ready"),
    ("a risk of thrombosis that nobody stated",
     {**HELD, "thrombotic_risk": NOT_KNOWN, "team_discussion": NOT_KNOWN}, "insufficient-data"),
    ("medicines that nobody reviewed", {"antithrombotic": NOT_KNOWN, **NO_PLAN}, "insufficient-data"),
    ("no INR and nothing that makes bleeding likelier", {"inr": NOT_KNOWN}, "ready"),
    ("no INR under a planned anticoagulant", {**HELD, "inr": NOT_KNOWN}, "insufficient-data"),
    ("no INR and liver disease", {"inr": NOT_KNOWN, "bleeding_risk": True}, "insufficient-data"),
    ("no INR and nobody asked for liver disease", {"inr": NOT_KNOWN, "bleeding_risk": NOT_KNOWN}, "insufficient-data"),
    ("no platelets", {"platelets": NOT_KNOWN}, "insufficient-data"),
    ("a coagulopathy on record", {"coagulopathy": True}, "not-ready"),
    ("raised markers without an explanation", {"inflammation_markers": "raised"}, "not-ready"),
    ("markers that nobody measured", {"inflammation_markers": NOT_KNOWN}, "ready"),
    ("an infection", {"infection": True}, "not-ready"),
    ("no neurological baseline", {"neurology": NOT_KNOWN}, "insufficient-data"),
    ("a deficit", {"neurology": "deficit"}, "not-ready"),
    ("a cleft without a CT of the posterior wall", {"cleft": True, "posterior_wall": NOT_KNOWN}, "ready"),
    ("bone in the canal without a reason", {"retropulsion": True}, "not-ready"),
    ("bone in the canal with a reason", {"retropulsion": True, "reason_despite_retropulsion": True}, "ready"),
    ("an order for another vertebra", {"cement_ordered_here": False}, "not-ready"),
    ("an order that names no vertebra", {"cement_ordered_here": NOT_KNOWN}, "insufficient-data"),
    ("a healed vertebra", {"acuity_imaging": "none"}, "not-ready"),
    ("a result that cannot be read", {"unusable_results": True}, "insufficient-data"),
    ("a doubt about lying prone", {"prone_and_sedation": "doubtful"}, "not-ready"),
    ("a pregnancy", {"pregnancy": True}, "not-ready"),
    ("no surgery in reach", {"surgical_rescue": False}, "not-ready"),
    ("no team discussion", {"team_discussion": NOT_KNOWN}, "ready"),
    ("a consent that kept silent about embolism", {"consent_embolism": False}, "not-ready"),
    ("no osteoporosis referral", {"bone_care_referral": NOT_KNOWN}, "ready"),
    ("an allergy to cement", {"cement_allergy": True}, "not-ready"),
    ("an allergy to contrast medium", {"contrast_allergy": True}, "ready"),
    ("no order", {"procedure_planned": False}, "not-ready"),
    ("a draft of an order", {"procedure_planned": NOT_KNOWN}, "insufficient-data"),
    ("somebody who died", {"deceased": True}, "not-ready"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_holds_cement_up(facts: dict[str, Any], expected: str) -> None:
    assert outcome(**facts) == expected


def test_without_an_order_nobody_is_asked_for_anything() -> None:
    made = body(person(procedure_planned=False, inr=NOT_KNOWN, platelets=NOT_KNOWN, surgical_rescue=NOT_KNOWN))
    assert made["levels"][0]["missing"] == []
    assert made["levels"][0]["reason"] == "No order for cement stands"
    assert [one["rule"] for one in made["obligations"] if one["state"] == "open"] == []


@given(people(most=3))
@rounds(2_000)
def test_who_is_ready_has_met_every_gate_and_no_flag_is_raised(made: Person) -> None:
    for level in body(made)["levels"]:
        verdicts = {criterion["id"]: criterion["verdict"] for criterion in level["criteria"]}
        open_ = {gate.id for gate in EVERY_GATE if verdicts[gate.id] != "met"}
        if verdicts["pre-procedure.inr-needed"] == "not-met" and verdicts["pre-procedure.inr"] == "unknown":
            open_ -= {"pre-procedure.inr"}
        raised = [rule.id for rule in SAFETY.criteria if rule.role == "flag" and verdicts[rule.id] == "not-met"]
        assert level["outcome"] != "ready" or (open_, raised) == (set(), [])


# --- the checklist


def test_one_task_with_its_items_and_not_thirteen() -> None:
    made = body(person(inr=NOT_KNOWN, platelets=30, consent_leak=NOT_KNOWN, prone_and_sedation=NOT_KNOWN))
    (task,) = (one for one in made["obligations"] if one["state"] == "open")
    assert (task["rule"], task["owner"], len(task["items"])) == ("pre-procedure.checklist", "nurse", 21)
    by_id = {item["id"].partition(".")[2]: item for item in task["items"]}
    assert by_id["inr"] == {"id": "pre-procedure.inr", "verdict": "unknown", "message": "INR not known: not recorded",
                            "ask": "Order INR and platelets"}  # fmt: skip
    assert by_id["platelets"]["verdict"] == "not-met"
    assert "ask" not in by_id["platelets"], "it is recorded; what to do about it stands in its message"
    assert by_id["consent-told"]["ask"].startswith("Consent: record what was told")
    assert "ask" not in by_id["surgical-rescue"]


def test_two_levels_make_one_task_and_an_item_open_at_one_is_open() -> None:
    two = Person({}, {"L1": {}, "L2": {"cleft": known("cleft", True), "posterior-wall": unknown("posterior-wall")}}, {})
    two = two.but(Scope.PATIENT, "patient", known("platelets", 30))
    made = body(two)
    assert items(made)["posterior-wall-seen"] == "not-met"
    (task,) = (one for one in made["obligations"] if one["rule"] == "pre-procedure.checklist")
    assert task["levels"] == ["L1", "L2"]


def test_ready_with_a_question_left_open_keeps_the_task_open() -> None:
    made = body(person(consent_leak=NOT_KNOWN))
    assert made["levels"][0]["outcome"] == "ready"
    assert [one["state"] for one in made["obligations"] if one["rule"] == "pre-procedure.checklist"] == ["open"]


def test_ready_and_answered_closes_it_and_so_does_cement() -> None:
    def states(made: Person) -> list[str]:
        return [one["state"] for one in body(made)["obligations"] if one["rule"] == "pre-procedure.checklist"]

    assert states(WELL) == ["closed"]
    assert states(person(platelets=30, cement_on_record=True)) == ["closed"]
    assert states(person(platelets=30)) == ["open"]


def test_a_tumour_fracture_is_not_asked_for_an_osteoporosis_referral() -> None:
    facts: dict[str, Any] = {"bone_care_referral": NOT_KNOWN, "platelets": 30}
    assert items(body(person(**facts)))["bone-care-referral"] == "not-met"
    assert items(body(person(**facts, fracture_cause="neoplastic")))["bone-care-referral"] == "met"


def test_an_order_for_another_region_is_a_task_for_the_operator() -> None:
    made = body(person(order_code_fits=False))
    (task,) = (one for one in made["obligations"] if one["rule"] == "pre-procedure.mend-order-code")
    assert (task["state"], task["owner"], task["code"]) == ("open", "operator", "mend-order-code")


def test_no_hold_time_is_invented() -> None:
    """The plan is the prescriber's: no rule about a drug knows a time but the age of what was said."""
    about = [rule for rule in SAFETY.criteria if any(name.startswith("antithrombotic") for name in rule.reads())]
    assert {id_ for rule in about for id_ in rule.parameters} == {
        "medicines-max-age", "weighed-max-age", "bleeding-risk-max-age",
    }  # fmt: skip


# --- charts


def chart(record: Record) -> dict[str, Any]:
    return dict(decide(case_of(record), [machine()]).body)


def prepared(**about: Any) -> Record:
    """A candidate with an order for cement, for whom everything was prepared today."""
    record = candidate() if not about else Record("p2", NOW, **about).fracture("L1", 30).well(2)
    record.order("vertebral-augmentation", 1, levels=["L1"]).well(0.1)
    record.lab("6301-6", 1.1, "{INR}", 1).lab("777-3", 210, "10*3/uL", 1).lab("8310-5", 36.8, "Cel", 0.2)
    record.finding("bleeding-risk", "absent", 1).finding("inflammation-markers", "normal", 1)
    record.finding("prone-and-sedation", "tolerated", 1).finding("surgical-rescue", "yes", 1)
    record.finding("pregnancy-status", "not-pregnant", 1) if about.get("gender") == "female" else None
    return record.consent(1)


def test_apixaban_and_an_inr_of_1_1_are_not_ready_without_a_plan_to_hold() -> None:
    made = chart(prepared().medicine("Apixaban 5 mg", 20))
    assert [level["outcome"] for level in made["levels"]] == ["not-ready"]
    said = {item["id"]: item["message"] for one in made["obligations"] for item in one.get("items", ())}
    assert said["pre-procedure.inr"].endswith("it says nothing about direct oral anticoagulants")
    held = prepared().medicine("Apixaban 5 mg", 20).hold(1, restart=3).finding("thrombotic-risk", "not-high", 1)
    assert [level["outcome"] for level in chart(held)["levels"]] == ["ready"]


def test_without_such_a_drug_nobody_needs_a_plan() -> None:
    made = chart(prepared().finding("antithrombotic", "none", 1))
    assert [level["outcome"] for level in made["levels"]] == ["ready"]


@pytest.mark.parametrize(("gender", "age", "asked"), [("male", 40, False), ("female", 78, False), ("female", 40, True)])
def test_pregnancy_is_never_asked_of_a_man_or_of_a_woman_of_78(gender: str, age: int, asked: bool) -> None:
    record = Record("p3", NOW, gender=gender, age=age).fracture("L1", 30)
    made = chart(record.order("vertebral-augmentation", 1, levels=["L1"]))
    (level,) = made["levels"]
    assert ("pregnancy" in {item["datum"] for item in level["missing"]}) is asked
    assert (items(made)["not-pregnant"] != "met") is asked
