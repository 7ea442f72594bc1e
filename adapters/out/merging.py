"""What we write over what is there: ours where it is ours, what other people wrote as they wrote it.

A resource of ours at the server may be edited there. Some fields are ours alone. Some are shared: people move a status,
take a task over, put a date off. For these we know what we wrote (`Trace`), and so who changed them since. Lists grow
from both sides. All other fields are other people's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.fhir.from_plan import TASK_PART
from adapters.fhir.terminology import BASE

Json = dict[str, Any]
Trace = Mapping[str, Any]
"""Of one write, the shared fields: `mine` as we had them, `there` as we wrote them."""

_STANDING: Final = ("status", "statusReason", "businessStatus")
SHARED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "Task": (_STANDING, ("owner",), ("priority",), ("restriction",)),
    "CarePlan": (("status",),),
    "DocumentReference": (("status",), ("docStatus",)),
}
"""By type, the fields that people change too; those of one group are changed together."""
OURS: Final[Mapping[str, frozenset[str]]] = {
    "Task": frozenset({
        "resourceType", "instantiatesCanonical", "groupIdentifier", "intent", "code", "description", "focus", "for",
        "encounter", "basedOn", "reasonReference", "executionPeriod", "authoredOn", "lastModified", "performerType",
    }),
    "CarePlan": frozenset({
        "resourceType", "instantiatesCanonical", "intent", "title", "description", "subject", "period", "addresses",
        "supportingInfo", "goal", "created",
    }),
    "DocumentReference": frozenset({
        "resourceType", "type", "subject", "date", "author", "authenticator", "relatesTo", "description", "content",
        "context",
    }),
}  # fmt: skip
"""By type, the fields that are ours alone: written as we have them, taken away where we no longer have them."""
LISTS: Final[Mapping[str, frozenset[str]]] = {
    "Task": frozenset({"identifier", "input", "output", "note", "extension"}),
    "CarePlan": frozenset({"identifier", "activity", "note", "extension"}),
    "DocumentReference": frozenset({"identifier", "extension"}),
}
"""By type, the lists that others add to."""
ENDED: Final = frozenset({"completed", "cancelled", "rejected", "failed", "entered-in-error", "revoked", "superseded"})
SERVER: Final = frozenset({"versionId", "lastUpdated"})
"""Of a resource's meta, what the server says of its version."""


def merged(ours: Json, there: Json, traces: Sequence[Trace]) -> Json:
    """What the server should hold: `ours` over what is `there`, given what we wrote there before, oldest first."""
    kind = ours["resourceType"]
    shared = [key for group in SHARED[kind] for key in group]
    taken = OURS[kind] | LISTS[kind] | set(shared)
    result = {key: value for key, value in there.items() if key not in taken}
    result |= {key: value for key, value in ours.items() if key not in LISTS[kind] and key not in shared}
    result["id"] = there["id"]
    result["meta"] = {key: value for key, value in there.get("meta", {}).items() if key not in SERVER}
    for key in sorted(LISTS[kind]):
        result[key] = _both(key, ours.get(key, ()), there.get(key, ()))
    for group in SHARED[kind]:
        result |= _shared(group, ours, there, traces)
    return {key: value for key, value in result.items() if value not in (None, [], {})}


def trace(mine: Mapping[str, Any], there: Mapping[str, Any]) -> Trace:
    """What to remember of a write: by which a later one can tell who changed what."""
    keys = [key for group in SHARED[mine["resourceType"]] for key in group] + ["lastModified"]
    return {side: {key: one[key] for key in keys if key in one} for side, one in (("mine", mine), ("there", there))}


def is_trace_of(last: Trace, there: Mapping[str, Any]) -> bool:
    """Whether what is there is what that write would have left."""
    return all(same(value, there.get(key)) for key, value in last["there"].items())


def same(one: Any, other: Any) -> bool:
    """Whether two pieces of FHIR JSON say the same: servers write instants in other forms and drop what is empty."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return (at := _instant(one)) is not None and at == _instant(other)
    return one == other


def _shared(group: tuple[str, ...], ours: Json, there: Json, traces: Sequence[Trace]) -> Json:
    """A group of fields: theirs if others changed it since we last wrote, ours if only we did."""
    mine, his = ({key: one.get(key) for key in group} for one in (ours, there))
    for last in reversed(traces):
        if all(same(his[key], last["there"].get(key)) for key in group):
            changed = any(not same(mine[key], last["mine"].get(key)) for key in group)
            return mine if changed else his
    ends = mine.get("status") in ENDED and his.get("status") not in ENDED
    return mine if ends else his


def _both(key: str, ours: Iterable[Any], there: Iterable[Any]) -> list[Any]:
    """Our items, then those of others: what bears no mark of ours and we do not have."""
    own = list(ours)
    named = {_names(mine) for mine in own} - {""}
    others = [
        one for one in there
        if not _marked(key, one) and _names(one) not in named and not any(same(one, mine) for mine in own)
    ]  # fmt: skip
    return own + others


def _marked(key: str, item: Any) -> bool:
    """Whether an item can only be ours, so that it goes when we no longer have it."""
    if not isinstance(item, Mapping):
        return False
    if key == "identifier":
        return str(item.get("system", "")).startswith(f"{BASE}/")
    if key == "extension":
        return str(item.get("url", "")).startswith(f"{BASE}/")
    codings = item.get("type", {}).get("coding", ()) if key in ("input", "output") else ()
    return any(one.get("system") == TASK_PART for one in codings)


def _names(item: Any) -> str:
    """The reference of a plan's activity, by which it is the same one however it has gone on; else empty."""
    reference = item.get("reference") if isinstance(item, Mapping) else None
    found = reference.get("reference") if isinstance(reference, Mapping) else None
    return found if isinstance(found, str) else ""


def _instant(text: str) -> datetime | None:
    if len(text) < 20 or text[4:5] != "-":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
