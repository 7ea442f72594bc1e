"""The use cases under frozen releases and a site layer: which rules decide when, what is said of it, and replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.fhir.from_plan import DRAFT
from adapters.fhir.terminology import Terminology
from adapters.out.plans import piece_of
from adapters.out.posting import Claimed
from pathway import releases
from pathway.canonical import parse
from pathway.errors import NotInForceError
from pathway.rulebook import RuleSet, from_document
from pathway.service import Ingested
from pathway.tasks import Task
from tests.rules.book import BOOK, RULES, edit
from tests.world import FixedClock, candidate, ingest, make_house, outcomes, settled

pytestmark = pytest.mark.e2e  # releases frozen, switched and replayed in a whole house

SITE = "site: example-hospital\nstatus: draft\n"
SIGNED = "set-on: 2026-11-22, by: [A. Person], reason: ours"


def off(rule_set: str, rule: str = "") -> str:
    named = f"rule: {rule}, " if rule else ""
    return f"{SITE}off:\n  - {{rule-set: {rule_set}, {named}{SIGNED}}}\n"


PAIN = (
    f"{SITE}parameters:\n  - {{rule-set: candidacy, rule: shared.severe-spinal-pain, parameter: pain-min, value: 8,"
    f" unit: '{{score}}', {SIGNED}}}\n"
)


class Site:
    """A house on frozen releases in a folder of its own, whose clock stands and whose site layer a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rules, self.layer = folder, folder / "rules", folder / "site.yaml"
        shutil.copytree(RULES, self.rules)
        shutil.rmtree(self.rules / "releases")
        (self.rules / "lock.json").unlink()
        self.layer.write_text(SITE)
        self.clock = FixedClock()
        self.houses: list[House] = []

    def freeze(self, *rule_sets: RuleSet) -> None:
        for one in rule_sets:
            releases.store(self.rules, one)

    def house(self) -> House:
        self.close()
        settings: dict[str, Any] = {"rules": self.rules, "rules_from": "releases", "site_rules": self.layer}
        settings["policies"] = EVERY
        self.houses.append(make_house(self.folder, self.clock, **settings))
        return self.houses[-1]

    def close(self) -> None:
        while self.houses:
            house = self.houses.pop()
            house.close()
            house.rules.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def shipped(id_: str, **header: Any) -> RuleSet:
    """A rule set of the working tree, perhaps under another header."""
    document = parse(BOOK.sets[id_].body)
    document["ruleset"] |= header
    return from_document(document)


EVERY = ("candidacy", "after-cement", "bone-health")
CEMENTED = candidate().cement("L1", 1)


def body(made: Ingested) -> dict[str, Any]:
    return json.loads(made.decision.body)


def tasks(house: House) -> dict[str, Task]:
    with house.store.read() as ledger:
        return {task.code: task for task in ledger.find_tasks()}


