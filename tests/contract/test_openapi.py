"""openapi.yaml against the app: the same routes, the same methods, the same parameters, and answers of its shape."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from adapters.bootstrap import open_house
from adapters.http.app import create_app
from adapters.http.cds_hooks.catalogue import services
from adapters.http.contract import FILE, Contract, contract
from adapters.http.fhir_api.search import SEARCHES
from adapters.settings import Settings
from pathway.errors import BadInputError, RuleBookError

SPEC = contract().document
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
SHARED = {"_count", "_offset", "_format"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("contract") / "x.db"
    house = open_house(Settings(_env_file=None, database_url=f"sqlite:///{path}"))
    yield create_app(house)
    house.close()


def test_every_route_is_in_the_contract_and_nothing_else_is(app: Flask) -> None:
    built = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    promised = {(path, name.upper()) for path, item in SPEC["paths"].items() for name in item if name in METHODS}
    assert built == promised


def test_every_path_parameter_is_described() -> None:
    for path, item in SPEC["paths"].items():
        for name, operation in item.items():
            named = {p["name"] for p in map(_resolved, operation.get("parameters", ())) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)) or name == "options", (path, name)


def _resolved(raw: dict[str, Any]) -> dict[str, Any]:
    return SPEC["components"]["parameters"][raw["$ref"].rpartition("/")[2]] if "$ref" in raw else raw


def test_every_operation_has_its_own_id() -> None:
    ids = [o["operationId"] for item in SPEC["paths"].values() for name, o in item.items() if name != "options"]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    for pointer in re.findall(r'\$ref: "(#/[^"]+)"', FILE.read_text()):
        node: Any = SPEC
        for step in pointer[2:].split("/"):
            node = node[step]


@pytest.mark.parametrize("name", sorted(SPEC["components"]["schemas"]))
def test_every_schema_is_json_schema_2020_12(name: str) -> None:
    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema(name)})


def _schema(name: str) -> dict[str, Any]:
    return SPEC["components"]["schemas"][name]


@pytest.mark.parametrize("kind", sorted(SEARCHES))
def test_the_capability_statement_tells_the_search_parameters_of_the_contract(kind: str) -> None:
    promised = {p["name"] for p in map(_resolved, SPEC["paths"][f"/fhir/{kind}"]["get"]["parameters"])}
    assert set(SEARCHES[kind]) == promised - SHARED


def test_the_contract_names_the_prefetch_keys_and_service_ids_that_discovery_does() -> None:
    keys = {key for service in services().values() for key in service.prefetch}
    assert set(_schema("HookRequest")["properties"]["prefetch"]["properties"]) == keys
    (parameter,) = SPEC["paths"]["/cds-services/{service}"]["post"]["parameters"]
    assert parameter["schema"]["enum"] == sorted({id for id, _ in services()})


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        pytest.param([], "body", "structure", id="no object"),
        pytest.param({"hook": "x"}, "body", "required", id="something missing"),
        pytest.param({"hook": 1}, "body.hook", "structure", id="wrong type"),
        pytest.param({"hookInstance": "x"}, "body.hookInstance", "value", id="wrong form"),
        pytest.param({"prefetch": {"patient": 1}}, "body.prefetch.patient", "structure", id="deep inside"),
        pytest.param({"context": {"userId": ""}}, "body.context.userId", "structure", id="too short"),
    ],
)
def test_a_body_that_breaks_the_contract_is_told_where(body: Any, where: str, code: str) -> None:
    whole = {"hook": "h", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
    whole["context"] = {"userId": "u", "patientId": "p"}  # type: ignore[assignment]
    if isinstance(body, dict):
        body = {k: (whole["context"] | v if k == "context" else v) for k, v in body.items()}  # type: ignore[operator]
        body = body if body == {"hook": "x"} else whole | body
    with pytest.raises(BadInputError) as caught:
        contract().body("HookRequest", body, "body")
    assert (caught.value.where, caught.value.code) == (where, code)
    assert "openapi.yaml" in caught.value.fix


def test_a_key_twice_in_the_contract_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(FILE.read_text() + "\npaths: {}\n")
    with pytest.raises(RuleBookError, match="stands twice"):
        Contract(path)


@pytest.mark.parametrize(
    ("address", "schema"),
    [("/cds-services", "Services"), ("/nowhere", "OperationOutcome"), ("/fhir/metadata", "Resource")],
)
def test_answers_have_the_shape_that_is_promised(app: Flask, address: str, schema: str) -> None:
    contract().body(schema, app.test_client().get(address).json, "answer")


def test_a_decision_has_the_shape_that_is_promised(app: Flask) -> None:
    house: Callable[..., Any] = app.extensions["pathway"]
    patient = {"resourceType": "Patient", "id": "p1"}
    client = app.test_client()
    assert client.post("/fhir", json=patient).status_code == 200
    with house.store.read() as ledger:  # type: ignore[attr-defined]
        (record,) = ledger.decisions("local|p1")
    contract().body("Decision", client.get(f"/decisions/{record.id}").json, "answer")
