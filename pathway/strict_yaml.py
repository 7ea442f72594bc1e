"""YAML as plain as it looks: duplicate keys refused, no dates, no `no` that means false, floats kept as Decimal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import yaml

from pathway.errors import RuleBookError

_BOOL = re.compile("^(?:true|false)$")
_INT = re.compile(r"^[-+]?(?:0|[1-9]\d*)$")
_FLOAT = re.compile(r"^[-+]?\d+\.\d+$")
_NULL = re.compile(r"^(?:null|~|)$")


class _Loader(yaml.SafeLoader):
    """SafeLoader with its own small set of implicit types; `2026-11-22`, `no` and `1e3` stay strings."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- PyYAML's own form


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", _BOOL, "tf"),
    ("tag:yaml.org,2002:int", _INT, "-+0123456789"),
    ("tag:yaml.org,2002:float", _FLOAT, "-+0123456789"),
    ("tag:yaml.org,2002:null", _NULL, ["~", "n", ""]),
    ("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"]),
):
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(str(loader.construct_scalar(node)))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        key = str(key_node.value)
        if key in seen:
            raise RuleBookError(
                f"key {key!r} stands twice", where=_place(loader, key_node), fix="Keep one of them"
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return {
        str(loader.construct_object(k, deep=True)): loader.construct_object(v, deep=True) for k, v in node.value
    }


def _place(loader: _Loader, node: yaml.Node) -> str:
    return f"{loader.name}:{node.start_mark.line + 1}"


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(text: str, where: str) -> dict[str, Any]:
    """The mapping in a YAML text; RuleBookError with file and line for anything doubtful."""
    loader = _Loader(text)
    loader.name = where
    try:
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise RuleBookError(
            f"not YAML: {fault.problem or 'unreadable'}", where=f"{where}:{line}", fix="Mend the indentation or quotes"
        ) from None
    except yaml.YAMLError:
        raise RuleBookError("not YAML", where=where, fix="Save it as UTF-8 text") from None
    finally:
        loader.dispose()
    if not isinstance(value, Mapping):
        raise RuleBookError("the file holds no keys", where=where, fix="Write key: value lines")
    return cast(dict[str, Any], value)


def read_file(path: Path, root: Path) -> dict[str, Any]:
    """The mapping in a file, named in messages by its path below `root`."""
    where = path.relative_to(root).as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RuleBookError("the file does not exist", where=where, fix="Create it or mend the name") from None
    except UnicodeDecodeError:
        raise RuleBookError("not UTF-8", where=where, fix="Save it as UTF-8 text") from None
    return read(text, where)


def line_of(text: str, key: str) -> int:
    """The line on which a top-level key first stands, for messages; 1 if it cannot be found."""
    found = re.search(rf"^{re.escape(key)}\s*:", text, flags=re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1
