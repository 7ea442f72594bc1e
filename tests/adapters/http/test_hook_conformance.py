"""CDS Hooks 2.0.1, line by line, as one table: a request, the status it gets, and what must hold of the answer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.http.app import create_app
from adapters.http.cds_hooks.catalogue import lint, services
from adapters.http.contract import contract
from tests.adapters.http.builders import TYPES, Json, call, candidate, hollow, prefetch, searchset, unproven
from tests.adapters.http.conftest import NOW, MakeHouse
from tests.adapters.http.servers import Sekmet, raw_server, sekmet

__all__ = ["sekmet"]  # a fixture

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
GRANT = {
    "access_token": "t0ken", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": "client",
}  # fmt: skip
REQUIRED = ("patient", "conditions", "observations")
PAGE_HEADERS = {"Origin": "https://ehr.example", "Access-Control-Request-Method": "POST"}


@dataclass
class World:
    """What a row may use: an app that knows two FHIR servers, and a chart. The real server starts when it is named."""

    request: pytest.FixtureRequest
    client: FlaskClient
    house: House

    @cached_property
    def record(self) -> Record:
        """A candidate of this row's own."""
        return candidate(f"row-{abs(hash(self.request.node.name)) % 10**9}", self.house.clock.now())

    @cached_property
    def ehr(self) -> str:
        """The base of a real FHIR server that holds the chart."""
        server: Sekmet = self.request.getfixturevalue("sekmet")
        server.put(self.record.resources)
        object.__setattr__(self.house.settings, "fhir_servers", (server.base,))
        return server.base

    def body(self, *without: str, **instead: Any) -> Json:
        """A whole call with all of the chart in prefetch, less some keys; `instead` replaces keys of prefetch."""
        sent = {k: v for k, v in prefetch(self.record).items() if k not in without} | instead
        return call(self.record.id, prefetch=sent)

    def post(self, body: Any, service: str = "candidacy") -> TestResponse:
        """Make a call."""
        return self.client.post(f"/cds-services/{service}", json=body)

    def decision(self) -> Json:
        """The body of the decision that the call was logged with."""
        import json

        with self.house.store.read() as ledger:
            return json.loads(ledger.decisions(f"local|{self.record.id}")[0].body)

    def lost(self) -> dict[str, str]:
        """What the decision says could not be retrieved, with the reason."""
        return {i["where"]: i["why"] for i in self.decision()["setAside"] if i["code"] == "not-retrieved"}


@dataclass(frozen=True)
class Row:
    ask: Callable[[World], TestResponse]
    status: int = 200
    holds: Callable[[World, Any], object] = lambda _w, _answer: True


def _discover(world: World) -> TestResponse:
    return world.client.get("/cds-services")


def _card(answer: Any) -> Json:
    (card,) = answer["cards"]
    return card


def _candidate(_: World, answer: Any) -> bool:
    return _card(answer)["summary"] == "L1: candidate"


def _names(*keys: str) -> Callable[[World, Any], bool]:
    """Whether the OperationOutcome names these required keys and no other."""
    return lambda _, answer: all((key in answer["issue"][0]["details"]["text"]) == (key in keys) for key in REQUIRED)


def _changed(**members: Any) -> Callable[[World], TestResponse]:
    """A whole call with some members replaced; None removes one."""
    return lambda w: w.post({k: v for k, v in (w.body() | members).items() if v is not None})


def _context(**fields: Any) -> Callable[[World], TestResponse]:
    def ask(world: World) -> TestResponse:
        body = world.body()
        return world.post(body | {"context": {k: v for k, v in (body["context"] | fields).items() if v is not ...}})

    return ask


def _granted(**fields: Any) -> Callable[[World], TestResponse]:
    grant = {k: v for k, v in (GRANT | fields).items() if v is not None}
    return _changed(fhirServer="https://ehr.example/fhir", fhirAuthorization=grant)


def _from_ehr(*without: str, **instead: Any) -> Callable[[World], TestResponse]:
    """A call that leaves keys to be fetched from the real server."""
    return lambda w: w.post({**w.body(*without, **instead), "fhirServer": w.ehr, "fhirAuthorization": GRANT})


