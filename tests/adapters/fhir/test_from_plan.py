"""Tasks and care plans on the wire: what each part says, and that all of it is R4."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.fhir.capability import capability_statement
from adapters.fhir.from_plan import DRAFT, TASK_KEY, care_plan, searchset, task
from adapters.fhir.resources import model
from adapters.fhir.validate import check_written
from adapters.http.fhir_api.search import SEARCHES
from pathway.care import CareWord
from pathway.episodes import Episode, EpisodeKind, person_episode
from pathway.tasks import EXPIRED, Attempt, Note, Task
from tests.adapters.http.builders import hollow

AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
LATER = AT + timedelta(hours=5)
TASK = Task(
    key="e1/candidacy.order-spine-mri/1", patient="local|p1", episode="e1", rule="candidacy.order-spine-mri",
    occurrence=1, code="order-spine-mri", title="MRI of the spine", status="ready", priority="urgent",
    owner="clinician", due_at=AT + timedelta(days=7), anchor="asked", focus="Condition/c1", release="candidacy|0.1.0",
    decision="d1", authored_at=AT, modified_at=LATER, levels=("T12", "L1"), why=("Not shown to be fresh", "Order it"),
    sources=("Observation/o1",), version=3,
)  # fmt: skip
CLOSED = replace(TASK, status="completed", evidence=("Observation/mri",), status_reason="closed by evidence")
WITHDRAWN = replace(TASK, status="cancelled", status_reason="no longer needed")
BY_PERSON = replace(TASK, status="rejected", by_person=True)
EXPIRED_TASK = replace(TASK, status="cancelled", outcome=EXPIRED, status_reason="its period has passed")
FRACTURE = Episode("e1", EpisodeKind.FRACTURE, ("L1",), AT, LATER, ("Condition/c1", "Observation/o1"))


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource, after two judges found it to be R4 and nothing in it empty."""
    check_written(resource)
    model(resource["resourceType"]).model_validate(resource)
    assert not hollow(resource)
    return resource


def test_an_open_task_says_what_why_for_whom_and_by_when() -> None:
    shown = valid(task(TASK))
    assert shown["id"] == TASK.id
    assert shown["identifier"] == [{"system": TASK_KEY, "value": TASK.key}]
    assert shown["instantiatesCanonical"] == "https://pathway.example/fhir/PlanDefinition/candidacy|0.1.0"
    assert (shown["status"], shown["intent"], shown["priority"]) == ("ready", "plan", "urgent")
    assert shown["code"]["coding"][0]["code"] == "order-spine-mri"
    assert shown["description"] == f"MRI of the spine: T12, L1. {DRAFT}"
    assert shown["focus"] == {"reference": "Condition/c1"}
    assert shown["for"] == {"reference": "Patient/p1"}
    assert shown["restriction"] == {"period": {"end": "2026-11-08T09:30:00Z"}}
    assert shown["executionPeriod"] == {"start": "2026-11-01T09:30:00Z"}
    assert (shown["authoredOn"], shown["lastModified"]) == ("2026-11-01T09:30:00Z", "2026-11-01T14:30:00Z")
    assert shown["meta"]["versionId"] == "3"
    assert shown["performerType"][0]["coding"][0]["code"] == "clinician"
    assert not {"output", "statusReason", "requester", "owner"} & shown.keys()


def test_input_holds_the_reasons_in_order_then_the_sources_then_the_decision() -> None:
    parts = [(i["type"]["coding"][0]["code"], {k: v for k, v in i.items() if k != "type"}) for i in task(TASK)["input"]]
    assert [(code, next(iter(value.values()))) for code, value in parts] == [
        ("why", "Not shown to be fresh"),
        ("why", "Order it"),
        ("source", {"reference": "Observation/o1"}),
        ("decision", {"system": "https://pathway.example/fhir/decision", "value": "d1"}),
    ]


