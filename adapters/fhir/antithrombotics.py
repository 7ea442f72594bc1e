"""Antithrombotics by name: what a medicine is, by its code, its ATC group or its text (antithrombotics.yaml)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from adapters.fhir.reading import codings
from adapters.fhir.terminology import PROFILES, Terminology
from pathway import strict_yaml
from pathway.errors import RuleBookError

ANTICOAGULANT: Final = "anticoagulant"
ANTIPLATELET: Final = "antiplatelet"
_ATC: Final = ("/atc", "urn:oid:2.16.840.1.113883.6.73")  # the end of a system: WHO's own, and national editions of it
_FILE: Final = "antithrombotics.yaml"
_WORST: Final = (ANTICOAGULANT, ANTIPLATELET)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a medicine is: `anticoagulant`, `antiplatelet` or empty; by what it was told; `sure` by a verified code.

    `injected` says that by its words or group it is one of those that are given in the place of a drug that is held.
    """

    kind: str
    name: str
    sure: bool
    injected: bool = False


NOTHING: Final = Kind("", "", sure=False)


@dataclass(frozen=True, slots=True)
class Names:
    """Names and ATC groups of antithrombotics, each with its kind; which of them are injected."""

    kinds: Mapping[str, str]
    groups: Mapping[str, str]
    pattern: re.Pattern[str]
    injected: frozenset[str]

    @classmethod
    def load(cls, folder: Path = PROFILES) -> Names:
        """Read the table; RuleBookError for a row without a source that the file names, or of no known kind."""
        document = strict_yaml.read_file(folder / _FILE, folder)
        rows = {**document["groups"], **document["names"]}
        for name, row in rows.items():
            if not row.get("source") or not set(row["source"]) <= document["sources"].keys():
                raise RuleBookError(f"{name} names no source of the file", where=_FILE, fix="Name one, or leave it out")
            if row["kind"] not in _WORST:
                raise RuleBookError(f"{name} is of no known kind", where=_FILE, fix=f"One of: {', '.join(_WORST)}")
        kinds = {name: row["kind"] for name, row in document["names"].items()}
        short = [name for name, row in document["names"].items() if row.get("whole")]
        groups = {name: row["kind"] for name, row in document["groups"].items()}
        injected = frozenset(name for name, row in rows.items() if row.get("injected"))
        return cls(kinds, groups, _pattern(kinds.keys() - set(short), short), injected)

    def of(self, concepts: Sequence[Mapping[str, Any]], words: Sequence[str], terms: Terminology) -> Kind:
        """The kind of a medicine by what it is coded as and called; of several the worst, a verified code first."""
        coded = list(codings(*concepts))
        told = [(kind, match.code, True) for kind in _WORST if (match := terms.match(f"{kind}-drug", coded))]
        told += [(self.kinds[name], name, False) for text in words for name in self.pattern.findall(_plain(text))]
        told += [(kind, code, False) for code in _atc(coded) if (kind := self._group(code))]
        worst = min((Kind(*row) for row in told), key=lambda k: (_WORST.index(k.kind), not k.sure), default=NOTHING)
        known = [name for kind, name, sure in told if kind == worst.kind and not sure]
        return replace(worst, injected=bool(known) and all(map(self._is_injected, known)))

    def _is_injected(self, name: str) -> bool:
        return name in self.injected or self._longest(name) in self.injected

    def _group(self, code: str) -> str:
        return self.groups.get(self._longest(code), "")

    def _longest(self, code: str) -> str:
        return max((group for group in self.groups if code.startswith(group)), key=len, default="")


def _pattern(names: Iterable[str], whole: Iterable[str]) -> re.Pattern[str]:
    """Names at the beginning of a word or behind a dose, and `whole` ones as a word; 5-ASA is another medicine."""
    short = [rf"(?<!5-)(?<!5 )(?:{'|'.join(sorted(whole))})(?![a-z])"]
    return re.compile(rf"(?:(?<![a-z])|(?<=[0-9]mg))({'|'.join([*sorted(names, reverse=True), *short])})")


def _atc(coded: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(c.get("code")).upper() for c in coded if str(c.get("system")).lower().endswith(_ATC)]


def _plain(text: str) -> str:
    """A text as it is compared: without case and accents."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in split if not unicodedata.combining(c))


@cache
def names() -> Names:
    """The table as it is shipped, read once."""
    return Names.load()
