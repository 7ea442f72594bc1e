"""The use cases on a real database: ingest, decide, reconcile, replay."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.cli.demo import load_demo
from adapters.fhir.to_facts import ChartReader
from pathway.decide import decide
from pathway.episodes import EpisodeKind
from pathway.errors import NotFoundError, PathwayError, ReplayError
from pathway.ports import Stored
from pathway.tasks import Task
from tests.databases import plainly
from tests.world import (
    NOW,
    FixedClock,
    book,
    candidate,
    case_of,
    ingest,
    machines,
    make_house,
    person,
    read,
    settled,
    terms,
)

pytestmark = pytest.mark.e2e  # use cases on a stored house


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    """A house on that database, whose clock stands until a test moves it."""
    made = make_house(tmp_path, FixedClock(), database_url=database)
    yield made
    made.close()


def tasks(house: House) -> list[Task]:
    with house.store.read() as ledger:
        return list(ledger.find_tasks())


def test_a_record_becomes_a_decision_and_its_tasks(house: House) -> None:
    made = ingest(house, settled(onset=5).care(4).pain(7, 1))
    assert sorted(t.code for t in tasks(house) if t.rule.startswith("candidacy.")) == ["re-evaluate"]
    assert "refer-osteoporosis" in {t.code for t in tasks(house)}
    assert {stored for _, stored in made.stored} == {Stored.NEW}


def test_the_same_record_again_changes_nothing(house: House) -> None:
    ingest(house, candidate())
    before = tasks(house)
    again = ingest(house, candidate())
    assert {stored for _, stored in again.stored} == {Stored.UNCHANGED}
    assert tasks(house) == before


def test_new_evidence_closes_what_was_asked_and_names_itself(house: House) -> None:
    record = person().encounter("AMB", 2, ended=1.9).fracture("L1", 50).tender("L1", True, 2).oedema("L1", True, 45)
    record.well(2).care(45).pain(8, 40).pain(7, 1)
    ingest(house, record)
    ingest(house, record.oedema("L1", True, 0.5))
    by_code = {t.code: t for t in tasks(house)}
    assert by_code["order-spine-mri"].status == "completed"
    assert "Observation/p1-marrow-oedema-2" in by_code["order-spine-mri"].evidence
    assert by_code["operator-review"].status == "ready"


def test_a_level_learned_late_keeps_its_episode(house: House) -> None:
    ingest(house, person().fracture("", 5))
    record = person().fracture("L3", 5)
    ingest(house, record)
    with house.store.read() as ledger:
        (episode,) = [one for one in ledger.episodes("local|p1") if one.kind is EpisodeKind.FRACTURE]
    assert episode.levels == ("L3",)
    named = next(t for t in tasks(house) if t.code == "name-fracture-level")
    assert named.episode == episode.id


def test_every_demo_decision_replays_to_the_byte(house: House) -> None:
    for record in load_demo(house):
        assert house.service.replay(record.id).body_sha256 == record.body_sha256


def test_a_decision_replays_on_its_own_release_whatever_the_rules_say_today(tmp_path: Path) -> None:
    import shutil

    rules = tmp_path / "rules"
    shutil.copytree(Path(__file__).parents[2] / "rules", rules)
    old = make_house(tmp_path, rules=rules)
    made = ingest(old, candidate())
    old.close()
    pain = rules / "shared" / "severe-spinal-pain.yaml"
    pain.write_text(pain.read_text().replace("value: 5,", "value: 9,"))
    new = make_house(tmp_path, rules=rules)
    try:
        assert new.service.replay(made.decision.id).body == made.decision.body
        assert json.loads(ingest(new, candidate()).decision.body)["levels"][0]["outcome"] == "not-a-candidate"
    finally:
        new.close()


def test_a_decision_that_was_changed_fails_loudly(house: House, database: str) -> None:
    made = ingest(house, candidate())
    forged = made.decision.body.replace(b'"outcome":"candidate"', b'"outcome":"defer"')
    disarm = "DROP TRIGGER decision_no_update"
    if not database.startswith("sqlite"):
        disarm = "ALTER TABLE decision DISABLE TRIGGER decision_append_only"
    literal = f"x'{forged.hex()}'" if database.startswith("sqlite") else f"'\\x{forged.hex()}'::bytea"
    plainly(database, disarm, f"UPDATE decision SET body = {literal} WHERE id = '{made.decision.id}'")
    with pytest.raises(ReplayError, match="does not come out the same"):
        house.service.replay(made.decision.id)


def test_a_decision_that_nobody_made_is_not_found(house: House) -> None:
    with pytest.raises(NotFoundError):
        house.service.replay("no-such-decision")


def test_a_failure_half_way_keeps_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PathwayError("the power fails")

    monkeypatch.setattr("pathway.deciding.reconcile", fail)
    with pytest.raises(PathwayError):
        ingest(house, candidate())
    with house.store.read() as ledger:
        assert ledger.patients() == ()
        assert ledger.decisions("local|p1") == ()


def test_a_hook_overlay_is_logged_and_stores_no_chart_and_no_task(house: House) -> None:
    ingest(house, candidate())
    before = tasks(house)
    (delivery,) = read(person().oedema("L1", False, 0.1)).deliveries
    made = house.service.assess("local|p1", [r for r, _ in delivery.resources], NOW, overlay=True)
    record = house.service.log(made, delivery.resources, trigger="patient-view", actor="ehr", hook_instance="h")
    assert made.decision.body["levels"][0]["outcome"] == "not-a-candidate"
    assert tasks(house) == before
    with house.store.read() as ledger:
        assert all(r.reference != "Observation/p1-marrow-oedema-3" for r in ledger.chart("local|p1"))
        assert ledger.decision(record.id).hook_instance == "h"
    assert house.service.replay(record.id).body == record.body


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_resources_never_changes_a_byte(seed: int) -> None:
    record = candidate().cement("L1", 1).leak_statement("L1", 0.9)
    (delivery,) = read(record).deliveries
    chart = [resource for resource, _ in delivery.resources]
    random.Random(seed).shuffle(chart)
    shuffled = ChartReader(book().vocabulary, terms()).build(delivery.patient, chart, NOW)
    assert decide(shuffled, machines()).to_bytes() == decide(case_of(record), machines()).to_bytes()