def _with_nameless(body: Json) -> Json:
    """A body with one more Encounter, which does not say whose it is."""
    encounter = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}}
    body["prefetch"]["encounters"]["entry"].append({"resource": encounter})
    return body


def _referring(world: World, base: str) -> Json:
    """A body whose Conditions refer to the patient by absolute URL."""
    body = world.body()
    for entry in body["prefetch"]["conditions"]["entry"]:
        entry["resource"] |= {"subject": {"reference": f"{base}/Patient/{world.record.id}"}}
    return body


def _page_of_ehr(world: World) -> TestResponse:
    rows = [r for r in world.record.resources if r["resourceType"] == "Observation"]
    onward = f"{world.ehr}/Observation?patient={world.record.id}&_count=1&_offset=1"
    body = world.body(observations=searchset(rows[:1], onward))
    return world.post({**body, "fhirServer": world.ehr})


def _slow(*without: str) -> Callable[[World], TestResponse]:
    """A call whose server takes a connection and never answers; it must be back within its budget."""

    def ask(world: World) -> TestResponse:
        with raw_server((b"x",), pause=30) as (base, _):
            object.__setattr__(world.house.settings, "fhir_servers", (base,))
            began = time.monotonic()
            answer = world.post({**world.body(*without), "fhirServer": base})
            assert time.monotonic() - began < world.house.settings.hook_budget_seconds
            return answer

    return ask


def _unlisted(world: World) -> TestResponse:
    """A call that names a server which nobody listed: it must not be asked."""
    with raw_server((b"x",)) as (base, asked):
        answer = world.post({**world.body("conditions"), "fhirServer": base, "fhirAuthorization": GRANT})
        assert asked == []
        return answer


def _mixed_up(key: str) -> Callable[[World], TestResponse]:
    """A call whose listed server answers for this key with the patient's records and a stranger's."""

    def ask(world: World) -> TestResponse:
        stranger = candidate("stranger", world.house.clock.now()).cement("L1", 1)
        rows = [e["resource"] for chart in (world.record, stranger) for e in prefetch(chart)[key].get("entry", ())]
        with responses.RequestsMock() as ehr:
            ehr.get(f"https://ehr.example:443/fhir/{TYPES[key]}", json=searchset(rows))
            return world.post({**world.body(key), "fhirServer": "https://ehr.example/fhir"})

    return ask


def _everywhere(value: Any) -> Any:
    """JSON with an unknown member and an extension in every object but FHIR's own."""
    return value | {
        "x-unknown": {"a": 1}, "extension": {"com.example": True},
        "context": value["context"] | {"extension": {"com.example": 1}, "future": "x"},
        "prefetch": value["prefetch"] | {"not-asked-for": {"resourceType": "Basic", "id": "b"}},
    }  # fmt: skip


def _preflight(address: str, origin: str = "https://ehr.example") -> Callable[[World], TestResponse]:
    headers = {**PAGE_HEADERS, "Origin": origin, "Access-Control-Request-Headers": "authorization, content-type"}
    return lambda w: w.client.options(address, headers=headers)


