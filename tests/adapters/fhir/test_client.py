"""Reading an EHR's server: which URLs are trusted, what a bad answer becomes, and that no call outlives its budget."""

import json
import time
from typing import Any

import pytest
import responses

from adapters.demo.record import Record
from adapters.fhir import client
from adapters.fhir.client import LATE, Fetched, FhirServer, listed, normalised, origin
from pathway.errors import BadInputError
from tests.adapters.http.builders import searchset
from tests.adapters.http.conftest import NOW
from tests.adapters.http.servers import Sekmet, raw_server, sekmet

__all__ = ["sekmet"]  # a fixture

BASE = "http://ehr.example:80/fhir"
LIST = ("https://ehr.example/fhir/", "http://127.0.0.1:8090/fhir")


def server(base: str = BASE, seconds: float = 5, token: str = "") -> FhirServer:
    return FhirServer(normalised(base), time.monotonic() + seconds, token)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://EHR.example/fhir/", "https://ehr.example:443/fhir"),
        ("http://ehr.example", "http://ehr.example:80"),
        ("https://ehr.example:8443/a/b", "https://ehr.example:8443/a/b"),
        ("http://[::1]:8090/fhir", "http://[::1]:8090/fhir"),
    ],
)
def test_a_base_has_one_form(url: str, form: str) -> None:
    assert normalised(url) == form


@pytest.mark.parametrize(
    "url",
    [
        "", "ehr.example/fhir", "ftp://ehr.example/fhir", "file:///etc/passwd", "https://", "https://user@ehr.example/fhir",
        "https://ehr.example/fhir?x=1", "https://ehr.example/fhir#x", "https://ehr.example/fhir/../admin",
        "https://ehr.example/%2e%2e/admin", "https://ehr.example\\@evil.example/fhir", "https://ehr.example:port/fhir",
        "https://ehr.example/fhir//x", "https://[::1/fhir",
    ],
)  # fmt: skip
def test_what_cannot_be_a_base_is_refused(url: str) -> None:
    with pytest.raises(BadInputError):
        normalised(url)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        pytest.param("https://ehr.example/fhir", True, id="as listed"),
        pytest.param("https://ehr.example:443/fhir/", True, id="the same, written otherwise"),
        pytest.param("http://127.0.0.1:8090/fhir", True, id="another that is listed"),
        pytest.param("http://ehr.example/fhir", False, id="other scheme"),
        pytest.param("https://ehr.example:444/fhir", False, id="other port"),
        pytest.param("https://ehr.example/fhir/r4", False, id="path below"),
        pytest.param("https://ehr.example/fhirx", False, id="same beginning"),
        pytest.param("https://ehr.example.evil.example/fhir", False, id="suffix domain"),
        pytest.param("https://ehr.example@evil.example/fhir", False, id="userinfo"),
        pytest.param("http://[::ffff:127.0.0.1]:8090/fhir", False, id="mapped IPv6"),
        pytest.param("http://2130706433:8090/fhir", False, id="decimal IP"),
        pytest.param("http://127.1:8090/fhir", False, id="short IP"),
        pytest.param("http://localhost:8090/fhir", False, id="another name of the host"),
    ],
)
def test_only_a_listed_base_is_trusted_and_only_whole(url: str, trusted: bool) -> None:
    assert (listed(url, LIST) is not None) is trusted


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://ehr.example/fhir") == origin("https://EHR.example:443") == "https://ehr.example:443"
    assert origin("null") is None


def _answers(*pages: Any, status: int = 200) -> None:
    for page in pages:
        body = page if isinstance(page, (bytes, str)) else json.dumps(page)
        responses.get(f"{BASE}/Condition", body=body, status=status)


PAGE = searchset([{"resourceType": "Condition", "id": "c1"}])


@pytest.mark.parametrize(
    ("body", "status", "gap"),
    [
        pytest.param(PAGE, 500, "the server answered 500", id="500"),
        pytest.param(PAGE, 403, "the server answered 403", id="403"),
        pytest.param(PAGE, 204, "the server answered 204", id="204"),
        pytest.param({"resourceType": "OperationOutcome"}, 200, "OperationOutcome", id="an OperationOutcome with 200"),
        pytest.param("<html>", 200, "not FHIR JSON", id="HTML"),
        pytest.param("", 200, "not FHIR JSON", id="nothing"),
        pytest.param("[1]", 200, "not FHIR JSON", id="JSON of no resource"),
        pytest.param('{"resourceType": "Bundle", "resourceType": "Bundle"}', 200, "not FHIR JSON", id="a key twice"),
        pytest.param("9" * (client.MAX_BYTES + 1), 200, "longer than", id="too long"),
    ],
)
@responses.activate
def test_a_bad_answer_is_a_gap_that_repeats_nothing_of_it(body: Any, status: int, gap: str) -> None:
    _answers(body, status=status)
    came = server().fetch("Condition?patient=p1", "conditions")
    assert came.resources == ()
    assert gap in came.gap
    assert "p1" not in came.gap


