"""A marker in every field that somebody could send, through every door: no log, metric, error or address repeats it.

What a person asked to see may hold it: an answer of 200 to whoever may read that patient. Nothing else may.
"""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
import structlog
from flask.testing import FlaskClient

from adapters.bootstrap import House
from adapters.fhir import strict_json
from adapters.http import logs
from pathway.people import Role
from tests.adapters.http.builders import call, candidate, prefetch
from tests.adapters.http.conftest import NOW
from tests.adapters.http.people import app_of, peopled, sign_in, signed

pytestmark = pytest.mark.slow  # one call for each field there is

MARK = "Qzxjvkw"
Json = dict[str, Any]
Path = tuple[str | int, ...]
HEADERS = (
    "Authorization", "X-Request-Id", "User-Agent", "Referer", "Cookie", "Accept-Language", "If-None-Match", "Origin",
    "X-Forwarded-For", "Forwarded", "HX-Current-URL", "HX-Target", "X-Patient-Name",
)  # fmt: skip
DOORS = (
    "/", "/livez", "/readyz", "/metrics", "/fhir/metadata", "/fhir/Task", "/fhir/CarePlan", "/cds-services",
    "/worklist", "/sign-in", "/records", "/rulesets", "/static/pathway.css", "/nowhere",
)  # fmt: skip


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Everything that the process wrote to standard output and error, its log at the level `debug` among it."""
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    structlog.reset_defaults()
    logs.configure("debug")
    written: list[str] = []

    def so_far() -> str:
        captured = capsys.readouterr()
        written.append(captured.out + captured.err)
        return "".join(written)

    yield so_far
    logging.getLogger().handlers[:] = handlers
    structlog.configure(**before)


@pytest.fixture
def desk(house: House) -> FlaskClient:
    """A coordinator, signed in: the pages' own errors are to be seen, and not only the way to the form."""
    house = peopled(house)
    return signed(app_of(house), house, Role.COORDINATOR)


def marked(record: Json) -> Json:
    """A chart's Bundle with the marker wherever FHIR leaves room for words."""
    bundle = copy.deepcopy(record)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resource["text"] = {
            "status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{MARK}</div>',
        }  # fmt: skip
        resource["identifier"] = [{"system": f"https://{MARK}.example", "value": MARK}]
        if resource["resourceType"] not in ("Patient", "Encounter", "DiagnosticReport"):
            resource["note"] = [{"text": MARK, "authorString": MARK}]
        for node in _nodes(resource):
            if "coding" in node:
                node["text"] = MARK
                for coding in node["coding"]:
                    coding["display"] = MARK
            if "reference" in node:
                node["display"] = MARK
    patient = bundle["entry"][0]["resource"]
    patient["name"] = [{"family": MARK, "given": [MARK], "text": MARK}]
    patient["address"] = [{"line": [MARK], "city": MARK, "postalCode": MARK}]
    patient["telecom"] = [{"system": "email", "value": f"{MARK}@example.org"}]
    patient["contact"] = [{"name": {"family": MARK}, "telecom": [{"system": "phone", "value": MARK}]}]
    return bundle


