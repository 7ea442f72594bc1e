"""Codes that stand where a code matters, and that no value set knows: for a site to map or to set aside.

What a site has looked at and mapped to nothing (`unmatched`) is not told again. Free text is never told; a display can
hold a name, so it is told only once two patients have the same one beside the same code. So is a code or a system that
does not look like one: somebody may have typed a name there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from adapters.fhir.coding import identity
from adapters.fhir.reading import codings
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource, SetAside

_MATTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Condition": ("code", "bodySite"),
    "Procedure": ("code", "bodySite", "complication"),
    "Observation": ("code", "bodySite", "valueCodeableConcept"),
    "ServiceRequest": ("code", "bodySite"),
    "AllergyIntolerance": ("code",),
    "Coverage": ("type",),
    "ImagingStudy": ("modality",),
    "Medication": ("code",),
    "MedicationRequest": ("medicationCodeableConcept",),
    "MedicationStatement": ("medicationCodeableConcept",),
    "MedicationAdministration": ("medicationCodeableConcept",),
    "MedicationDispense": ("medicationCodeableConcept",),
}
"""By type, the element that says what the resource is about, then those that matter only where that one is known."""

_CODE: Final = re.compile(r"[!-~]{0,20}")  # no space, not long
_NUMBER: Final = re.compile(r"\d{8}")  # may be a date of birth or the number of a record, but in a public system
_SYSTEM: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:[!-~]+)?")
_MOST: Final = 60  # characters of a code, a system or a display: no code is longer, a slip may be


class Unmapped(NamedTuple):
    """A code that no value set knows, or text without a code (both empty), and the element that it stands in."""

    element: str
    system: str
    code: str


def unmapped(body: Mapping[str, Any], terms: Terminology) -> Iterator[tuple[Unmapped, str]]:
    """The unmapped codes of a resource as its readers see it (`Terminology.understood`), each with its display."""
    kind = str(body.get("resourceType"))
    first, *others = _MATTERS.get(kind, ("",))
    if not first:
        return
    own = list(_of(f"{kind}.{first}", body.get(first), terms))
    yield from own
    if own:
        return  # what else it says is about something that nobody here asks for
    for name in others:
        yield from _of(f"{kind}.{name}", body.get(name), terms)
    for part in body.get("component") or () if kind == "Observation" else ():
        if isinstance(part, Mapping):
            yield from _of(f"{kind}.component.code", part.get("code"), terms)


def _of(element: str, value: Any, terms: Terminology) -> Iterator[tuple[Unmapped, str]]:
    """One element: concepts, or codings by themselves. A concept is known as soon as one of its codings is."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, Mapping):
            continue
        found = [one] if "coding" not in one and "code" in one else list(codings(one))
        if not found and one.get("text"):
            yield Unmapped(element, "", ""), ""
        if any(terms.knows(coding) or _reviewed(coding, terms) for coding in found):
            continue
        for coding in found:
            system, code, display = (str(coding.get(key, ""))[:_MOST] for key in ("system", "code", "display"))
            yield Unmapped(element, system, code), display


def _reviewed(coding: Mapping[str, Any], terms: Terminology) -> bool:
    return identity(str(coding.get("system", "")), str(coding.get("code", ""))) in terms.site.reviewed


def unmapped_codes(
    resources: Iterable[ChartResource], terms: Terminology, told: Container[str] = ()
) -> Iterator[SetAside]:
    """How many resources of each type hold a code that no value set knows; which codes, `pathway codes` says.

    `told` are the references of those that are set aside one by one.
    """
    counts = Counter(r.type for r in resources if r.reference not in told and any(unmapped(r.body, terms)))
    for kind, count in sorted(counts.items()):
        yield SetAside(kind, "unmapped", f"{count} with a code that no value set knows")


@dataclass(slots=True)
class Census:
    """The unmapped codes of many charts, counted by resource and by patient."""

    terms: Terminology
    patients: Counter[Unmapped] = field(default_factory=Counter[Unmapped])
    resources: Counter[Unmapped] = field(default_factory=Counter[Unmapped])
    _displays: defaultdict[Unmapped, Counter[str]] = field(default_factory=lambda: defaultdict(Counter[str]))

    def add(self, chart: Iterable[ChartResource]) -> None:
        """Count one patient's chart."""
        seen: set[tuple[Unmapped, str]] = set()
        for resource in chart:
            found = list(unmapped(self.terms.understood(resource.body), self.terms))
            self.resources.update({code for code, _ in found})
            seen.update(found)
        self.patients.update({code for code, _ in seen})
        for code, display in seen:
            if display:
                self._displays[code][display] += 1

    def rows(self) -> list[dict[str, Any]]:
        """Codes of the site's own systems first, then those of systems that the tables know, by number of patients."""
        public = self.terms.systems()
        order = sorted(self.patients, key=lambda code: (code.system in public, -self.patients[code], code))
        return [self._row(code, public) for code in order]

    def _row(self, it: Unmapped, public: Container[str]) -> dict[str, Any]:
        shared = self.patients[it] > 1
        system = it.system if shared or it.system in public or _SYSTEM.fullmatch(it.system) else ""
        plain = _CODE.fullmatch(it.code) and (it.system in public or not _NUMBER.search(it.code))
        code = it.code if shared or plain else ""
        return {
            "element": it.element, "system": _shown(system), "code": _shown(code), "display": self._display(it),
            "withheld": (system, code) != (it.system, it.code), "patients": self.patients[it],
            "resources": self.resources[it],
        }  # fmt: skip

    def _display(self, code: Unmapped) -> str:
        """The commonest display, if two patients have it; with one it may be about that person."""
        best = min(self._displays[code].items(), key=lambda row: (-row[1], row[0]), default=("", 0))
        return _shown(best[0]) if best[1] > 1 else ""


def _shown(text: str) -> str:
    """A text as it may be printed: what a terminal would obey, or not show, as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