@pytest.mark.parametrize(
    ("it", "standing", "ended"),
    [
        pytest.param(TASK, "open", False, id="open"),
        pytest.param(CLOSED, "closed-by-evidence", True, id="closed by evidence"),
        pytest.param(WITHDRAWN, "withdrawn", True, id="withdrawn"),
        pytest.param(BY_PERSON, "closed-by-person", True, id="closed by a person"),
        pytest.param(EXPIRED_TASK, "expired", True, id="ended by the clock"),
        pytest.param(replace(TASK, status="on-hold", by_person=True), "put-off", False, id="put off"),
        pytest.param(replace(TASK, stage=2), "escalated", False, id="escalated"),
    ],
)
def test_business_status_and_end_follow_from_how_a_task_stands(it: Task, standing: str, ended: bool) -> None:
    shown = valid(task(it))
    assert shown["businessStatus"]["coding"][0]["code"] == standing
    assert shown["executionPeriod"].get("end") == ("2026-11-01T14:30:00Z" if ended else None)


def test_a_task_closed_by_evidence_shows_it_as_output() -> None:
    shown = task(CLOSED)
    assert [o["valueReference"] for o in shown["output"]] == [{"reference": "Observation/mri"}]
    assert shown["statusReason"] == {"text": "closed by evidence"}


def test_what_drafts_made_says_so_to_others_and_what_an_approved_release_made_does_not() -> None:
    other = replace(TASK, key="e1/x/1", release="bone-health|0.5.0")
    assert task(TASK, {TASK.release})["description"] == "MRI of the spine: T12, L1"
    assert task(TASK, {other.release})["description"].endswith(DRAFT)
    assert care_plan(FRACTURE, "local|p1", (TASK, other), approved={TASK.release})["description"] == DRAFT
    assert "description" not in care_plan(FRACTURE, "local|p1", (TASK,), approved={TASK.release})


def test_a_task_of_no_named_vertebra_says_so() -> None:
    assert (
        task(replace(TASK, levels=("unspecified",)))["description"] == f"MRI of the spine: vertebra not named. {DRAFT}"
    )
    assert task(replace(TASK, levels=()))["description"] == f"MRI of the spine. {DRAFT}"


@pytest.mark.parametrize(
    ("tasks", "status"),
    [
        pytest.param((), "active", id="no task yet"),
        pytest.param((TASK,), "active", id="one open"),
        pytest.param((CLOSED, replace(TASK, key="e1/x/1")), "active", id="one of two open"),
        pytest.param((CLOSED, replace(WITHDRAWN, key="e1/x/1")), "completed", id="all ended"),
        pytest.param((CLOSED, replace(TASK, key="e2/x/1", episode="e2")), "completed", id="open one is another's"),
        pytest.param((replace(CLOSED, episode="e2"),), "active", id="ended one is another's"),
        pytest.param((WITHDRAWN,), "revoked", id="nothing was done"),
    ],
)
def test_a_care_plan_closes_when_it_had_tasks_and_all_have_ended(tasks: tuple[Task, ...], status: str) -> None:
    shown = valid(care_plan(FRACTURE, "local|p1", tasks))
    assert shown["status"] == status
    assert ("end" in shown["period"]) == (status != "active")


ENDED_CARE = CareWord("local|p1", "", LATER, "cora", "coordinator", "Cora C.", "hospice", "since Monday", ("e1",))


def test_a_care_plan_tells_what_was_done_and_who_ended_it() -> None:
    by_cora = replace(
        TASK, key="e1/x/1", status="cancelled", outcome="hospice", status_reason="In hospice care: since Monday",
        by_person=True, holder_display="Cora C.", ended_at=LATER, due_at=LATER + timedelta(days=99),
    )  # fmt: skip
    done, ended = valid(care_plan(FRACTURE, "local|p1", (CLOSED, by_cora)))["activity"]
    assert done["outcomeReference"] == [{"reference": "Observation/mri"}]
    assert done["progress"] == [{"time": "2026-11-01T14:30:00Z", "text": "closed by evidence"}]
    assert ended["outcomeCodeableConcept"][0]["coding"][0]["code"] == "hospice"
    assert ended["progress"][0]["text"] == "In hospice care: since Monday (Cora C.)"


