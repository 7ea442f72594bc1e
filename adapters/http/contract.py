"""The contract: `openapi.yaml` is read once, every operation of it is bound to its view, and requests are held to it.

An operation's id is the name of its view as Flask knows it (`fhir.search_tasks`). The app does not start while a route
has no operation or an operation no route. Of what comes in, parameters, media types and forms are held against the
file before any view runs; a view that parses JSON hands the value to `held`. What is refused names the place and the
broken keyword, never the value. Unknown members of a body pass, as CDS Hooks asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
from flask import Flask, current_app, g, request
from werkzeug.exceptions import UnsupportedMediaType

from adapters.http.parameters import Check, Parameter, in_headers, in_path, queried
from adapters.settings import ROOT
from pathway import strict_yaml
from pathway.errors import BadInputError, PathwayError

FILE: Final = ROOT / "openapi.yaml"
METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
FORM: Final = "application/x-www-form-urlencoded"
HTML: Final = "text/html"
_BOUND: Final = "pathway.operations"
_SAID: Final = {
    "required": "a required member is missing",
    "type": "not of the type that belongs here",
    "format": "not in the form that belongs here",
    "enum": "not one of the values that are known here",
    "pattern": "not in the form that belongs here",
    "anyOf": "not in the form that belongs here",
}
_ISSUE: Final = {
    "required": "required",
    "enum": "code-invalid",
    "format": "value",
    "pattern": "value",
    "anyOf": "value",
}
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: its parameters by place and name, its bodies by media type, its answers by status."""

    id: str
    path: str
    method: str
    parameters: Mapping[str, Mapping[str, Parameter]]
    bodies: Mapping[str, Body]
    answers: Mapping[str, Json]

    @property
    def is_page(self) -> bool:
        """Whether it answers people, with HTML."""
        return any(HTML in answer.get("content", ()) for answer in self.answers.values())


@dataclass(frozen=True, slots=True)
class Body:
    """What one media type may hold: the name of its schema, the schema, and its compiled form."""

    name: str
    schema: Json
    check: Check


class Contract:
    """The parsed file with its schemas compiled, once for each operation. Threads may share it."""

    def __init__(self, path: Path = FILE) -> None:
        self.document: Json = strict_yaml.read_file(path, path.parent)
        self._schemas: Json = self.document["components"]["schemas"]
        self._names = frozenset(_property_names(self._schemas))
        self._named = {name: self.compiled({"$ref": f"#/components/schemas/{name}"}) for name in self._schemas}
        self.operations: dict[tuple[str, str], Operation] = {
            (address, method.upper()): self._operation(address, method, raw)
            for address, item in self.document["paths"].items()
            for method, raw in item.items()
            if method in METHODS
        }
        """By path and method, in the file's order."""

    def compiled(self, schema: Json) -> Check:
        """A schema of the file, ready to be asked again and again."""
        validator = jsonschema_rs.Draft202012Validator(
            {**schema, "components": {"schemas": self._schemas}}, validate_formats=True
        )
        return lambda value: list(validator.iter_errors(value))

    def resolved(self, node: Json) -> Json:
        """A node, or what its reference leads to."""
        while "$ref" in node:
            target: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def _operation(self, address: str, method: str, raw: Json) -> Operation:
        places: dict[str, dict[str, Parameter]] = {"query": {}, "path": {}, "header": {}}
        for given in raw.get("parameters", ()):
            parameter = self._parameter(self.resolved(given))
            places[parameter.place][parameter.name] = parameter
        content = self.resolved(raw.get("requestBody", {})).get("content", {})
        return Operation(
            id=raw.get("operationId", ""), path=address, method=method.upper(), parameters=places,
            bodies={media_type: self._body(media_type, one["schema"]) for media_type, one in content.items()},
            answers={status: self.resolved(answer) for status, answer in raw["responses"].items()},
        )  # fmt: skip

    def _parameter(self, body: Json) -> Parameter:
        schema = body["schema"]
        return Parameter(
            name=body["name"], place=body["in"], type=schema["type"], required=body.get("required", False),
            default=schema.get("default"), check=self.compiled(schema), said=body["description"],
        )  # fmt: skip

    def _body(self, media_type: str, schema: Json) -> Body:
        name = schema["$ref"].rpartition("/")[2] if "$ref" in schema else media_type
        return Body(name, self.resolved(schema), self.compiled(schema))

    def body(self, schema: str, value: Any, where: str) -> None:
        """Raise BadInputError for the first fault of a parsed body against a named schema."""
        self.refuse_first(self._named[schema], schema, value, where)

    def refuse_first(self, check: Check, name: str, value: Any, where: str) -> None:
        """Raise BadInputError for the first fault that a check finds; `name` is the schema's."""
        for error in check(value):
            keyword = str(error.schema_path[-1])
            what = _SAID.get(keyword, f"breaks the contract ({keyword})")
            if keyword in ("required", "dependentRequired"):  # the name comes from our own schema
                what = f"{_SAID['required']}: {error.kind.value}"
            place = ".".join([where, *(self._shown(step) for step in error.instance_path)])
            code = _ISSUE.get(keyword, "structure")
            raise BadInputError(what, where=place, fix=f"See {name} in openapi.yaml", code=code)

    def _shown(self, step: str | int) -> str:
        """A step of a path: an index, or a name of ours; what else came as a key may be anything."""
        return str(step) if isinstance(step, int) or step in self._names else "?"


