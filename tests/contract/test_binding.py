"""What the contract says of a request is what happens to it: parameters, headers, media types, forms and bodies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from adapters.http import contract as binding
from adapters.http import problems
from adapters.http.contract import Contract, held

CONTRACT = """
openapi: 3.1.0
info: {title: A small one, version: "1"}
paths:
  /things/{id}:
    get:
      operationId: read
      tags: [t]
      summary: s
      parameters:
        - {name: id, in: path, required: true, description: A small letter, schema: {type: string, pattern: "^[a-z]$"}}
        - {name: many, in: query, description: One or two, schema: {type: array, maxItems: 2, items: {enum: [a, b, c]}}}
        - {name: least, in: query, description: A number, schema: {type: integer, minimum: 1, default: 7}}
        - {name: open, in: query, description: true or false, schema: {type: boolean}}
        - {name: X-Version, in: header, required: true, description: Which one, schema: {type: string, enum: [v1]}}
      responses: {"200": {description: ok}}
  /forms:
    post:
      operationId: fill_in
      tags: [t]
      summary: s
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [reason]
              properties:
                reason: {type: string, maxLength: 5}
                level: {type: array, items: {enum: [L1, L2]}}
      responses: {"200": {description: ok}}
  /bodies:
    post:
      operationId: send
      tags: [t]
      summary: s
      requestBody:
        required: true
        content:
          application/json: {schema: {type: object, required: [a], properties: {a: {type: integer}}}}
      responses: {"200": {description: ok}}
components: {schemas: {}}
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """An app of three views under a contract of its own."""
    from flask import request

    path = tmp_path / "small.yaml"
    path.write_text(CONTRACT)
    small = Contract(path)
    monkeypatch.setattr(binding, "contract", lambda: small)
    app = Flask("small", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.add_url_rule("/things/<id>", "read", lambda id: {"query": g.query, "headers": g.headers})
    app.add_url_rule("/forms", "fill_in", lambda: {"reason": request.form["reason"]}, methods=["POST"])
    app.add_url_rule("/bodies", "send", lambda: {"got": held(request.get_json())}, methods=["POST"])
    problems.install(app)
    binding.install(app)
    return app.test_client()


GOOD = {"X-Version": "v1"}


def test_values_come_in_their_types_with_defaults_filled_in(client: FlaskClient) -> None:
    answer = client.get("/things/x?many=a,b&open=true", headers=GOOD).json
    assert answer == {"query": {"many": ["a", "b"], "least": 7, "open": True}, "headers": {"X-Version": "v1"}}


@pytest.mark.parametrize(
    ("address", "headers", "status", "where"),
    [
        ("/things/X", GOOD, 404, "id"),
        ("/things/x?many=a,d", GOOD, 400, "many"),
        ("/things/x?many=a,b,c", GOOD, 400, "many"),
        ("/things/x?many=a&many=b", GOOD, 400, "many"),
        ("/things/x?least=0", GOOD, 400, "least"),
        ("/things/x?least=one", GOOD, 400, "least"),
        ("/things/x?least=1e3", GOOD, 400, "least"),
        ("/things/x?open=yes", GOOD, 400, "open"),
        ("/things/x?stranger=1", GOOD, 400, ""),
        ("/things/x", {}, 400, "X-Version"),
        ("/things/x", {"X-Version": "v2"}, 400, "X-Version"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_by_name(
    client: FlaskClient, address: str, headers: dict[str, str], status: int, where: str
) -> None:
    answer = client.get(address, headers=headers)
    assert answer.status_code == status
    said = answer.json["issue"][0]["diagnostics"]
    assert said.startswith(f"Where: {where}.") or (not where and "Known here: many, least, open" in said)
    assert "v2" not in said


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"reason": "old"}, 200),
        ({"reason": "old", "level": ["L1", "L2"]}, 200),
        ({"reason": "old", "level": "L9"}, 400),
        ({"reason": "far too long"}, 400),
        ({"reason": ""}, 400),
        ({"level": "L1"}, 400),
        ({"reason": "old", "stranger": "1"}, 200),
    ],
)
def test_a_form_is_held_to_its_schema(client: FlaskClient, form: dict[str, Any], status: int) -> None:
    assert client.post("/forms", data=form).status_code == status


@pytest.mark.parametrize(("body", "status"), [({"a": 1}, 200), ({"a": "1"}, 400), ({}, 400), ([], 400)])
def test_a_json_body_is_held_to_its_schema(client: FlaskClient, body: Any, status: int) -> None:
    assert client.post("/bodies", json=body).status_code == status


@pytest.mark.parametrize(("address", "taken"), [("/forms", binding.FORM), ("/bodies", "application/json")])
@pytest.mark.parametrize("sent", ["text/plain", "application/xml", ""])
def test_another_media_type_is_415_and_told_which_is_taken(
    client: FlaskClient, address: str, taken: str, sent: str
) -> None:
    answer = client.post(address, data=b"{}", content_type=sent)
    assert answer.status_code == 415
    assert answer.json["issue"][0]["diagnostics"] == f"Fix: Send {taken}."
