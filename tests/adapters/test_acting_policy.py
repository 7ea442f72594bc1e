"""The acting policy in a whole house: its tasks alone, what changes with it, and a start that refuses a wrong one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.bootstrap import House
from adapters.cli import main
from adapters.demo.record import Record
from adapters.fhir.from_plan import task as on_the_wire
from adapters.fhir.validate import check_written
from pathway.canonical import parse
from pathway.errors import BadInputError
from pathway.tasks import Task
from tests.adapters.http.desks import Desk
from tests.world import candidate, ingest, make_house, settled

pytestmark = pytest.mark.e2e  # a whole house

SETS = ("candidacy", "nice-ta279", "pre-procedure", "considerations")
WORKING: dict[str, Any] = {"rules_from": "working", "policies": SETS}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, **WORKING)
    yield made
    made.close()


def acting(house: House, policy: str) -> House:
    """The same house under another acting policy."""
    return replace(house, service=replace(house.service, acting=policy))


def ordered() -> Record:
    """A candidate for whom cement is ordered and nothing was prepared."""
    return candidate().order("vertebral-augmentation", 1, levels=["L1"])


def tasks(house: House) -> dict[str, Task]:
    with house.store.read() as ledger:
        return {task.rule: task for task in ledger.tasks("local|p1")}


def test_only_the_acting_policy_makes_tasks_and_the_decision_replays(house: House) -> None:
    made = ingest(house, ordered())
    rules = set(tasks(house))
    assert "pre-procedure.checklist" in rules
    assert not [rule for rule in rules if rule.startswith("nice-ta279.")]
    assert parse(made.decision.body)["acting"] == "candidacy"
    assert house.service.replay(made.decision.id).body == made.decision.body
    assert acting(house, "nice-ta279").service.replay(made.decision.id).body == made.decision.body


def test_another_acting_policy_withdraws_what_it_does_not_ask_for_itself(house: House) -> None:
    """Nobody has scored the pain: each policy asks for that by a rule of its own."""
    unscored = settled().order("vertebral-augmentation", 1, levels=["L1"])
    ingest(house, unscored)
    assert not tasks(house)["candidacy.assess-at-bedside"].ended
    ingest(acting(house, "nice-ta279"), unscored)
    after = tasks(house)
    assert after["candidacy.assess-at-bedside"].status == "cancelled"
    assert not after["nice-ta279.assess-at-bedside"].ended
    assert not after["pre-procedure.checklist"].ended


def test_a_checklist_is_kept_and_follows_the_record(house: House) -> None:
    ingest(house, ordered())
    first = tasks(house)["pre-procedure.checklist"]
    ingest(house, ordered().lab("777-3", 210, "10*3/uL", 0.5))
    later = tasks(house)["pre-procedure.checklist"]
    assert [item.id for item in later.items] == [item.id for item in first.items]
    stood = {item.id: (item.verdict, item.message) for item in first.items}
    stands = {item.id: (item.verdict, item.message) for item in later.items}
    assert stood["pre-procedure.platelets"] == ("unknown", "Platelets not known: not recorded")
    assert stands["pre-procedure.platelets"] == ("met", "Platelets 210 on 2026-11-22")
    assert (later.occurrence, later.version) == (1, 2)


def test_each_item_is_an_input_of_the_task_on_the_wire(house: House) -> None:
    ingest(house, ordered().lab("777-3", 210, "10*3/uL", 0.5))
    shown = on_the_wire(tasks(house)["pre-procedure.checklist"])
    check_written(shown)
    items = [i["valueString"] for i in shown["input"] if i["type"]["coding"][0]["code"] == "item"]
    assert len(items) == 21
    assert "[x] Platelets 210 on 2026-11-22" in items
    assert "[ ] INR not known: not recorded. Order INR and platelets" in items


def test_the_work_list_shows_the_items_with_what_is_done(house: House) -> None:
    ingest(house, ordered().lab("777-3", 210, "10*3/uL", 0.5))
    task = tasks(house)["pre-procedure.checklist"]
    page = Desk(house, "coordinator").read(f"/tasks/{task.id}")
    done = sum(item.done for item in task.items)
    assert f"Checklist: {done} of 21 done" in page.text
    assert "Done: Platelets 210 on 2026-11-22" in page.text
    assert "Open: INR not known: not recorded. Order INR and platelets" in page.text
    assert len([li for li in page.all("li") if li.get("class") == "done"]) == done
    assert "Checklist: " in Desk(house, "coordinator").read(f"/worklist?open={task.id}").text


OFF = """
site: test
status: draft
parameters: []
off:
  - rule-set: candidacy
    set-on: 2026-11-22
    by: [A. Person]
    reason: for a test
"""
WRONG = [
    ("nice-ta-279", "not among the rule sets that decide", "Name one of: candidacy, nice-ta279"),
    ("pre-procedure", "'pre-procedure' is no clinical rule set", "Name one of: candidacy, nice-ta279"),
]


@pytest.mark.parametrize(("policy", "what", "fix"), WRONG, ids=[policy for policy, *_ in WRONG])
def test_an_acting_policy_that_cannot_act_stops_the_start(policy: str, what: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as fault:
        make_house(tmp_path, **WORKING, acting_policy=policy)
    assert what in str(fault.value)
    assert fix in str(fault.value)
    assert str(fault.value).startswith("PATHWAY_ACTING_POLICY")


def test_without_a_clinical_policy_the_start_says_how_to_go_on(tmp_path: Path) -> None:
    only: dict[str, Any] = {"rules_from": "working", "policies": ("after-cement",)}
    with pytest.raises(BadInputError, match="Set it empty: no clinical rule set is configured"):
        make_house(tmp_path, **only)
    make_house(tmp_path, **only, acting_policy="").close()


def test_an_acting_policy_that_is_switched_off_starts_and_none_takes_its_place(tmp_path: Path) -> None:
    layer = tmp_path / "site.yaml"
    layer.write_text(OFF)
    house = make_house(tmp_path, **WORKING, site_rules=layer)
    made = ingest(house, ordered())
    body = parse(made.decision.body)
    assert (body["acting"], [one["ruleSet"] for one in body["notRun"]]) == ("candidacy", ["candidacy"])
    assert {rule.partition(".")[0] for rule in tasks(house)} == {"pre-procedure"}
    assert house.service.replay(made.decision.id).body == made.decision.body
    house.close()


def test_assess_says_which_policy_acts_and_shows_the_checklist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(json.dumps(ordered().bundle()).encode())
    monkeypatch.setenv("PATHWAY_RULES_FROM", "working")
    monkeypatch.setenv("PATHWAY_POLICIES", '["candidacy", "nice-ta279", "pre-procedure"]')
    result = CliRunner().invoke(main, ["assess", str(path), "--as-of", "2026-11-22T12:00:00Z"])
    assert result.exit_code == 0, result.output
    assert "Checklist before cement" in result.output
    assert "? INR not known: not recorded" in result.output
    assert "nice-ta279.assess" not in result.output