def test_a_decision_says_under_which_releases_and_code_tables_it_was_made(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    house = site.house()
    made = body(ingest(house, candidate()))
    assert {one["id"]: one["sha256"] for one in made["releases"]} == {id_: BOOK.sets[id_].sha256 for id_ in EVERY}
    assert not {"notRun"} & set(made)
    assert all(not {"site", "base"} & set(one) for one in made["releases"])
    with house.store.read() as ledger:
        assert ledger.bytes_of(made["valueSets"]) == Terminology.load().body


def test_what_an_approved_release_made_is_told_to_others_without_the_word_draft(site: Site) -> None:
    signed = {"status": "active", "approvers": ["A. Person", "B. Person"]}
    site.freeze(shipped("candidacy"), shipped("bone-health"), shipped("after-cement", **signed))
    house = site.house()
    ingest(house, CEMENTED)
    assert house.approved == {BOOK.sets["after-cement"].release}
    told = {code: piece(house, one)["description"] for code, one in tasks(house).items()}
    assert not told["follow-up-contact"].endswith(DRAFT)
    assert told["refer-osteoporosis"].endswith(DRAFT)


def piece(house: House, task: Task) -> dict[str, Any]:
    """The task as a FHIR server gets it."""
    return piece_of(house, Claimed(f"Task/{task.id}", "fhir", task.patient, 1, 1, "", "", "token")).body


def test_working_files_decide_only_when_they_are_asked_to(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    edit(site.rules, "shared/severe-spinal-pain.yaml", "value: 5,", "value: 9,")
    assert outcomes(body(ingest(site.house(), candidate()))) == {"L1": "candidate"}
    site.houses.append(make_house(site.folder, site.clock, rules=site.rules, rules_from="working"))
    assert outcomes(body(ingest(site.houses[-1], candidate()))) == {"L1": "not-a-candidate"}


def test_a_release_for_tomorrow_decides_from_tomorrow_and_every_decision_replays(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    house = site.house()
    today = ingest(house, candidate())
    document = parse(BOOK.sets["candidacy"].body)
    document["ruleset"] |= {"version": "9.0.0", "effective": {"from": "2026-11-23"}}
    (rule,) = (rule for rule in document["rules"] if rule["id"] == "shared.severe-spinal-pain")
    rule["parameters"]["pain-min"]["value"] = 9
    site.freeze(from_document(document))
    house.rules._look_at = 0.0
    still = ingest(house, candidate())
    site.clock.forward(days=1)
    tomorrow = ingest(house, candidate())
    found = [outcomes(body(made))["L1"] for made in (today, still, tomorrow)]
    assert found == ["candidate", "candidate", "not-a-candidate"]
    for made in (today, still, tomorrow):
        assert house.service.replay(made.decision.id).body == made.decision.body


def test_a_decision_of_an_old_vocabulary_beside_a_new_one_replays(site: Site) -> None:
    """Candidacy as it was first frozen, and the others of later, whose vocabulary has grown since.

    It decides beside new data; a new value of what it reads, which it would take for another, keeps it from deciding.
    """
    lock = json.loads((RULES / "lock.json").read_text())
    (site.rules / "releases").mkdir()

    def take(**versions: str) -> None:
        taken = {id_.replace("_", "-"): version for id_, version in versions.items()}
        for id_, version in taken.items():
            shutil.copy(RULES / "releases" / f"{id_}-{version}.json", site.rules / "releases")
        (site.rules / "lock.json").write_text(json.dumps({i: {v: lock[i][v]} for i, v in taken.items()}))

    take(candidacy="0.1.0")
    alone = site.house()
    record = candidate().cement("L1", 1).disability(12, 2)
    first = ingest(alone, record)
    assert [one["version"] for one in body(first)["releases"]] == ["0.1.0"]
    assert "disability-score" not in body(first)["facts"]["patient"]["facts"], "0.1.0 does not declare it"
    assert alone.service.replay(first.decision.id).body == first.decision.body
    take(candidacy="0.1.0", after_cement="0.2.0", bone_health="0.2.0")
    mixed = site.house()
    second = ingest(mixed, record)
    assert "disability-score" in body(second)["facts"]["patient"]["facts"]
    assert len(body(second)["releases"]) == 3, body(second).get("notRun")
    assert outcomes(body(second)) == outcomes(body(first)) != {}
    site.freeze(shipped("after-cement", version="8.0.0"), shipped("bone-health", version="8.0.0"))
    third = ingest(site.house(), record)
    assert [(one["ruleSet"], one["code"]) for one in body(third)["notRun"]] == [("candidacy", "not-in-force")]
    assert "does not know all values of 'fracture-evidence'" in body(third)["notRun"][0]["why"]
    assert [one["id"] for one in body(third)["releases"]] == ["after-cement", "bone-health"]
    assert outcomes(body(third)) == {}, "nothing is decided by rules that may misread it"
    site.freeze(shipped("candidacy", version="9.0.0"))
    newest = site.house()
    fourth = ingest(newest, record)
    assert "notRun" not in body(fourth)
    for made in (first, second, third, fourth):
        assert newest.service.replay(made.decision.id).body == made.decision.body


def test_a_sites_number_decides_is_named_and_replays_when_the_layer_is_gone(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    site.layer.write_text(PAIN)
    made = ingest(site.house(), candidate())
    assert outcomes(body(made)) == {"L1": "not-a-candidate"}
    release = body(made)["releases"][0]
    assert release["base"] == BOOK.sets["candidacy"].sha256 != release["sha256"]
    assert len(release["site"]) == 64
    site.layer.write_text(SITE)
    house = site.house()
    assert house.service.replay(made.decision.id).body == made.decision.body
    assert outcomes(body(ingest(house, candidate()))) == {"L1": "candidate"}
    with house.store.read() as ledger:
        kept = parse(ledger.release(release["sha256"]))
    assert kept["site"]["name"] == "example-hospital"


def test_a_rule_set_that_is_switched_off_withdraws_nothing_and_takes_up_again(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    house = site.house()
    ingest(house, CEMENTED)
    before = tasks(house)
    assert "leak-check" in before
    site.layer.write_text(off("after-cement"))
    house = site.house()
    made = body(ingest(house, CEMENTED))
    assert [one["id"] for one in made["releases"]] == ["candidacy", "bone-health"]
    assert made["notRun"] == [
        {"ruleSet": "after-cement", "code": "switched-off", "why": "switched off at this site on 2026-11-22: ours"}
    ]
    assert tasks(house)["leak-check"] == before["leak-check"]
    site.layer.write_text(SITE)
    house = site.house()
    ingest(house, CEMENTED)
    assert tasks(house).keys() == before.keys()
    assert tasks(house)["leak-check"].status == before["leak-check"].status
    assert tasks(house)["leak-check"].occurrence == 1


def test_an_obligation_that_is_switched_off_asks_nothing_new_and_withdraws_nothing(site: Site) -> None:
    site.freeze(*map(shipped, EVERY))
    site.layer.write_text(off("candidacy", "candidacy.re-evaluate"))
    house = site.house()
    waiting = settled(onset=5).care(4).pain(7, 1)
    ingest(house, waiting)
    assert "re-evaluate" not in tasks(house)
    site.layer.write_text(SITE)
    ingest(site.house(), waiting)
    site.layer.write_text(off("candidacy", "candidacy.re-evaluate"))
    house = site.house()
    before = tasks(house)["re-evaluate"]
    ingest(house, waiting)
    assert tasks(house)["re-evaluate"] == before


def test_where_no_rule_set_decides_nothing_is_kept_and_the_reason_is_said(site: Site) -> None:
    later = {"effective": {"from": "2027-01-01"}}
    site.freeze(*(shipped(id_, **later) for id_ in EVERY))
    house = site.house()
    with pytest.raises(NotInForceError, match=r"no rule set decides on 2026-11-22 \(no release of candidacy"):
        ingest(house, candidate())
    with house.store.read() as ledger:
        assert ledger.patients() == ()
    site.clock.forward(days=40)
    assert outcomes(body(ingest(house, candidate())))
