"""Whatever a sender leaves out or twists, the answer is a decision or a clear refusal, never a crash."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.demo.record import ATC, CPT, SNOMED, SOPT, Record
from adapters.fhir.to_facts import ChartReader
from pathway.decide import decide
from pathway.errors import BadInputError
from tests.world import NOW, book, candidate, machines, reader, terms

ODD: tuple[Any, ...] = (
    None, "", "x", 0, -1, True, [], {}, [{}], [None], {"text": "L1"}, {"coding": [{}]}, {"coding": [{"code": "x"}]},
    "2026", "2026-13", "0001-01-01", "9999-12-31", "2026-11-22T10:00:60Z", {"reference": "#x"}, {"display": "somebody"},
    {"start": "2026-11-01"}, {"end": "2026"}, {"value": 1e3}, [{"coding": [{"system": "urn:x", "code": "y"}]}],
)  # fmt: skip


def _chart() -> Record:
    record = candidate().cement("L1", 1, complication=["canal"]).leak_statement("L1", 0.9).study("CT", 0.5)
    record.referral("active", 0.5).condition("G83.4", 3, verification="provisional").condition("C50.911", 900)
    record.encounter("IMP", 3).place("MA").coverage("121", SOPT, order=1).coverage("523", SOPT, order=2)
    record.allergy("716186003", 9, SNOMED).condition("M53.2X6", 4).condition("Z79.01", 40).disability(18, 2)
    record.order("bone-density", 1).order("vertebral-augmentation", 1.2, levels=["L1"])
    record.reason("instability", 1, level="L1").condition("D68.9", 5, verification="provisional")
    record.attest({"pain-attribution": "this-fracture", "care-optimal": "yes"}, 1.1, level="L1")
    record.height_loss("L1", 20, 9, "radiograph").height_loss("L1", 30, 1, "radiograph")
    record.finding("posterior-wall", "disrupted", 1, level="L1", technique="ct").condition("M48.061", 90)
    record.sins("L1", 9, 1.2).finding("sins-pain", "mechanical", 1, level="L1").volume("L1", 4.5, 0.9)
    record.order("22514", 1, levels=["L1"], system=CPT).of_procedure("stopped-for-leak", "absent", 0.9)
    record.medicine("Apixaban 5 mg", 40).medicine("Aspirin", 9, kind="MedicationStatement").hold(2, restart=5)
    record.medicine("", 3, code="B01AB05", system=ATC, status="completed", kind="MedicationAdministration").consent(1)
    record.lab("6301-6", 1.1, "{INR}", 1).lab("777-3", 210, "10*3/uL", 1).lab("8310-5", 99.5, "[degF]", 1)
    record.lab("1988-5", 12, "mg/L", 1, flag="H").lab("6690-2", 7, "10*9/L", 1, high=10)
    record.panel("fracture-suspicion", {"suspicion-tenderness": "present"}, 1).condition("C79.51", 90)
    record.pain(3, 0.6).disability(9, 0.6).finding("new-back-pain", "present", 0.5).study("MR", 0.4).report(0.3)
    record.finding("recollapse", "present", 0.5, level="L1").fracture("T12", 0.7).finding("cluster-review", "yes", 0.2)
    return record.finding("chest-check", "normal", 0.5).finding("fracture-cause", "osteoporotic", 2)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        yield node, key
        yield from _places(value)


def _twist(bundle: dict[str, Any], chance: random.Random) -> None:
    """Drop, replace, double or rename one element somewhere in a resource."""
    resource = chance.choice(bundle["entry"])["resource"]
    places = list(_places(resource))
    if not places:
        return
    node, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del node[key]
        case 1:
            node[key] = copy.deepcopy(chance.choice(ODD))
        case 2:
            node[key] = [copy.deepcopy(node[key])] * 2
        case _:
            if isinstance(node, dict):
                other = str(key).replace("DateTime", "String").replace("CodeableConcept", "Range")
                node[other] = node.pop(key)


@pytest.mark.slow
def test_no_chart_however_twisted_crashes_a_decision(rounds: Callable[[int], int]) -> None:
    chance = random.Random(20261122)
    whole = _chart().bundle()
    decided, refusals = 0, list[BadInputError]()
    facts = ChartReader(book().vocabulary, terms())
    for _ in range(rounds(10_000)):
        bundle = copy.deepcopy(whole)
        for _ in range(chance.randint(1, 4)):
            _twist(bundle, chance)
        try:
            parcel = reader().submission(json.dumps(bundle).encode(), "twisted.json")
        except BadInputError as refusal:
            refusals.append(refusal)
            continue
        for delivery in parcel.deliveries:
            chart = [resource for resource, _ in delivery.resources]
            decision = decide(facts.build(delivery.patient, chart, NOW, aside=delivery.set_aside), machines())
            assert decision.to_bytes()
            decided += 1
    assert all(refusal.fix for refusal in refusals)
    assert decided > rounds(10_000) // 2
