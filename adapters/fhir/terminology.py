"""Which value set a code belongs to, and which vertebrae it allows.

The tables are data: `fhir_profiles/codes.csv` (public codes, each with how it was verified), `local-codes.yaml` (our
own code systems, each also a value set of the same name) and `value-sets.yaml` (every value set, with its meaning). A
code without a system, or of a system that the tables do not name, never matches: ICD-10 of another country looks alike.
A site adds its own codes by a ConceptMap (`site_codes.py`): wherever one stands, its target is read beside it.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.fhir.coding import BASE as BASE
from adapters.fhir.coding import ICD_10_CM, identity, local_system
from adapters.fhir.coding import ICD_10_PCS as ICD_10_PCS
from adapters.fhir.site_codes import NO_SITE_CODES, SiteCodes
from pathway import strict_yaml
from pathway.errors import PathwayError, RuleBookError
from pathway.levels import WHOLE_SPINE, LevelRange

PROFILES: Final = Path(__file__).resolve().parents[2] / "fhir_profiles"
_FULL_LENGTH: Final = 7  # of an ICD-10-CM code that has a seventh character
_LOCAL: Final = "local code, defined here"
# After the stem of an ICD-10-CM code: placeholders, then the seventh character; records leave out either.
_TAIL: Final = re.compile(r"X{0,3}([A-Z]?)")


class CodeRow(NamedTuple):
    """One code of one value set.

    `match` is `exact`; `stem` for every code that adds a seventh character to it; `under` for every code below it.
    """

    value_set: str
    system: str
    code: str
    match: str
    levels: str
    display: str
    verified_by: str


@dataclass(frozen=True, slots=True)
class Match:
    """A code found in a value set; `code` as it was sent, `system` in its canonical form.

    `levels` are the vertebrae that the code allows, None where it names none. `sequela` is true for the seventh
    character S: what is left after a healed fracture.
    """

    value_set: str
    system: str
    code: str
    levels: LevelRange | None
    sequela: bool

    @property
    def _rank(self) -> tuple[int, bool, str, str]:
        span = self.levels or WHOLE_SPINE
        return (span.hi - span.lo, self.sequela, self.system, self.code)


def load_local_codes(folder: Path = PROFILES) -> dict[str, list[dict[str, str]]]:
    """Our code systems in file order: name -> concepts with `code`, `display` and `definition`; none is a list, too."""
    systems = strict_yaml.read_file(folder / "local-codes.yaml", folder)
    for name, concepts in systems.items():
        codes = [concept.get("code") for concept in concepts]
        for concept in concepts:
            if concept.keys() != {"code", "display", "definition"} or codes.count(concept["code"]) > 1:
                raise RuleBookError(
                    f"a concept of {name} ({concept.get('code')}) is not code, display and definition, or stands twice",
                    where="local-codes.yaml",
                    fix="Give it the three keys and a code of its own",
                )
    return systems


def load_rows(folder: Path = PROFILES) -> list[CodeRow]:
    """Every code of every value set, in file order; RuleBookError with file and line for a row that cannot be used."""
    rows = list(_listed(folder))
    for name, concepts in load_local_codes(folder).items():
        for concept in concepts:
            levels = concept["code"] if name == "level" else ""
            display = concept["display"]
            rows.append(CodeRow(name, local_system(name), concept["code"], "exact", levels, display, _LOCAL))
    return rows


def _listed(folder: Path) -> Iterator[CodeRow]:
    seen: set[tuple[str, str, str]] = set()
    with (folder / "codes.csv").open(encoding="utf-8", newline="") as file:
        for line, cells in enumerate(csv.reader(file), start=1):
            where = f"codes.csv:{line}"
            if len(cells) != len(CodeRow._fields):
                raise RuleBookError("not seven columns", where=where, fix="Quote the cell that holds a comma")
            if line == 1:
                continue
            row = CodeRow(*cells)
            may = ("exact", "stem", "under") if row.system == ICD_10_CM else ("exact",)  # only there codes follow
            if not row.verified_by or row.match not in may:
                what = f"verifiedBy is empty, or match is not {' or '.join(may)}"
                raise RuleBookError(what, where=where, fix="Fill it in")
            if (key := (row.value_set, row.system, identity(row.system, row.code)[1])) in seen:
                raise RuleBookError(f"{row.code} stands twice in {row.value_set}", where=where, fix="Keep one")
            seen.add(key)
            yield row


class Terminology:
    """Value sets by id. Lookups are dictionary reads; nothing is loaded after construction.

    `body` is every row in one text (codes, levels, displays and their verification, then the site's own codes), and
    `sha256` its hash, whatever the order of the files.
    """

    def __init__(self, ids: Iterable[str], rows: Iterable[CodeRow], site: SiteCodes = NO_SITE_CODES) -> None:
        self.ids = frozenset(ids)
        self.site = site
        rows = sorted(rows)
        own = [site.to_json()] if site else []
        text = json.dumps([sorted(self.ids), *rows, *own], ensure_ascii=False, separators=(",", ":"))
        self.body = text.encode()
        self.sha256 = hashlib.sha256(self.body).hexdigest()
        self._exact: dict[tuple[str, str, str], LevelRange | None] = {}
        self._stems: dict[tuple[str, str, str], LevelRange | None] = {}
        self._under: dict[tuple[str, str, str], LevelRange | None] = {}
        tables = {"exact": self._exact, "stem": self._stems, "under": self._under}
        for row in rows:
            if row.value_set not in self.ids:
                raise self._unknown(row.value_set, "codes.csv")
            levels = LevelRange.parse(row.levels) if row.levels else None
            tables[row.match][row.value_set, row.system, identity(row.system, row.code)[1]] = levels
        self._lengths = sorted({len(stem) for _, _, stem in (*self._stems, *self._under)}, reverse=True)
        self._whole = {(system, code) for _, system, code in self._exact}
        self._stem = {code for _, _, code in self._stems}  # both of ICD-10-CM alone
        self._above = {code for _, _, code in self._under}

    @classmethod
    def load(cls, path: Path = PROFILES, site: SiteCodes = NO_SITE_CODES) -> Terminology:
        """Read the tables of a profiles folder; RuleBookError names the file and line that cannot be used."""
        return cls(strict_yaml.read_file(path / "value-sets.yaml", path), load_rows(path), site)

    def systems(self) -> frozenset[str]:
        """The code systems of which some code counts here."""
        begun = {ICD_10_CM} if self._lengths else set[str]()
        return frozenset(begun | {system for system, _ in self._whole})

    def knows(self, coding: Mapping[str, Any]) -> bool:
        """Whether a coding is in any value set."""
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(system, str) or not isinstance(code, str):
            return False
        if (key := identity(system, code)) in self._whole:
            return True
        plain = key[1]
        return (
            key[0] == ICD_10_CM
            and len(plain) <= _FULL_LENGTH
            and any(
                plain[:n] in self._above or (plain[:n] in self._stem and _TAIL.fullmatch(plain, n))
                for n in self._lengths
            )
        )

    def understood(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A resource as its readers see it: beside each of the site's own codes, the code that it stands for."""
        return self.site.understood(body)

    def match(self, value_set_id: str, codings: Iterable[Mapping[str, Any]]) -> Match | None:
        """The coding of a concept that is in the value set, or None; RuleBookError for an id that does not exist.

        Where several are, the one that allows the fewest vertebrae, then one that is no sequela: never the first sent,
        so that the order of codings changes nothing.
        """
        if value_set_id not in self.ids:
            raise self._unknown(value_set_id)
        found = [m for coding in codings if (m := self._look_up(value_set_id, coding))]
        return min(found, key=lambda m: m._rank) if found else None

    def matches_any(self, codeable_concept: Mapping[str, Any] | None, *value_set_ids: str) -> Match | None:
        """The match in the first of the value sets that has one; an absent concept, or one of text alone, has none."""
        codings = codeable_concept.get("coding") if codeable_concept else None
        for value_set_id in value_set_ids:
            if (match := self.match(value_set_id, codings or ())) is not None:
                return match
        return None

    def _look_up(self, value_set_id: str, coding: Mapping[str, Any]) -> Match | None:
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(system, str) or not isinstance(code, str):
            return None
        system, plain = identity(system, code)
        if (key := (value_set_id, system, plain)) in self._exact:
            return Match(value_set_id, system, code, self._exact[key], sequela=False)
        if system != ICD_10_CM or len(plain) > 7:
            return None
        for length in self._lengths:
            key = (value_set_id, system, plain[:length])
            if key in self._stems and (tail := _TAIL.fullmatch(plain, length)):
                return Match(value_set_id, system, code, self._stems[key], sequela=tail[1] == "S")
            if key in self._under:
                sequela = len(plain) == _FULL_LENGTH and plain.endswith("S")
                return Match(value_set_id, system, code, self._under[key], sequela)
        return None

    def _unknown(self, value_set_id: str, where: str = "") -> PathwayError:
        near = difflib.get_close_matches(value_set_id, self.ids, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else "Declare it in fhir_profiles/value-sets.yaml"
        return RuleBookError(f"there is no value set {value_set_id!r}", where=where, fix=fix)