service = pytest.mark.service
ROWS: dict[str, Row | tuple[Row, Any]] = {
    # Transport
    "JSON both ways": Row(_discover, 200, lambda w, a: _discover(w).mimetype == "application/json" and a),
    "a call that is not JSON is refused": Row(
        lambda w: w.client.post("/cds-services/candidacy", data=b"<a/>", content_type="application/xml"), 415
    ),
    "discovery emits nothing empty": Row(_discover, 200, lambda _, a: not hollow(a)),
    "a card emits nothing empty": Row(lambda w: w.post(w.body()), 200, lambda _, a: not hollow(a)),
    "unknown members and extensions pass": Row(lambda w: w.post(_everywhere(w.body())), 200, _candidate),
    "every error is an OperationOutcome": Row(
        lambda w: w.post([]), 400, lambda _, a: a["resourceType"] == "OperationOutcome"
    ),
    # Discovery
    "discovery lists the services": Row(_discover, 200, lambda _, a: [s["id"] for s in a["services"]] == ["candidacy"]),
    "a service tells hook, id, title, description, prefetch and usage": Row(
        _discover, 200, lambda _, a: all(
            {"hook", "id", "title", "description", "prefetch", "usageRequirements"} == s.keys() for s in a["services"]
        ),
    ),
    "discovery keeps to the contract": Row(
        _discover, 200, lambda _, a: contract().body("Services", a, "answer") is None
    ),
    "no service of that id": Row(lambda w: w.post(w.body(), service="other"), 404),
    # Prefetch templates
    "published templates are legal": Row(
        _discover, 200,
        lambda _, a: [lint(t, s["hook"]) for s in a["services"] for t in s["prefetch"].values()],
    ),
    "published tokens are root fields of the hook's context": Row(
        _discover, 200, lambda _, a: all(
            "{{context.patientId}}" in t and t.count("{{") == 1 for s in a["services"] for t in s["prefetch"].values()
        ),
    ),
    # Request
    "hook is required": Row(_changed(hook=None), 400),
    "hookInstance is required": Row(_changed(hookInstance=None), 400),
    "hookInstance is a UUID": Row(_changed(hookInstance="1"), 400),
    "context is required": Row(_changed(context=None), 400),
    "a hook that is not advertised": Row(_changed(hook="order-sign"), 400),
    "a hook that is no text": Row(_changed(hook=1), 400),
    "a hook that is not advertised is refused before its context is read": Row(
        _changed(hook="order-sign", context={}), 400, lambda _, a: "hook" in a["issue"][0]["details"]["text"]
    ),
    "fhirServer is required with fhirAuthorization": Row(_changed(fhirAuthorization=GRANT), 400),
    "null and empty members are absent members": Row(
        lambda w: w.post(w.body() | {"fhirServer": "", "fhirAuthorization": None}), 200, _candidate
    ),
    # The five states of a prefetch key
    "missing, required, no server: 412 that names it": Row(
        lambda w: w.post(w.body("observations")), 412, _names("observations")
    ),
    "no prefetch at all, no server: 412 that names all": Row(_changed(prefetch=None), 412, _names(*REQUIRED)),
    "missing, optional, no server: answered, and said so": Row(
        lambda w: w.post(w.body("reports")), 200,
        lambda w, a: w.lost() == {"reports": "not sent; no fhirServer was named"} and "reports" in _card(a)["detail"],
    ),
    "missing, server not listed: 412 and not asked": Row(_unlisted, 412, _names("conditions")),
    "missing, and the server sends somebody else's: 412": Row(
        _mixed_up("conditions"), 412, lambda _, a: "another patient" in a["issue"][0]["diagnostics"]
    ),
    "missing, optional, and the server sends somebody else's: none of it used": Row(
        _mixed_up("procedures"), 200,
        lambda w, a: "another patient" in w.lost()["procedures"] and _card(a)["summary"] == "L1: insufficient data",
    ),
    "missing: fetched from the server": (Row(_from_ehr("conditions", "observations"), 200, _candidate), service),
    "everything missing: everything fetched": (
        Row(_from_ehr(*prefetch(candidate("x", NOW))), 200, lambda w, a: _candidate(w, a) and not w.lost()), service,
    ),
    "null: asked, nothing there; not asked again": (
        Row(_from_ehr(observations=None), 200, lambda w, a: "insufficient data" in _card(a)["summary"]), service,
    ),
    "null for everything: looked, nothing to say": Row(
        lambda w: w.post(w.body(**dict.fromkeys(prefetch(w.record)))), 200, lambda _, a: a == {"cards": []}
    ),
    "OperationOutcome: no data, fetched": (Row(_from_ehr(observations=OUTCOME), 200, _candidate), service),
    "OperationOutcome, required, no server: 412": Row(
        lambda w: w.post(w.body(conditions=OUTCOME)), 412, _names("conditions")
    ),
    "OperationOutcome, optional, no server: unknown with that reason": Row(
        lambda w: w.post(w.body(procedures=OUTCOME)), 200,
        lambda w, a: w.lost() == {"procedures": "the client's own query failed; no fhirServer was named"}
        and _card(a)["summary"] == "L1: insufficient data",
    ),
    "empty Bundle: no data, used": Row(
        lambda w: w.post(w.body(conditions=searchset([]))), 200, lambda w, _: not w.lost()
    ),
    "Bundle with next: followed": (Row(_page_of_ehr, 200, _candidate), service),
    "Bundle with next, no server: 412 for a required key": Row(
        lambda w: w.post(w.body(observations=searchset([], "https://ehr.example/fhir?page=2"))), 412,
        _names("observations"),
    ),
    "Bundle with next on another base: not followed": Row(
        lambda w: w.post(
            w.body(conditions=searchset([], "https://evil.example/fhir?page=2"))
            | {"fhirServer": "https://ehr.example/fhir"}
        ), 412, lambda _, a: "same server" in a["issue"][0]["diagnostics"],
    ),
    "Bundle of a required key of which nothing can be used: 412, not silence": Row(
        lambda w: w.post(w.body(conditions=searchset([{"resourceType": "Condition", "id": "c"}]))), 412,
        _names("conditions"),
    ),
    "Bundle of which some can be used: used, and the rest told": Row(
        lambda w: w.post(_with_nameless(w.body())), 200,
        lambda w, a: _candidate(w, a) and "1 record could not be used" in _card(a)["detail"],
    ),
    "neither resource nor Bundle": Row(lambda w: w.post(w.body(conditions={})), 400),
    "no object at all": Row(lambda w: w.post(w.body(conditions=[])), 400),
    # fhirAuthorization
    "a token type other than Bearer": Row(_granted(token_type="MAC"), 400),
    "an access token is required": Row(_granted(access_token=None), 400),
    "a token that could break the header": Row(_granted(access_token="a\r\nX: y"), 400),
    "scopes of SMART v1": Row(_granted(scope="patient/Condition.read launch"), 200, _candidate),
    "scopes of SMART v2": Row(_granted(scope="patient/Condition.rs"), 200, _candidate),
    "a token for another patient": Row(_granted(patient="somebody-else"), 400),
    # Response
    "cards keep to the contract": Row(
        lambda w: w.post(w.body()), 200, lambda _, a: contract().body("Cards", a, "answer") is None
    ),
    "an error of ours is not silence": Row(
        lambda w: (setattr(w.house.store, "write", None), w.post(w.body()))[1], 500,
        lambda _, a: a["resourceType"] == "OperationOutcome",
    ),
    # CORS
    "preflight on discovery": Row(_preflight("/cds-services"), 204),
    "preflight on the service": Row(_preflight("/cds-services/candidacy"), 204),
    # Context of patient-view
    "userId is required": Row(_context(userId=...), 400),
    "patientId is required": Row(_context(patientId=...), 400),
    "encounterId may be there": Row(_context(encounterId="e1"), 200, _candidate),
    "encounterId may be empty": Row(_context(encounterId=""), 200, _candidate),
    "patientId as Patient/x is taken": Row(
        lambda w: _context(patientId=f"Patient/{w.record.id}")(w), 200, _candidate
    ),
    "patientId that is no id": Row(_context(patientId="a/b?c"), 400),
    "another patient's record in prefetch": Row(
        lambda w: w.post(w.body(conditions=prefetch(candidate("stranger", NOW))["conditions"])), 400
    ),
    "another server's patient of the same id": Row(
        lambda w: w.post(_referring(w, "https://other.example/fhir") | {"fhirServer": "https://ehr.example/fhir"}), 400
    ),
    "our patient by an absolute reference": Row(
        lambda w: w.post(_referring(w, "https://EHR.example/fhir") | {"fhirServer": "https://ehr.example/fhir"}), 200,
        _candidate,
    ),
    "another patient as the patient": Row(
        lambda w: w.post(w.body(patient={"resourceType": "Patient", "id": "stranger"})), 400
    ),
    # Time
    "a server that hangs, required: 412 within the budget": Row(_slow("conditions"), 412, _names("conditions")),
    "a server that hangs, optional: answered within the budget": Row(
        _slow("imaging"), 200, lambda w, a: _candidate(w, a) and "no answer within the time" in w.lost()["imaging"]
    ),
}  # fmt: skip


