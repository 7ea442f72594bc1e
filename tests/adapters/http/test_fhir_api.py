"""Reads and searches: what is found, that nobody else's is, and how a search goes on to its next page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from adapters.fhir.validate import check_written
from adapters.http.app import create_app
from tests.adapters.http.builders import candidate, emergency, hollow, unproven
from tests.adapters.http.conftest import NOW, MakeHouse

Found = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def found(client: FlaskClient, send: Callable[..., Any]) -> Found:
    """The resources of a search over three patients: p1 (a candidate), p1x (its id begins alike), p2 (an emergency)."""
    for record in (candidate("p1", NOW), unproven("p1x", NOW), emergency("p2", NOW)):
        send(record.bundle())

    def search(address: str) -> list[dict[str, Any]]:
        answer = client.get(f"/fhir/{address}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        check_written(answer.json)
        assert not hollow(answer.json)
        return [entry["resource"] for entry in answer.json.get("entry", ())]

    return search


def coded(tasks: list[dict[str, Any]], code: str) -> dict[str, Any]:
    """The one task of a code."""
    (one,) = [task for task in tasks if task["code"]["coding"][0]["code"] == code]
    return one


def linked(plan: dict[str, Any]) -> list[str]:
    """The tasks that a care plan links to."""
    return [one["reference"]["reference"] for one in plan["activity"]]


def plan_of(plans: list[dict[str, Any]], task: dict[str, Any]) -> dict[str, Any]:
    """The one care plan that links to a task."""
    (one,) = [plan for plan in plans if f"Task/{task['id']}" in linked(plan)]
    return one


def whose(tasks: list[dict[str, Any]]) -> set[str]:
    return {task["for"]["reference"] for task in tasks}


@pytest.mark.parametrize("patient", ["p1", "Patient/p1"])
def test_a_patients_tasks_are_that_patients_only(found: Found, patient: str) -> None:
    assert whose(found(f"Task?patient={patient}")) == {"Patient/p1"}


def test_a_patient_without_tasks_and_an_unknown_one_have_none(found: Found) -> None:
    assert found("Task?patient=nobody") == []
    assert found("CarePlan?patient=nobody") == []


def test_a_task_of_another_patient_is_not_found_by_its_id_or_key(found: Found) -> None:
    other = found("Task?patient=p1")[0]
    assert found(f"Task?patient=p2&_id={other['id']}") == []
    assert found(f"Task?patient=p2&identifier={other['identifier'][0]['value']}") == []


def test_without_a_patient_the_tasks_of_all_are_listed_by_due_date(found: Found) -> None:
    tasks = found("Task")
    assert whose(tasks) == {"Patient/p1", "Patient/p1x", "Patient/p2"}
    due = [task["restriction"]["period"]["end"] for task in tasks]
    assert due == sorted(due)


def test_status_narrows_to_any_of_a_list(found: Found) -> None:
    assert len(found("Task?status=ready,requested,completed")) == len(found("Task"))
    assert found("Task?status=completed,cancelled") == []


def test_a_task_is_found_by_id_and_by_key_with_and_without_its_system(found: Found) -> None:
    task = found("Task?patient=p1")[0]
    key = task["identifier"][0]
    assert found(f"Task?_id={task['id']}") == [task]
    assert found(f"Task?identifier={key['value']}") == [task]
    assert found(f"Task?identifier={key['system']}|{key['value']}&_id={task['id']}") == [task]
    assert found(f"Task?identifier=http://other.example|{key['value']}") == []
    assert found(f"Task?identifier={key['value']}&_id=another") == []


@pytest.mark.parametrize("address", ["Task", "CarePlan?patient=p2"])
def test_next_links_lead_through_all_pages_without_repeating(client: FlaskClient, found: Found, address: str) -> None:
    whole = found(address)
    assert len(whole) > 1
    url, seen = f"/fhir/{address}{'&' if '?' in address else '?'}_count=1", []
    while url:
        page = client.get(url).json
        seen += [entry["resource"] for entry in page["entry"]]
        links = {link["relation"]: link["url"] for link in page["link"]}
        parts = urlsplit(links.get("next", ""))
        url = f"{parts.path}?{parts.query}" if parts.path else ""
    assert seen == whole


def test_the_last_page_has_no_next_link_and_a_page_holds_200_at_most(client: FlaskClient, found: Found) -> None:
    found("Task")
    page = client.get("/fhir/Task?_count=999").json
    assert [link["relation"] for link in page["link"]] == ["self"]
    assert "_count=200" in page["link"][0]["url"]


def test_one_task_is_read_with_its_version_as_etag(client: FlaskClient, found: Found) -> None:
    task = found("Task?patient=p1")[0]
    answer = client.get(f"/fhir/Task/{task['id']}")
    assert answer.json == task
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Sun, 22 Nov 2026 12:00:00 GMT"


def test_one_care_plan_is_read_and_links_to_the_tasks(client: FlaskClient, found: Found) -> None:
    tasks = found("Task?patient=p1")
    plans = found("CarePlan?patient=p1")
    for plan in plans:
        assert client.get(f"/fhir/CarePlan/{plan['id']}").json == plan
    assert sorted(one for plan in plans for one in linked(plan)) == sorted(f"Task/{task['id']}" for task in tasks)
    review, referral = coded(tasks, "operator-review"), coded(tasks, "refer-osteoporosis")
    fracture, person = plan_of(plans, review), plan_of(plans, referral)
    assert fracture["addresses"] == [{"reference": "Condition/p1-fx-1"}]
    assert (person["title"], person.get("addresses")) == ("The person", None)


def test_evidence_closes_the_task_and_its_care_plan(
    client: FlaskClient, found: Found, send: Callable[..., Any]
) -> None:
    asked = coded(found("Task?patient=p1x"), "order-spine-mri")
    assert plan_of(found("CarePlan?patient=p1x"), asked)["status"] == "active"
    send(unproven("p1x", NOW).oedema("L1", False, 0).bundle())
    tasks = found("Task?patient=p1x")
    closed = coded(tasks, "order-spine-mri")
    assert closed["id"] == asked["id"]
    assert (closed["status"], closed["meta"]["versionId"]) == ("completed", "2")
    assert closed["output"]
    plans = found("CarePlan?patient=p1x")
    assert plan_of(plans, closed)["status"] == "completed"
    assert plan_of(plans, coded(tasks, "refer-osteoporosis"))["status"] == "active", "the bone is owed its care still"


def test_addresses_in_answers_are_those_that_people_reach_us_under(make_house: MakeHouse) -> None:
    client = create_app(make_house(public_url="https://pathway.example/")).test_client()
    client.post("/fhir", json=candidate("p1", NOW).bundle())
    page = client.get("/fhir/Task").json
    assert page["link"][0]["url"].startswith("https://pathway.example/fhir/Task?")
    assert page["entry"][0]["fullUrl"].startswith("https://pathway.example/fhir/Task/")
    assert client.get("/fhir/metadata").json["implementation"]["url"] == "https://pathway.example/fhir"


@pytest.mark.parametrize("address", ["Task/nothing", "CarePlan/nothing"])
def test_what_is_not_there_is_404(client: FlaskClient, address: str) -> None:
    answer = client.get(f"/fhir/{address}")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("Task?owner=x", "not-supported", id="a parameter that is not built"),
        pytest.param("Task?patient:missing=true", "not-supported", id="a modifier"),
        pytest.param("Task?patient=", "value", id="an empty patient"),
        pytest.param("Task?patient=Patient/", "value", id="a patient without an id"),
        pytest.param("Task?patient=p1,p2", "value", id="two patients"),
        pytest.param("Task?patient=Practitioner/p1", "value", id="no patient at all"),
        pytest.param("Task?patient=p1&patient=p2", "invalid", id="patient twice"),
        pytest.param("Task?status=", "value", id="an empty status"),
        pytest.param("Task?status=open", "value", id="no status of R4"),
        pytest.param("Task?_count=0", "value", id="no page"),
        pytest.param("Task?_count=-1", "value", id="a negative page"),
        pytest.param("Task?_count=1.5", "value", id="half a page"),
        pytest.param("Task?_offset=99999999999999999999", "value", id="an offset beyond every integer"),
        pytest.param("CarePlan", "required", id="care plans of nobody in particular"),
        pytest.param("CarePlan?patient=p1&status=active", "not-supported", id="a parameter of Task"),
        pytest.param("Task/x?patient=p1", "not-supported", id="a search parameter on a read"),
    ],
)
def test_a_search_that_is_not_understood_is_refused_whole(client: FlaskClient, query: str, code: str) -> None:
    answer = client.get(f"/fhir/{query}")
    assert (answer.status_code, answer.json["issue"][0]["code"]) == (400, code)
    check_written(answer.json)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/fhir+json"),
        ("application/fhir+json", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=5.0", None),
        ("application/json", "application/json"),
        ("application/xml, application/fhir+json;q=0.5", "application/fhir+json"),
        ("application/json;q=0.4, application/fhir+json;q=0.5", "application/fhir+json"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "application/fhir+json"),
        ("application/fhir+xml", None),
        ("application/fhir+json;q=0", None),
        ("text/html", None),
    ],
)
def test_accept_is_heeded(client: FlaskClient, accept: str | None, media_type: str | None) -> None:
    answer = client.get("/fhir/metadata", headers={"Accept": accept} if accept else {})
    assert answer.status_code == (200 if media_type else 406)
    assert answer.mimetype == (media_type or "application/fhir+json")


@pytest.mark.parametrize(
    ("wanted", "media_type"),
    [
        ("json", "application/fhir+json"),
        ("application/fhir%2Bjson", "application/fhir+json"),
        ("application/fhir+json", "application/fhir+json"),
        ("application/json", "application/json"),
        ("xml", None),
    ],
)
def test_format_outweighs_accept(client: FlaskClient, wanted: str, media_type: str | None) -> None:
    answer = client.get(f"/fhir/metadata?_format={wanted}", headers={"Accept": "text/html"})
    assert answer.status_code == (200 if media_type else 406)
    assert answer.mimetype == (media_type or "application/fhir+json")


def test_head_is_answered_like_get(client: FlaskClient) -> None:
    assert client.head("/fhir/Task").status_code == 200
