"""What is counted, and that labels stay few and hold nothing of anybody."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from adapters.bootstrap import House
from adapters.http.app import create_app
from tests.adapters.http.builders import call, candidate, prefetch, unproven
from tests.adapters.http.conftest import NOW

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(client: FlaskClient) -> Samples:
    """Every sample by its name and labels, as a scraper reads them."""
    answer = client.get("/metrics")
    assert answer.mimetype == "text/plain"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0)


def test_requests_are_counted_by_route_method_and_class_of_status(client: FlaskClient) -> None:
    for address in ("/fhir/Task?patient=p1", "/fhir/Task?patient=p2", "/fhir/Task?status=nonsense"):
        client.get(address)
    client.get("/someone-elses-address")
    client.open("/fhir", method="BREW")
    found = samples(client)
    assert value(found, "pathway_requests_total", route="/fhir/Task", method="GET", status="2xx") == 2
    assert value(found, "pathway_requests_total", route="/fhir/Task", method="GET", status="4xx") == 1
    assert value(found, "pathway_requests_total", route="-", method="GET", status="4xx") == 1
    assert value(found, "pathway_requests_total", route="-", method="-", status="4xx") == 1
    assert value(found, "pathway_request_seconds_count", route="/fhir/Task") == 3


def test_decisions_are_counted_by_their_door_and_their_outcomes(client: FlaskClient, send: Callable[..., Any]) -> None:
    send(candidate("p1", NOW).bundle())
    send(unproven("p2", NOW).bundle())
    client.post("/cds-services/candidacy", json=call("p3", prefetch=prefetch(candidate("p3", NOW))))
    found = samples(client)
    assert value(found, "pathway_decisions_total", trigger="fhir-api") == 2
    assert value(found, "pathway_decisions_total", trigger="patient-view") == 1
    came = {"policy": "candidacy", "trigger": "fhir-api"}
    assert value(found, "pathway_outcomes_total", outcome="candidate", **came) == 1
    assert value(found, "pathway_outcomes_total", outcome="insufficient-data", **came) == 1
    for stage in ("read", "ingest", "parse", "gather", "decide", "log", "card"):
        assert value(found, "pathway_stage_seconds_count", stage=stage) >= 1, stage


def test_engine_and_evaluator_are_compared_and_never_differ(client: FlaskClient, send: Callable[..., Any]) -> None:
    before = value(samples(client), "pathway_verdicts_compared_total", rule_set="candidacy")
    send(candidate("p1", NOW).bundle())
    found = samples(client)
    assert value(found, "pathway_verdicts_compared_total", rule_set="candidacy") > before
    differing = {labels: n for (name, labels), n in found.items() if name == "pathway_verdicts_differing_total"}
    assert differing
    assert set(differing.values()) == {0}


def test_what_is_set_aside_is_counted_by_its_code(client: FlaskClient) -> None:
    sent = prefetch(candidate("p1", NOW))
    sent["procedures"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    client.post("/cds-services/candidacy", json=call("p1", prefetch=sent))
    assert value(samples(client), "pathway_set_aside_total", code="not-retrieved") == 1


def test_a_database_that_is_away_is_counted(house: House, client: FlaskClient) -> None:
    house.store.close()
    Path(house.settings.database_url.removeprefix("sqlite:///")).unlink()
    answer = client.get("/fhir/Task")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert value(samples(client), "pathway_store_unavailable_total") == 1


def test_two_apps_do_not_add_up(house: House) -> None:
    one, other = create_app(house).test_client(), create_app(house).test_client()
    one.get("/livez")
    assert value(samples(other), "pathway_requests_total", route="/livez", method="GET", status="2xx") == 0


def test_nobody_can_make_labels(client: FlaskClient, send: Callable[..., Any]) -> None:
    """Any number of addresses, methods, ids and values: the series stay those of the routes."""
    for round_ in ("a", "b"):
        if round_ == "b":
            before = set(samples(client))
        for n in range(20):
            client.get(f"/nowhere-{round_}{n}")
            client.get(f"/fhir/Task/{round_}{n}")
            client.get(f"/fhir/Task?patient={round_}{n}")
            client.open("/fhir/Task", method=f"{round_.upper()}{'X' * n}")
            client.get("/fhir/Task", headers={"User-Agent": f"{round_}{n}", "Host": f"{round_}{n}.example"})
        send(candidate(f"patient-{round_}", NOW).bundle())
        samples(client)
    after = set(samples(client))
    assert after == before
    assert not re.search(r"patient-[ab]|nowhere-", str(after))
