"""Links between Patients: which records of this source are one person's, and which of them goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.fhir.invariants import objects
from adapters.fhir.reading import at_path
from pathway.chart import SetAside, patient_key
from pathway.intake import Merge


def merges_of(bodies: Iterable[Mapping[str, Any]], source: str) -> tuple[Merge, ...]:
    """What the Patients among resources say of others that they replace, or by which they are replaced."""
    found = [
        Merge(patient_key(source, old), patient_key(source, into), f"Patient/{body['id']}")
        for body in bodies
        for old, into in _replaced(body)
    ]
    return tuple(dict.fromkeys(found))


def strange_links(bodies: Iterable[Mapping[str, Any]]) -> tuple[SetAside, ...]:
    """The Patients whose link leads to another server: nobody can tell here who that is."""
    why = "it is linked to a patient of another server, who is not known here"
    return tuple(
        SetAside(f"Patient/{body['id']}", "unmapped", why)
        for body in bodies
        for kind, other in _links(body)
        if kind in ("replaces", "replaced-by") and not _own(other)
    )


def one_person(owners: Iterable[str], bodies: Iterable[Mapping[str, Any]]) -> bool:
    """Whether several owners (`Patient/id`) are one person by the links of the Patients among resources."""
    groups = [{owner} for owner in owners]
    for body in bodies:
        for pair in _replaced(body):
            ends = {f"Patient/{id}" for id in pair}
            touched = [group for group in groups if group & ends]
            groups = [group for group in groups if not group & ends] + [set[str]().union(ends, *touched)]
    return len(groups) == 1


def _replaced(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The id that ends and the one that goes on, for each link that says so."""
    for kind, other in _links(body):
        id = _own(other)
        if id and id != body["id"] and kind in ("replaces", "replaced-by"):
            yield (id, body["id"]) if kind == "replaces" else (body["id"], id)


def _links(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for link in objects(body, "link"):
        yield str(link.get("type", "")), str(at_path(link, "other.reference") or "")


def _own(reference: str) -> str:
    """The id of a Patient of the same source; empty for any other reference."""
    kind, _, id = reference.partition("/_history")[0].partition("/")
    return id if kind == "Patient" and "/" not in id else ""
