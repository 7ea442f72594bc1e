"""Is this resource R4? What fhir.resources checks, and what it lets through.

fhir.resources refuses unknown elements and wrong cardinality. It accepts any code in a required binding, broken
invariants, any reference, empty arrays, long ids, "2.5" or "yes" for a number or a boolean, JSON text for an object,
and names of its own (`class_fhir`); on an unknown resourceType it raises KeyError. All of that is caught here. The code
lists and resource types are those of hl7.fhir.r4.core 4.0.1, in `fhir_profiles/r4-definitions.json`. A resource costs
about 0.25 ms, three quarters of it in fhir.resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from adapters.fhir.invariants import broken, codes_of, objects
from adapters.fhir.resources import READ, WRITTEN, model
from adapters.fhir.terminology import PROFILES
from pathway.errors import PathwayError

MAX_DEPTH: Final = 64
MAX_ISSUES: Final = 100  # of one resource: whoever sent more than that mends the cause, not the list
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")
_RELATIVE: Final = re.compile(r"([A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?")
_ELSEWHERE: Final = re.compile(r"(https?://|urn:oid:)\S+|urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONDITIONAL: Final = re.compile(r"([A-Za-z]+)\?\S+")
_R4B_ONLY: Final = {"PlanDefinition": "subjectCanonical", "ActivityDefinition": "subjectCanonical"}
Trail = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault, told without any value: `severity` and `code` as in OperationOutcome.issue, `expression` a FHIRPath.

    `key` names the check, for tests and counts: `obs-6`, `binding`, `reference`, `not-read` and so on.
    """

    severity: str
    code: str
    expression: str
    message: str
    key: str


class _Definitions(NamedTuple):
    types: frozenset[str]
    codes: dict[str, list[tuple[list[str], tuple[str, ...]]]]  # type -> path below it, allowed codes
    concepts: dict[str, list[tuple[list[str], dict[str, list[str]]]]]  # type -> path, system -> allowed codes


@cache
def _definitions() -> _Definitions:
    file = json.loads((PROFILES / "r4-definitions.json").read_text(encoding="utf-8"))
    made = _Definitions(frozenset(file["resourceTypes"]), {}, {})
    for path, codes in file["codes"].items():
        kind, *below = path.split(".")
        made.codes.setdefault(kind, []).append((below, tuple(codes)))
    for path, systems in file["concepts"].items():
        kind, *below = path.split(".")
        made.concepts.setdefault(kind, []).append((below, systems))
    return made


def check_resource(resource: Any, where: str = "") -> list[Issue]:
    """What is wrong with one received resource; it may be used if no issue is an error. Never raises.

    Types that no rule reads are checked only by name and id, and reported as `not-read`. `where` replaces the resource
    type at the head of each expression, as in `Bundle.entry[3].resource`: a Bundle's entries are given one by one.
    """
    kind = resource.get("resourceType") if isinstance(resource, Mapping) else None
    if not isinstance(kind, str) or kind not in _definitions().types:
        what = "is not a JSON object whose resourceType is a resource type of R4"
        return [_error("structure", where or "Resource", what, "resource-type")]
    root = where or kind
    if kind in READ:
        # errors first, so that cutting the list never makes a bad resource look good
        return sorted(_check(resource, kind, root), key=lambda issue: issue.severity != "error")[:MAX_ISSUES]
    note = Issue("information", "informational", root, f"{kind} is read by no rule", "not-read")
    return [*_id_issues(resource, (root,)), note]


def check_written(resource: Mapping[str, Any]) -> None:
    """Raise PathwayError, naming each fault, unless a resource that this service authored is valid R4."""
    kind = str(resource.get("resourceType"))
    faults = [i for i in _check(resource, kind, kind) if i.severity == "error"] if kind in WRITTEN else []
    if kind in WRITTEN and not faults and _R4B_ONLY.get(kind) not in resource:
        return
    told = "; ".join(f"{i.expression} {i.message}" for i in faults[:5])
    why = told or "its type is not one that we write, or an element is of R4B only"
    raise PathwayError(f"a {kind} that we wrote is not valid R4", why=why, fix="Mend the code that made it")


def _check(resource: Mapping[str, Any], kind: str, root: str) -> Iterator[Issue]:
    walk = _Walk(resource, root)
    yield from walk.issues
    if not walk.sound:
        return
    yield from _model_issues(resource, kind, root)
    yield from _content_issues(resource, kind, root)
    for n, inner in enumerate(objects(resource, "contained")):
        yield from _content_issues(inner, inner["resourceType"], f"{root}.contained[{n}]")


