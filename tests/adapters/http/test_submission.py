"""Records in: what is taken, what is set aside, what is refused whole, and what the answer says of each."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.fhir.validate import check_written
from tests.adapters.http.builders import candidate, emergency
from tests.adapters.http.conftest import NOW, MakeHouse

Send = Callable[..., Any]
BAD = {"resourceType": "Observation", "id": "bad", "status": "no-such-status", "code": {"text": "x"}}


def lines(answer: Any) -> list[str]:
    """The status of each entry, its number only."""
    return [entry["response"]["status"][:3] for entry in answer["entry"]]


@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        ("transaction", "transaction-response"),
        ("batch", "batch-response"),
        ("collection", "batch-response"),
        ("searchset", "batch-response"),
    ],
)
def test_every_type_of_bundle_is_taken_and_answered_entry_by_entry(send: Send, kind: str, answered: str) -> None:
    record = candidate("p1", NOW)
    answer = send(record.bundle(kind))
    check_written(answer)
    assert answer["type"] == answered
    assert lines(answer) == ["201"] * len(record.resources)
    assert [e["response"]["location"] for e in answer["entry"]] == [
        f"{r['resourceType']}/{r['id']}" for r in record.resources
    ]


def test_what_is_sent_again_is_200_and_makes_no_second_task(send: Send, house: House) -> None:
    record = candidate("p1", NOW)
    send(record.bundle())
    with house.store.read() as ledger:
        before = ledger.tasks("local|p1")
    assert lines(send(record.bundle())) == ["200"] * len(record.resources)
    with house.store.read() as ledger:
        assert ledger.tasks("local|p1") == before
    rules = [task.rule for task in before]
    assert len(rules) == len(set(rules))
    assert {"candidacy.assess-flags", "candidacy.operator-review", "bone-health.fracture-referral"} <= set(rules)


def test_one_bad_resource_of_a_batch_is_set_aside_and_the_rest_taken(send: Send, house: House) -> None:
    bundle = candidate("p1", NOW).bundle("batch")
    bundle["entry"].insert(2, {"resource": BAD, "request": {"method": "PUT", "url": "Observation/bad"}})
    answer = send(bundle)
    check_written(answer)
    assert lines(answer) == ["201", "201", "422"] + ["201"] * (len(bundle["entry"]) - 3)
    issue = answer["entry"][2]["response"]["outcome"]["issue"][0]
    assert (issue["code"], issue["expression"]) == ("code-invalid", ["Observation.status"])
    assert "no-such-status" not in str(issue)
    with house.store.read() as ledger:
        assert len(ledger.chart("local|p1")) == len(bundle["entry"]) - 1


def test_one_bad_resource_of_a_transaction_refuses_it_whole(send: Send, house: House) -> None:
    bundle = candidate("p1", NOW).bundle("transaction")
    bundle["entry"].append({"resource": BAD, "request": {"method": "PUT", "url": "Observation/bad"}})
    answer = send(bundle, status=400)
    assert answer["resourceType"] == "OperationOutcome"
    with house.store.read() as ledger:
        assert ledger.patients() == ()


def test_a_lone_resource_is_taken_too(send: Send) -> None:
    assert lines(send(Record("p1", NOW).resources[0])) == ["201"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "structure", id="nothing"),
        pytest.param(b"{", "structure", id="not JSON"),
        pytest.param(b'{"a": 1, "a": 2}', "structure", id="a key twice"),
        pytest.param(b'{"a": NaN}', "structure", id="NaN"),
        pytest.param(b"[" * 100, "too-costly", id="nested too deep"),
        pytest.param(b"{}", "required", id="no resourceType"),
        pytest.param(b'{"resourceType": "Bundle", "type": "batch"}', "required", id="an empty Bundle"),
        pytest.param(b'{"resourceType": "Spaceship", "id": "x"}', "structure", id="no type of R4"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(client: FlaskClient, body: bytes, code: str) -> None:
    answer = client.post("/fhir", data=body, content_type="application/fhir+json")
    assert answer.status_code == 400
    check_written(answer.json)
    assert answer.json["issue"][0]["code"] == code


def test_two_patients_in_one_bundle_are_refused_and_neither_is_stored(send: Send, house: House) -> None:
    bundle = candidate("p1", NOW).bundle()
    bundle["entry"] += candidate("p2", NOW).bundle()["entry"]
    assert send(bundle, status=400)["issue"][0]["code"] == "business-rule"
    with house.store.read() as ledger:
        assert ledger.patients() == ()


def test_a_body_over_the_limit_is_413(make_house: MakeHouse) -> None:
    from adapters.http.app import create_app

    client = create_app(make_house(max_body_bytes=100)).test_client()
    answer = client.post("/fhir", data=b" " * 101, content_type="application/fhir+json")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (413, "too-long")


def test_an_emergency_becomes_a_task_at_once(send: Send, client: FlaskClient) -> None:
    send(emergency("p1", NOW).bundle())
    found = [e["resource"] for e in client.get("/fhir/Task?patient=p1").json["entry"]]
    urgent = next(task for task in found if task["priority"] == "stat")
    assert urgent["code"]["coding"][0]["code"] == "neurology-emergency"
    plans = [e["resource"] for e in client.get("/fhir/CarePlan?patient=p1").json["entry"]]
    assert f"Task/{urgent['id']}" in {a["reference"]["reference"] for plan in plans for a in plan.get("activity", ())}
