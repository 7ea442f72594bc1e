"""What resources refer to that is nobody's own, such as a Medication: without it they say less."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.unread import Unreadable
from adapters.fhir.client import NotRetrievedError
from adapters.fhir.known_chart import SHARED
from adapters.ingest.intake import list_once
from adapters.ingest.queue import bundle
from adapters.ingest.server import Source

_SHARED: Final = re.compile(rf'"reference"\s*:\s*"((?:{"|".join(sorted(SHARED))})/[A-Za-z0-9.-]{{1,64}})"')
_GONE: Final = (404, 410)
_LATER: Final = (401, 408, 425, 429)
Resource = Mapping[str, Any]


def references(bodies: Iterable[Resource]) -> list[str]:
    """What resources refer to, such as `Medication/1`, sorted."""
    return sorted(set(_SHARED.findall(bundle(bodies).decode())))


def refer(
    house: House, server: Source, bodies: Iterable[Resource], door: str, found: dict[str, Resource | None]
) -> None:
    """Fetch what resources refer to and is not `found` yet. What cannot be had is None there, is put on the list of the
    unread, and holds up nothing.

    NotRetrievedError where it is the server that is away, or lets us wait: then all is asked for again.
    """
    for name in references(bodies):
        if name in found:
            continue
        data, why = b"", ""
        try:
            answer = server.ask("GET", f"{server.base}/{name}")
            if answer.status in _GONE:
                found[name] = None
                continue
            data = answer.body if answer.status == 200 else b""
            if answer.status == 200:
                found[name] = answer.json()
                continue
            why = f"the server answered {answer.status}"
        except NotRetrievedError as fault:
            why = fault.what
        else:
            if answer.status in _LATER:
                raise NotRetrievedError(why)
        if not data:
            _refuse_away(server)
        where = f"{server.base}/{name}"
        fix = "Mend it at the server: a later version is read by itself"
        list_once(house, Unreadable(
            house.settings.source, door, where, why, data or where.encode(), fix, reference=name
        ))  # fmt: skip
        found[name] = None


def _refuse_away(server: Source) -> None:
    """NotRetrievedError if the server gives nothing at all: then one resource is not to blame."""
    status = server.ask("GET", f"{server.base}/metadata").status
    if status >= 500 or status in _LATER:
        raise NotRetrievedError(f"the server answered {status}")
