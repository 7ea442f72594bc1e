"""The file of a site layer, read strictly: every fault names file, line, key and fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from pathway import strict_yaml
from pathway.effective import read_day
from pathway.errors import RuleBookError
from pathway.site import Choice, Entry, Layer, Override

_KEYS: Final = ("site", "status", "parameters", "lists", "off")
_OVERRIDE: Final = ("rule-set", "rule", "parameter", "value", "unit", "set-on", "by", "reason")
_OFF: Final = ("rule-set", "rule", "set-on", "by", "reason")
_LIST: Final = ("rule-set", "list", "items", "set-on", "by", "reason")
_MAY_LACK: Final = "rule"  # of a switch: then it is thrown for the whole rule set

Path_ = tuple[str | int, ...]


def read(path: Path) -> Layer:
    """The layer in a file; RuleBookError for anything doubtful."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = (fault.strerror or "") if isinstance(fault, OSError) else "it is not UTF-8"
        fix = "Mend the setting PATHWAY_SITE_RULES, or unset it"
        raise RuleBookError("the site layer cannot be read", where=str(path), why=why, fix=fix) from None
    return _Reader(path.name, strict_yaml.read(text, path.name), strict_yaml.lines(text)).layer()


@dataclass(frozen=True, slots=True)
class _Reader:
    """One file's document, and the lines of its keys and items."""

    file: str
    document: Mapping[str, Any]
    lines: Mapping[Path_, int]

    def layer(self) -> Layer:
        name, status = self.document.get("site"), self.document.get("status")
        for key in self.document:
            if key not in _KEYS:
                raise self._fault((key,), f"unknown key {key!r}", f"Known keys: {', '.join(_KEYS)}")
        if not isinstance(name, str) or not name:
            raise self._fault(("site",), "the layer does not say whose it is", "Write site: and a short name")
        if status not in ("draft", "active"):
            raise self._fault(("status",), f"status {status!r} is not known", "One of: draft, active")
        names = 2 if status == "active" else 1
        numbers = [self._override(at, raw, names) for at, raw in self._items("parameters")]
        lists = [self._choice(at, raw, names) for at, raw in self._items("lists")]
        off = [self._entry(at, raw, _OFF, 1) for at, raw in self._items("off")]
        self._check_once([(one.entry, one.parameter) for one in numbers])
        self._check_once([(one.entry, one.name) for one in lists])
        self._check_once([(one, "off") for one in off])
        return Layer(name, status, tuple(sorted(numbers)), tuple(sorted(off)), tuple(sorted(lists)))

    def _items(self, key: str) -> list[tuple[Path_, Mapping[str, Any]]]:
        raw = self.document.get(key, [])
        items = cast(Sequence[Any], raw) if isinstance(raw, list) else [None]
        for place, item in enumerate(items):
            if not isinstance(item, Mapping):
                raise self._fault((key, place), f"{key} is a list of entries", "Write each under a dash, or []")
        return [((key, place), cast(Mapping[str, Any], item)) for place, item in enumerate(items)]

    def _override(self, at: Path_, raw: Mapping[str, Any], names: int) -> Override:
        entry = self._entry(at, raw, _OVERRIDE, names)
        value = raw["value"]
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._fault((*at, "value"), "value is no plain number", "Write 18 or 2.5")
        return Override(entry, self._text(at, raw, "parameter"), value, self._text(at, raw, "unit"))

    def _choice(self, at: Path_, raw: Mapping[str, Any], names: int) -> Choice:
        entry = self._entry(at, raw, _LIST, names)
        items = cast(list[Any], raw["items"]) if isinstance(raw["items"], list) else []
        if not items or not all(isinstance(one, str) for one in items) or len(set(items)) < len(items):
            raise self._fault((*at, "items"), "items lists no names, each once", "Write items: [one, other]")
        return Choice(entry, self._text(at, raw, "list"), tuple(items))

    def _entry(self, at: Path_, raw: Mapping[str, Any], keys: Sequence[str], names: int) -> Entry:
        for key in raw:
            if key not in keys:
                raise self._fault((*at, key), f"unknown key {key!r}", f"Known keys: {', '.join(keys)}")
        for key in keys:
            if key not in raw and not (keys is _OFF and key == _MAY_LACK):
                raise self._fault(at, f"key {key!r} is missing", f"Each entry of {at[0]} says it")
        rule = self._text(at, raw, "rule") if "rule" in raw else ""
        read_day(raw["set-on"], self._where((*at, "set-on")))
        by = raw["by"]
        people = cast(list[Any], by) if isinstance(by, list) else [by]
        if not all(isinstance(one, str) and one.strip() for one in people) or len(set(people)) < names:
            fix = "by: [A. Person, B. Person]" if names > 1 else "by: [A. Person]"
            what = f"by names fewer than {names} people" if names > 1 else "by names nobody"
            raise self._fault((*at, "by"), what, f"Write {fix}: who answers for it")
        return Entry(
            self._text(at, raw, "rule-set"), rule, raw["set-on"], tuple(people), self._text(at, raw, "reason"),
            self._where(at),
        )  # fmt: skip

    def _text(self, at: Path_, raw: Mapping[str, Any], key: str) -> str:
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise self._fault((*at, key), f"{key} is no text", f"Write {key}: and words")
        return raw[key]

    def _check_once(self, entries: Sequence[tuple[Entry, str]]) -> None:
        seen: set[tuple[str, str, str]] = set()
        for entry, what in entries:
            if (key := (entry.rule_set, entry.rule, what)) in seen:
                raise entry.fault("this stands twice", "Keep one entry for each")
            seen.add(key)

    def _where(self, path: Path_) -> str:
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"

    def _fault(self, path: Path_, what: str, fix: str) -> RuleBookError:
        return RuleBookError(what, where=self._where(path), fix=fix)
