"""openapi.yaml against the app: the same routes, the same methods, the same parameters, and answers of its shape."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from adapters.bootstrap import House
from adapters.http import contract as binding
from adapters.http.app import create_app
from adapters.http.cds_hooks.catalogue import services
from adapters.http.contract import FILE, METHODS, Contract, contract
from adapters.http.fhir_api.search import SEARCHES
from pathway.errors import BadInputError, PathwayError, RuleBookError
from tests.adapters.http.conftest import opened_house

SPEC = contract().document
SHARED = {"_count", "_offset", "_format"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with opened_house(tmp_path_factory.mktemp("contract") / "x.db") as house:
        yield house


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house)


def test_every_route_is_in_the_contract_and_nothing_else_is(app: Flask) -> None:
    built = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    promised = {(path, name.upper()) for path, item in SPEC["paths"].items() for name in item if name in METHODS}
    assert built == promised


@pytest.mark.parametrize(
    ("address", "method", "endpoint", "said"),
    [
        pytest.param("/stray", "GET", "stray", "GET /stray wants operationId stray", id="a route without operation"),
        pytest.param("/fhir/Task", "DELETE", "x", "DELETE /fhir/Task wants operationId x", id="one method too many"),
    ],
)
def test_a_route_outside_the_contract_stops_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch, address: str, method: str, endpoint: str, said: str
) -> None:
    before = binding.install

    def with_a_stray(app: Flask) -> None:
        app.add_url_rule(address, endpoint, lambda: "", methods=[method])
        before(app)

    monkeypatch.setattr(binding, "install", with_a_stray)
    with pytest.raises(PathwayError, match="not those of the contract") as caught:
        create_app(house)
    assert said in caught.value.why


def _without_a_path(text: str) -> str:
    return text.replace("  /readyz:\n", "  /unready:\n")


def _with_another_name(text: str) -> str:
    return text.replace("operationId: health.readyz", "operationId: health.unready")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_a_path, "GET /unready has no route"),
        (_with_another_name, "GET /readyz wants operationId health.readyz"),
    ],
)
def test_an_operation_without_a_route_stops_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Any, said: str
) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(change(FILE.read_text()))
    other = Contract(path)
    monkeypatch.setattr(binding, "contract", lambda: other)
    with pytest.raises(PathwayError, match="not those of the contract") as caught:
        create_app(house)
    assert said in caught.value.why


def test_every_path_parameter_is_described() -> None:
    for (path, method), operation in contract().operations.items():
        assert set(operation.parameters["path"]) == set(re.findall(r"{(\w+)}", path)), (path, method)


def test_every_operation_has_its_own_id_and_says_what_it_is() -> None:
    raw = [operation for item in SPEC["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in raw]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["tags"] for operation in raw)


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
    promised = contract().operations[f"/fhir/{kind}", "GET"].parameters["query"]
    assert set(SEARCHES[kind]) == set(promised) - SHARED


def test_the_contract_names_the_prefetch_keys_and_service_ids_that_discovery_does() -> None:
    keys = {key for service in services().values() for key in service.prefetch}
    assert set(_schema("HookRequest")["properties"]["prefetch"]["properties"]) == keys
    assert SPEC["components"]["parameters"]["service"]["schema"]["enum"] == sorted({id for id, _ in services()})
    assert _schema("HookRequest")["properties"]["hook"]["enum"] == sorted({hook for _, hook in services()})


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        pytest.param([], "body", "structure", id="no object"),
        pytest.param({"hook": "patient-view"}, "body", "required", id="something missing"),
        pytest.param({"hook": 1}, "body.hook", "structure", id="wrong type"),
        pytest.param({"hookInstance": "x"}, "body.hookInstance", "value", id="wrong form"),
        pytest.param({"prefetch": {"patient": 1}}, "body.prefetch.patient", "structure", id="deep inside"),
        pytest.param({"context": {"userId": ""}}, "body.context.userId", "structure", id="too short"),
    ],
)
def test_a_body_that_breaks_the_contract_is_told_where(body: Any, where: str, code: str) -> None:
    whole = {"hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
    whole["context"] = {"userId": "u", "patientId": "p"}  # type: ignore[assignment]
    if isinstance(body, dict):
        body = {k: (whole["context"] | v if k == "context" else v) for k, v in body.items()}  # type: ignore[operator]
        body = body if body == {"hook": "patient-view"} else whole | body
    with pytest.raises(BadInputError) as caught:
        contract().body("HookRequest", body, "body")
    assert (caught.value.where, caught.value.code) == (where, code)
    assert "openapi.yaml" in caught.value.fix


def test_a_key_twice_in_the_contract_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(FILE.read_text() + "\npaths: {}\n")
    with pytest.raises(RuleBookError, match="stands twice"):
        Contract(path)