def _content_issues(resource: Mapping[str, Any], kind: str, root: str) -> Iterator[Issue]:
    yield from _binding_issues(resource, kind, root)
    for key, place, what in broken(resource, kind):
        # con-3 is a warning in R4, the other invariants are errors
        yield Issue("warning" if key == "con-3" else "error", "invariant", root + place, what, key)


class _Walk:
    """One pass over the JSON of a resource for what holds at every place: nulls, empties, references, ids, depth.

    `sound` is false when the JSON is of a kind on which fhir.resources raises builtins instead of a validation error.
    """

    def __init__(self, resource: Mapping[str, Any], root: str) -> None:
        self.issues: list[Issue] = []
        self.sound = True
        self._anchors = {"#", *(f"#{c['id']}" for c in objects(resource, "contained") if isinstance(c.get("id"), str))}
        self._object(resource, (root,))

    def _report(self, code: str, trail: Trail, what: str, key: str, *, sound: bool = True) -> None:
        self.sound = self.sound and sound
        self.issues.append(_error(code, _expression(trail), what, key))

    def _object(self, node: Mapping[str, Any], trail: Trail) -> None:
        if not node:
            return self._report("structure", trail, "is an empty object: leave it out", "empty")
        if len(trail) > MAX_DEPTH:
            return self._report("too-costly", trail, f"is nested deeper than {MAX_DEPTH} levels", "depth", sound=False)
        if not all(isinstance(key, str) for key in node):
            return self._report("structure", trail, "has a key that is not a string", "key", sound=False)
        if "resourceType" in node:
            self.issues.extend(_id_issues(node, trail))
        for key, child in node.items():
            if isinstance(child, str):
                self._text(key, child, (*trail, key))
            elif isinstance(child, Mapping):
                self._object(child, (*trail, key))
            elif isinstance(child, list):
                self._array(node, key, child, (*trail, key))
            elif child is None:
                self._report("structure", (*trail, key), "is null: leave it out", "null")
        return None

    def _array(self, node: Mapping[str, Any], key: str, items: list[Any], trail: Trail) -> None:
        if not items:
            self._report("structure", trail, "is an empty array: leave it out", "empty")
        may_be_null = key.startswith("_") or f"_{key}" in node  # each holds the place of the other's extension
        for n, item in enumerate(items):
            if isinstance(item, Mapping):
                if key == "contained" and not self._may_be_contained(item, len(trail)):
                    what = "is not a resource of R4, or is contained in one that is itself contained"
                    self._report("structure", (*trail, n), what, "contained", sound=False)
                self._object(item, (*trail, n))
            elif isinstance(item, list):
                self._report("structure", (*trail, n), "is an array in an array", "array")
            elif item is None and not may_be_null:
                self._report("structure", (*trail, n), "is null: leave it out", "null")

    def _may_be_contained(self, item: Mapping[str, Any], depth: int) -> bool:
        kind = item.get("resourceType")
        return isinstance(kind, str) and kind in _definitions().types and depth == 2

    def _text(self, key: str, value: str, trail: Trail) -> None:
        if key == "comparator" and value not in ("<", "<=", ">=", ">"):
            self._report("code-invalid", trail, "is not one of: <, <=, >=, >", "binding")
        if key != "reference" or value in self._anchors or _ELSEWHERE.fullmatch(value):
            return
        relative, conditional = _RELATIVE.fullmatch(value), _CONDITIONAL.fullmatch(value)
        named = relative or conditional
        if named is None or named[1] not in _definitions().types:
            what = "is not Type/id, urn:uuid:, urn:oid:, http(s)://, or # with the id of a contained resource"
            self._report("value", trail, what, "reference")
        elif conditional:
            what = "is conditional, which only a transaction resolves"
            self.issues.append(Issue("warning", "value", _expression(trail), what, "reference"))


def _id_issues(resource: Mapping[str, Any], trail: Trail) -> Iterator[Issue]:
    if (own := resource.get("id")) is not None and not (isinstance(own, str) and _ID.fullmatch(own)):
        yield _error("value", _expression((*trail, "id")), "is not 1 to 64 letters, digits, - or .", "id")


