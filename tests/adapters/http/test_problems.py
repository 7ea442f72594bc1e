"""Every failure is an OperationOutcome that says what to do and gives nothing away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.db.errors import StoreRefusedError, StoreUnavailableError
from adapters.fhir.validate import check_written
from adapters.http import problems
from adapters.http.app import create_app
from adapters.http.problems import FHIR_JSON
from pathway.errors import (
    BadInputError,
    ChartMovedError,
    EngineDisagreementError,
    MissingDataError,
    NotFoundError,
    ReplayError,
)
from tests.adapters.http.builders import INSTANCE, call, candidate, prefetch
from tests.adapters.http.conftest import NOW

CANARY = "Zyxwvut"
Given = dict[str, Any]


def issue(answer: Any) -> dict[str, Any]:
    """The one issue of an answer that is a valid OperationOutcome with the right type."""
    assert answer.mimetype == "application/fhir+json"
    check_written(answer.json)
    (found,) = answer.json["issue"]
    assert "Traceback" not in json.dumps(answer.json)
    return found


@pytest.mark.parametrize(
    ("method", "address", "given", "status", "code"),
    [
        pytest.param("GET", "/nowhere", {}, 404, "not-found", id="no such address"),
        pytest.param("GET", "/fhir/Observation", {}, 404, "not-found", id="no such resource type"),
        pytest.param("DELETE", "/fhir/Task", {}, 405, "not-supported", id="method"),
        pytest.param("OPTIONS", "/fhir/Task", {}, 405, "not-supported", id="OPTIONS where there is no CORS"),
        pytest.param("POST", "/fhir", {"data": b"{}", "content_type": "text/plain"}, 415, "not-supported", id="type"),
        pytest.param("POST", "/fhir", {"data": b"{}"}, 415, "not-supported", id="no type"),
        pytest.param(
            "POST", "/cds-services/candidacy", {"data": b"{}", "content_type": "text/plain"}, 415, "not-supported",
            id="a hook as a form could send it",
        ),
        pytest.param("GET", "/fhir/Task", {"headers": {"Accept": "text/html"}}, 406, "not-supported", id="accept"),
        pytest.param("GET", "/decisions/x", {}, 404, "not-found", id="a decision id that is none"),
        pytest.param("GET", "/static/none.css", {}, 404, "not-found", id="no such file"),
    ],
)  # fmt: skip
def test_http_errors(client: FlaskClient, method: str, address: str, given: Given, status: int, code: str) -> None:
    answer = client.open(address, method=method, **given)
    assert answer.status_code == status
    assert issue(answer)["code"] == code


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    assert client.delete("/fhir/Task").headers["Allow"] == "GET, HEAD"


@pytest.fixture
def failing(house: House, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`failing(error)`: a client of an app whose store raises it."""

    def make(error: Exception) -> FlaskClient:
        @contextmanager
        def read(_: object) -> Iterator[None]:
            raise error
            yield

        monkeypatch.setattr(type(house.store), "read", read)
        app = create_app(house)
        app.test_client_class = FlaskClient  # some of these errors are none that this address knows
        return app.test_client()

    return make


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadInputError("what", where="where", why="why", fix="Fix it", code="value"), 400, "value"),
        (BadInputError("what", where="where", why="why", fix="Fix it", code="too-long"), 413, "too-long"),
        (MissingDataError("what", where="where", why="why", fix="Fix it"), 412, "incomplete"),
        (NotFoundError("what", where="where", why="why", fix="Fix it"), 404, "not-found"),
        (ReplayError("what", where="where", why="why", fix="Fix it"), 409, "conflict"),
        (ChartMovedError("what", where="where", why="why", fix="Fix it"), 409, "conflict"),
        (StoreUnavailableError("what", where="where", why="why", fix="Fix it"), 503, "transient"),
    ],
)
def test_our_errors_say_what_where_why_and_fix(failing: Any, error: Exception, status: int, code: str) -> None:
    answer = failing(error).get("/fhir/Task")
    assert answer.status_code == status
    assert issue(answer) == {
        "severity": "error", "code": code, "details": {"text": "what"},
        "diagnostics": "Where: where. Why: why. Fix: Fix it.",
    }  # fmt: skip
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)


