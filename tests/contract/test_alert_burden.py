"""The page on the burden of alerts: its figures are what the command prints, and each kind in them is defended."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta

import pytest

from adapters.burden import AS_OF, Burden, burden
from adapters.cli.burden import text
from adapters.demo.population import SEED, population
from adapters.http import logs
from adapters.settings import ROOT, Settings
from pathway.leases import RulesInForce

PAGE = ROOT / "docs" / "alert-burden.md"
_BLOCK = re.compile(r"(?<=```text\n).*?(?=\n```)", re.DOTALL)
_ROW = re.compile(r"^ {6,}[0-9.]+  (\S+?)(?:: (\S+))?$", re.MULTILINE)


def figures() -> str:
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert found, "the page shows no report"
    return found[0]


@pytest.mark.slow  # six hundred charts are opened
def test_the_figures_of_the_page_are_what_the_command_prints(request: pytest.FixtureRequest) -> None:
    now = text(burden(Settings(), 600, SEED))
    if request.config.getoption("--update-golden") and now != figures():
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_BLOCK.sub(lambda _: now, page, count=1), encoding="utf-8")
    assert figures() == now, "pytest --update-golden writes the new figures; then look at what the page says of them"


def test_every_kind_of_card_and_task_in_the_figures_is_defended_on_the_page() -> None:
    page = _BLOCK.sub("", PAGE.read_text(encoding="utf-8"), count=1)
    named = set(_ROW.findall(figures()))
    assert len(named) > 10
    told = {(rule, outcome) for rule, outcome in named if f"`{rule}`" in page and outcome.replace("-", " ") in page}
    assert named - told == set()


def test_a_small_population_is_counted_by_kind_and_rule() -> None:
    found = burden(Settings(), 12, SEED)
    assert (found.patients, found.seed) == (12, SEED)
    assert 0 < found.people["card"] <= found.people["fracture"] < 12
    assert found.people["task"] <= found.tasks.total()
    assert {kind for kind, _ in found.cards} <= {"verdict", "emergency", "hint"}
    assert found.to_json()["cardsPer100Opens"] == round(100 * found.cards.total() / 12, 1)
    assert text(found).splitlines()[0].startswith(f"12 patients (seed {SEED}), none cemented; ")


def test_it_counts_by_the_rules_of_the_day_that_is_named_and_logs_no_line_for_each_chart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[datetime] = []
    look = RulesInForce.look
    monkeypatch.setattr(RulesInForce, "look", lambda own, now: seen.append(now) or look(own, now))
    levels: list[str] = []
    monkeypatch.setattr(logs, "configure", levels.append)
    later = AS_OF + timedelta(days=400)
    found = burden(Settings(), 2, SEED, later)
    assert (found.to_json()["asOf"], set(seen)) == (later.isoformat(), {later})
    assert levels == ["warning"]


def test_the_report_is_ordered_by_how_often_and_then_by_name() -> None:
    found = Burden(1, patients=200)
    found.tasks = Counter({("safety", "s.b"): 2, ("clinical", "c.z"): 4, ("clinical", "c.a"): 4})
    found.later = Counter({("clinical", "c.a"): 1})
    assert text(found).splitlines()[-2:] == ["     0.5  clinical", "           0.5  c.a"]
    assert [line.split() for line in text(found).splitlines()[-9:-4]] == [
        ["4.0", "clinical"], ["2.0", "c.a"], ["2.0", "c.z"], ["1.0", "safety"],
        ["1.0", "s.b"],
    ]  # fmt: skip


def test_nobody_of_that_population_was_cemented_and_the_others_are_as_ever() -> None:
    plain, without = list(population(60, AS_OF)), list(population(60, AS_OF, cemented=False))
    kinds = [{one["resourceType"] for one in record.resources} for record in without]
    assert not any("Procedure" in kind for kind in kinds)
    assert any("Procedure" in {one["resourceType"] for one in record.resources} for record in plain)