# What fhir.resources says, by pydantic's error type; its own messages may quote the value, so none is passed on.
_SAID: Final = {
    "extra_forbidden": ("structure", "is not an element of R4 at this place"),
    "missing": ("required", "is required"),
    "model_field_validation.missing": ("required", "is required"),
    "value_error": ("value", "does not have the form of its type"),
    "string_pattern_mismatch": ("value", "is empty, or has characters that its type does not allow"),
}
_CHOICES: Final = {  # how the library begins its two errors about value[x] and its like
    "Value error, Any of one field value is expected": ("structure", "has two values of one choice element"),
    "Value error, Expect any of field value": ("required", "lacks a required choice element"),
}


def _said(error: Mapping[str, Any]) -> tuple[str, str]:
    for start, said in _CHOICES.items():
        if error["msg"].startswith(start):
            return said
    return _SAID.get(error["type"], ("structure", "is not of its JSON type, or not a valid value of it"))


def _model_issues(resource: Mapping[str, Any], kind: str, root: str) -> Iterator[Issue]:
    try:
        made = model(kind).model_validate(resource)
    except ValidationError as fault:
        for error in fault.errors(include_url=False, include_context=False, include_input=False):
            code, what = _said(error)
            yield _error(code, _expression((root, *error["loc"])), what, f"model:{error['type']}")
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        # fhir.resources lets builtins escape, for resource types of R4 that R4B dropped among others
        yield _error("structure", root, "cannot be read as a FHIR resource", "model")
    else:
        yield from _coercions(resource, made, (root,))


def _coercions(sent: Any, got: Any, trail: Trail) -> Iterator[Issue]:
    """Where the model holds something else than the JSON did: pydantic turns "2.5" into a number and 1 into true."""
    if isinstance(got, BaseModel) and isinstance(sent, Mapping):
        names = _names(type(got))
        for key, child in sent.items():
            if key in names:
                yield from _coercions(child, getattr(got, names[key]), (*trail, key))
            elif key != "resourceType":
                yield _error("structure", _expression((*trail, key)), "is not an element of R4 at this place", "name")
    elif isinstance(got, list) and isinstance(sent, list):
        for n, (one, other) in enumerate(zip(sent, got, strict=False)):
            yield from _coercions(one, other, (*trail, n))
    elif got is not None:
        may = () if isinstance(got, BaseModel | list) else _SENT_AS.get(type(got), (str,))
        if not isinstance(sent, may) or (isinstance(sent, bool) and bool not in may):
            yield _error("structure", _expression(trail), "has the wrong JSON type", "json-type")


_SENT_AS: Final[dict[type, tuple[type, ...]]] = {bool: (bool,), int: (int,), Decimal: (int, Decimal, float)}


@cache
def _names(kind: type[BaseModel]) -> dict[str, str]:
    """FHIR name -> attribute of a model; without `fhir_comments`, which is the library's and not R4's."""
    return {field.alias or name: name for name, field in kind.model_fields.items() if name != "fhir_comments"}


def _binding_issues(resource: Mapping[str, Any], kind: str, root: str) -> Iterator[Issue]:
    for path, codes in _definitions().codes.get(kind, ()):
        for place, value in _at(resource, path, root):
            if isinstance(value, str) and value not in codes:
                yield _error("code-invalid", place, f"is not one of: {', '.join(codes)}", "binding")
    for path, systems in _definitions().concepts.get(kind, ()):
        for place, value in _at(resource, path, root):
            if not any(codes_of(value, system).intersection(codes) for system, codes in systems.items()):
                codes = ", ".join(code for listed in systems.values() for code in listed)
                yield _error("code-invalid", place, f"has no coding of {', '.join(systems)} among: {codes}", "binding")


def _at(node: Any, path: list[str], place: str) -> Iterator[tuple[str, Any]]:
    """Every value at a path, through arrays, with its expression."""
    if isinstance(node, list):
        for n, item in enumerate(node):
            yield from _at(item, path, f"{place}[{n}]")
    elif not path:
        yield place, node
    elif isinstance(node, Mapping) and path[0] in node:
        yield from _at(node[path[0]], path[1:], f"{place}.{path[0]}")


def _error(code: str, expression: str, message: str, key: str) -> Issue:
    return Issue("error", code, expression, message, key)


def _expression(trail: Trail) -> str:
    """A FHIRPath for a place; the head stands as given, a name below it that no FHIR element could have becomes `?`."""
    head, *below = trail
    steps = (f"[{s}]" if isinstance(s, int) else f".{s if _NAME.fullmatch(str(s)) else '?'}" for s in below)
    return f"{head}{''.join(steps)}"
