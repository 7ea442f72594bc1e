"""Decisions: read as they were hashed, and made again."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.bootstrap import House
from pathway.canonical import canonical, sha256
from tests.adapters.http.builders import candidate
from tests.adapters.http.conftest import NOW

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def id(house: House, send: Callable[..., Any]) -> str:
    """A decision on a candidate."""
    send(candidate("p1", NOW).bundle())
    with house.store.read() as ledger:
        return ledger.decisions("local|p1")[0].id


def test_a_decision_is_read_with_its_envelope_and_the_body_that_was_hashed(client: FlaskClient, id: str) -> None:
    shown = client.get(f"/decisions/{id}").json
    assert (shown["id"], shown["patient"], shown["trigger"]) == (id, "local|p1", "fhir-api")
    assert shown["body"]["levels"][0]["outcome"] == "candidate"
    assert {"decimal": "7"} in shown["body"]["facts"]["patient"]["facts"]["pain-score"].values()
    assert "hookInstance" not in shown
    assert (
        sha256(json.dumps(shown["body"], separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode())
        == (shown["bodySha256"])
    )


def test_a_decision_comes_out_the_same_again(client: FlaskClient, id: str) -> None:
    shown = client.get(f"/decisions/{id}").json
    answer = client.get(f"/decisions/{id}/replay")
    assert (answer.status_code, answer.json) == (200, {"same": True, "sha256": shown["bodySha256"]})


def test_a_decision_that_was_tampered_with_is_409(client: FlaskClient, house: House, id: str) -> None:
    path = house.settings.database_url.removeprefix("sqlite:///")
    with house.store.read() as ledger:
        body = json.loads(ledger.decision(id).body)
    body["levels"][0]["outcome"] = "defer"
    with sqlite3.connect(path) as meddler:
        for (name,) in meddler.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            meddler.execute(f"DROP TRIGGER {name}")
        meddler.execute("UPDATE decision SET body = ? WHERE id = ?", (canonical(body), id))
    meddler.close()
    answer = client.get(f"/decisions/{id}/replay")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (409, "conflict")


@pytest.mark.parametrize("address", [f"/decisions/{NOBODY}", f"/decisions/{NOBODY}/replay"])
def test_a_decision_that_is_not_there_is_404(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404
