"""Records as other systems hold them: resources of candidates, as lines, Bundles or on a server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adapters.bootstrap import House
from tests.adapters.ingesting import replace_id
from tests.world import candidate

Resource = dict[str, Any]


def resources(patient: str) -> list[Resource]:
    """The record of a candidate, each resource with an id that is only theirs."""
    bundle = replace_id(candidate().bundle(), patient)
    found = [entry["resource"] for entry in bundle["entry"]]
    for one in found:
        if one["resourceType"] != "Patient" and not one["id"].startswith(patient):
            one["id"] = f"{patient}-{one['id']}"
    return found


def lines(bodies: Iterable[Resource]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in bodies)


def by_type(folder: Path, bodies: Iterable[Resource]) -> None:
    """A folder as a bulk export gives it: a file for each type."""
    folder.mkdir(exist_ok=True)
    rows: dict[str, list[Resource]] = {}
    for one in bodies:
        rows.setdefault(one["resourceType"], []).append(one)
    for kind, some in rows.items():
        (folder / f"{kind}.ndjson").write_bytes(lines(some))


def charts(house: House, patients: Iterable[str]) -> dict[str, list[str]]:
    """What is stored of patients: the references of each chart."""
    with house.store.read() as ledger:
        return {p: [r.reference for r in ledger.chart(f"{house.settings.source}|{p}")] for p in patients}


def open_tasks(house: House, patients: Iterable[str]) -> dict[str, list[str]]:
    """The keys of the open tasks of each patient."""
    with house.store.read() as ledger:
        return {p: [t.key for t in ledger.tasks(f"{house.settings.source}|{p}") if not t.ended] for p in patients}


def decisions(house: House, patient: str) -> int:
    with house.store.read() as ledger:
        return len(ledger.decisions(f"{house.settings.source}|{patient}"))


def references(bodies: Iterable[Resource]) -> Iterator[str]:
    for one in bodies:
        yield f"{one['resourceType']}/{one['id']}"