@cache
def contract() -> Contract:
    """The contract of this service, read on first use."""
    return Contract()


def install(app: Flask) -> None:
    """Bind every route of an app, which must all be registered, and hold each request to its operation.

    Raises PathwayError that names each route without an operation of its id, and each operation without a route.
    """
    operations = dict(contract().operations)
    bound: dict[tuple[str, str], Operation] = {}
    faults: list[str] = []
    for rule in app.url_map.iter_rules():
        address = re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD"}):  # HEAD is GET without the body, RFC 9110
            operation = operations.pop((address, method), None)
            if operation is None or operation.id != rule.endpoint:
                faults.append(f"{method} {address} wants operationId {rule.endpoint}")
            else:
                bound[rule.endpoint, method] = operation
    faults += [f"{method} {address} has no route" for address, method in operations]
    if faults:
        why, fix = "; ".join(faults), "Bring the file and the routes together"
        raise PathwayError("the routes are not those of the contract", where=FILE.name, why=why, fix=fix)
    app.extensions[_BOUND] = bound
    app.before_request(_hold)


def operation() -> Operation | None:
    """The operation that the present request calls; None where its address or its method is not one of ours."""
    method = "GET" if request.method == "HEAD" else request.method
    return current_app.extensions.get(_BOUND, {}).get((request.endpoint, method))


def _hold() -> None:
    """Parameters into `g.query` and `g.headers`; a body only of a type that is taken, a form by its schema too."""
    called = operation()
    if called is None:
        return
    in_path(called.parameters["path"], request.view_args or {})
    g.query = queried(called.parameters["query"], request.args, strangers=called.method not in ("GET", "HEAD"))
    g.headers = in_headers(called.parameters["header"], request.headers)
    if called.bodies and request.mimetype not in called.bodies:
        raise UnsupportedMediaType
    if called.bodies and request.mimetype == FORM:
        held(_form(called.bodies[FORM].schema), "form")


def held(value: Any, where: str = "body") -> Any:
    """The parsed body of the present request, as its operation promises it; BadInputError for its first fault."""
    called = operation()
    if called is not None:
        body = called.bodies[request.mimetype]
        contract().refuse_first(body.check, body.name, value, where)
    return value


def _form(schema: Json) -> dict[str, Any]:
    """The fields of a form as sent; an empty one counts as not filled in, a list is what the schema calls an array."""
    types = {name: field.get("type") for name, field in schema.get("properties", {}).items()}
    fields = {
        name: values if types.get(name) == "array" else values[0]
        for name, values in request.form.lists()
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value != ""}


def _property_names(node: Any) -> Iterator[str]:
    """Every name of a property in schemas, at any depth."""
    if isinstance(node, Mapping):
        properties = node.get("properties")
        yield from properties if isinstance(properties, Mapping) else ()
        for child in node.values():
            yield from _property_names(child)
    elif isinstance(node, list):
        for child in node:
            yield from _property_names(child)