@pytest.mark.parametrize(
    "error", [RuntimeError(CANARY), EngineDisagreementError(CANARY), StoreRefusedError(CANARY), KeyError(CANARY)]
)
def test_a_fault_of_ours_is_500_with_an_id_that_stands_in_the_log_and_no_text_of_it(
    failing: Any, error: Exception
) -> None:
    client = failing(error)
    with structlog.testing.capture_logs() as log:
        answer = client.get("/fhir/Task?patient=p1")
    assert answer.status_code == 500
    failed = next(line for line in log if line["event"] == "failed")
    assert failed["request_id"] == answer.headers["X-Request-Id"]
    assert failed["request_id"] in issue(answer)["diagnostics"]
    assert failed["error"] == type(error).__name__
    assert CANARY not in answer.get_data(as_text=True) + json.dumps(log)
    assert any("test_problems.py" in place for place in failed["places"])


def marked() -> Iterator[tuple[str, str, Given]]:
    """Requests with a marker where a client can put one."""
    fhir, plain = "application/fhir+json", "application/json"
    record = candidate("p1", NOW)
    record.resources[0] |= {"name": [{"family": CANARY}], "gender": CANARY}
    yield "GET", f"/{CANARY}", {}
    yield "GET", f"/fhir/Task?{CANARY}=1", {}
    yield "GET", f"/fhir/Task?patient={CANARY}!", {}
    yield "GET", f"/fhir/Task?status={CANARY}", {}
    yield "GET", f"/fhir/Task/{CANARY}", {}
    yield "GET", f"/fhir/Task?_format={CANARY}", {}
    yield "GET", f"/decisions/{CANARY}", {}
    yield CANARY, "/fhir", {}
    yield "POST", "/fhir", {"data": CANARY, "content_type": fhir}
    yield "POST", "/fhir", {"data": json.dumps({CANARY: CANARY}), "content_type": fhir}
    yield "POST", "/fhir", {"json": {"resourceType": CANARY, "id": CANARY}}
    yield "POST", "/fhir", {"data": CANARY, "content_type": f"text/{CANARY}"}
    yield "POST", "/fhir", {"json": record.bundle("transaction")}
    yield "POST", f"/cds-services/{CANARY}", {"json": call("p1")}
    yield "POST", "/cds-services/candidacy", {"json": call(CANARY + "!")}
    yield "POST", "/cds-services/candidacy", {"json": call("p1", hook=CANARY)}
    yield "POST", "/cds-services/candidacy", {"json": call("p1", hookInstance=CANARY)}
    yield "POST", "/cds-services/candidacy", {"json": call("p1", prefetch={CANARY: 1})}
    yield "POST", "/cds-services/candidacy", {"json": call("p1", prefetch={"patient": {CANARY: CANARY}})}
    yield "POST", "/cds-services/candidacy", {"json": call("p1", fhirServer=f"https://{CANARY}.example")}
    grant = {"access_token": CANARY, "token_type": CANARY, "expires_in": 1, "scope": CANARY, "subject": CANARY}
    yield (
        "POST",
        "/cds-services/candidacy",
        {"json": call("p1", fhirServer="https://e.example", fhirAuthorization=grant)},
    )
    yield "POST", "/cds-services/candidacy", {"data": CANARY, "content_type": plain}


@pytest.mark.parametrize(("method", "address", "given"), list(marked()))
def test_no_error_and_no_log_line_repeats_what_was_sent(
    client: FlaskClient, method: str, address: str, given: Given
) -> None:
    with structlog.testing.capture_logs() as log:
        answer = client.open(address, method=method, **given)
    assert answer.status_code >= 400
    told = answer.get_data(as_text=True) + json.dumps(log) + str(answer.headers)
    assert CANARY not in told
    assert CANARY.lower() not in told.lower()


