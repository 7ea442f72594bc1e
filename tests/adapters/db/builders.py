"""A disk that fails, invented resources, decisions, episodes and tasks, and one whole ingest of them."""

import json
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.db import SqlStore, open_store
from pathway.canonical import canonical, instant, sha256
from pathway.chart import ChartResource
from pathway.decisions import DecisionRecord
from pathway.episodes import Episode, EpisodeKind
from pathway.ports import Ledger, Stored, Submission
from pathway.tasks import Task

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PATIENT = "clinic|p1"


@contextmanager
def opened(url: str) -> Iterator[SqlStore]:
    """The store at a URL, closed at the end."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: a write fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def body(fhir_id: str = "c1", updated: datetime | None = None, note: str = "") -> bytes:
    """The bytes of a Condition; `note` makes them differ."""
    content: dict[str, Any] = {"resourceType": "Condition", "id": fhir_id, "note": [{"text": note}]}
    if updated is not None:
        content["meta"] = {"lastUpdated": instant(updated), "versionId": "7"}
    return canonical(content)


def put(ledger: Ledger, data: bytes, patient: str = PATIENT, received_at: datetime = AT) -> Stored:
    """Offer bytes to a chart, parsed as ingestion does."""
    return ledger.put_resource(patient, ChartResource(json.loads(data), sha256(data), received_at), data)


def record(id: str = "d1", patient: str = PATIENT, **changes: Any) -> DecisionRecord:
    """A decision on the input `b"input"`."""
    decided = DecisionRecord(
        id=id, decided_at=AT, patient=patient, as_of=AT - timedelta(hours=1), trigger="ingest", actor="system",
        service_version="0.1.0", input_sha256=sha256(b"input"), body_sha256=sha256(b"{}"), body=b"{}",
    )  # fmt: skip
    return replace(decided, **changes)


def episode(id: str = "e1", levels: Sequence[str] = ("L1",)) -> Episode:
    """A fracture."""
    return Episode(id, EpisodeKind.FRACTURE, tuple(levels), AT, AT, ("Condition/c1",))


def task(key: str = "e1/mri/1", patient: str = PATIENT, **changes: Any) -> Task:
    """A requested task of episode `e1` and decision `d1`."""
    asked = Task(
        key=key, patient=patient, episode="e1", rule="mri", occurrence=1, code="order-mri", title="MRI of L1",
        status="requested", priority="urgent", owner="coordinator", due_at=AT + timedelta(days=2), anchor="asked",
        focus="Condition/c1", release="clinical@1", decision="d1", authored_at=AT, modified_at=AT,
    )  # fmt: skip
    return replace(asked, **changes)


def keep_decision(ledger: Ledger, decided: DecisionRecord) -> int:
    """Append a decision with the input it was made from."""
    ledger.keep_bytes(b"input")
    return ledger.append_decision(decided)


def ingest(ledger: Ledger, name: str, patient: str = PATIENT, resources: int = 3, tasks: int = 1) -> None:
    """One delivery under a name of its own, with its decision and its tasks, as the service stores them."""
    delivered = ledger.keep_bytes(f"delivery {name}".encode())
    ledger.keep_submission(Submission(f"s-{name}", "clinic", "api", AT, delivered))
    for number in range(resources):
        put(ledger, body(f"{name}-{number}", AT, note=name), patient)
    ledger.save_episodes(patient, [episode()])
    keep_decision(ledger, record(f"d-{name}", patient))
    for number in range(tasks):
        ledger.save_task(task(f"e1/{name}/{number}", patient, decision=f"d-{name}"), expect_version=0)
    ledger.mark_decided(patient, ledger.chart_version(patient))
