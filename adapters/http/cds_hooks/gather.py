"""The data of one call: what came in prefetch, what was fetched for it, and what could not be had.

The five states of a prefetch key (CDS Hooks 2.0.1, Prefetch) are kept apart: a failure is never "nothing there".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from adapters.fhir.bundles import foreign_bases, owner_of
from adapters.fhir.client import LATE, Fetched, FhirServer, next_link, one_form, placed
from adapters.http.cds_hooks.call import Call
from pathway.errors import BadInputError, MissingDataError

ABSENT: Final = object()
Fetch = Callable[[FhirServer], Fetched]
Row = tuple[str, Any]
"""A resource with its place."""


class State(StrEnum):
    """What a prefetch key holds."""

    MISSING = "not sent"
    NOTHING = "asked, and nothing there"
    FAILED = "the client's own query failed"
    PAGE = "only its first page was sent"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Gathered:
    """By key its resources, each with its place; and by key why not all of its data is here."""

    rows: Mapping[str, Sequence[Row]]
    gaps: Mapping[str, str]


def state(value: Any) -> State:
    """The state of one key; `ABSENT` for a key that is not there. Contract: an object or null."""
    if value is ABSENT:
        return State.MISSING
    if value is None:
        return State.NOTHING
    if value.get("resourceType") == "OperationOutcome":
        return State.FAILED
    return State.PAGE if next_link(value) else State.DATA


def gather(call: Call, server: FhirServer | None, unasked: str, seconds: Callable[[], float]) -> Gathered:
    """Everything that can be had within the time left. `unasked` says why no server is asked, where none is.

    Raises BadInputError for another patient's record in prefetch, MissingDataError where a required key has a gap.
    """
    rows: dict[str, list[Row]] = {key: [] for key in call.service.prefetch}
    wanted: dict[str, tuple[State, Fetch]] = {}
    for key in call.service.prefetch:
        value = call.prefetch.get(key, ABSENT)
        how = state(value)
        if how in (State.DATA, State.PAGE):
            rows[key] += _sent(key, value, call.patient_id)
        if how not in (State.DATA, State.NOTHING):
            wanted[key] = (how, _fetch(call, key, how, value))
    _refuse_two_servers(call.server, rows)
    fetched = _fetch_all(server, {key: fetch for key, (_, fetch) in wanted.items()}, seconds) if server else {}
    gaps: dict[str, str] = {}
    for key, (how, _) in wanted.items():
        came = _own_only(fetched.get(key, Fetched((), unasked)), call.patient_id)
        rows[key] += came.resources
        if came.gap:
            gaps[key] = f"{how}; {came.gap}"
    refuse_without(call.service.required, gaps)
    return Gathered(rows, gaps)


def _sent(key: str, value: Mapping[str, Any], patient_id: str) -> list[Row]:
    """The resources of one key as the client sent it. One stranger among them, and nothing of it can be trusted."""
    where = f"prefetch.{key}"
    if not isinstance(value.get("resourceType"), str):
        raise BadInputError(
            "neither a resource nor a Bundle", where=where, fix="Send FHIR JSON, or null", code="structure"
        )
    rows = placed(value, where)
    for place, body in rows:
        if _is_foreign(body, patient_id):
            raise BadInputError(
                "the record of another patient than the context's", where=place,
                why="a client that mixes patients cannot be trusted with either",
                fix="Send only what belongs to context.patientId", code="business-rule",
            )  # fmt: skip
    return rows


def _refuse_two_servers(server: str, rows: Mapping[str, Sequence[Row]]) -> None:
    """The same id on another server is another patient: what was sent must refer to patients of one server."""
    bases = foreign_bases(body for of_key in rows.values() for _, body in of_key) | ({server} if server else set())
    if len({one_form(base) for base in bases}) > 1:
        raise BadInputError(
            "patients of different servers are referred to", where="prefetch", code="business-rule",
            why="an id means something only on its own server", fix="Send relative references, or those of fhirServer",
        )  # fmt: skip


def _is_foreign(body: Any, patient_id: str) -> bool:
    """Whether a resource says that it is about someone else; what is no resource at all the reader sets aside."""
    return isinstance(body, Mapping) and owner_of(body) not in ("", f"Patient/{patient_id}")


def _fetch(call: Call, key: str, how: State, value: Any) -> Fetch:
    where = f"fetched.{key}"
    if how is State.PAGE:
        return lambda server: server.follow(next_link(value), where)
    return lambda server: server.fetch(call.service.query(key, call.patient_id), where)


def _fetch_all(server: FhirServer, jobs: Mapping[str, Fetch], seconds: Callable[[], float]) -> dict[str, Fetched]:
    """Every job's answer, side by side; one that is not done in time is left behind and is a gap."""
    if not jobs:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(jobs), thread_name_prefix="prefetch")
    try:
        running = {key: pool.submit(job, server) for key, job in jobs.items()}
        wait(running.values(), timeout=max(0.0, seconds()))
        return {key: job.result() if job.done() else Fetched((), LATE) for key, job in running.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _own_only(came: Fetched, patient_id: str) -> Fetched:
    if any(_is_foreign(body, patient_id) for _, body in came.resources):
        return Fetched((), "the server sent the record of another patient")
    return came


def refuse_without(required: frozenset[str], gaps: Mapping[str, str]) -> None:
    """Raise MissingDataError for required keys that have a gap: silence would read as "nothing to say"."""
    lost = sorted(required & gaps.keys())
    if lost:
        raise MissingDataError(
            f"required data cannot be had: {', '.join(lost)}", where=", ".join(f"prefetch.{key}" for key in lost),
            why="; ".join(f"{key}: {gaps[key]}" for key in lost),
            fix="Send these keys in prefetch, or fhirServer and fhirAuthorization of a server that this service knows",
        )  # fmt: skip