def _params() -> Iterator[Any]:
    for name, row in ROWS.items():
        yield pytest.param(row[0], id=name, marks=row[1]) if isinstance(row, tuple) else pytest.param(row, id=name)


@pytest.fixture
def world(request: pytest.FixtureRequest, make_house: MakeHouse) -> World:
    # The present instant, because a real server dates what it stores by it.
    house = make_house(datetime.now(UTC), fhir_servers=("https://ehr.example/fhir",), hook_budget_seconds=2.0)
    return World(request, create_app(house).test_client(), house)


@pytest.mark.parametrize("row", list(_params()))
def test_cds_hooks(world: World, row: Row) -> None:
    answer = row.ask(world)
    assert answer.status_code == row.status, answer.get_data(as_text=True)
    assert row.holds(world, answer.json if answer.data else None)


@pytest.mark.parametrize(
    "template",
    [
        "Patient", "Patient/1/$everything", "Observation?patient={{context.draftOrders}}", "Patient/{{user}}",
        "Observation?patient={{context.patientId}}&_include=Observation:subject", "Observation?subject:Patient=1",
        "Observation?patient.name=x", "Observation?_has:Group:member:_id=1", "Observation?code:above=x",
        "Patient/{{context.patientId}}?x=1", "Appointment/{{context.appointments}}",
    ],
)  # fmt: skip
def test_an_illegal_template_is_not_published(template: str) -> None:
    with pytest.raises(Exception, match="prefetch template"):
        lint(template, "patient-view")


