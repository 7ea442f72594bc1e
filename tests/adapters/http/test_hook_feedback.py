"""Feedback on cards, line by line: what is taken, what is kept, and what an answer can take away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapters.bootstrap import House
from adapters.db.feedback import CardAnswer
from adapters.http.app import create_app
from tests.adapters.http.builders import Json, call, candidate, emergency, prefetch
from tests.adapters.http.conftest import MakeHouse
from tests.world import log_as_it_was

CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
SUGGESTION = "e56e1945-20b3-4393-8503-a1a20fd73152"
AT = "2026-11-22T11:58:00Z"
OVERRIDDEN = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": AT}
ACCEPTED = {"card": CARD, "outcome": "accepted", "outcomeTimestamp": AT, "acceptedSuggestions": [{"id": SUGGESTION}]}
OURS = "https://pathway.example/fhir/CodeSystem/override-reason"
WHY = {"reason": {"code": "not-now", "system": OURS}, "userComment": "Ms Example has a cold"}
ADDRESS = "/cds-services/candidacy/feedback"


@dataclass
class World:
    client: FlaskClient
    house: House

    def say(self, *answers: Any, address: str = ADDRESS) -> TestResponse:
        return self.client.post(address, json={"feedback": list(answers)})

    def kept(self, card: str = CARD) -> tuple[CardAnswer, ...]:
        with self.house.store.feedback(write=False) as kept:
            return kept.of_card(card)


@pytest.fixture
def world(make_house: MakeHouse) -> World:
    house = make_house(fhir_servers=("https://ehr.example/fhir",))
    return World(create_app(house).test_client(), house)


def but(item: Json, **members: Any) -> Json:
    """An answer with other members; `...` removes one."""
    return {name: value for name, value in (item | members).items() if value is not ...}


Row = tuple[Callable[[World], TestResponse], int, Callable[[World], object]]


def _nothing(world: World) -> bool:
    return world.kept() == ()


def _one(**has: Any) -> Callable[[World], object]:
    def holds(world: World) -> bool:
        (answer,) = world.kept()
        return {name: getattr(answer, name) for name in has} == has

    return holds


def _preflight(origin: str) -> Callable[[World], TestResponse]:
    headers = {
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }  # fmt: skip
    return lambda w: w.client.options(ADDRESS, headers=headers)


ROWS: dict[str, Row] = {
    # What is kept
    "overridden, with nothing more": (
        lambda w: w.say(OVERRIDDEN), 200, _one(outcome="overridden", reason="", comment=""),
    ),
    "overridden, with reason and comment": (
        lambda w: w.say(OVERRIDDEN | {"overrideReason": WHY}), 200,
        _one(reason="not-now", reason_system=OURS, comment="Ms Example has a cold"),
    ),
    "overridden, with a reason alone": (
        lambda w: w.say(OVERRIDDEN | {"overrideReason": {"reason": WHY["reason"]}}), 200,
        _one(reason="not-now", comment=""),
    ),
    "overridden, with a comment alone": (
        lambda w: w.say(OVERRIDDEN | {"overrideReason": {"userComment": "seen"}}), 200, _one(reason="", comment="seen"),
    ),
    "accepted, with the suggestions": (
        lambda w: w.say(ACCEPTED), 200, _one(outcome="accepted", accepted=(SUGGESTION,)),
    ),
    "when the clinician answered, and when we heard": (
        lambda w: w.say(OVERRIDDEN), 200,
        _one(
            at=datetime.fromisoformat("2026-11-22T11:58:00+00:00"),
            received_at=datetime.fromisoformat("2026-11-22T12:00:00+00:00"),
        ),
    ),
    "which service, and that the client did not say who": (
        lambda w: w.say(OVERRIDDEN), 200, _one(service="candidacy", actor="cds-client")
    ),
    "an id in capitals is the same card": (lambda w: w.say(but(OVERRIDDEN, card=CARD.upper())), 200, _one(card=CARD)),
    # Idempotent, appended
    "the same answer twice is kept once": (lambda w: (w.say(OVERRIDDEN), w.say(OVERRIDDEN))[1], 200, _one()),
    "the same answer twice in one body is kept once": (lambda w: w.say(OVERRIDDEN, OVERRIDDEN), 200, _one()),
    "the same card many times: appended in order": (
        lambda w: w.say(but(ACCEPTED, outcomeTimestamp="2026-11-22T11:59:00Z"), OVERRIDDEN), 200,
        lambda w: [one.outcome for one in w.kept()] == ["overridden", "accepted"],
    ),
    "answers to several cards in one body": (
        lambda w: w.say(OVERRIDDEN, but(OVERRIDDEN, card=SUGGESTION)), 200, lambda w: w.kept() and w.kept(SUGGESTION)
    ),
    # What counts as absent
    "null, empty text and empty lists count as absent": (
        lambda w: w.say(
            OVERRIDDEN | {"acceptedSuggestions": [], "overrideReason": {"reason": None, "userComment": ""}}
        ), 200, _one(reason="", comment="", accepted=()),
    ),
    "a reason of which every member is empty counts as absent": (
        lambda w: w.say(
            OVERRIDDEN | {"overrideReason": {"reason": {"code": None, "system": ""}, "userComment": "seen"}}
        ), 200, _one(reason="", comment="seen"),
    ),
    "unknown members and extensions pass": (
        lambda w: w.say(OVERRIDDEN | {"extension": {"com.example": 1}, "x": [1]}), 200, _one(outcome="overridden")
    ),
    # acceptedSuggestions if and only if accepted
    "accepted without suggestions is refused": (lambda w: w.say(but(ACCEPTED, acceptedSuggestions=...)), 400, _nothing),
    "accepted with none is refused": (lambda w: w.say(but(ACCEPTED, acceptedSuggestions=[])), 400, _nothing),
    "overridden with suggestions is refused": (lambda w: w.say(but(ACCEPTED, outcome="overridden")), 400, _nothing),
    # What is refused, as an OperationOutcome
    "an outcome that is none": (lambda w: w.say(but(OVERRIDDEN, outcome="ignored")), 400, _nothing),
    "without a card": (lambda w: w.say(but(OVERRIDDEN, card=...)), 400, _nothing),
    "a card that is no uuid": (lambda w: w.say(but(OVERRIDDEN, card="1")), 400, lambda w: w.kept("1") == ()),
    "without an instant": (lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp=...)), 400, _nothing),
    "an instant without a zone": (
        lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp="2026-11-22T11:58:00")), 400, _nothing,
    ),
    "an instant of a leap second": (
        lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp="2026-12-31T23:59:60Z")), 400, _nothing,
    ),
    "an instant before the first day": (
        lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp="0001-01-01T00:00:00+23:00")), 400, _nothing,
    ),
    "an instant after the last day": (
        lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp="9999-12-31T23:59:59-23:00")), 400, _nothing,
    ),
    "an instant in small letters, and of nine digits": (
        lambda w: w.say(but(OVERRIDDEN, outcomeTimestamp="2026-11-22t11:58:00.123456789z")), 200, _one(reason=""),
    ),
    "one wrong answer: nothing of the body is kept": (
        lambda w: w.say(OVERRIDDEN, but(OVERRIDDEN, card=...)), 400, _nothing,
    ),
    "a reason that is a list": (lambda w: w.say(OVERRIDDEN | {"overrideReason": [None]}), 400, _nothing),
    "a code that is none": (lambda w: w.say(OVERRIDDEN | {"overrideReason": {"reason": "no"}}), 400, _nothing),
    "no answers at all": (lambda w: w.say(), 400, _nothing),
    "no object": (lambda w: w.client.post(ADDRESS, json=[]), 400, _nothing),
    "not JSON": (lambda w: w.client.post(ADDRESS, data=b"<a/>", content_type="application/xml"), 415, _nothing),
    "no service of that id": (lambda w: w.say(OVERRIDDEN, address="/cds-services/other/feedback"), 404, _nothing),
    # CORS
    "preflight on feedback": (_preflight("https://ehr.example"), 204, _nothing),
    "preflight on feedback, from elsewhere": (_preflight("https://evil.example"), 204, _nothing),
}  # fmt: skip


@pytest.mark.parametrize("row", list(ROWS.values()), ids=list(ROWS))
def test_feedback(world: World, row: Row) -> None:
    ask, status, holds = row
    answer = ask(world)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert holds(world)
    if status >= 400:
        assert (answer.json or {})["resourceType"] == "OperationOutcome"
    else:
        assert answer.get_data() == b""


def test_the_preflight_lets_in_the_pages_of_listed_servers_alone(world: World) -> None:
    ours, others = _preflight("https://ehr.example")(world), _preflight("https://evil.example")(world)
    assert ours.headers["Access-Control-Allow-Origin"] == "https://ehr.example"
    assert ours.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "Access-Control-Allow-Origin" not in others.headers


def test_what_a_clinician_wrote_stands_in_no_log_and_no_count(world: World) -> None:
    with log_as_it_was(), structlog.testing.capture_logs() as log:
        told = {"reason": {"code": "patient says no", "system": "urn:x"}, "userComment": "Ms Example has a cold"}
        assert world.say(OVERRIDDEN | {"overrideReason": told}).status_code == 200
    (line,) = (line for line in log if line["event"] == "request")
    assert (line["answers"], line["new"]) == (1, 1)
    counts = world.client.get("/metrics").get_data(as_text=True)
    assert 'pathway_card_answers_total{outcome="overridden",reason="other"} 1.0' in counts
    for text in (str(log), counts):
        assert "Example" not in text
        assert "patient says no" not in text
        assert CARD not in text


def test_a_page_of_the_database_away_is_said_and_the_client_may_send_again(world: World) -> None:
    from adapters.db import StoreUnavailableError

    def away(**_: Any) -> Any:
        raise StoreUnavailableError("the database is away")

    object.__setattr__(world.house.store, "feedback", away)
    answer = world.say(OVERRIDDEN)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    object.__delattr__(world.house.store, "feedback")
    assert world.say(OVERRIDDEN).status_code == 200
    assert len(world.kept()) == 1


@pytest.mark.parametrize("make", [candidate, emergency], ids=["a verdict", "an emergency"])
def test_no_feedback_takes_a_verdict_or_an_emergency_away(world: World, make: Callable[..., Any]) -> None:
    record = make("p1", world.house.clock.now())

    def cards() -> list[Json]:
        context = {"userId": "Practitioner/u1", "patientId": record.id, "encounterId": "e1"}
        body = call(record.id, prefetch=prefetch(record)) | {"context": context}
        return world.client.post("/cds-services/candidacy", json=body).json["cards"]  # type: ignore[index]

    (before,) = cards()
    assert world.say(but(OVERRIDDEN, card=before["uuid"])).status_code == 200
    (after,) = cards()
    assert (after["summary"], after["indicator"]) == (before["summary"], before["indicator"])
