"""The census: what a FHIR server holds of tasks, care plans and Provenance, against what it ought to hold.

What ought to be there is asked of three: of the database (contents), of whoever delivered (charts, decisions), and of
a house that took the same deliveries and was never killed (which tasks and care plans there are at all).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.db.store import SqlStore
from adapters.fhir.from_plan import EPISODE, TASK_KEY, care_plan, task
from pathway.ports import Submission
from tests.databases import plainly
from tests.servers import OtherServer
from tests.world import FixedClock, make_house

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """How many tasks, care plans and Provenances a server holds: each once, and none that ought not to be there."""

    tasks: int
    plans: int
    proofs: int


@dataclass
class Expected:
    """The tasks, each with its status, and the episodes with a care plan."""

    tasks: dict[str, str] = field(default_factory=dict[str, str])
    plans: set[str] = field(default_factory=set[str])


def body_of(part: Json) -> bytes:
    """A delivery as it is sent."""
    return json.dumps(part).encode()


def patient_of(part: Json) -> str:
    """The patient whom a delivery is about."""
    return f"local|{part['entry'][0]['resource']['id']}"


def never_killed(folder: Path, taken: Iterable[tuple[datetime, Json]], settings: Mapping[str, str]) -> Expected:
    """What comes of deliveries, each taken at its instant, in a house that nobody kills."""
    clock, expected = FixedClock(), Expected()
    house = make_house(folder, clock, **settings)
    try:
        for number, (at, part) in enumerate(taken):
            clock.at, data = at, body_of(part)
            parcel = house.reader(at).submission(data, "body")
            (delivery,) = parcel.deliveries
            house.service.ingest(delivery, Submission(str(number), "local", "test", at, parcel.sha256), data, "nobody")
        while house.service.wake() + house.service.catch_up():
            pass
        with house.store.read() as ledger:
            every = [one for patient in ledger.patients() for one in ledger.tasks(patient)]
    finally:
        house.close()
    expected.tasks = {one.key: one.status for one in every}
    expected.plans = {one.episode for one in every}
    return expected


def check_decided_once(url: str, taken: Sequence[Json], broken: Mapping[str, int]) -> int:
    """Each acknowledged delivery was kept and decided on, and no other; the number of decisions.

    `broken` says of a body, by its hash, how often it was sent and not answered: each of these may have been kept.
    """
    kept = dict(plainly(url, "SELECT sha256, count(*) FROM submission GROUP BY sha256"))
    sent = {hashlib.sha256(body_of(part)).hexdigest(): patient_of(part) for part in taken}
    assert kept.keys() == sent.keys(), f"{len(sent.keys() - kept.keys())} acknowledged and not kept"
    often = {sha: times for sha, times in kept.items() if not 1 <= times <= 1 + broken.get(sha, 0)}
    assert not often, f"{len(often)} kept more often than sent"
    by_patient: Counter[str] = Counter()
    for sha, times in kept.items():
        by_patient[sent[sha]] += times
    decided = dict(plainly(url, "SELECT patient, count(*) FROM decision WHERE trigger = 'fhir-api' GROUP BY patient"))
    assert decided == dict(by_patient), "a delivery without its decision, or two of them"
    lagging = plainly(url, "SELECT patient FROM patient_head WHERE decided_version < chart_version")
    assert not lagging, f"{len(lagging)} patients lag"
    held = plainly(url, "SELECT key FROM outbox WHERE lease_until IS NOT NULL")
    assert not held, f"{len(held)} rows held by nobody: {held[:3]}"
    return by_patient.total()


def check_counted(store: SqlStore, taken: Sequence[Json], server: OtherServer, expected: Expected | None) -> Found:
    """Every acknowledged delivery is in its chart; every task and care plan is at the server once, as it stands here,
    and each version of it has one Provenance. With `expected`, they are those and no others.
    """
    tasks, plans = by_identifier(server, "Task", TASK_KEY), by_identifier(server, "CarePlan", EPISODE)
    twice = {key: len(several) for key, several in (tasks | plans).items() if len(several) > 1}
    assert not twice, f"{len(twice)} twice at the server: {sorted(twice)[:3]}"
    own = _own(store, taken, {key: several[0]["id"] for key, several in tasks.items()})
    lost, strange = sorted(own.keys() - (tasks | plans).keys()), sorted((tasks | plans).keys() - own.keys())
    assert not lost, f"{len(lost)} lost: {lost[:3]}"
    assert not strange, f"{len(strange)} not ours: {strange[:3]}"
    there = {key: several[0] for key, several in (tasks | plans).items()}
    assert {key: changed for key in own if (changed := differences(own[key], there[key]))} == {}
    if expected is not None:
        statuses = {key: several[0]["status"] for key, several in tasks.items()}
        other = sorted(set(statuses.items()) ^ expected.tasks.items())
        assert not other, f"{len(other)} other than without kills: {other[:6]}"
        assert plans.keys() == expected.plans, f"other care plans: {sorted(plans.keys() ^ expected.plans)[:6]}"
    return Found(len(tasks), len(plans), _check_proofs(server, there.values()))


def by_identifier(server: OtherServer, kind: str, system: str) -> dict[str, list[Json]]:
    """All that a server holds of a kind, by our identifier."""
    found: dict[str, list[Json]] = {}
    for one in server.search(kind):
        key = next(i["value"] for i in one["identifier"] if i["system"] == system)
        found.setdefault(key, []).append(one)
    return found


def _own(store: SqlStore, taken: Sequence[Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """Our tasks and care plans by identifier, as they are to be written; `ids` are those of tasks at the server."""
    wanted: dict[str, set[str]] = {}
    for part in taken:
        refs = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in part["entry"]}
        wanted.setdefault(patient_of(part), set()).update(refs)
    own: dict[str, Json] = {}
    with store.read() as ledger:
        for patient, refs in sorted(wanted.items()):
            assert refs == {resource.reference for resource in ledger.chart(patient)}, f"{patient} is not whole"
            tasks, said = ledger.tasks(patient), ledger.care_words(patient)
            own |= {one.key: task(one) for one in tasks}
            names = {f"Task/{one.id}": f"Task/{ids.get(one.key, 'nowhere')}" for one in tasks}
            for episode in ledger.episodes(patient):
                if any(one.episode == episode.id for one in tasks):
                    own[episode.id] = _named(care_plan(episode, patient, tasks, said), names)
    return own


def _named(plan: Json, names: Mapping[str, str]) -> Json:
    """A care plan that names its tasks as the server does."""
    activity = [{**one, "reference": {"reference": names[one["reference"]["reference"]]}} for one in plan["activity"]]
    return {**plan, "activity": activity}


def _check_proofs(server: OtherServer, there: Iterable[Json]) -> int:
    """Each version of each resource has one Provenance, and there are no others."""
    targets = Counter(one["target"][0]["reference"] for one in server.search("Provenance"))
    versions = {
        f"{one['resourceType']}/{one['id']}/_history/{entry['resource']['meta']['versionId']}"
        for one in there
        for entry in server.read(f"{one['resourceType']}/{one['id']}/_history")["entry"]
    }
    unproved = sorted(versions - targets.keys())
    assert not unproved, f"{len(unproved)} versions without a Provenance: {unproved[:5]}"
    assert targets.keys() == versions, "a Provenance of nothing"
    assert {target: times for target, times in targets.items() if times > 1} == {}
    return targets.total()


def differences(own: Json, theirs: Json) -> list[str]:
    """The elements that differ, but for those that are the server's to give."""
    return [name for name in own if name not in ("id", "meta") and own[name] != theirs.get(name)]
