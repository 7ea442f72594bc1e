"""What a row of the channel `fhir` stands for, rendered from what is stored now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.outbox import PENDING
from adapters.fhir import from_plan
from adapters.fhir.from_letter import document_reference
from adapters.fhir.phone_call import CALL, is_ours
from adapters.fhir.terminology import BASE
from adapters.out.posting import Claimed, TryLater
from pathway.canonical import parse
from pathway.errors import NotFoundError
from pathway.keeping import FHIR
from pathway.ports import Ledger
from pathway.tasks import Task

Json = dict[str, Any]
SOON: Final = timedelta(seconds=5)
"""How long a care plan waits for its tasks before it looks again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A resource of ours: its body without what a server adds, its identifier, and what it was made from."""

    kind: str
    id: str
    body: Json = field(repr=False)
    identifier: Json
    episode: str = ""
    sources: Sequence[str] = ()
    releases: Sequence[str] = ()
    decisions: Sequence[Json] = ()


def piece_of(house: House, row: Claimed) -> Piece:
    """The resource behind a row. NotFoundError for a key that names none; TryLater for a plan that waits for tasks."""
    kind, _, own = row.key.partition("/")
    with house.store.read() as ledger:
        if kind == "Task":
            return _task(ledger.find_task(own), house.approved)
        if kind == "DocumentReference":
            return _letter(ledger, own)
        if kind != "CarePlan":
            raise NotFoundError("this row names no task, no care plan and no letter", where="outbox")
        patient = ledger.survivor(row.patient)
        episode = next((one for one in ledger.episodes(patient) if one.id == own), None)
        tasks = [one for one in ledger.tasks(patient) if one.episode == own]
        said = ledger.care_words(patient)
    if episode is None:
        raise NotFoundError("there is no such episode", where=row.key)
    body = from_plan.care_plan(episode, patient, tasks, said, house.approved)
    ids = _ids_there(house, tasks)
    body["activity"] = [
        {**one, "reference": {**one["reference"], "reference": f"Task/{ids[one['reference']['reference']]}"}}
        for one in body.get("activity", ())
        if one.get("reference", {}).get("reference", "") in ids
    ]
    decisions = sorted({one.decision for one in tasks})
    return _piece(body, own, episode.sources, sorted({one.release for one in tasks}), decisions)


def _task(task: Task, approved: Collection[str]) -> Piece:
    return _piece(from_plan.task(task, approved), task.episode, task.sources, [task.release], [task.decision])


def _letter(ledger: Ledger, id: str) -> Piece:
    """A letter that was signed; the one before it is named by its identifier alone: a server gives its own ids."""
    letter = ledger.letter(id)
    patient = ledger.survivor(letter.made.patient)
    body = document_reference(letter, patient, ledger.bytes_of(letter.last.sha256))
    for one in body.get("relatesTo", ()):
        del one["target"]["reference"]
    releases = [
        f"{one['id']}|{one['version']}" for one in parse(ledger.decision(letter.made.decision).body)["releases"]
    ]
    return _piece(body, "", (), releases, [letter.made.decision])


def _piece(
    body: Json, episode: str, sources: Sequence[str], releases: Sequence[str], decisions: Sequence[str]
) -> Piece:
    body = {key: _there(value) for key, value in body.items() if key != "meta" and value != []}
    return Piece(
        body["resourceType"], body["id"], body, body["identifier"][0], episode,
        tuple(one for one in sources if not is_ours(one)),
        [f"{BASE}/PlanDefinition/{one}" for one in releases],
        [{"system": from_plan.DECISION, "value": one} for one in decisions],
    )  # fmt: skip


def _there(node: Any) -> Any:
    """A part of a resource with what is kept in this house alone named by identifier: servers refuse references that
    lead nowhere.
    """
    if isinstance(node, Mapping):
        reference = node.get("reference")
        if isinstance(reference, str) and is_ours(reference):
            kind, _, own = reference.partition("/")
            return {"type": kind, "identifier": {"system": CALL, "value": own}, "display": "Kept in Pathway"}
        return {key: _there(value) for key, value in node.items()}
    return [_there(item) for item in node] if isinstance(node, list) else node


def _ids_there(house: House, tasks: Sequence[Task]) -> dict[str, str]:
    """The ids at the server of an episode's tasks, by our reference to each.

    A plan names only what is there: servers refuse references that lead nowhere. It waits for tasks that are on their
    way; one that was never posted is posted now; one that is parked is left out until it went.
    """
    keys = {f"Task/{one.id}": one for one in tasks}
    with house.store.outbox(write=False) as outbox:
        known = outbox.remote_ids(sorted(keys))
    unposted = sorted(keys.keys() - known.keys())
    if unposted:
        now = house.clock.now()
        with house.store.write() as ledger:
            for key in unposted:
                ledger.post(key, FHIR, keys[key].patient, now)
    if unposted or any(state == PENDING and not remote for state, remote in known.values()):
        raise TryLater("its tasks are not there yet", after=SOON, server=False, counts=False)
    return {key: remote for key, (_, remote) in known.items() if remote}
