"""Rules in force: of the right day, renewed from disk without a dropped call, and loud where something is wrong."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pathway import releases
from pathway.canonical import parse
from pathway.decide import decide
from pathway.errors import EngineError, NotFoundError, NotInForceError, RuleBookError
from pathway.facts import Fact, Reason
from pathway.in_force import Rules
from pathway.leases import IDLE, Armed, RulesInForce
from pathway.rulebook import RuleBook, RuleSet, from_document
from pathway.vocabulary import Vocabulary
from tests.rules.book import BOOK, CANDIDACY
from tests.rules.people import Person, known
from tests.unit.test_releases import rule_set
from tests.unit.test_site import CONTRACTOR

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FROM = {"from": "2026-11-22"}
CASE = Person({"pain-score": known("pain-score", Decimal(6))}, {"L1": {}}, {}).case()
PAIN = "shared.severe-spinal-pain"


class Events(list[tuple[str, dict[str, str]]]):
    def __call__(self, event: str, **about: str) -> None:
        self.append((event, about))

    def names(self) -> list[str]:
        return [event for event, _ in self]


class World:
    """A rules folder that a test fills, and the rules in force over it, looked at on every call."""

    def __init__(self, root: Path, *names: str, zone: str = "UTC", site: bool = False) -> None:
        self.root, self.events, self.at = root, Events(), 0.0
        self.site = root / "site.yaml"
        rules = Rules(root, names or ("candidacy",), BOOK.vocabulary, self.site if site else None)
        self.rules = RulesInForce(
            rules, ZoneInfo(zone), look_every=1.0, tell=self.events, elapsed=lambda: self.at
        )  # fmt: skip

    def store(self, *made: RuleSet) -> None:
        for one in made:
            releases.store(self.root, one)
        self.later()

    def later(self, seconds: float = 60.0) -> None:
        self.at += seconds

    def running(self, now: datetime = NOW) -> list[str]:
        return [one.release for one in self.rules.look(now).rule_sets]

    def verdict(self, now: datetime = NOW) -> str:
        """Whether a pain score of 6 is enough."""
        with self.rules.lease(now) as armed:
            return verdict(armed)


def verdict(armed: Armed) -> str:
    (level,) = decide(armed.sees(CASE), armed.machines, armed.not_run).body["levels"]
    return next(c["verdict"] for c in level["criteria"] if c["id"] == PAIN)


def other(id_: str, **header: object) -> RuleSet:
    """A rule set of the book under another header."""
    document = parse(BOOK.sets[id_].body)
    document["ruleset"] |= header
    return from_document(document)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.store(rule_set("0.1.0", 5, effective=FROM))
    yield made
    made.rules.close()


def test_a_new_release_decides_without_a_restart(world: World) -> None:
    assert (world.running(), world.verdict()) == (["candidacy|0.1.0"], "met")
    world.store(rule_set("0.2.0", 7, effective=FROM))
    assert (world.running(), world.verdict()) == (["candidacy|0.2.0"], "not-met")
    assert world.events[-1][0] == "rules-changed"
    assert world.events[-1][1]["release"] == "candidacy|0.2.0"


def test_midnight_at_the_facility_changes_the_rules(tmp_path: Path) -> None:
    world = World(tmp_path, zone="Europe/Berlin")
    world.store(rule_set("0.1.0", 5, effective=FROM), rule_set("0.2.0", 7, effective={"from": "2026-11-23"}))
    midnight = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)  # in Berlin
    assert world.verdict(midnight - timedelta(seconds=1)) == "met"
    assert world.verdict(midnight) == "not-met"
    assert world.verdict(midnight - timedelta(seconds=1)) == "met"
    world.rules.close()


def test_a_call_keeps_the_rules_that_it_began_with_and_they_are_closed_after_it(world: World) -> None:
    with world.rules.lease(NOW) as before:
        for version in range(2, IDLE + 4):
            world.store(rule_set(f"0.{version}.0", 7, effective=FROM))
            world.running()
        assert verdict(before) == "met"
    assert world.verdict() == "not-met"
    with pytest.raises(EngineError, match="closed"):
        before.machines[0].criteria(CASE)


def test_the_disk_is_looked_at_no_oftener_than_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    marks = Rules.marks
    monkeypatch.setattr(Rules, "marks", lambda self: looks.append(1) or marks(self))
    for _ in range(100):
        world.later(0.1)
        world.running()
    assert 9 <= len(looks) <= 11


def test_what_did_not_change_is_not_compiled_again(tmp_path: Path) -> None:
    world = World(tmp_path, "candidacy", "after-cement")
    world.store(rule_set("0.1.0", effective=FROM), other("after-cement"))
    with world.rules.lease(NOW) as armed:
        before = armed.machines
    world.store(rule_set("0.2.0", effective=FROM))
    with world.rules.lease(NOW + DAY) as armed:
        assert armed.machines[1] is before[1]
        assert armed.machines[0] is not before[0]
    world.rules.close()


@pytest.mark.parametrize("damage", ["changed", "missing", "lock"])
def test_a_broken_release_keeps_the_old_one_running_and_heals_when_mended(world: World, damage: str) -> None:
    assert world.verdict() == "met"
    world.store(rule_set("0.2.0", 7, effective=FROM))
    path = world.root / ("lock.json" if damage == "lock" else "releases/candidacy-0.2.0.json")
    kept = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(kept[:-20])
    assert (world.running(), world.verdict()) == (["candidacy|0.1.0"], "met")
    (trouble,) = world.rules.trouble
    assert trouble.about == "candidacy"
    assert not trouble.red
    assert world.events.names() == ["rules-trouble"]
    for _ in range(5):
        world.later()
        assert world.running() == ["candidacy|0.1.0"]
    assert world.events.names() == ["rules-trouble"], "said once, not at every look"
    path.write_bytes(kept)
    world.later()
    assert (world.running(), world.verdict()) == (["candidacy|0.2.0"], "not-met")
    assert world.rules.trouble == ()
    assert world.events.names() == ["rules-trouble", "rules-changed", "rules-mended"]


def test_a_broken_release_does_not_outlive_the_days_of_the_old_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store(rule_set("0.1.0", 5, effective={"from": "2026-11-22", "to": "2026-11-22"}))
    assert world.verdict() == "met"
    world.store(rule_set("0.2.0", 7, effective=FROM))
    (world.root / "releases/candidacy-0.2.0.json").write_bytes(b"{}")
    assert world.running() == ["candidacy|0.1.0"]
    with pytest.raises(NotInForceError, match=r"no rule set decides on 2026-11-23 \(a frozen release has changed\)"):
        world.verdict(NOW + DAY)
    assert [one.red for one in world.rules.trouble] == [True]


def test_a_retired_release_ends_its_rule_set_at_once(world: World) -> None:
    assert world.running() == ["candidacy|0.1.0"]
    world.store(rule_set("0.2.0", effective=FROM, status="retired"))
    assert world.running() == []
    (trouble,) = world.rules.trouble
    assert "0.2.0 from 2026-11-22 (retired); 0.1.0 from 2026-11-22 (draft)" in trouble.what


COVERAGE = {
    "id": "cover-a", "kind": "coverage", "family": "cover", "lcd": "L00000", "contractor": CONTRACTOR,
    "jurisdiction": [CONTRACTOR], "applies-to": {}, "evidence": [], "open-questions": [],
}  # fmt: skip


def test_a_missing_rule_set_stops_no_other_and_only_coverage_leaves_the_service_ready(tmp_path: Path) -> None:
    world = World(tmp_path, "candidacy", "cover", "after-cement")
    future = {"effective": {"from": "2027-01-01"}}
    world.store(
        rule_set("0.1.0", effective=FROM), other("candidacy", **COVERAGE, **future), other("after-cement", **future)
    )
    with world.rules.lease(NOW) as armed:
        body = decide(armed.sees(CASE), armed.machines, armed.not_run).body
    assert [release["id"] for release in body["releases"]] == ["candidacy"]
    assert [(one["ruleSet"], one["code"]) for one in body["notRun"]] == [
        ("cover-a", "not-in-force"), ("after-cement", "not-in-force"),
    ]  # fmt: skip
    assert body["notRun"][0]["why"] == "no release of cover-a is in force on 2026-11-22"
    assert {one.about: one.red for one in world.rules.trouble} == {"cover-a": False, "after-cement": True}
    assert world.running(NOW + 60 * DAY) == [
        "candidacy|0.1.0",
        f"cover-a|{CANDIDACY.version}",
        other("after-cement").release,
    ]


def test_what_is_not_frozen_is_said_in_clear_words_and_a_slip_stops_the_start(tmp_path: Path) -> None:
    shutil.copytree(Path(releases.__file__).parents[1] / "rules", tmp_path, dirs_exist_ok=True)
    (tmp_path / "lock.json").write_text("{}")
    world = World(tmp_path, "candidacy")
    with pytest.raises(NotInForceError, match="candidacy is not frozen yet"):
        world.verdict()
    assert "`pathway rules release candidacy`" in world.rules.trouble[0].what
    with pytest.raises(NotFoundError, match=r"no rule set 'candidasy'\. Known: .*candidacy"):
        World(tmp_path, "candidasy").running()


SITE = """\
site: example
status: draft
parameters:
  - {rule-set: candidacy, rule: shared.severe-spinal-pain, parameter: pain-min, value: 7, unit: "{score}",
     set-on: 2026-11-22, by: [A. Person], reason: ours}
