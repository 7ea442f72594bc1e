"""Cards that are no tasks, from a chart to what somebody sees who opens it: shown once, dismissed, and shown again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.app import create_app
from adapters.http.contract import contract
from pathway.site import Entry, Layer
from tests.adapters.http import desks
from tests.adapters.http.builders import Json, call, hollow, prefetch
from tests.adapters.http.conftest import NOW
from tests.rules.book import BOOK
from tests.world import decision_on

LATE, YEARS = "after-cement.chest-late", 365.25
TITLE = "Think of cement embolism: chest symptoms long after cement: L1"


@dataclass
class Desk:
    """Somebody who opens charts and answers cards."""

    client: FlaskClient
    house: House

    def open(self, record: Record, encounter: str = "") -> list[Json]:
        """The cards on a chart, in an encounter if one is named."""
        body: Json = call(record.id, prefetch=prefetch(record), hookInstance=str(uuid.uuid4()))
        body["context"] = {**body["context"], "encounterId": encounter}
        answer = self.client.post("/cds-services/candidacy", json=body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        contract().body("Cards", answer.json, "answer")
        assert not hollow(answer.json["cards"] or ["x"])  # type: ignore[index]
        return answer.json["cards"]  # type: ignore[index]

    def dismiss(self, card: Json) -> None:
        reason = {key: card["overrideReasons"][0][key] for key in ("code", "system")}
        said = {
            "card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-11-22T11:59:00Z",
            "overrideReason": {"reason": reason},
        }  # fmt: skip
        answer = self.client.post("/cds-services/candidacy/feedback", json={"feedback": [said]})
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def body(self, record: Record) -> Mapping[str, Any]:
        """The decision of the latest call."""
        with self.house.store.read() as ledger:
            return json.loads(ledger.decisions(f"local|{record.id}")[0].body)


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(create_app(house).test_client(), house)


def cemented(days: float) -> Record:
    """L1 was cemented so long ago; nothing else is told."""
    return Record("p1", NOW).fracture("L1", days + 30, "M80.08XA").cement("L1", days)


def breathless(days: float, ago: float = 0.1) -> Record:
    """Breathless now, so long after cement."""
    return cemented(days).condition("R06.02", ago)


def chest_tasks(body: Mapping[str, Any]) -> list[str]:
    return [o["rule"] for o in body["obligations"] if "chest" in o["rule"] and o["state"] == "open"]


# --- breathless at four years


def test_breathless_four_years_after_cement_is_one_dismissible_card_and_no_task(desk: Desk) -> None:
    record = breathless(4 * YEARS)
    (card,) = desk.open(record)
    assert (card["summary"], card["indicator"]) == (TITLE, "warning")
    assert "cement embolism belongs in the differential diagnosis" in card["detail"]
    assert "No task comes of this; it may be dismissed" in card["detail"]
    assert card["detail"].startswith("**Draft rules: not approved for clinical use.**")
    assert [one["code"] for one in card["overrideReasons"]] == [
        "other-cause", "record-wrong", "judged-otherwise", "not-now",
    ]  # fmt: skip
    assert "suggestions" not in card
    body = desk.body(record)
    assert [(hint["rule"], hint["levels"]) for hint in body["hints"]] == [(LATE, ["L1"])]
    assert chest_tasks(body) == []
    assert LATE not in {o["rule"] for o in body["obligations"]}


def test_the_card_is_a_card_in_the_stored_chart_too_and_never_a_task(desk: Desk, send: Any) -> None:
    send(breathless(4 * YEARS).bundle("transaction"))
    with desk.house.store.read() as ledger:
        assert [task.rule for task in ledger.tasks("local|p1") if "chest" in task.rule] == []


def test_dismissed_it_is_not_shown_again_in_the_same_encounter_and_again_in_the_next(desk: Desk) -> None:
    record = breathless(4 * YEARS)
    (card,) = desk.open(record, "e1")
    assert [one["uuid"] for one in desk.open(record, "Encounter/e1")] == [card["uuid"]]
    desk.dismiss(card)
    assert desk.open(record, "e1") == []
    (again,) = desk.open(record, "e2")
    assert again["uuid"] != card["uuid"]
    assert desk.open(record, "e1") == []


def test_an_accepted_card_stays(desk: Desk) -> None:
    record = breathless(4 * YEARS)
    (card,) = desk.open(record, "e1")
    said = {
        "card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": "2026-11-22T11:59:00Z",
        "acceptedSuggestions": [{"id": str(uuid.uuid4())}],
    }  # fmt: skip
    assert desk.client.post("/cds-services/candidacy/feedback", json={"feedback": [said]}).status_code == 200
    assert [one["uuid"] for one in desk.open(record, "e1")] == [card["uuid"]]


def test_without_an_encounter_in_the_call_the_sign_s_own_encounter_tells_the_episode(desk: Desk) -> None:
    (first,) = desk.open(breathless(4 * YEARS, ago=9).during("visit-a"))
    (same,) = desk.open(breathless(4 * YEARS, ago=9).during("visit-a"))
    assert first["uuid"] == same["uuid"]
    desk.dismiss(first)
    later = breathless(4 * YEARS, ago=9).during("visit-a").finding("chest-check", "symptoms", 0.2).during("visit-b")
    (new,) = desk.open(later)
    assert new["uuid"] != first["uuid"]


def test_an_encounter_is_the_same_in_whichever_version_it_is_named(desk: Desk) -> None:
    found = []
    for reference in ("Encounter/7", "https://ehr.example/fhir/Encounter/7/_history/2"):
        record = breathless(4 * YEARS, ago=9)
        record.resources[-1]["encounter"] = {"reference": reference}
        (card,) = desk.open(record)
        found.append(card["uuid"])
    assert found[0] == found[1]


def test_without_any_encounter_the_day_of_the_sign_tells_the_episode(desk: Desk) -> None:
    (first,) = desk.open(breathless(4 * YEARS, ago=5))
    (same,) = desk.open(breathless(4 * YEARS, ago=5.1))
    (other,) = desk.open(breathless(4 * YEARS, ago=3))
    assert first["uuid"] == same["uuid"] != other["uuid"]


def test_another_patient_s_card_is_another_card(desk: Desk) -> None:
    other = Record("p2", NOW).fracture("L1", 1500).cement("L1", 1461).condition("R06.02", 0.1)
    (one,), (two,) = desk.open(breathless(4 * YEARS), "e1"), desk.open(other, "e1")
    desk.dismiss(one)
    assert [card["uuid"] for card in desk.open(other, "e1")] == [two["uuid"]]


# --- well, early, and in between


def test_well_and_in_dermatology_six_years_later_no_card_and_no_task(desk: Desk) -> None:
    record = cemented(6 * YEARS).encounter("AMB", 0.2)
    assert desk.open(record, f"{record.id}-enc-1") == []
    body = desk.body(record)
    assert "hints" not in body
    assert chest_tasks(body) == []


def test_breathless_on_day_four_is_the_emergency_and_no_late_card(desk: Desk) -> None:
    record = breathless(4)
    (card,) = desk.open(record)
    assert card["indicator"] == "critical"
    assert "hints" not in desk.body(record)
    assert "after-cement.chest-emergency" in chest_tasks(desk.body(record))


@pytest.mark.parametrize(("days", "late"), [(29, False), (32, True)])
def test_the_card_begins_where_the_emergency_ends(days: int, late: bool) -> None:
    body = decision_on(breathless(days))
    assert ("hints" in body, bool(chest_tasks(body))) == (late, not late)


def test_cement_of_old_gives_way_to_the_emergency_of_the_new(desk: Desk) -> None:
    record = cemented(4 * YEARS).fracture("T12", 40).cement("T12", 4).condition("R06.02", 0.1)
    assert [card["indicator"] for card in desk.open(record)] == ["critical"]
    assert "hints" not in desk.body(record)


def test_two_procedures_of_old_are_one_card(desk: Desk) -> None:
    record = cemented(4 * YEARS).fracture("T12", 1100).cement("T12", 1000).condition("R06.02", 0.1)
    (card,) = desk.open(record)
    assert card["summary"].endswith(": T12, L1")


def test_a_low_saturation_alone_is_a_sign_and_a_normal_one_suppresses_none() -> None:
    low = cemented(4 * YEARS).lab("59408-5", 88, "%", 0.1)
    assert [hint["rule"] for hint in decision_on(low)["hints"]] == [LATE]
    assert "hints" not in decision_on(cemented(4 * YEARS).lab("59408-5", 97, "%", 0.1))
    both = breathless(4 * YEARS).lab("59408-5", 99, "%", 0.05)
    assert [hint["rule"] for hint in decision_on(both)["hints"]] == [LATE]


def test_breathlessness_of_last_month_is_history() -> None:
    assert "hints" not in decision_on(breathless(4 * YEARS, ago=40))


def test_a_sign_without_cement_is_nobody_s_card() -> None:
    assert "hints" not in decision_on(Record("p1", NOW).fracture("L1", 100).condition("R06.02", 0.1))


# --- a site may switch it off, and the emergency's numbers are the card's


def test_a_site_may_switch_the_card_off_and_the_emergency_that_it_yields_to() -> None:
    rule_set = BOOK.sets["after-cement"]
    for off in (LATE, "after-cement.chest-emergency"):
        entry = Entry("after-cement", off, "2026-11-23", ("A. Person",), "tried out", "site.yaml:1")
        laid = Layer("here", "draft", off=(entry,)).apply(rule_set)
        assert {rule.id for rule in rule_set.obligations} - {rule.id for rule in laid.obligations} == {off}


def test_where_the_emergency_ends_and_what_is_low_are_the_same_numbers_in_both() -> None:
    rules = {rule.id: rule for rule in BOOK.sets["after-cement"].rules()}
    card, alarm = rules[LATE].parameters, rules["after-cement.no-chest-sign"].parameters
    assert card["emergency-until"].value == alarm["after-cement"].value
    assert card["low-saturation"].value == alarm["saturation-to"].value


def test_the_page_of_the_decision_names_the_card(desk: Desk) -> None:
    record = breathless(4 * YEARS)
    desk.open(record)
    with desk.house.store.read() as ledger:
        id = ledger.decisions("local|p1")[0].id
    page = desks.Desk(desk.house, "clinician").read(f"/records/{id}").text
    assert "Cards that are no tasks" in page
    assert LATE in page
