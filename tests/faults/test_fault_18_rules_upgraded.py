"""Fault 18: the rules are upgraded while patients are under way: old decisions replay, no task is made anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bootstrap import House
from pathway.lifecycle import Act
from pathway.people import Person, Role, Said
from tests.databases import BACKENDS, made_empty
from tests.world import ROOT, FixedClock, candidate, ingest, make_house

pytestmark = pytest.mark.e2e
PATIENT = "local|p1"
CORA = Person("cora", Role.COORDINATOR, "Cora")


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with made_empty(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return tmp_path / "rules"


def opened(folder: Path, rules: Path, database: str) -> House:
    return make_house(folder, FixedClock(), database_url=database, rules=rules, rules_from="working")


@pytest.fixture
def upgraded(tmp_path: Path, rules: Path, database: str) -> Iterator[tuple[House, str]]:
    """A house whose candidacy went up by a version, a stricter number and other words; and its first decision."""
    old = opened(tmp_path, rules, database)
    first = ingest(old, candidate()).decision.id
    old.service.catch_up()
    old.close()
    ruleset = rules / "candidacy" / "ruleset.yaml"
    ruleset.write_text(ruleset.read_text().replace("\nversion: ", "\nversion: 9", 1))
    review = rules / "candidacy" / "operator-review.yaml"
    review.write_text(review.read_text().replace("title: ", "title: Anew, ", 1))
    new = opened(tmp_path, rules, database)
    yield new, first
    new.close()


def keys(house: House) -> dict[str, str]:
    with house.store.read() as ledger:
        return {task.key: task.title for task in ledger.tasks(PATIENT)}


def test_the_tasks_are_the_same_and_say_what_the_new_rules_say(upgraded: tuple[House, str]) -> None:
    house, _ = upgraded
    before = keys(house)
    second = ingest(house, candidate())
    after = keys(house)
    assert after.keys() == before.keys()
    assert [title for title in after.values() if title.startswith("Anew, ")] != []
    assert b"candidacy" in second.decision.body
    assert any(release.startswith(b'"version":"9') for release in second.decision.body.split(b","))


def test_a_sweep_after_the_upgrade_makes_no_task_anew(upgraded: tuple[House, str]) -> None:
    house, _ = upgraded
    before = keys(house)
    with house.store.write() as ledger:
        ledger.postpone(PATIENT, house.clock.now())
    assert house.service.catch_up() == 1
    assert keys(house).keys() == before.keys()


def test_a_quiet_patient_is_decided_on_after_the_upgrade_without_a_delivery(upgraded: tuple[House, str]) -> None:
    """By the new rules, once; that these come to the same here, so that nothing is logged, is ADR 0025's."""
    house, _ = upgraded
    assert house.service.catch_up() == 1
    assert house.service.catch_up() == 0, "once for each change"


def test_what_a_person_ended_under_the_old_rules_stays_ended_under_the_new(upgraded: tuple[House, str]) -> None:
    house, _ = upgraded
    with house.store.read() as ledger:
        task = next(t for t in ledger.tasks(PATIENT) if t.rule == "candidacy.operator-review")
    house.service.desk.act(task.id, Act.COMPLETE, CORA, task.version, Said(outcome="done"))
    ingest(house, candidate())
    with house.store.read() as ledger:
        assert ledger.find_task(task.id).status == "completed"
    assert sum(key.partition("/")[2].startswith("candidacy.operator-review") for key in keys(house)) == 1


def test_the_old_decision_comes_out_the_same_to_the_byte(upgraded: tuple[House, str]) -> None:
    house, first = upgraded
    with house.store.read() as ledger:
        body = ledger.decision(first).body
    assert house.service.replay(first).body == body
