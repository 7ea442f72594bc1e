"""Rule sets at a panel judge together, and come to what each comes to alone: byte for byte, in every form."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest

from pathway.canonical import parse
from pathway.common import Common
from pathway.compiler import Statement
from pathway.decide import decide
from pathway.engine import Engine
from pathway.errors import EngineDisagreementError, EngineError
from pathway.facts import Fact
from pathway.panel import Panel
from pathway.rulebook import RuleSet, from_document
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.engine import crowd
from tests.engine.test_machines import BUSY, FORK, HOLD, ROOT
from tests.rules.book import BOOK
from tests.rules.people import Person

PAIN = "shared.severe-spinal-pain"


@cache
def panel() -> Panel:
    """The whole book at one panel."""
    return Panel([Machine(rule_set) for rule_set in BOOK.sets.values()])


@pytest.mark.parametrize(("acting", "form"), [("candidacy", 2), ("", 2), ("nice-ta279", 2), ("", 1)])
def test_together_they_come_to_the_bytes_that_each_comes_to_alone(acting: str, form: int) -> None:
    alone = tuple(panel())
    for seed in range(12):
        one = crowd.case(seed)
        together = decide(one, panel(), acting=acting, form=form).to_bytes()
        assert together == decide(one, alone, acting=acting, form=form).to_bytes()
    assert sum(machine.disagreements for machine in alone) == 0


@pytest.mark.slow
def test_together_and_alone_on_a_large_crowd(rounds: Any) -> None:
    alone = tuple(panel())
    for seed in range(1_000, 1_000 + rounds(2_000)):
        one, acting = crowd.case(seed), ("candidacy", "", "acr")[seed % 3]
        assert decide(one, panel(), acting=acting).to_bytes() == decide(one, alone, acting=acting).to_bytes(), seed


def test_what_several_have_in_common_is_judged_once() -> None:
    rows = sum(len(rule_set.criteria) for rule_set in BOOK.sets.values())
    assert len(panel()._criteria.names) < rows / 2
    assert list(panel()._criteria.names).count(PAIN) == 1


def changed(id_: str, name: str, pain: int) -> RuleSet:
    """A rule set under another name, with a bound of its own under the same rule's id, as a site layer makes one."""
    document = parse(BOOK.sets[id_].body)
    document["ruleset"]["id"] = name
    (rule,) = [one for one in document["rules"] if one["id"] == PAIN]
    for parameter in rule["parameters"].values():
        if parameter["unit"] == "{score}":
            parameter["value"] = pain
    return from_document(document)


def test_rules_of_one_id_that_say_different_things_are_never_mixed() -> None:
    sets = [BOOK.sets["candidacy"], changed("candidacy", "strict", 10), changed("candidacy", "mild", 1)]
    alone = [Machine(rule_set) for rule_set in sets]
    together = Panel(alone)
    assert {name.partition("@")[0] for name in together._criteria.names if "@" in name} == {PAIN}
    seen: set[tuple[str, ...]] = set()
    for seed in range(60):
        bodies = [decide(crowd.case(seed), one) for one in (together, alone)]
        assert bodies[0].to_bytes() == bodies[1].to_bytes()
        levels = bodies[0].body["levels"]
        seen.add(tuple(c["verdict"] for row in levels for c in row["criteria"] if c["id"] == PAIN))
    assert any("met" in verdicts and "not-met" in verdicts for verdicts in seen)


def test_releases_that_declare_a_datum_in_two_ways_sit_at_one_panel() -> None:
    document = parse(BOOK.sets["candidacy"].body)
    document["ruleset"]["id"] = "older"
    for body in document["vocabulary"]["data"].values():
        body["title"] += ", as it was called"
    alone = [Machine(BOOK.sets["candidacy"]), Machine(from_document(document))]
    together = Panel(alone)
    assert len(together._criteria._judges[""]) == 2
    for seed in range(10):
        assert decide(crowd.case(seed), together).to_bytes() == decide(crowd.case(seed), alone).to_bytes()


def test_a_rule_set_that_is_not_chosen_is_not_judged() -> None:
    chosen = [machine for machine in panel() if machine.rule_set.family == "coverage-cms-lcd"]
    places = chosen[0].rule_set.applies_to["place-of-service"]
    facts = {id_: Fact(id_, values[0]) for id_, values in chosen[0].rule_set.applies_to.items()}
    before = {machine.rule_set.id: machine.evaluations for machine in panel()}
    decide(Person(facts, {"L1": {}}, {}).case(), panel())
    assert [machine.evaluations > before[machine.rule_set.id] for machine in chosen] == [
        places[0] in machine.rule_set.applies_to["place-of-service"] for machine in chosen
    ]
    assert all(m.evaluations > before[m.rule_set.id] for m in panel() if not m.rule_set.applies_to)


