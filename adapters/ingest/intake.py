"""One way in for whatever comes without a caller who waits: what is new is ingested, what cannot be read is listed.

The same again changes nothing and is decided on by nobody: it is told by its hash before anything is done.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, replace
from typing import Any, Final

import structlog

from adapters.bootstrap import House
from adapters.db.errors import StoreUnavailableError
from adapters.db.unread import Unreadable
from adapters.fhir import strict_json
from adapters.fhir.bundles import is_patient, owner_of
from adapters.fhir.deliver import MAX_BYTES, Entry, Parcel
from adapters.places import places_of
from pathway.canonical import sha256
from pathway.chart import patient_key, source_of
from pathway.errors import BadInputError, ChartMovedError, NotInForceError, PathwayError
from pathway.ports import Stored, Submission
from pathway.service import Delivery

PASSING: Final = (StoreUnavailableError, NotInForceError, ChartMovedError)
"""Faults that are not in what came: it is tried again."""
_LOG = structlog.get_logger("pathway.ingest")


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a delivery: resources new to their chart and known before, tasks, rows on the list of the unread."""

    resources: int = 0
    created: int = 0
    updated: int = 0
    unread: int = 0
    known: int = 0

    def __add__(self, other: Taken) -> Taken:
        return Taken(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def to_json(self) -> dict[str, int]:
        """For the row of a job's part."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Door:
    """Through which door something came, and who is said to have brought it."""

    name: str
    actor: str = ""


def take(house: House, data: bytes, where: str, door: Door) -> Taken:
    """Take in one Bundle of one patient, or one resource. Raises only what passes (`PASSING`)."""
    try:
        parcel = house.reader(house.clock.now()).submission(data, where)
    except BadInputError as fault:
        found = list(_singly(house, data, where, door)) or [_whole(house, data, where, door, fault)]
        return Taken(unread=_listed(house, found))
    unread = _listed(house, refused(house, parcel, door))
    taken = Taken(unread=unread)
    for delivery in parcel.deliveries:
        taken += _ingested(house, delivery, parcel, data, where, door)
    return taken


def refused(house: House, parcel: Parcel, door: Door) -> list[Unreadable]:
    """The entries of a parcel that were set aside, for the list."""
    return [_entry(house, entry, door) for entry in parcel.entries if not entry.accepted and entry.data]


def settle(house: House, delivery: Delivery) -> int:
    """Close the list's open rows about resources of which a version has now been read; says how many."""
    source, read = source_of(delivery.patient), [resource.reference for resource, _ in delivery.resources]
    with house.store.unread(write=False) as unread:
        if not unread.has_open(source, read):
            return 0
    with house.store.unread(write=True) as unread:
        return unread.settle(source, read, house.clock.now())


def is_known(house: House, delivery: Delivery) -> bool:
    """Whether the chart holds every resource of a delivery already, in this very version or a later one."""
    hashes = {resource.sha256 for resource, _ in delivery.resources}
    with house.store.read() as ledger:
        keys = ledger.keys_of(ledger.survivor(delivery.patient))
    with house.store.unread(write=False) as unread:
        return unread.held(keys, sorted(hashes)) == hashes


def _ingested(house: House, delivery: Delivery, parcel: Parcel, data: bytes, where: str, door: Door) -> Taken:
    if is_known(house, delivery):
        return Taken(known=len(delivery.resources))
    now = house.clock.now()
    submission = Submission(str(uuid.uuid4()), source_of(delivery.patient), door.name, now, parcel.sha256)
    try:
        made = house.service.ingest(delivery, submission, data, door.actor or door.name)
    except PASSING:
        raise
    except Exception as fault:  # a resource that breaks the service stops no other; its text may hold a value
        _LOG.error("ingest-failed", error=type(fault).__name__, places=places_of(fault))
        what = fault.what if isinstance(fault, PathwayError) else f"the service failed on it ({type(fault).__name__})"
        broken = _whole(house, data, where, door, BadInputError(what, code="exception", fix="Report it, then retry"))
        return Taken(unread=_listed(house, [replace(broken, patient=delivery.patient)]))
    settle(house, delivery)
    new = sum(1 for _, stored in made.stored if stored in (Stored.NEW, Stored.CHANGED))
    return Taken(new, len(made.changes.created), len(made.changes.updated), 0, len(made.stored) - new)


def _singly(house: House, data: bytes, where: str, door: Door) -> Iterator[Unreadable]:
    """Of a Bundle that was refused, the resources that are to blame; none where it is the Bundle itself."""
    try:
        document = strict_json.load(data, max_bytes=MAX_BYTES, where=where)
    except BadInputError:
        return
    entries = document.get("entry") if isinstance(document, Mapping) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        body = entry.get("resource") if isinstance(entry, Mapping) else None
        if not isinstance(body, Mapping):
            continue
        place, own = f"{where}: entry[{index}]", strict_json.dumps(body)
        try:
            house.reader(house.clock.now()).submission(own, place)
        except BadInputError as fault:
            yield _whole(house, own, place, door, fault)


def _whole(house: House, data: bytes, where: str, door: Door, fault: BadInputError) -> Unreadable:
    why = f"{fault.what} ({fault.why})" if fault.why else fault.what
    return _about(house, Unreadable(house.settings.source, door.name, where, why, data, fault.fix, fault.code))


def _entry(house: House, entry: Entry, door: Door) -> Unreadable:
    why = f"{entry.expression} {entry.why}".strip()
    source = house.settings.source
    return _about(house, Unreadable(source, door.name, entry.place, why, entry.data, entry.fix, entry.code))


def _about(house: House, what: Unreadable) -> Unreadable:
    """With the resource and the patient that it is about, where its bytes tell."""
    try:
        body: Any = strict_json.load(what.data, max_bytes=MAX_BYTES, where=what.place)
    except BadInputError:
        return what
    if not isinstance(body, Mapping) or body.get("resourceType") == "Bundle":
        return what
    kind, id = body.get("resourceType"), body.get("id")
    owner = owner_of(body) if is_patient(body) or kind != "Patient" else ""
    return replace(
        what,
        reference=f"{kind}/{id}" if isinstance(kind, str) and isinstance(id, str) and len(id) <= 64 else "",
        patient=patient_key(house.settings.source, owner.removeprefix("Patient/")) if owner else "",
    )


def _listed(house: House, found: list[Unreadable]) -> int:
    """Put what is not on the list on it; says how many there were."""
    if found:
        with house.store.unread(write=True) as unread:
            for what in found:
                unread.add(what, house.clock.now())
        _LOG.warning("unread", door=found[0].door, count=len(found))
    return len(found)


def list_once(house: House, what: Unreadable) -> None:
    """List something unless it is there already: what is asked for again and again is told once."""
    with house.store.unread(write=False) as unread:
        known = unread.is_listed(what.source, sha256(what.data))
    if not known:
        put_on_list(house, what)


def put_on_list(house: House, what: Unreadable) -> None:
    """List something that no reader ever saw, such as a line that is no JSON."""
    _listed(house, [_about(house, what)])
