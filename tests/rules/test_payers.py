"""Payers beside the determinations: six weeks of care, and prior authorization with the document behind each item."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pathway.decide import decide
from pathway.effective import Period
from pathway.errors import RuleBookError
from pathway.facts import Fact, Reason, unknown
from pathway.prose import show_set
from pathway.rulebook import load
from pathway.strata import Machine
from tests.rules.book import BOOK, copy
from tests.rules.people import AS_OF, POOLS, Person, known, values
from tests.rules.test_coverage import NOT_KNOWN, Facts, missing, person

STATES = {"nj", "oh", "ok", "tx", "az", "wa"}
TEXAS: Facts = {"state-of-care": "tx", "prior-authorization": NOT_KNOWN}
"""Original Medicare in Texas, an outpatient, cement ordered, every document there, nothing asked of the payer yet."""
COMMERCIAL: Facts = {"payer": "other-payer", "conservative-care-days": 42}


@cache
def machine(id_: str) -> Machine:
    return Machine(BOOK.sets[id_])


def body(id_: str, made: Person) -> Mapping[str, Any]:
    return decide(made.case(), [machine(id_)]).body


def row(id_: str, facts: Facts) -> dict[str, Any]:
    (found,) = body(id_, person("jh", facts))["levels"]
    assert found["kind"] == "coverage"
    assert "lcd" not in found
    return found


def outcome(id_: str, facts: Facts) -> tuple[str, list[str]]:
    found = row(id_, facts)
    return found["outcome"], missing(found)


# --- six weeks of care


@pytest.mark.parametrize(
    ("facts", "expected", "asked"),
    [
        ({}, "met", []),
        ({"conservative-care-days": 41}, "not-met", []),
        ({"conservative-care-days": NOT_KNOWN}, "insufficient-data", ["conservative-care-days"]),
        ({"payer": "original-medicare"}, "not-applicable", []),
        ({"payer": "medicare-advantage"}, "not-applicable", []),
        ({"payer": NOT_KNOWN}, "insufficient-data", ["payer"]),
        ({"pain-controlled": NOT_KNOWN}, "documentation-missing", ["pain-controlled"]),
        ({"pain-controlled": True}, "not-met", []),
        ({"acuity-imaging": "none"}, "not-met", []),
        ({"pain-score": 0}, "not-met", []),
        ({"infection": True}, "not-met", []),
        ({"fracture-cause": "neoplastic"}, "not-applicable", []),
        ({"level-order": 25}, "not-applicable", []),
        ({"level-named": NOT_KNOWN}, "insufficient-data", ["level-named"]),
    ],
)
def test_six_weeks_of_failed_care_of_a_fresh_painful_fracture(facts: Facts, expected: str, asked: list[str]) -> None:
    assert outcome("payer-6w", {**COMMERCIAL, **facts}) == (expected, asked)


def test_a_tumour_is_not_addressed_by_the_commercial_clause_and_not_denied() -> None:
    assert "no denial" in row("payer-6w", {**COMMERCIAL, "fracture-cause": "neoplastic"})["reason"]


# --- prior authorization: whether it is asked for


@pytest.mark.parametrize("state", BOOK.vocabulary["state-of-care"].values)
def test_six_states_take_prior_authorization_and_no_other(state: str) -> None:
    expected = "met" if state in STATES else "not-applicable"
    assert row("wiser", {**TEXAS, "state-of-care": state})["outcome"] == expected


@pytest.mark.parametrize(
    ("facts", "expected", "asked"),
    [
        ({}, "met", []),
        ({"care-setting": "ambulatory-surgery"}, "met", []),
        ({"care-setting": "office"}, "met", []),
        ({"care-setting": "inpatient"}, "not-applicable", []),
        ({"care-setting": NOT_KNOWN}, "insufficient-data", ["care-setting"]),
        ({"state-of-care": NOT_KNOWN}, "insufficient-data", ["state-of-care"]),
        ({"payer": NOT_KNOWN}, "insufficient-data", ["payer"]),
        ({"payer": "medicare-advantage"}, "not-applicable", []),
        ({"payer": "other-payer", "state-of-care": NOT_KNOWN}, "not-applicable", []),
        ({"cement-on-record": True}, "not-applicable", []),
        ({"deceased": True}, "not-applicable", []),
        ({"fracture-cause": NOT_KNOWN}, "documentation-missing", ["fracture-cause"]),
    ],
)
def test_who_and_where_decide_whether_it_is_asked_for(facts: Facts, expected: str, asked: list[str]) -> None:
    assert outcome("wiser", {**TEXAS, **facts}) == (expected, asked)


@pytest.mark.parametrize(
    ("day", "holds"),
    [("2026-01-14", False), ("2026-01-15", True), ("2031-12-31", True), ("2032-01-01", False)],
)
def test_it_holds_from_the_middle_of_january_2026_to_the_end_of_the_model(day: str, holds: bool) -> None:
    period = Period.read(BOOK.sets["wiser"].document["ruleset"]["effective"], "wiser")
    assert period.holds(date.fromisoformat(day)) is holds


# --- prior authorization: the document behind each item

ITEMS = {
    "shared.level-named": ("level-named", None),
    "shared.osteoporotic-fracture": ("fracture-cause", None),
    "coverage-cms-lcd.symptomatic": ("pain-score", 14),
    "coverage-cms-lcd.optimal-care-documented": ("care-optimal", None),
    "coverage-cms-lcd.oedema-or-uptake": ("acuity-imaging", 84),
    "shared.tender-at-level": ("tenderness", 30),
    "coverage-cms-lcd.pain-from-fracture": ("pain-attribution", None),
    "shared.no-infection": ("infection", 14),
    "shared.not-pregnant": ("pregnancy", 14),
    "coverage-cms-lcd.bone-density-and-education": ("bone-density-referral", 365),
    "coverage-cms-lcd.programme-instruction": ("treatment-programme", 365),
}
"""Each item of an osteoporotic fracture, a datum that it rests on, and the days that it holds."""
TUMOUR_ITEMS = {
    "shared.level-named": "level-named", "coverage-cms-lcd.neoplastic-fracture": "fracture-cause",
    "coverage-cms-lcd.lytic-lesion": "tumour-lesion", "coverage-cms-lcd.symptomatic": "pain-score",
    "coverage-cms-lcd.therapy-failed": "pain-controlled", "coverage-cms-lcd.pain-from-fracture": "pain-attribution",
    "shared.no-infection": "infection", "shared.not-pregnant": "pregnancy",
    "coverage-cms-lcd.tumour-codes": "tumour-claim-codes",
}  # fmt: skip
IN_A_TUMOUR: Facts = {"fracture-cause": "neoplastic", "acuity-imaging": NOT_KNOWN, "tenderness": NOT_KNOWN}


def task(facts: Facts) -> dict[str, Any] | None:
    found = body("wiser", person("jh", {**TEXAS, **facts}))["obligations"]
    assert len(found) <= 1, "one task for an episode"
    return found[0] if found else None


def items(facts: Facts) -> dict[str, dict[str, str]]:
    made = task(facts)
    assert made is not None
    return {item["id"]: item for item in made["items"]}


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_without_its_document_is_a_gap_that_says_what_to_get(item: str) -> None:
    datum, days = ITEMS[item]
    facts = [unknown(datum, reason) for reason in Reason if reason is not Reason.UNCONFIRMED]
    if days is not None:
        facts.append(known(datum, values(BOOK.vocabulary[datum])[0], timedelta(days=days + 1)))
    for fact in facts:
        assert row("wiser", {**TEXAS, datum: fact})["outcome"] == "documentation-missing"
        assert (items({datum: fact})[item]["verdict"], bool(items({datum: fact})[item]["ask"])) == ("unknown", True)


@pytest.mark.parametrize("item", TUMOUR_ITEMS)
def test_a_tumour_has_its_own_items(item: str) -> None:
    assert set(items(IN_A_TUMOUR)) == set(TUMOUR_ITEMS)
    gap = {**IN_A_TUMOUR, TUMOUR_ITEMS[item]: NOT_KNOWN}
    if item != "coverage-cms-lcd.neoplastic-fracture":  # without a cause it is the other checklist, with that gap
        assert items(gap)[item]["verdict"] == "unknown"
    assert row("wiser", {**TEXAS, **IN_A_TUMOUR})["outcome"] == "met"
    assert row("wiser", {**TEXAS, **gap})["outcome"] == "documentation-missing"


def test_a_complete_checklist_names_what_was_found_and_when() -> None:
    found = items({})
    assert list(found) == list(ITEMS)
    assert {item["verdict"] for item in found.values()} == {"met"}
    dated = set(found) - {"shared.level-named", "shared.osteoporotic-fracture", "shared.not-pregnant"}
    assert [id_ for id_ in dated if (AS_OF - timedelta(hours=6)).date().isoformat() not in found[id_]["message"]] == []


def test_one_task_for_the_coordinator_once_cement_is_ordered() -> None:
    made = task({})
    assert made is not None
    assert (made["code"], made["owner"], made["state"]) == ("prior-authorization", "coordinator", "open")
    assert task({"procedure-planned": False}) is None
    assert task({"procedure-planned": NOT_KNOWN}) is None
    assert task({"state-of-care": "ca"}) is None
    assert task({"payer": NOT_KNOWN}) is None


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (known("prior-authorization", "requested"), "open"),
        (known("prior-authorization", "affirmed"), "closed"),
        (known("prior-authorization", "not-affirmed"), "closed"),
        (known("prior-authorization", "affirmed", timedelta(days=120)), "closed"),
        (known("prior-authorization", "affirmed", timedelta(days=121)), "open"),
    ],
)
def test_an_answer_closes_it_for_120_days(answer: Fact, state: str) -> None:
    made = task({"prior-authorization": answer})
    assert made is not None
    assert made["state"] == state


OSTEOPOROTIC_DATA = {datum for datum, _ in ITEMS.values()}
APPLIES = {"payer", "state-of-care", "care-setting", "cement-on-record", "deceased"}


@pytest.mark.slow  # every way of not knowing each datum
@pytest.mark.parametrize(
    ("facts", "data"), [({}, OSTEOPOROTIC_DATA | APPLIES), (IN_A_TUMOUR, {*TUMOUR_ITEMS.values()} | APPLIES)]
)
def test_no_datum_that_nobody_knows_makes_it_complete(facts: Facts, data: set[str]) -> None:
    for datum in sorted(data):
        for fact in (fact for fact in POOLS[datum] if not fact.known):
            assert row("wiser", {**TEXAS, **facts, datum: fact})["outcome"] != "met", datum


# --- headers of coverage that reads no determination


@pytest.mark.parametrize("key", ["concerns", "evidence", "open-questions"])
def test_coverage_without_a_determination_says_whom_it_concerns_and_what_is_open(tmp_path: Path, key: str) -> None:
    root = copy(tmp_path)
    path = root / "payer-6w/ruleset.yaml"
    path.write_text(_without(path.read_text(encoding="utf-8"), key), encoding="utf-8")
    with pytest.raises(RuleBookError) as fault:
        load(root)
    assert f"key '{key}' is missing" in fault.value.sentence()


def _without(text: str, key: str) -> str:
    """A YAML text without one key and the list below it."""
    lines, kept, inside = text.splitlines(), [], False
    for line in lines:
        inside = line.startswith(f"{key}:") or (inside and line.startswith((" ", "-")))
        if not inside:
            kept.append(line)
    return "\n".join(kept) + "\n"


@pytest.mark.parametrize("id_", ["payer-6w", "wiser"])
def test_its_page_says_whom_it_concerns(id_: str) -> None:
    header = BOOK.sets[id_].document["ruleset"]
    page = show_set(BOOK.sets[id_])
    assert f"Concerns: {header['concerns']}" in page
    assert all(question in page for question in header["open-questions"])
    assert "LCD " not in page.split("Rules")[0]