def test_what_is_taken_in_leaves_no_trace_in_the_log(client: FlaskClient) -> None:
    record = candidate(CANARY, NOW)
    with structlog.testing.capture_logs() as log:
        assert client.post("/fhir", json=record.bundle()).status_code == 200
        assert client.get(f"/fhir/Task?patient={CANARY}").status_code == 200
        assert client.post("/cds-services/candidacy", json=call(CANARY, prefetch={
            "patient": None, "conditions": None, "observations": None,
        })).status_code == 200  # fmt: skip
    assert [line["event"] for line in log] == ["decided", "request", "request", "decided", "request"]
    assert CANARY not in json.dumps(log)


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/nowhere", 404), ("GET", "/sign-in?stranger=1", 400), ("DELETE", "/sign-in", 405)],
)
def test_a_browser_reads_a_page(client: FlaskClient, method: str, address: str, status: int) -> None:
    answer = client.open(address, method=method, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    page = answer.get_data(as_text=True)
    assert answer.headers["X-Request-Id"] in page
    assert "<h1>" in page


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
@pytest.mark.parametrize("address", ["/nowhere", "/sign-in?stranger=1"])
def test_a_program_reads_an_operation_outcome_even_of_a_page(
    client: FlaskClient, address: str, headers: dict[str, str]
) -> None:
    issue(client.get(address, headers=headers))


@pytest.mark.parametrize(
    "address", ["/fhir/Task?stranger=1", "/fhir/Task/none", "/decisions/none", "/cds-services?x=1"]
)
def test_a_browser_reads_an_operation_outcome_where_programs_are_served(client: FlaskClient, address: str) -> None:
    answer = client.get(address, headers=BROWSER)
    assert answer.mimetype == ("text/html" if answer.status_code == 404 and "decisions" in address else FHIR_JSON)


def test_a_page_of_an_error_that_fails_itself_hides_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(problems, "render_template", fail)
    answer = client.get("/nowhere", headers=BROWSER)
    assert answer.status_code == 404
    assert issue(answer)["details"]["text"] == "Not Found"


@pytest.mark.parametrize("accept", [FHIR_JSON, BROWSER["Accept"]])
def test_while_the_database_is_away_every_address_says_so_with_503(house: House, accept: str) -> None:
    client = create_app(house).test_client()
    client.post("/fhir", json=candidate("p1", NOW).bundle())
    house.store.close()
    Path(house.settings.database_url.removeprefix("sqlite:///")).unlink()
    body = candidate("p1", NOW).bundle()
    for answer in (
        client.get("/fhir/Task", headers={"Accept": f"{FHIR_JSON}, {accept}"}),
        client.get("/fhir/CarePlan?patient=p1", headers={"Accept": f"{FHIR_JSON}, {accept}"}),
        client.get(f"/decisions/{INSTANCE}", headers={"Accept": accept}),
        client.post("/fhir", json=body),
        client.post("/cds-services/candidacy", json=call("p1", prefetch=prefetch(candidate("p1", NOW)))),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert issue(answer)["code"] == "transient"
    assert client.get("/fhir/metadata").status_code == 200


def test_head_is_get_without_its_body(client: FlaskClient) -> None:
    for address in ("/livez", "/fhir/metadata", "/fhir/Task", "/cds-services", "/readyz", "/metrics"):
        got, head = client.get(address), client.head(address)
        assert head.status_code == got.status_code == 200
        assert head.mimetype == got.mimetype
        assert head.get_data() == b""
    assert client.head("/fhir/Task?status=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("/fhir", "POST"),
        ("/fhir/Task", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/cds-services", "GET, HEAD, OPTIONS"),
        ("/cds-services/candidacy", "OPTIONS, POST"),
    ],
)
def test_another_method_is_405_and_told_which_are_allowed(client: FlaskClient, address: str, allowed: str) -> None:
    for method in ("DELETE", "PATCH", "PUT", "TRACE", "PROPFIND"):
        answer = client.open(address, method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
        assert issue(answer)["code"] == "not-supported"
