"""What holds for every answer, and whom the service lets in."""

import pytest
import structlog
from flask.testing import FlaskClient

from adapters.http.app import create_app
from pathway.errors import BadInputError
from tests.adapters.http.conftest import MakeHouse

PAGES = ["/", "/sign-in", "/static/pathway.css"]
OTHERS = ["/livez", "/readyz", "/metrics", "/fhir/metadata", "/fhir/Task", "/cds-services", "/nowhere"]


def test_a_listed_server_that_cannot_be_one_stops_the_start(make_house: MakeHouse) -> None:
    with pytest.raises(BadInputError, match="not the base of a FHIR server"):
        create_app(make_house(fhir_servers=("https://user@ehr.example/fhir",)))


@pytest.mark.parametrize("address", PAGES + OTHERS)
def test_every_answer_carries_the_headers(client: FlaskClient, address: str) -> None:
    headers = client.get(address, buffered=True).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(" ".join(policy.values()).split())
    if address in OTHERS:  # only a page may run a script or send a form
        assert "script-src" not in policy
        assert policy["form-action"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Request-Id"]


@pytest.mark.parametrize("address", ["/", "/fhir/Task", "/cds-services"])
def test_what_may_hold_a_patient_is_not_kept_by_caches(client: FlaskClient, address: str) -> None:
    assert client.get(address).headers["Cache-Control"] == "no-store"


def test_each_request_has_its_own_id_and_one_line_in_the_log(client: FlaskClient) -> None:
    with structlog.testing.capture_logs() as log:
        ids = [client.get("/fhir/Task?patient=p1").headers["X-Request-Id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert [line["request_id"] for line in log] == ids  # one line each
    assert {(line["event"], line["method"], line["route"], line["status"]) for line in log} == {
        ("request", "GET", "/fhir/Task", 200)
    }


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("pathway.clinic.example", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("pathway.clinic.example.evil.example", 400),
    ],
)
def test_only_our_own_names_are_answered_to(make_house: MakeHouse, host: str, status: int) -> None:
    client = create_app(make_house(public_url="https://pathway.clinic.example")).test_client()
    for address in ("/fhir/Task", "/livez", "/sign-in"):
        answer = client.get(address, headers={"Host": host})
        assert answer.status_code == status
        assert "evil" not in answer.get_data(as_text=True)