def test_legal_templates_pass_the_lint() -> None:
    for template in (
        "Patient/{{context.patientId}}",
        "Observation?patient={{context.patientId}}&code:in=http://x.example/vs&date=ge2026-01-01&_count=5&_sort=-date",
    ):
        lint(template, "patient-view")


def test_the_observations_asked_for_are_all_that_the_fact_builder_reads(opened: House) -> None:
    from adapters.fhir.findings import finding_code
    from adapters.fhir.reading import FINDING
    from adapters.fhir.terminology import load_rows

    template = services()["candidacy", "patient-view"].prefetch["observations"]
    codings = [{"system": row.system, "code": row.code} for row in load_rows()]
    read = [c for c in codings if finding_code({"code": {"coding": [c]}}, opened.terms)]
    assert any(c["system"] == FINDING for c in read)
    assert all(f"{c['system']}|{c['code']}" in template for c in read)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://ehr.example", True),
        ("https://EHR.example:443", True),
        ("https://pathway.example", True),
        ("http://ehr.example", False),
        ("https://evil.example", False),
        ("https://ehr.example.evil.example", False),
        ("null", False),
    ],
)
def test_only_pages_of_listed_servers_may_call_the_service(make_house: MakeHouse, origin: str, allowed: bool) -> None:
    house = make_house(fhir_servers=("https://ehr.example/fhir",), public_url="https://pathway.example")
    client = create_app(house).test_client()
    body = call("p1", prefetch=dict.fromkeys(prefetch(candidate("p1", NOW))))
    asked = client.options("/cds-services/candidacy", headers=PAGE_HEADERS | {"Origin": origin}).headers
    called = client.post("/cds-services/candidacy", json=body, headers={"Origin": origin}).headers
    failed = client.post("/cds-services/candidacy", json={}, headers={"Origin": origin}).headers
    for headers in (asked, called, failed):
        assert headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert headers["Vary"] == "Origin"
    assert asked.get("Access-Control-Allow-Headers") == ("authorization, content-type" if allowed else None)
    assert asked.get("Access-Control-Allow-Methods") == ("POST" if allowed else None)


def test_any_page_may_read_the_discovery(client: FlaskClient) -> None:
    headers = client.get("/cds-services", headers={"Origin": "https://anywhere.example"}).headers
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_the_token_reaches_its_server_and_no_log_and_no_store(make_house: MakeHouse) -> None:
    import structlog

    with raw_server((b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",)) as (base, asked):
        house = make_house(fhir_servers=(base,))
        body = call("p1", prefetch=prefetch(unproven("p1", NOW)), fhirServer=base, fhirAuthorization=GRANT)
        del body["prefetch"]["imaging"]
        with structlog.testing.capture_logs() as log:
            answer = create_app(house).test_client().post("/cds-services/candidacy", json=body)
    assert answer.status_code == 200
    assert len(asked) == 1
    assert b"Authorization: Bearer t0ken" in asked[0]
    with open(house.settings.database_url.removeprefix("sqlite:///") + "-wal", "rb") as file:
        stored = file.read()
    assert b"not-retrieved" in stored
    assert b"t0ken" not in stored
    assert "t0ken" not in str(log) + answer.get_data(as_text=True)