def test_a_disagreement_is_an_error_and_counted_for_every_rule_set_that_has_the_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = [Machine(BOOK.sets[id_]) for id_ in ("candidacy", "nice-ta279", "bone-health")]
    together = Panel(alone)
    run = Engine.run

    def wrong(engine: Engine, *given: Any) -> list[dict[str, bool | None]]:
        return [{id_: True if id_ == PAIN else one for id_, one in row.items()} for row in run(engine, *given)]

    monkeypatch.setattr(Engine, "run", wrong)
    one = next(found for seed in range(99) if verdict(found := crowd.case(seed), monkeypatch) != "met")
    monkeypatch.setattr(Engine, "run", wrong)
    with pytest.raises(EngineDisagreementError, match=PAIN):
        decide(one, together)
    assert [machine.disagreements for machine in alone] == [1, 1, 0]


def verdict(one: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.undo()
    levels = decide(one, panel()).body["levels"]
    return next(c["verdict"] for row in levels for c in row["criteria"] if c["id"] == PAIN)


def test_eight_threads_share_a_panel() -> None:
    cases = [crowd.case(seed) for seed in range(4)]
    expected = [decide(one, tuple(panel())).to_bytes() for one in cases]
    fresh = Panel(list(panel()))  # new: the threads also race for the first handle
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [decide(one, fresh).to_bytes() for one in cases], range(8)))
    assert runs == [expected] * 8


def handles(of: Panel) -> list[int]:
    judges = [judge for stratum in of._strata for judges in stratum._judges.values() for judge in judges]
    return [handle for judge in judges for handle in judge._engine._handles.values()]


def test_a_panel_closed_in_the_middle_of_a_call_finishes_it_and_is_then_freed() -> None:
    one, made = crowd.case(1), Panel(list(panel()))
    with made.in_use():
        expected = decide(one, made).to_bytes()
        made.close()
        assert decide(one, made).to_bytes() == expected
        assert handles(made)
    assert not handles(made)
    with pytest.raises(EngineError, match="closed"):
        decide(one, made)
    assert decide(one, list(made)).to_bytes() == expected, "the rule sets themselves are nobody's to close"


TOGETHER = {
    "machines = crowd.machines()": "from pathway.panel import Panel\nmachines = Panel(crowd.machines())",
    "        for machine in machines:\n            machine.close()\n": "        machines.close()\n",
    "[judge for m in machines for judge in (m._criteria, m._recommend, m._oblige)]": (
        "[judge for stratum in machines._strata for found in stratum._judges.values() for judge in found]"
    ),
    "[m._lock for m in machines]": "[m._lock for m in machines] + [machines._lock]",
}
"""What the script of forks says of machines, said of a panel."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HOLD, "done.set()\nthread.join()"),
        pytest.param(BUSY, "done.set()\nfor thread in threads: thread.join()", marks=pytest.mark.slow),
    ],
    ids=["while a thread holds every lock", "while threads decide"],
)
def test_forked_workers_share_a_panel(before: str, after: str) -> None:
    script = FORK.format(before=before, after=after)
    script = script.replace(
        "machines = crowd.machines()", "from pathway.panel import Panel\nmachines = Panel(crowd.machines())"
    )
    script = script.replace(
        "        for machine in machines:\n            machine.close()\n", "        machines.close()\n"
    )
    script = script.replace(
        "[judge for m in machines for judge in (m._criteria, m._recommend, m._oblige)]",
        "[judge for stratum in machines._strata for found in stratum._judges.values() for judge in found]",
    ).replace("[m._lock for m in machines]", "[m._lock for m in machines] + [machines._lock]")
    assert "Panel(crowd" in script
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_statement_has_one_name_by_content_and_others_another() -> None:
    common, (one, two) = Common(), BOOK.sets["candidacy"].criteria[:2]
    assert common.name("", "x.a", Scope.LEVEL, one.when) == "x.a"
    assert common.name("", "x.a", Scope.LEVEL, one.when) == "x.a"
    assert common.name("7", "x.a", Scope.LEVEL, one.when) == "x.a", "what everybody has is judged there"
    assert common.name("7", "x.a", Scope.LEVEL, two.when) == "x.a@1"
    assert common.name("8", "x.a", Scope.LEVEL, two.when) == "x.a@2", "another that is chosen has its own"
    assert common.names["x.a@1"] == Statement("x.a@1", Scope.LEVEL, two.when)
