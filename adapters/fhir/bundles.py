"""Bundles: their entries, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapters.fhir.invariants import objects
from adapters.fhir.reading import at_path, reference_of
from pathway.errors import BadInputError

SUBJECTS: Final = ("subject", "patient", "beneficiary")


def entries_of(bundle: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any, str]]:
    """Place, resource and fullUrl of each entry of a Bundle; an entry without a resource is passed by.

    Raises BadInputError for what is no list of objects and for methods that are not carried out here.
    """
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise BadInputError("Bundle.entry is not a list", where=where, fix="Send entry as an array", code="structure")
    for index, entry in enumerate(entries):
        place = f"{where}: entry[{index}]"
        if not isinstance(entry, Mapping):
            raise BadInputError(
                "a Bundle entry is not an object", where=place, fix="Send entry.resource", code="structure"
            )
        if at_path(entry, "request.method") not in (None, "POST", "PUT"):
            raise BadInputError(
                "this request.method is not carried out here (DELETE, PATCH, GET)",
                where=place,
                fix="Send POST or PUT; a mistake is sent again as entered-in-error",
                code="not-supported",
            )
        resource = entry.get("resource")
        if resource is None:
            continue
        if isinstance(resource, Mapping) and resource.get("resourceType") == "OperationOutcome":
            continue
        yield place, resource, str(entry.get("fullUrl", ""))


def is_patient(body: Any) -> bool:
    """Whether something sent is a Patient with an id."""
    return isinstance(body, Mapping) and body.get("resourceType") == "Patient" and isinstance(body.get("id"), str)


def owner_of(body: Mapping[str, Any]) -> str:
    """The patient that a resource is about, as `Patient/id`; empty for one that is about no patient.

    References by fullUrl are resolved before.
    """
    if is_patient(body):
        return f"Patient/{body['id']}"
    for element in _subjects(body):
        raw = at_path(element, "reference")
        if isinstance(raw, str):
            short = reference_of(element)
            if short.startswith("Patient/"):
                return short
            if raw.startswith("urn:uuid:"):
                return f"Patient/{raw.removeprefix('urn:uuid:')}"
    coming = {short for element in _actors(body) if (short := reference_of(element)).startswith("Patient/")}
    return coming.pop() if len(coming) == 1 else ""


def _subjects(body: Any) -> list[Any]:
    return [body.get(name) for name in SUBJECTS] if isinstance(body, Mapping) else []


def _actors(body: Any) -> list[Any]:
    """The patients who come to an Appointment; one for two patients is nobody's."""
    if not isinstance(body, Mapping) or body.get("resourceType") != "Appointment":
        return []
    actors = [part.get("actor") for part in objects(body, "participant")]
    return [actor for actor in actors if "Patient/" in str(at_path(actor, "reference"))]


def names_a_patient(body: Mapping[str, Any]) -> bool:
    """Whether a resource says that it is about somebody, in a form that can be followed or not."""
    return any(name in body for name in SUBJECTS) or bool(_actors(body))


def foreign_bases(bodies: Iterable[Any]) -> set[str]:
    """The servers whose patients are referred to by absolute URL."""
    references = (at_path(element, "reference") for body in bodies for element in (*_subjects(body), *_actors(body)))
    absolute = (r for r in references if isinstance(r, str) and r.startswith(("http://", "https://")))
    return {reference.rpartition("/Patient/")[0] for reference in absolute}


def aliases_of(rows: Iterable[tuple[Any, str]]) -> dict[str, str]:
    """The `Type/id` behind each fullUrl of a Bundle that is no id of its own, such as `urn:uuid:…`."""
    found: dict[str, str] = {}
    for body, url in rows:
        if url and isinstance(body, Mapping) and isinstance(body.get("id"), str):
            found[url] = f"{body.get('resourceType')}/{body['id']}"
    return found


def resolved(node: Any, aliases: Mapping[str, str]) -> Any:
    """A resource with its references by fullUrl written as `Type/id`, as a server does that takes a Bundle apart."""
    if isinstance(node, Mapping):
        made = {key: resolved(value, aliases) for key, value in node.items()}
        reference = made.get("reference")
        return made | {"reference": aliases[reference]} if isinstance(reference, str) and reference in aliases else made
    return [resolved(item, aliases) for item in node] if isinstance(node, list) else node
