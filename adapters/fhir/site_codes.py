"""A site's own codes: wherever one stands in a resource, the code that it stands for is read beside it.

The resource that is stored and hashed stays as it came. A code that says more than its target ("wider" in the words of
FHIR) is read as its target only where that asserts no more than was said: never as the question of an Observation,
whose answer may be no, and never in a resource that denies. A wider target that itself denies is refused with the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from adapters.fhir.coding import identity

_DENYING: Final = frozenset({"not-done", "not-taken", "entered-in-error", "revoked", "cancelled"})  # status
_DENIED: Final = frozenset({"refuted", "entered-in-error"})  # verificationStatus
_LISTS: Final = frozenset({"coding", "modality"})
_SINGLE: Final = frozenset({"bodySite", "modality"})  # a Coding by itself, as in ImagingStudy.series
_NO_CODES: Final = frozenset({"meta", "text"})


class SiteCode(NamedTuple):
    """One line of a site's ConceptMap: a code of the site, and ours; `wide` where ours says less."""

    system: str
    code: str
    target_system: str
    target_code: str
    wide: bool


class SiteCodes:
    """The codes of a site. `reviewed` are those that it looked at and that stand for nothing of ours."""

    def __init__(self, rows: Iterable[SiteCode] = (), reviewed: Iterable[tuple[str, str]] = ()) -> None:
        self.rows = tuple(sorted(rows))
        self.reviewed = frozenset(reviewed)
        self._targets: dict[tuple[str, str], list[SiteCode]] = {}
        for row in self.rows:
            self._targets.setdefault(identity(row.system, row.code), []).append(row)

    def __bool__(self) -> bool:
        return bool(self.rows or self.reviewed)

    def to_json(self) -> dict[str, Any]:
        """For the text of all tables."""
        return {"site": [list(row) for row in self.rows], "reviewed": [list(code) for code in sorted(self.reviewed)]}

    def understood(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The resource with our codes beside the site's own; the same object where it holds none."""
        return self._read(body, wide=True) if self._targets else body

    def _read(self, value: Any, *, wide: bool, asks: bool = False) -> Any:
        """`wide`: whether a wider target may be read here. `asks`: whether this is a component of an Observation."""
        if isinstance(value, list):
            parts = [self._read(part, wide=wide, asks=asks) for part in value]
            return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
        if not isinstance(value, Mapping):
            return value
        wide = wide and not _denies(value)  # what is contained may deny on its own
        observed = value.get("resourceType") == "Observation"
        found = {
            key: self._part(key, part, wide and not (key == "code" and (asks or observed)), observed)
            for key, part in value.items()
        }
        return found if any(found[key] is not value[key] for key in value) else value

    def _part(self, key: str, part: Any, wide: bool, observed: bool) -> Any:
        if key in _NO_CODES:
            return part
        if key in _LISTS and isinstance(part, list):
            more = [one for coding in part for one in self._beside(coding, wide) if one not in part]
            return [*part, *more] if more else part
        if key in _SINGLE and isinstance(part, Mapping) and "coding" not in part:
            return next(self._beside(part, wide), part)
        return self._read(part, wide=wide, asks=observed and key == "component")

    def _beside(self, coding: Any, wide: bool) -> Iterator[dict[str, str]]:
        system, code = (coding.get("system"), coding.get("code")) if isinstance(coding, Mapping) else (None, None)
        if isinstance(system, str) and isinstance(code, str):
            rows = self._targets.get(identity(system, code), ())
            yield from ({"system": r.target_system, "code": r.target_code} for r in rows if wide or not r.wide)


def _denies(body: Mapping[str, Any]) -> bool:
    verification = body.get("verificationStatus")
    said = verification.get("coding") if isinstance(verification, Mapping) else None
    codes = {coding.get("code") for coding in said or () if isinstance(coding, Mapping)}
    return body.get("status") in _DENYING or body.get("doNotPerform") is True or bool(codes & _DENIED)


NO_SITE_CODES: Final = SiteCodes()
