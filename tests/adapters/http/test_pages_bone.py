"""Treating the bone, as people read it: once for the person, on the patient's page, the decision's and the card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.cds_hooks.cards import cards
from adapters.http.cds_hooks.guidance import Guidance
from tests.adapters.http.builders import INSTANCE, candidate
from tests.adapters.http.conftest import NOW, opened_house
from tests.adapters.http.desks import Desk, Reader
from tests.world import ingest

pytestmark = pytest.mark.e2e  # pages of a whole house

TITLE = "To weigh of the bone; the choice is the physician"


def patient() -> Record:
    """Kidneys that speak against denosumab, calcium in order; L1 broke, and T12 was cemented before with a leak."""
    record = candidate("p1", NOW).fracture("T12", 200).cement("T12", 100)
    record = record.leak_statement("T12", 99, leaks=["disc"])
    return record.lab("98979-8", 22, "mL/min/{1.73_m2}", 5).lab("17861-6", 9.4, "mg/dL", 5, flag="N")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path: Path = tmp_path_factory.mktemp("bone") / "house.db"
    with opened_house(path, rules_from="working", policies=("candidacy", "considerations", "bone-treatment")) as made:
        ingest(made, patient())
        yield made


@pytest.fixture(scope="module")
def desk(house: House) -> Desk:
    return Desk(house, "auditor")


def part(page: Reader) -> str:
    """The text of the part about the bone."""
    found = re.findall(r'<section class="weighed">.*?</section>', page.html, re.DOTALL)
    assert len(found) == 1, "it stands once, however many vertebrae broke"
    return Reader(found[0]).text


def decision(desk: Desk) -> Reader:
    links = desk.read("/patients/p1").links("/records/")
    return desk.read(next(link for link in links if "/answers/" not in link))


def test_a_patients_page_has_one_part_about_the_bone_with_what_speaks_against_and_what_is_held_back(desk: Desk) -> None:
    told = part(desk.read("/patients/p1"))
    assert told.startswith("Treating the bone To weigh; the choice is the physician's.")
    assert "draft: not approved for clinical use" in told
    assert (
        "Denosumab: something speaks against it (osteoporotic fracture: yes; eGFR: 22; calcium: normal; atypical "
        "fracture of the femur: not recorded; necrosis of the jaw: not recorded; pregnant: no)"
    ) in told
    assert re.search(r"Held back, for not all is known \(\d+\) .*Zoledronic acid: held back until all is known", told)
    assert "What makes another fracture likelier: T12 Another fracture is likelier after several" in told
    assert "after a leak of cement (any leak, odds ratio 2.05): at T12, into the disc: yes" in told


def test_what_is_said_of_the_bone_is_not_said_again_under_each_vertebra(desk: Desk) -> None:
    page = desk.read("/patients/p1")
    assert page.text.count("Denosumab: something speaks against it") == 1
    assert page.text.count("Another fracture is likelier after a leak") == 1
    assert "To weigh; the choice is the operator's" in page.text  # technique stands under the vertebra as before


def test_the_page_of_the_decision_shows_the_same(desk: Desk) -> None:
    assert part(decision(desk)) == part(desk.read("/patients/p1"))


def test_the_card_says_what_is_on_record_and_names_what_is_held_back(house: House) -> None:
    good, _ = house.reader(NOW).resources(("x", resource) for resource in patient().resources)
    made = house.service.assess("local|p1", [resource for resource, _ in good], NOW)
    guidance = Guidance(made.decision.body, {m.rule_set.id: m.rule_set for m in house.service.machines})
    (card,) = (card for card in cards(guidance, INSTANCE, "") if TITLE in card["detail"])
    told = card["detail"].partition(TITLE)[2].partition("###")[0]
    assert "- Denosumab: something speaks against it" in told
    assert "- Another fracture is likelier after a leak of cement" in told
    (held,) = (line for line in told.splitlines() if "Held back" in line)
    assert held.startswith("- bone-treatment 0.1.0 (draft: not approved for clinical use).")
    assert "Alendronate, risedronate; Romosozumab; Teriparatide, abaloparatide" in held
    assert "nothing on record speaks against" not in told  # nobody has asked for the cautions