@responses.activate
def test_a_redirect_is_not_followed() -> None:
    responses.get(f"{BASE}/Patient/p1", status=302, headers={"Location": "http://127.0.0.1/secret"})
    responses.get("http://127.0.0.1/secret", json={"resourceType": "Patient", "id": "p1"})
    assert server().fetch("Patient/p1", "patient") == Fetched((), "the server answered 302")
    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    "onward",
    [
        "http://evil.example/fhir/Condition?page=2", "https://ehr.example/fhir/Condition?page=2",
        "http://ehr.example:8080/fhir/Condition", "http://ehr.example/other?page=2", "http://ehr.example/fhirx?page=2",
        "//evil.example/fhir", "http://ehr.example/fhir/../admin", "http://ehr.example/fhir /x", "file:///etc/passwd",
        "http://u:p@ehr.example/fhir/Condition", "http://ehr.example/fhir?a b",
    ],
)  # fmt: skip
@responses.activate
def test_a_next_link_elsewhere_is_not_followed_and_the_first_page_is_kept(onward: str) -> None:
    _answers(searchset([{"resourceType": "Condition", "id": "c1"}], onward))
    came = server(token="secret").fetch("Condition?patient=p1", "conditions")
    assert [body["id"] for _, body in came.resources] == ["c1"]
    assert came.gap == "the next page is not on the same server"
    assert len(responses.calls) == 1


@pytest.mark.parametrize("onward", [f"{BASE}?page=2", "http://EHR.example/fhir?page=2", "?page=2", "../fhir?page=2"])
@responses.activate
def test_a_next_link_on_the_same_base_is_followed_however_it_is_written(onward: str) -> None:
    _answers(searchset([{"resourceType": "Condition", "id": "c1"}], onward))
    responses.get(BASE, json=searchset([{"resourceType": "Condition", "id": "c2"}]))
    responses.get(f"{BASE}/", json=searchset([{"resourceType": "Condition", "id": "c2"}]))
    came = server().fetch("Condition?patient=p1", "conditions")
    assert ([body["id"] for _, body in came.resources], came.gap) == (["c1", "c2"], "")


@responses.activate
def test_pages_without_end_are_cut_off() -> None:
    _answers(searchset([{"resourceType": "Condition", "id": "c1"}], f"{BASE}/Condition?page=again"))
    came = server().fetch("Condition?patient=p1", "conditions")
    assert len(responses.calls) == client.MAX_PAGES
    assert "more than" in came.gap


@responses.activate
def test_outcomes_among_the_entries_of_a_search_are_no_data() -> None:
    _answers(searchset([{"resourceType": "OperationOutcome"}, {"resourceType": "Condition", "id": "c1"}]))
    came = server().fetch("Condition?patient=p1", "conditions")
    assert [body["resourceType"] for _, body in came.resources] == ["Condition"]


@responses.activate
def test_the_token_goes_with_every_request_to_its_base_and_stands_in_no_repr() -> None:
    _answers(searchset([], f"{BASE}?page=2"))
    responses.get(BASE, json=searchset([]))
    asking = server(token="s3cret")
    asking.fetch("Condition?patient=p1", "conditions")
    assert [c.request.headers["Authorization"] for c in responses.calls] == ["Bearer s3cret"] * 2
    assert "s3cret" not in repr(asking)


@responses.activate
def test_without_a_token_none_is_sent() -> None:
    _answers(PAGE)
    server().fetch("Condition?patient=p1", "conditions")
    assert "Authorization" not in responses.calls[0].request.headers


def test_nobody_at_home_is_a_gap() -> None:
    assert server("http://127.0.0.1:9/fhir").fetch("Patient/p1", "patient").gap == (
        "the server cannot be reached, or broke off"
    )


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        pytest.param((), 0, id="hangs up at once"),
        pytest.param((HEAD, b"{"), 0, id="breaks off in the body"),
        pytest.param((b"\x00" * 100_000,), 0, id="does not speak HTTP"),
    ],
)
def test_a_server_that_breaks_off_is_a_gap(answer: tuple[bytes, ...], pause: float) -> None:
    with raw_server(answer, pause) as (base, _):
        assert server(base, 2).fetch("Patient/p1", "patient") == Fetched(
            (), "the server cannot be reached, or broke off"
        )


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        pytest.param((HEAD,), 5, id="never answers"),
        pytest.param((HEAD, *(b"{" for _ in range(1000))), 0.02, id="drips"),
    ],
)
def test_a_slow_server_is_left_when_the_budget_is_spent(answer: tuple[bytes, ...], pause: float) -> None:
    began = time.monotonic()
    with raw_server(answer, pause) as (base, _):
        assert server(base, 0.3).fetch("Patient/p1", "patient") == Fetched((), LATE)
        assert time.monotonic() - began < 1.0


def test_a_spent_budget_asks_nobody() -> None:
    with raw_server((HEAD,)) as (base, asked):
        assert server(base, -1).fetch("Patient/p1", "patient") == Fetched((), LATE)
        assert asked == []


@pytest.mark.service
def test_a_real_server_gives_reads_and_all_pages_of_searches(sekmet: Sekmet, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record("client-pages", NOW)
    for day in range(7):
        record.pain(day, day)
    sekmet.put(record.resources)
    monkeypatch.setattr(client, "PAGE", "3")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there: a request that heeds it fails
    asking = server(sekmet.base)
    came = asking.fetch("Observation?patient=client-pages&code=http://loinc.org|72514-3,http://x|y", "observations")
    assert (len(came.resources), came.gap) == (7, "")
    assert len({place for place, _ in came.resources}) == 7
    ((_, patient),) = asking.fetch("Patient/client-pages", "patient").resources
    assert patient["id"] == "client-pages"
    assert asking.fetch("Patient/nobody-of-this-name", "patient") == Fetched((), "the server answered 404")
