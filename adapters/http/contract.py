"""The contract: `openapi.yaml` is read once, and what comes in is held against it before any view looks at it.

Bodies and query parameters that the file does not allow are refused with a BadInputError that names the place and the
broken keyword, never the value. Unknown members of a body pass, as CDS Hooks asks; unknown query parameters do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
from werkzeug.datastructures import MultiDict

from adapters.settings import ROOT
from pathway import strict_yaml
from pathway.errors import BadInputError

FILE: Final = ROOT / "openapi.yaml"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_SAID: Final = {
    "required": "a required member is missing",
    "type": "not of the type that belongs here",
    "format": "not in the form that belongs here",
    "enum": "not one of the values that are known here",
    "pattern": "not in the form that belongs here",
}
Check = Callable[[Any], Sequence[jsonschema_rs.ValidationError]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter: its JSON type, whether it is a comma list, and its compiled schema."""

    name: str
    type: str
    required: bool
    default: Any
    check: Check
    said: str


class Contract:
    """The parsed file with its schemas compiled. Threads may share it."""

    def __init__(self, path: Path = FILE) -> None:
        self.document: Mapping[str, Any] = strict_yaml.read_file(path, path.parent)
        self._bodies = {name: self._compiled(f"#/components/schemas/{name}") for name in self._schemas()}
        self._names = frozenset(_property_names(self._schemas()))
        self._queries: dict[str, tuple[Parameter, ...]] = {}
        for address, operations in self.document["paths"].items():
            self._queries[address] = tuple(self._parameters(operations.get("get", {})))

    def _schemas(self) -> Mapping[str, Any]:
        return self.document["components"]["schemas"]

    def _compiled(self, pointer: str) -> Check:
        return self._check({"$ref": pointer})

    def _check(self, schema: Mapping[str, Any]) -> Check:
        whole = {**schema, "components": {"schemas": self._schemas()}}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return lambda value: list(validator.iter_errors(value))

    def _parameters(self, operation: Mapping[str, Any]) -> list[Parameter]:
        found: list[Parameter] = []
        for raw in operation.get("parameters", ()):
            body = self._resolved(raw)
            if body["in"] == "query":
                schema = body["schema"]
                found.append(
                    Parameter(
                        name=body["name"],
                        type=schema["type"],
                        required=body.get("required", False),
                        default=schema.get("default"),
                        check=self._check(schema),
                        said=body["description"],
                    )
                )
        return found

    def _resolved(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.document["components"]["parameters"][raw["$ref"].rpartition("/")[2]] if "$ref" in raw else raw

    def body(self, schema: str, value: Any, where: str) -> None:
        """Raise BadInputError for the first fault of a parsed body against a named schema."""
        for error in self._bodies[schema](value):
            keyword = str(error.schema_path[-1])
            what = _SAID.get(keyword, f"breaks the contract ({keyword})")
            if keyword in ("required", "dependentRequired"):  # the name comes from our own schema
                what = f"{_SAID['required']}: {error.kind.value}"
            place = ".".join([where, *(self._shown(step) for step in error.instance_path)])
            raise BadInputError(what, where=place, fix=f"See {schema} in openapi.yaml", code=_issue(keyword))

    def _shown(self, step: str | int) -> str:
        """A step of a path: an index, or a name of ours; what else came as a key may be anything."""
        return str(step) if isinstance(step, int) or step in self._names else "?"

    def query(self, address: str, given: MultiDict[str, str]) -> dict[str, Any]:
        """The query of a request to an address of the contract, by name, defaults filled in; strings, ints or lists."""
        known = {parameter.name: parameter for parameter in self._queries[address]}
        for name, values in given.lists():
            if name not in known:
                raise BadInputError(
                    "an unknown search parameter", fix=f"Known here: {', '.join(known) or 'none'}", code="not-supported"
                )
            if len(values) > 1:
                raise BadInputError("given more than once", where=name, fix="Give it once, a list with commas")
        return {name: _value(parameter, given.get(name)) for name, parameter in known.items()}


def _value(parameter: Parameter, raw: str | None) -> Any:
    if raw is None:
        if parameter.required:
            raise BadInputError(
                f"{parameter.name} is required", why="nothing is listed across patients here",
                fix=parameter.said, code="required",
            )  # fmt: skip
        return parameter.default
    value: Any = raw
    if parameter.type == "array":
        value = raw.split(",")
    elif parameter.type == "integer":
        value = int(raw) if _NUMBER.fullmatch(raw) else None
    if parameter.check(value):
        raise BadInputError("not a value that is known here", where=parameter.name, fix=parameter.said, code="value")
    return value


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


def _issue(keyword: str) -> str:
    return {"required": "required", "enum": "code-invalid", "format": "value", "pattern": "value"}.get(
        keyword, "structure"
    )


@cache
def contract() -> Contract:
    """The contract of this service, read on first use."""
    return Contract()
