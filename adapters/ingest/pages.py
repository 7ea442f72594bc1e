"""A page of a search whose JSON is refused as a whole, read entry by entry: one bad resource hides no other.

The entries are told apart by their brackets alone, so that nothing within one of them has to be right.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.fhir import strict_json
from adapters.fhir.bundles import owner_of
from adapters.fhir.client import MAX_BYTES, NotRetrievedError, next_link
from pathway.errors import BadInputError

_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]', re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Refused:
    """A resource that cannot be read, as its own bytes, and why. `reference` and `owner` are as good as can be told."""

    data: bytes
    why: str
    reference: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Sorted:
    """What a page holds: resources, those that cannot be read, and the URL of the page after it, if there is one."""

    resources: tuple[Mapping[str, Any], ...]
    refused: tuple[Refused, ...] = ()
    onward: str = ""


def read(data: bytes, most: int) -> Sorted:
    """A Bundle as it came, of up to `most` bytes. NotRetrievedError for what is none, whatever is in its entries."""
    start, end = _span(data, b"entry") or (len(data), len(data))
    try:
        frame = strict_json.load(data[:start] + b"[]" * (start < end) + data[end:], max_bytes=most, where="answer")
    except BadInputError:
        raise NotRetrievedError("the answer is not FHIR JSON") from None
    if not isinstance(frame, Mapping) or frame.get("resourceType") != "Bundle":
        raise NotRetrievedError("the answer is not a Bundle")
    resources: list[Mapping[str, Any]] = []
    refused: list[Refused] = []
    for entry in _members(data[start:end]):
        span = _span(entry, b"resource")
        own = entry[slice(*span)] if span else b""
        if not own:
            continue
        try:
            body = strict_json.load(own, max_bytes=MAX_BYTES, where="entry")
            if isinstance(body, Mapping):
                resources.append(body)
        except BadInputError as fault:
            refused.append(_refused(own, fault.what))
    return Sorted(tuple(resources), tuple(refused), next_link(frame))


def _refused(data: bytes, why: str) -> Refused:
    """Bad bytes, with whose they are where even a careless reader can tell."""
    try:
        body = json.loads(data, object_pairs_hook=_once)
        kind, id = str(body.get("resourceType", "")), str(body.get("id", ""))
        owner = owner_of(body)
    except (ValueError, RecursionError, AttributeError, TypeError, BadInputError):
        return Refused(data, why)
    named = _NAME.fullmatch(kind) and re.fullmatch(r"[A-Za-z0-9.-]{1,64}", id)
    return Refused(data, why, f"{kind}/{id}" if named else "", owner)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What is said twice is not known."""
    times = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if times[name] == 1}


def _span(data: bytes, key: bytes) -> tuple[int, int] | None:
    """Where the value of an object's own member begins and ends, if that is a list or an object."""
    depth, said, start = 0, b"", None
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in (b"{", b"["):
            if depth == 1 and said == b'"%b"' % key and start is None:
                start = token.start()
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
            if depth == 1 and start is not None:
                return start, token.end()
        elif depth == 1:
            said = text
    return None


def _members(data: bytes) -> Iterator[bytes]:
    """The members of a list, each as its own bytes; none of what is no list."""
    depth, start = 0, 1
    for token in _TOKEN.finditer(data if data.startswith(b"[") else b""):
        text = token[0]
        depth += (text in (b"{", b"[")) - (text in (b"}", b"]"))
        if (text == b"," and depth == 1) or (text == b"]" and depth == 0):
            yield data[start : token.start()]
            start = token.end()