def _nodes(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(child)


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:
    """The place of every string."""
    if isinstance(value, str):
        yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inside:
        yield from leaves(child, (*at, step))


def planted(value: Any, at: Path) -> Any:
    """A copy with the marker at one place."""
    copied = copy.deepcopy(value)
    node = copied
    for step in at[:-1]:
        node = node[step]
    node[at[-1]] = MARK
    return copied


def refused_without_the_mark(answer: Any) -> None:
    """No header holds the marker; nor does the body, unless the answer is what was asked for."""
    headers = [(name, value) for name, value in answer.headers if name != "Location"]
    assert MARK.lower() not in unquote(str(headers)).lower()
    if answer.status_code >= 400:
        assert MARK.lower() not in answer.get_data(as_text=True).lower(), answer.request.path


def sent(client: FlaskClient, bundle: Json, address: str = "/fhir") -> Any:
    return client.post(address, data=strict_json.dumps(bundle), content_type="application/fhir+json")


def test_records_that_are_taken_in(desk: FlaskClient, told: Callable[[], str]) -> None:
    bundle = marked(candidate(f"{MARK}-1", NOW).bundle())
    answer = sent(desk, bundle)
    assert answer.status_code == 200
    assert [entry["response"]["status"] for entry in answer.json["entry"]] == ["201 Created"] * len(bundle["entry"])
    for address in (f"/fhir/Task?patient={MARK}-1", f"/fhir/CarePlan?patient={MARK}-1", f"/patients/{MARK}-1"):
        answer = desk.get(address)
        assert answer.status_code == 200
        refused_without_the_mark(answer)
    answer = desk.post("/cds-services/candidacy", json=call(f"{MARK}-1", prefetch=_prefetched(bundle)))
    assert answer.status_code == 200
    metrics = desk.get("/metrics").get_data(as_text=True)
    assert 'pathway_decisions_total{trigger="patient-view"} 1.0' in metrics
    assert '"event": "decided"' in told()
    assert MARK.lower() not in (told() + metrics).lower()


def _prefetched(bundle: Json) -> Json:
    record = candidate(f"{MARK}-1", NOW)
    record.resources[:] = [entry["resource"] for entry in bundle["entry"]]
    return prefetch(record)


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_each_field_of_a_chart_in_turn(desk: FlaskClient, told: Callable[[], str], kind: str) -> None:
    bundle = candidate("p1", NOW).bundle(kind)
    seen = set()
    for at in leaves(bundle):
        name = tuple(step for step in at if isinstance(step, str))
        shape = (bundle["entry"][at[1]]["resource"]["resourceType"] if at[0] == "entry" else "", name)  # type: ignore[index]
        if shape not in seen:
            seen.add(shape)
            refused_without_the_mark(sent(desk, planted(bundle, at)))
    assert len(seen) > 50
    assert MARK.lower() not in (told() + desk.get("/metrics").get_data(as_text=True)).lower()


def test_each_field_of_a_hook_call_in_turn(desk: FlaskClient, told: Callable[[], str]) -> None:
    grant = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": "s"}
    body = call(
        "p1", prefetch=prefetch(candidate("p1", NOW)), fhirServer="https://ehr.example/fhir", fhirAuthorization=grant
    )
    for at in leaves(body):
        refused_without_the_mark(desk.post("/cds-services/candidacy", json=planted(body, at)))
    assert MARK.lower() not in (told() + desk.get("/metrics").get_data(as_text=True)).lower()


@pytest.mark.parametrize("browser", [False, True], ids=["program", "browser"])
def test_headers_and_queries_at_every_address(desk: FlaskClient, told: Callable[[], str], browser: bool) -> None:
    accept = {"Accept": "text/html,*/*;q=0.8"} if browser else {}
    for address in DOORS:
        for name in HEADERS:
            refused_without_the_mark(desk.get(address, headers={name: MARK, **accept}))
        refused_without_the_mark(desk.get(address, headers={"Accept": f"text/{MARK}"}))
        refused_without_the_mark(desk.get(address, headers={"Host": f"{MARK}.example", **accept}))
        for query in (f"?{MARK}=1", f"?patient={MARK}!", f"?q={MARK}", f"?_id={MARK}!", f"?_format={MARK}"):
            refused_without_the_mark(desk.get(address + query, headers=accept))
        refused_without_the_mark(desk.open(address, method=MARK.upper(), headers=accept))
        refused_without_the_mark(desk.post(address, data=MARK, content_type=f"text/{MARK}", headers=accept))
        refused_without_the_mark(desk.post(address, data=f'{{"{MARK}": ', content_type="application/json"))
        refused_without_the_mark(desk.post(address, data={MARK: MARK, "name": MARK, "password": MARK}, headers=accept))
    assert MARK.lower() not in (told() + desk.get("/metrics").get_data(as_text=True)).lower()


@pytest.mark.parametrize("browser", [False, True], ids=["program", "browser"])
@pytest.mark.parametrize(
    "address",
    [
        f"/{MARK}", f"/fhir/{MARK}", f"/fhir/Task/{MARK}", f"/fhir/CarePlan/{MARK}", f"/decisions/{MARK}",
        f"/cds-services/{MARK}", f"/static/{MARK}", f"/patients/{MARK}", f"/tasks/{MARK}", f"/records/{MARK}",
        f"/rulesets/{MARK}", f"/rulesets/candidacy/{MARK}",
        f"/fhir/DocumentReference/{MARK}", f"/letters/{MARK}", f"/letters/{MARK}/document", f"/tasks/{MARK}/calls",
    ],
)  # fmt: skip
def test_addresses(desk: FlaskClient, told: Callable[[], str], address: str, browser: bool) -> None:
    accept = {"Accept": "text/html,*/*;q=0.8"} if browser else {}
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
        answer = desk.open(address, method=method, headers=accept)
        refused_without_the_mark(answer)
        assert answer.status_code in (400, 404, 405), (method, answer.status_code)
    assert MARK.lower() not in (told() + desk.get("/metrics").get_data(as_text=True)).lower()


def test_what_somebody_types_to_sign_in(house: House, told: Callable[[], str]) -> None:
    client = app_of(peopled(house)).test_client()
    for name, password in ((MARK, "x" * 20), (Role.COORDINATOR, MARK * 3)):
        answer = sign_in(client, name, password)
        assert answer.status_code >= 400
        assert MARK * 3 not in answer.get_data(as_text=True)  # the name stays in its field
    assert MARK.lower() not in (told() + client.get("/metrics").get_data(as_text=True)).lower()


def test_a_fault_of_ours_says_nothing_of_what_it_met(
    desk: FlaskClient, told: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathway.service import Service

    def fail(*_: object, **__: object) -> None:
        warnings.warn(f"strange value {MARK}", UserWarning, stacklevel=2)
        logging.getLogger("some.library").warning(f"could not read {MARK}")
        logging.getLogger("some.library").error("could not read %s", MARK)
        raise RuntimeError(MARK)

    monkeypatch.setattr(Service, "ingest", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logs.warned
        answer = sent(desk, candidate("p1", NOW).bundle())
    assert answer.status_code == 500
    refused_without_the_mark(answer)
    events = [json.loads(line) for line in told().splitlines()]
    assert [event["event"] for event in events] == ["warning", "library", "library", "failed", "request"]
    assert MARK not in told()
