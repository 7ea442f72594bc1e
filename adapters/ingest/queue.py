"""What came by itself waits as parts of jobs: kept in one transaction with how far its door came, then taken in.

A part is one patient's resources as a Bundle, by the hash of its bytes. Where nothing is stored of the patient yet, it
has their id as well: their whole chart is fetched, and what was told is taken in with it, or alone if it does not come.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.jobs import Job, Jobs, Part, Piece
from adapters.db.unread import Unreadable
from adapters.fhir import strict_json
from adapters.fhir.bundles import owner_of
from adapters.fhir.client import NotRetrievedError
from adapters.ingest.intake import Door, Taken, put_on_list, take
from adapters.ingest.server import FINAL, answered, charts, not_taken
from adapters.jobs.kinds import NotYetError
from adapters.screen.charts import Chart
from pathway.canonical import sha256
from pathway.chart import patient_key
from pathway.errors import BadInputError

KIND: Final = "deliver"
TRIES: Final = 3
"""How often a part may end its worker before it is put on the list of the unread."""
AWAY: Final = timedelta(minutes=1)
"""How long a server that does not answer is left alone."""
ALONE: Final = timedelta(minutes=15)
"""How long what was told of a new patient waits for the rest of the chart before it is taken in without (project
default of 2026-11-23 awaiting a clinician's sign-off)."""
NOT_THERE: Final = FINAL | {403, 405, 501}
"""What a server answers to a search for a type that it does not have, or that we may not read."""
Resource = Mapping[str, Any]


def by_patient(resources: Iterable[Resource]) -> Iterator[tuple[str, list[Resource]]]:
    """Resources by the id of their patient, in the order of ids; what is nobody's stands alone, with an empty id."""
    found: dict[str, list[Resource]] = {}
    for body in resources:
        owner = owner_of(body).removeprefix("Patient/")
        if owner:
            found.setdefault(owner, []).append(body)
        else:
            yield "", [body]
    yield from sorted(found.items())


def bundle(resources: Iterable[Resource]) -> bytes:
    """Resources as one Bundle."""
    entries = [{"resource": body} for body in resources]
    return strict_json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def is_new(house: House, patient: str) -> bool:
    """Whether nothing is stored of a patient, by id."""
    with house.store.read() as ledger:
        return ledger.chart_version(ledger.survivor(patient_key(house.settings.source, patient))) == 0


def is_held(house: House, patient: str, resources: Iterable[Resource]) -> bool:
    """Whether a patient's chart holds these very resources; what is nobody's is held where it is on the unread list."""
    source, hashes = house.settings.source, sorted(sha256(strict_json.dumps(body)) for body in resources)
    with house.store.read() as ledger:
        keys = ledger.keys_of(ledger.survivor(patient_key(source, patient))) if patient else ()
    with house.store.unread(write=False) as unread:
        held = unread.held(keys, hashes)
        return all(one in held or unread.is_listed(source, one) for one in hashes)


def piece(jobs: Jobs, data: bytes, where: str) -> Piece:
    """A part that takes in these bytes, which are kept."""
    return 1, {"sha256": jobs.keep_bytes(data), "where": where}


def whole_chart(jobs: Jobs, base: str, patient: str, told: bytes) -> Piece:
    """A part that fetches a patient's whole chart from a server and takes it in, with what was told of them first."""
    return 1, {"base": base, "patient": patient, "sha256": jobs.keep_bytes(told)}


def put(jobs: Jobs, house: House, pieces: list[Piece], door: str) -> None:
    """Let them wait, in this transaction."""
    if pieces:
        jobs.add(Job(str(uuid.uuid4()), KIND, "open", house.clock.now(), None, {"door": door}), pieces, news=True)


def run(house: House, job: Job, part: Part) -> Mapping[str, Any]:
    """Take in what a part holds: what was told, or of whom nothing is stored the whole chart and what was told."""
    door = Door(str(job.body["door"]))
    with house.store.read() as ledger:
        told = ledger.bytes_of(part.body["sha256"])
    if "patient" not in part.body:
        return _taken(house, part, told, str(part.body["where"]), door).to_json()
    where = f"{part.body['base']}/Patient/{part.body['patient']}"
    try:
        chart = _whole(house, part, house.clock.now() - job.made_at)
    except BadInputError:
        _taken(house, part, told, where, door)  # better than nothing, and a person sees what is parked
        raise
    except NotYetError:
        if house.clock.now() - job.made_at >= ALONE:
            _taken(house, part, told, where, door)
        raise
    return (_taken(house, part, chart.data, chart.where, door) + _taken(house, part, told, where, door)).to_json()


def _taken(house: House, part: Part, data: bytes, where: str, door: Door) -> Taken:
    """Take bytes in, unless they ended their workers."""
    if part.attempts <= TRIES:
        return take(house, data, where, door)
    why = f"the service did not survive it {TRIES} times"
    put_on_list(house, Unreadable(
        house.settings.source, door.name, where, why, data, "Report it, then retry", "exception"
    ))  # fmt: skip
    return Taken(unread=1)


def _whole(house: House, part: Part, waited: timedelta) -> Chart:
    """A patient's whole chart. NotYetError while the server or our right to ask may be mended, BadInputError if it is
    refused for good.
    """
    base = part.body["base"]
    try:
        (chart,) = charts(house, base, [part.body["patient"]])
    except NotRetrievedError as fault:
        raise NotYetError(fault.what, AWAY) from fault
    for why in (chart.fault, *(gap for _, gap in chart.gaps)):
        not_taken(house, base, why)
    if answered(chart.fault) in FINAL:
        raise BadInputError("the chart could not be fetched", where=chart.where, why=chart.fault)
    if chart.fault:
        raise NotYetError(f"the chart could not be fetched: {chart.fault}", AWAY)
    lacking = [f"{name}: {why}" for name, why in chart.gaps if answered(why) not in NOT_THERE]
    if lacking and waited < ALONE:
        raise NotYetError(f"the chart is not whole: {lacking[0]}", AWAY)
    return chart