off: []
"""
OFF = "off:\n  - {rule-set: candidacy, set-on: 2026-11-22, by: [A. Person], reason: it was wrong}\n"


def test_the_site_layer_works_at_once_and_a_broken_one_leaves_the_last_good_one(tmp_path: Path) -> None:
    world = World(tmp_path, "candidacy", "after-cement", site=True)
    world.site.write_text("site: example\nstatus: draft\n")
    world.store(rule_set("0.1.0", 5, effective=FROM), other("after-cement"))
    assert world.verdict() == "met"
    for text, expected, sound in (
        (SITE, "not-met", True),
        (SITE.replace("value: 7", "value: 70"), "not-met", False),
        (SITE.replace("candidacy", "candidasy"), "not-met", False),
        ("site: [", "not-met", False),
        (SITE.replace("value: 7", "value: 6"), "met", True),
    ):
        world.site.write_text(text)
        world.later()
        assert (world.verdict(), world.rules.trouble == ()) == (expected, sound), text
    world.site.write_text(SITE.replace("off: []\n", OFF))
    world.later()
    found = world.rules.look(NOW)
    assert [one.id for one in found.rule_sets] == ["after-cement"]
    assert found.not_run == (
        {"ruleSet": "candidacy", "code": "switched-off",
         "why": "switched off at this site on 2026-11-22: it was wrong"},
    )  # fmt: skip
    assert world.rules.trouble == (), "a switch that somebody threw is no trouble"
    world.rules.close()


def test_a_service_does_not_start_without_its_site_layer(tmp_path: Path) -> None:
    world = World(tmp_path, site=True)
    world.store(rule_set("0.1.0", effective=FROM))
    with pytest.raises(RuleBookError, match=r"site\.yaml: the site layer cannot be read"):
        world.verdict()


def test_a_switch_works_while_a_new_release_is_broken(tmp_path: Path) -> None:
    world = World(tmp_path, "candidacy", site=True)
    world.site.write_text("site: example\nstatus: draft\n")
    world.store(rule_set("0.1.0", 5, effective=FROM))
    assert world.verdict() == "met"
    world.store(rule_set("0.2.0", 9, effective=FROM))
    (world.root / "releases/candidacy-0.2.0.json").write_bytes(b"{}")
    world.site.write_text(SITE)
    world.later()
    assert world.verdict() == "not-met"
    assert world.rules.look(NOW).rule_sets[0].site["base"] == rule_set("0.1.0", 5, effective=FROM).sha256
    world.rules.close()


CAUSE = "fracture-cause"
LOW = [value for value in BOOK.vocabulary[CAUSE].values if value != "high-energy"]
"""All causes but one, which no rule of candidacy names."""


def narrowed(version: str, datum: str, **declared: object) -> RuleSet:
    """Candidacy under a vocabulary that declares one datum otherwise, or not at all."""
    document = parse(rule_set(version, effective=FROM).body)
    if declared:
        document["vocabulary"]["data"][datum] |= declared
    else:
        del document["vocabulary"]["data"][datum]
    return from_document(document)


def test_an_older_vocabulary_sees_what_it_declares_and_reads_it_back(tmp_path: Path) -> None:
    """What a release cannot say is not in its decision: a replay under its vocabulary gives the same bytes."""
    unread = next(d.id for d in BOOK.vocabulary.data.values() if d.id not in reads(CANDIDACY) and d.scope == "patient")
    world = World(tmp_path)
    world.store(narrowed("0.1.0", unread))
    case = Person({unread: Fact(unread, None, Reason.STALE)}, {"L1": {}}, {}).case()
    with world.rules.lease(NOW) as armed:
        assert unread in case.person.facts
        assert unread not in armed.sees(case).person.facts
    world.rules.close()


def test_a_value_that_a_release_never_heard_of_is_unknown_to_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store(narrowed("0.1.0", CAUSE, values=LOW))
    case = Person({}, {"L1": {CAUSE: known(CAUSE, "high-energy")}}, {}).case()
    with world.rules.lease(NOW) as armed:
        fact = armed.sees(case).levels[0].facts[CAUSE]
    assert (fact.reason, fact.sources) == (Reason.UNPARSEABLE, (f"Observation/{CAUSE}",))
    world.rules.close()


def reads(one: RuleSet) -> set[str]:
    return {name for rule in one.rules() for name in rule.reads()}


def test_a_release_that_means_something_else_by_a_datum_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store(narrowed("0.1.0", "days-since-cement", unit="h"))
    assert world.running() == []
    assert "declare days-since-cement with another unit" in world.rules.trouble[0].what


def test_a_release_that_reads_what_this_service_does_not_fill_in_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store(from_document(parse(rule_set(effective=FROM).body.replace(b"tenderness", b"tender-spot"))))
    assert world.running() == []
    assert "reads 'tender-spot', which this service does not fill in. Upgrade" in world.rules.trouble[0].what


def test_a_rule_set_that_does_not_know_a_value_beside_one_that_does_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, "candidacy", "after-cement")
    world.store(narrowed("0.1.0", CAUSE, values=LOW), other("after-cement"))
    assert [one.id for one in world.rules.look(NOW).rule_sets] == ["after-cement"]
    assert "candidacy|0.1.0 does not know all values of 'fracture-cause'" in world.rules.trouble[0].what
    world.rules.close()


def test_the_working_book_decides_where_it_is_asked_for(tmp_path: Path) -> None:
    rules = Rules(tmp_path, ("candidacy",), BOOK.vocabulary, None, RuleBook(BOOK.sets, BOOK.vocabulary))
    armed = RulesInForce(rules, UTC)
    with armed.lease(NOW) as found:
        assert found.rule_sets == (CANDIDACY,)
        assert found.sees(CASE) is CASE
    armed.close()


def test_one_slow_look_holds_nobody_else_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one call reads and compiles, the others decide under the rules of before."""
    assert world.verdict() == "met"
    reading, go_on = threading.Event(), threading.Event()
    select = Rules.select

    def slowly(*args: object) -> object:
        reading.set()
        assert go_on.wait(20)
        return select(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Rules, "select", slowly)
    world.store(rule_set("0.2.0", 7, effective=FROM))
    first = threading.Thread(target=world.running)
    first.start()
    assert reading.wait(20)
    assert world.verdict() == "met"
    go_on.set()
    first.join()
    assert world.verdict() == "not-met"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_goes_on_while_its_parent_was_reading(world: World) -> None:
    world.running()
    with world.rules._lock, world.rules._building:  # as a thread of the parent may hold them
        child = os.fork()
        if not child:
            try:
                os._exit(0 if world.verdict() == "met" else 1)
            finally:
                os._exit(2)
    until = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.02)
    if ended == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0)


