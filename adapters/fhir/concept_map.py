"""Reads a site's ConceptMap (FHIR R4, JSON), or says which group and element cannot be used and why.

`equivalence` tells how the target relates to the source (R4, ConceptMapEquivalence). `equal` and `equivalent` map
wherever the code stands. `wider` and `subsumes` say that the target is the broader one: what has the site's code has
ours too, but a no to the site's code is no "no" to ours (`site_codes`); so a target that itself denies is refused
there. `narrower` and `specializes` would assert more
than the site said, `relatedto` and `inexact` would guess: all four are refused rather than passed over, for whoever
wrote them believes that they count. `unmatched` and `disjoint` say that the site looked and found nothing of ours: the
code leaves the report of unmapped codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.fhir import strict_json
from adapters.fhir.coding import BASE, identity, local_system
from adapters.fhir.site_codes import SiteCode, SiteCodes
from adapters.fhir.terminology import Terminology
from pathway.errors import BadInputError

_SAME: Final = frozenset({"equal", "equivalent"})
_WIDE: Final = frozenset({"wider", "subsumes"})
_NONE: Final = frozenset({"unmatched", "disjoint"})
_REFUSED: Final[Mapping[str, str]] = {
    "narrower": "the target says more than the site's code",
    "specializes": "the target says more than the site's code",
    "relatedto": "how the two are related is not said",
    "inexact": "the two only overlap",
}
_OWN: Final = f"{BASE}/CodeSystem/"
_ANSWER: Final = local_system("answer")
DENYING: Final = frozenset({
    "absent", "no", "normal", "none", "unable", "intact", "pain-free", "not-pregnant", "not-mechanical", "not-high",
    "not-affirmed", "clean",
})  # fmt: skip
"""Our answers that deny: of something narrower they say nothing of what was asked."""
_NO_ALLERGY: Final = ("no-known-allergy", "no-known-drug-allergy")
_MOST_BYTES: Final = 16 * 1024 * 1024
_MODES: Final = ("fixed", "other-map")


def read(path: Path, terms: Terminology) -> SiteCodes:
    """The site's codes in a file; BadInputError names file, group, element, fault and fix. `terms` know the targets."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise BadInputError(f"cannot be read: {fault.strerror}", where=str(path), fix="Mend the path") from None
    document = strict_json.load(data, max_bytes=_MOST_BYTES, where=path.name)
    if not isinstance(document, Mapping) or document.get("resourceType") != "ConceptMap":
        raise BadInputError(
            "this is no ConceptMap", where=path.name, fix='Write "resourceType": "ConceptMap" (FHIR R4)'
        )
    if document.get("status") not in ("active", "draft"):
        raise BadInputError("its status is not active or draft", where=path.name, fix="A retired map does not count")
    reader = _Reader(path.name, terms)
    for at, group in _objects(document, "group", path.name):
        reader.group(at, group)
    return SiteCodes(reader.rows, reader.reviewed)


class _Reader:
    """Collects rows; every fault names its place."""

    def __init__(self, file: str, terms: Terminology) -> None:
        self.file, self.terms = file, terms
        self.rows: set[SiteCode] = set()
        self.reviewed: set[tuple[str, str]] = set()
        self._aims: dict[tuple[str, str, str], str] = {}

    def group(self, at: str, group: Mapping[str, Any]) -> None:
        """The elements of one pair of code systems."""
        source, target = (_text(group, key, at) for key in ("source", "target"))
        if source.startswith(_OWN):
            fix = "Map the site's codes to ours, not ours to others"
            raise BadInputError("its source is one of this service's own code systems", where=at, fix=fix)
        unmapped = group.get("unmapped")
        if isinstance(unmapped, Mapping) and unmapped.get("mode") in _MODES:
            fix = "Remove group.unmapped: a code that no element names stays unmapped"
            raise BadInputError("group.unmapped would map codes that nobody has looked at", where=at, fix=fix)
        seen: set[tuple[str, str]] = set()
        for place, element in _objects(group, "element", at):
            key = identity(source, _text(element, "code", place))
            if key in seen:
                raise BadInputError("the code stands twice in its group", where=place, fix="Keep one element for each")
            seen.add(key)
            for spot, row in _objects(element, "target", place):
                self._target(_Place(spot, source, str(element["code"]), target), row)

    def _target(self, at: _Place, row: Mapping[str, Any]) -> None:
        equivalence = row.get("equivalence")
        for part in ("dependsOn", "product"):
            if row.get(part):
                raise at.fault(f"{part} is not supported", "Map one code to one, without conditions")
        if equivalence in _NONE:
            self.reviewed.add(identity(at.source, at.code))
            return
        if equivalence not in _SAME | _WIDE:
            why = _REFUSED.get(str(equivalence), f"equivalence is none of R4's: {', '.join(sorted(_SAME | _WIDE))}")
            fix = "Choose a target that says the same (equivalent) or less (wider), or write unmatched"
            raise at.fault(f"equivalence {equivalence!r} does not map: {why}", fix)
        code = row.get("code")
        if not isinstance(code, str) or not self.terms.knows({"system": at.target, "code": code}):
            fix = "Map to a code of fhir_profiles/codes.csv or of our own code systems (local-codes.yaml)"
            raise at.fault(f"no value set knows the target {code!r} of {at.target}", fix)
        if equivalence in _WIDE and self._denies(at.target, code):
            fix = "Write equivalent if it says just that, else unmatched"
            raise at.fault(f"the target {code!r} denies, and a narrower no is no no to it", fix)
        self._one_aim(at, code)
        self.rows.add(SiteCode(at.source, at.code, at.target, code, equivalence in _WIDE))

    def _denies(self, system: str, code: str) -> bool:
        aim = [{"system": system, "code": code}]
        none = any(self.terms.match(value_set, aim) for value_set in _NO_ALLERGY)
        return none or (system == _ANSWER and code in DENYING)

    def _one_aim(self, at: _Place, code: str) -> None:
        """A code has one target in each of our own systems: of two answers, or findings, neither would count."""
        key = (*identity(at.source, at.code), at.target)
        before = self._aims.setdefault(key, code)
        if at.target.startswith(_OWN) and before != code:
            fix = "Keep the one that it means; if it means neither alone, write unmatched"
            raise at.fault(f"it stands for {code!r} and for {before!r} of {at.target}", fix)


@dataclass(frozen=True, slots=True)
class _Place:
    """One target of one element."""

    where: str
    source: str
    code: str
    target: str

    def fault(self, what: str, fix: str) -> BadInputError:
        return BadInputError(f"code {self.code!r}: {what}", where=self.where, fix=fix)


def _objects(body: Mapping[str, Any], key: str, at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects under a key, each with its place; BadInputError where they are not a list of objects."""
    raw = body.get(key, [])
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise BadInputError(f"{key} is no list", where=at, fix="Write it as R4 has it")
    for number, part in enumerate(raw):
        place = f"{at}{': ' if key == 'group' else '.'}{key}[{number}]"
        if not isinstance(part, Mapping):
            raise BadInputError("this is no object", where=place, fix="Write it as R4 has it")
        yield place, part


def _text(body: Mapping[str, Any], key: str, at: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{key} is missing", where=at, fix=f"Say {key}")
    return value
