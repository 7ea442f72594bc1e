"""YAML as plain as it looks: duplicate keys refused, no dates, no `no` that means false, floats kept as Decimal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import yaml

from pathway.errors import RuleBookError

# libyaml reads five times as fast; where PyYAML was built without it, its own reader comes to the same.
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """SafeLoader with its own small set of implicit types; `2026-11-22`, `no` and `1e3` stay strings."""

    where = ""


_IMPLICIT = (
    ("bool", re.compile("^(?:true|false)$"), "tf"),
    ("int", re.compile(r"^[-+]?(?:0|[1-9]\d*)$"), "-+0123456789"),
    ("float", re.compile(r"^[-+]?\d+\.\d+$"), "-+0123456789"),
    ("null", re.compile(r"^(?:null|~|)$"), ("~", "n", "")),
    ("merge", re.compile("^<<$"), "<"),
)
_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _name, _pattern, _starts in _IMPLICIT:
    for _start in _starts:
        _resolvers.setdefault(_start, []).append((f"tag:yaml.org,2002:{_name}", _pattern))
_Loader.yaml_implicit_resolvers = _resolvers


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(str(node.value))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key_node, _ in node.value:
        key = str(key_node.value)
        if key in seen:
            place = f"{loader.where}:{key_node.start_mark.line + 1}"
            raise RuleBookError(f"key {key!r} stands twice", where=place, fix="Keep one of them")
        seen.add(key)
    loader.flatten_mapping(node)
    build = cast(Callable[..., Any], loader.construct_object)  # pyright: ignore[reportUnknownMemberType] -- untyped
    return {str(build(key, deep=True)): build(value, deep=True) for key, value in node.value}


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(text: str, where: str) -> dict[str, Any]:
    """The mapping in a YAML text; RuleBookError with file and line for anything doubtful."""
    loader = _Loader(text)
    loader.where = where
    try:
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as raised:
        fault = _in_plain_words(text, raised)
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise RuleBookError(
            f"not YAML: {fault.problem or 'unreadable'}", where=f"{where}:{line}", fix="Mend the indentation or quotes"
        ) from None
    except yaml.YAMLError:
        raise RuleBookError("not YAML", where=where, fix="Save it as UTF-8 text") from None
    finally:
        cast(Callable[[], None], loader.dispose)()  # pyright: ignore[reportUnknownMemberType] -- untyped
    if not isinstance(value, Mapping):
        raise RuleBookError("the file holds no keys", where=where, fix="Write key: value lines")
    return cast(dict[str, Any], value)


def _in_plain_words(text: str, fault: yaml.MarkedYAMLError) -> yaml.MarkedYAMLError:
    """The fault as PyYAML's own reader tells it: it names the character that libyaml only counts."""
    try:
        yaml.compose(text, yaml.SafeLoader)  # pyright: ignore[reportUnknownMemberType] -- untyped
    except yaml.MarkedYAMLError as told:
        return told
    return fault


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


def lines(text: str) -> dict[tuple[str | int, ...], int]:
    """The line of every key and list item of a text that `read` takes, by path: `("off", 0, "rule")`."""
    found: dict[tuple[str | int, ...], int] = {}

    def walk(node: yaml.Node, path: tuple[str | int, ...]) -> None:
        rows: list[tuple[str | int, yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            rows = [(str(key.value), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            rows = [(place, item, item) for place, item in enumerate(node.value)]
        for name, mark, value in rows:
            found[*path, name] = mark.start_mark.line + 1
            walk(value, (*path, name))

    walk(cast(yaml.Node, _Loader(text).get_single_node()), ())
    return found