@pytest.mark.parametrize(
    ("tasks", "status"),
    [
        pytest.param((), "revoked", id="nothing was asked for"),
        pytest.param((CLOSED,), "revoked", id="something was done before"),
        pytest.param((replace(TASK, emergency=True),), "active", id="an emergency is left to a clinician"),
    ],
)
def test_where_care_ended_the_plan_is_revoked_and_says_why(tasks: tuple[Task, ...], status: str) -> None:
    shown = valid(care_plan(FRACTURE, "local|p1", tasks, (ENDED_CARE,)))
    assert shown["status"] == status
    note = {"authorString": "Cora C. (coordinator)", "time": "2026-11-01T14:30:00Z"}
    assert shown["note"] == [note | {"text": "In hospice care: since Monday"}]


def test_attempts_and_words_stand_on_the_task_in_the_order_of_time() -> None:
    tried = Attempt(AT, "Cora C. (coordinator)", "phone", "no-answer", LATER)
    said = Note(LATER, "Clio K. (clinician)", "try the daughter")
    shown = valid(task(replace(TASK, attempts=(tried,), notes=(said,), acknowledged_at=None)))
    assert [note["text"] for note in shown["note"]] == [
        "By telephone, no answer, next try 2026-11-01 14:30 UTC", "try the daughter",
    ]  # fmt: skip


def test_an_escalated_task_is_for_the_supervisor_too_and_begins_with_its_period() -> None:
    shown = valid(task(replace(TASK, stage=3, start_at=LATER)))
    assert [role["text"] for role in shown["performerType"]] == ["clinician", "supervisor"]
    assert shown["executionPeriod"] == {"start": "2026-11-01T14:30:00Z"}


def test_a_care_plan_addresses_conditions_and_refers_to_its_own_tasks_by_due_date() -> None:
    first = replace(TASK, key="e1/first/1", due_at=AT)
    other = replace(TASK, key="e2/x/1", episode="e2")
    shown = valid(care_plan(FRACTURE, "local|p1", (TASK, first, other)))
    assert (shown["id"], shown["title"], shown["subject"]) == ("e1", "Fracture: L1", {"reference": "Patient/p1"})
    assert shown["addresses"] == [{"reference": "Condition/c1"}]
    assert shown["supportingInfo"] == [{"reference": "Observation/o1"}]
    assert [a["reference"]["reference"] for a in shown["activity"]] == [f"Task/{first.id}", f"Task/{TASK.id}"]


@pytest.mark.parametrize(
    ("episode", "title"),
    [
        (replace(FRACTURE, kind=EpisodeKind.PROCEDURE, sources=("Procedure/p",)), "Cement procedure: L1"),
        (replace(FRACTURE, levels=("unspecified",)), "Fracture: vertebra not named"),
        (person_episode("local|p1", AT), "The person"),
    ],
)
def test_every_kind_of_episode_has_a_title(episode: Episode, title: str) -> None:
    assert valid(care_plan(episode, "local|p1", ()))["title"] == title


def test_a_page_of_a_search_is_r4_with_and_without_matches() -> None:
    links = {"self": "http://127.0.0.1/fhir/Task?_count=1", "next": "http://127.0.0.1/fhir/Task?_count=1&_offset=1"}
    page = valid(searchset("http://127.0.0.1/fhir", [task(TASK)], links))
    assert page["entry"][0]["fullUrl"] == f"http://127.0.0.1/fhir/Task/{TASK.id}"
    assert {link["relation"]: link["url"] for link in page["link"]} == links
    assert "entry" not in valid(searchset("http://127.0.0.1/fhir", [], {"self": "http://127.0.0.1/fhir/Task"}))


def test_the_capability_statement_is_r4() -> None:
    shown = valid(capability_statement("http://127.0.0.1/fhir", "0.1.0", AT, SEARCHES))
    assert {r["type"] for r in shown["rest"][0]["resource"]} == {"Task", "CarePlan", "DocumentReference"}