def test_vocabularies_unite_where_they_mean_the_same() -> None:
    narrow = narrowed("0.1.0", CAUSE, values=LOW).vocabulary
    united = Vocabulary.union([narrow, BOOK.vocabulary])
    assert set(united[CAUSE].values) == set(BOOK.vocabulary[CAUSE].values)
    assert united.covers(BOOK.vocabulary)
    assert not narrow.covers(BOOK.vocabulary)
    with pytest.raises(RuleBookError, match="declare neurology with another scope"):
        Vocabulary.union([narrowed("0.1.0", "days-since-cement", title="x").vocabulary, scoped()])


def scoped() -> Vocabulary:
    document = parse(CANDIDACY.body)["vocabulary"]
    document["data"]["neurology"]["scope"] = "level"
    return Vocabulary.from_document(document)


def test_two_releases_that_declare_a_foreign_datum_otherwise_do_not_decide_together(tmp_path: Path) -> None:
    """What this service does not fill in is read by neither, and would still keep their decision from replaying."""
    made: list[RuleSet] = []
    for id_, unit in (("candidacy", "cm"), ("after-cement", "mm")):
        document = parse(BOOK.sets[id_].body)
        document["vocabulary"]["data"]["stature"] = {
            "title": "Stature", "type": "integer", "scope": "patient", "found": "x", "negative": "x", "combine": "x",
            "unit": unit, "range": [0, 300],
        }  # fmt: skip
        made.append(from_document(document))
    world = World(tmp_path, "candidacy", "after-cement")
    world.store(*made)
    assert [one.id for one in world.rules.look(NOW).rule_sets] == ["candidacy"]
    assert "declare stature with another unit" in world.rules.trouble[0].what
    world.rules.close()


def test_whatever_happens_to_the_files_the_rules_of_the_day_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.verdict() == "met"

    def fail(*_: object) -> object:
        raise RecursionError("as deep as a file can make it")

    monkeypatch.setattr(Rules, "select", fail)
    world.store(rule_set("0.2.0", 7, effective=FROM))
    assert world.verdict() == "met"
    assert world.events[-1] == ("rules-trouble", {"about": "the rules", "what": "they cannot be read: RecursionError"})
