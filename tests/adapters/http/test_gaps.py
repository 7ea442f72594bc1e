"""Medicines that could not be retrieved: what they would outweigh is not known, and nobody is ready by it."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from adapters.demo.ordinary import _in_order
from adapters.demo.record import Record
from adapters.fhir.to_facts import ChartReader
from adapters.http.cds_hooks.gaps import CODE, GapReader
from pathway.case import Case
from pathway.chart import SetAside
from pathway.decide import decide
from pathway.facts import Fact, Reason
from tests.world import NOW, book, machines, read, terms

MEDICINES = {"medications": "MedicationRequest", "medicationStatements": "MedicationStatement"}


def heard(record: Record, *unheard: str) -> Case:
    """The case of a hook call in which some keys could not be retrieved."""
    (delivery,) = read(record).deliveries
    lost = {MEDICINES[key] for key in unheard}
    chart = [resource for resource, _ in delivery.resources if resource.type not in lost]
    gaps = [SetAside(key, CODE, "not sent; no fhirServer was named") for key in unheard]
    inner = ChartReader(book().vocabulary, terms())
    return GapReader(inner).build(delivery.patient, chart, NOW, aside=[*delivery.set_aside, *gaps])


def facts(record: Record, *unheard: str) -> dict[str, Fact]:
    return dict(heard(record, *unheard).person.facts)


def readiness(case: Case) -> list[str]:
    return [row["outcome"] for row in decide(case, machines()).body["levels"] if row["policy"] == "pre-procedure"]


def without(record: Record, *answers: str) -> Record:
    """The record, with these questions left out of its attestations."""
    for body in record.resources:
        if "component" in body:
            body["component"] = [part for part in body["component"] if not _asks(part, answers)]
    return record


def _asks(part: object, answers: Iterable[str]) -> bool:
    return any(f'"{answer}"' in json.dumps(part) for answer in answers)


def on_aspirin() -> Record:
    """All is in order, and the antiplatelet drug is held by a plan that was made for the order of four days ago."""
    record = without(_in_order(NOW), "antithrombotic").order("vertebral-augmentation", 4, levels=["L3"])
    record.finding("antithrombotic", "antiplatelet", 0.2).hold(3, restart=5)
    return record.finding("thrombotic-risk", "not-high", 0.3)


def test_the_full_chart_of_each_is_ready_without_a_later_drug() -> None:
    assert readiness(heard(_in_order(NOW))) == readiness(heard(on_aspirin())) == ["ready"]


@pytest.mark.parametrize("unheard", [("medications",), ("medicationStatements",), tuple(MEDICINES)])
@pytest.mark.parametrize("kind", MEDICINES.values())
def test_a_hook_without_medicines_is_never_ready_by_a_plan_from_before_a_drug_that_it_cannot_see(
    kind: str, unheard: tuple[str, ...]
) -> None:
    """On the whole chart apixaban was begun after the plan was made, and nobody is ready."""
    record = on_aspirin().medicine("Apixaban", 1, kind=kind)
    assert readiness(heard(record)) == ["not-ready"]
    assert readiness(heard(record, *unheard)) == ["not-ready"]


@pytest.mark.parametrize("key", MEDICINES)
def test_a_no_to_medicines_is_not_retrieved_by_either_key(key: str) -> None:
    assert facts(_in_order(NOW))["antithrombotic"].value == "none"
    assert facts(_in_order(NOW), key)["antithrombotic"].reason is Reason.NOT_RETRIEVED
    assert "ready" not in readiness(heard(_in_order(NOW), key))


@pytest.mark.parametrize("key", MEDICINES)
def test_an_antiplatelet_drug_stays_feared_where_a_stronger_one_may_be_among_what_was_not_retrieved(key: str) -> None:
    said = facts(on_aspirin(), key)["antithrombotic"]
    assert (said.value, said.reason, said.candidate) == (None, Reason.UNCONFIRMED, "antiplatelet")
    assert said.sources == facts(on_aspirin())["antithrombotic"].sources


@pytest.mark.parametrize("key", MEDICINES)
def test_a_plan_and_its_restart_are_not_retrieved_while_what_they_are_for_is_not(key: str) -> None:
    for datum in ("antithrombotic-plan", "antithrombotic-restart"):
        assert facts(on_aspirin())[datum].known
        assert facts(on_aspirin(), key)[datum].reason is Reason.NOT_RETRIEVED
    unplanned = on_aspirin().hold(0.1)
    assert facts(unplanned)["antithrombotic-restart"].value is False
    assert facts(unplanned, key)["antithrombotic-restart"].reason is Reason.NOT_RETRIEVED


@pytest.mark.parametrize("key", MEDICINES)
def test_a_normal_coagulation_is_not_retrieved_while_an_anticoagulant_may_have_been_begun_since(key: str) -> None:
    record = _in_order(NOW)
    assert facts(record)["coagulopathy"].value is False
    assert facts(record, key)["coagulopathy"].reason is Reason.NOT_RETRIEVED


@pytest.mark.parametrize("key", MEDICINES)
def test_a_danger_that_is_known_stays_known(key: str) -> None:
    record = without(_in_order(NOW), "antithrombotic", "coagulation-check").finding("coagulation-check", "abnormal", 1)
    said = facts(record.finding("antithrombotic", "anticoagulant", 1), key)
    assert (said["antithrombotic"].value, said["coagulopathy"].value) == ("anticoagulant", True)
