"""What a row of the channel `fhir` stands for, rendered from what is stored now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.outbox import PENDING
from adapters.fhir import from_plan
from adapters.fhir.terminology import BASE
from adapters.out.posting import Claimed, TryLater
from pathway.errors import NotFoundError
from pathway.keeping import FHIR
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
            return _task(ledger.find_task(own))
        if kind != "CarePlan":
            raise NotFoundError("this row names no task and no care plan", where="outbox")
        patient = ledger.survivor(row.patient)
        episode = next((one for one in ledger.episodes(patient) if one.id == own), None)
        tasks = [one for one in ledger.tasks(patient) if one.episode == own]
        said = ledger.care_words(patient)
    if episode is None:
        raise NotFoundError("there is no such episode", where=row.key)
    body = from_plan.care_plan(episode, patient, tasks, said)
    ids = _ids_there(house, tasks)
    body["activity"] = [
        {**one, "reference": {**one["reference"], "reference": f"Task/{ids[one['reference']['reference']]}"}}
        for one in body.get("activity", ())
        if one.get("reference", {}).get("reference", "") in ids
    ]
    decisions = sorted({one.decision for one in tasks})
    return _piece(body, own, episode.sources, sorted({one.release for one in tasks}), decisions)


def _task(task: Task) -> Piece:
    return _piece(from_plan.task(task), task.episode, task.sources, [task.release], [task.decision])


def _piece(
    body: Json, episode: str, sources: Sequence[str], releases: Sequence[str], decisions: Sequence[str]
) -> Piece:
    body = {key: value for key, value in body.items() if key != "meta" and value != []}
    return Piece(
        body["resourceType"], body["id"], body, body["identifier"][0], episode, tuple(sources),
        [f"{BASE}/PlanDefinition/{one}" for one in releases],
        [{"system": from_plan.DECISION, "value": one} for one in decisions],
    )  # fmt: skip


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
