"""Parameters of a request, as the contract describes them: read from text into values, or refused by name.

What does not fit a query or a header is a BadInputError; what does not fit a path is a NotFoundError, for there can be
nothing at such an address. No message repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs
from werkzeug.datastructures import Headers, MultiDict

from pathway.errors import BadInputError, NotFoundError

Check = Callable[[Any], Sequence[jsonschema_rs.ValidationError]]
"""The faults of a value against one schema; none, if it fits."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: where it stands (`query`, `path` or `header`), its JSON type and its compiled schema."""

    name: str
    place: str
    type: str
    required: bool
    default: Any
    check: Check
    said: str


def queried(known: Mapping[str, Parameter], given: MultiDict[str, str], *, strangers: bool) -> dict[str, Any]:
    """The query by name, defaults filled in: strings, ints, bools or lists.

    Without `strangers` a parameter that the contract does not name is refused: a misspelt filter would widen a list.
    """
    for name, values in given.lists():
        if name not in known:
            if strangers:
                continue
            raise BadInputError(
                "an unknown search parameter", fix=f"Known here: {', '.join(known) or 'none'}", code="not-supported"
            )
        if len(values) > 1:
            raise BadInputError("given more than once", where=name, fix="Give it once, a list with commas")
    return {name: _value(parameter, given.get(name)) for name, parameter in known.items()}


def in_headers(known: Mapping[str, Parameter], given: Headers) -> dict[str, Any]:
    """The described headers by name; others pass unread."""
    return {name: _value(parameter, given.get(name)) for name, parameter in known.items()}


def in_path(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    """Hold what stands in the address against the contract."""
    for name, parameter in known.items():
        if parameter.check(_read(parameter.type, str(given[name]))):
            raise NotFoundError("there is nothing at this address", where=name, fix=parameter.said)


def _value(parameter: Parameter, raw: str | None) -> Any:
    if raw is None:
        if parameter.required:
            raise BadInputError(
                f"{parameter.name} is required", where=parameter.name, fix=parameter.said, code="required"
            )
        return parameter.default
    value = _read(parameter.type, raw)
    if parameter.check(value):
        raise BadInputError("not a value that is known here", where=parameter.name, fix=parameter.said, code="value")
    return value


def _read(type_: str, raw: str) -> Any:
    """Text as the JSON type that is asked for; None, which no such schema takes, where it cannot be read."""
    if type_ == "array":
        return raw.split(",")
    if type_ == "integer":
        return int(raw) if _NUMBER.fullmatch(raw) else None
    if type_ == "boolean":
        return {"true": True, "false": False}.get(raw)
    return raw
