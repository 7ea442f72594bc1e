"""Findings: what a person saw or measured, from Observations of the finding profile and from pain scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.reading import (
    ANSWER,
    FINDING,
    LEAK,
    TECHNIQUE,
    When,
    at_path,
    code_in,
    codings,
    happened,
    number,
    recorded,
    reference_of,
)
from adapters.fhir.terminology import Terminology
from pathway.chart import ChartResource, SetAside
from pathway.levels import UNSPECIFIED

COUNTS: Final = frozenset({"final", "amended", "corrected"})
DROPPED: Final = frozenset({"entered-in-error", "cancelled"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its code, its vertebra (or `unspecified`), its answer or number, when and how it was made.

    `at` and `latest` are the first and last instants that its date allows; a `period` runs from `at` to `until` or on.
    `confirmed` is false for preliminary results. `spinal` says that its place is somewhere on the spine.
    """

    code: str
    level: str
    answer: str
    number: Decimal | None
    technique: str
    circumstance: str
    parts: Mapping[str, str]
    at: datetime
    latest: datetime
    period: bool
    until: datetime | None
    source: str
    about: tuple[str, ...]
    confirmed: bool
    spinal: bool

    @property
    def deformed(self) -> bool:
        """For height loss: whether there is any, by its number or its answer."""
        return bool(self.number) or self.answer == "present"


def findings(
    chart: Sequence[ChartResource], terms: Terminology, zone: tzinfo
) -> tuple[tuple[Finding, ...], tuple[SetAside, ...]]:
    """All usable findings of a chart, oldest first, ties by source, and a note on each that has no date.

    A finding whose report was withdrawn is withdrawn with it. An undated one cannot be placed in time; only a sign of
    danger is kept all the same, as unconfirmed and as of when it was written or came.
    """
    gone = set(_withdrawn(chart))
    found: list[Finding] = []
    notes: list[SetAside] = []
    for resource in chart:
        code = finding_code(resource.body, terms) if resource.type == "Observation" else None
        if code is None or resource.reference in gone or resource.body.get("status") in DROPPED:
            continue
        finding = _read(resource, code, terms, zone)
        if happened(resource.body, zone) is None:
            notes.append(SetAside(resource.reference, "invalid", "a finding without a date cannot be placed in time"))
            if not _danger(finding):
                continue
        found.append(finding)
    return tuple(sorted(found, key=lambda f: (f.at, f.source))), tuple(notes)


def _withdrawn(chart: Iterable[ChartResource]) -> Iterator[str]:
    """The results of reports that were entered in error or cancelled."""
    for resource in chart:
        if resource.type == "DiagnosticReport" and resource.body.get("status") in DROPPED:
            yield from (reference_of(result) for result in resource.body.get("result") or ())


def _danger(finding: Finding) -> bool:
    """Whether a finding warns: a leak, a neurological sign, chest symptoms."""
    leak = finding.code == "cement-leak" and "present" in finding.parts.values()
    infected = finding.code == "infection-screen" and finding.answer == "present"
    return leak or infected or finding.answer in ("deficit", "cord-or-cauda-sign", "symptoms", "pregnant")


def latest(rows: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that may be the last: those of the last instant, and those whose vaguer date reaches it.

    They must agree; which of them came last is not known.
    """
    ordered = list(rows)
    newest = max((f.at for f in ordered), default=None)
    return tuple(f for f in ordered if newest is not None and f.latest >= newest)


def _read(resource: ChartResource, code: str, terms: Terminology, zone: tzinfo) -> Finding:
    body = resource.body
    dated = happened(body, zone)
    when = dated or recorded(body, zone) or When(resource.received_at, resource.received_at)
    site = terms.match("vertebral-level", list(codings(body.get("bodySite"))))
    place = site.levels.level if site and site.levels else UNSPECIFIED
    spinal = site is not None or terms.match("spine-site", list(codings(body.get("bodySite")))) is not None
    until = When.read(at_path(body, "effectivePeriod.end"), zone)
    parts = {key: value for part in body.get("component") or () for key, value in _component(part)}
    return Finding(
        code=code, level=place, answer=_answer(body), number=_number(body),
        technique=parts.get("imaging-technique", ""), circumstance=parts.get("pain-circumstance", ""), parts=parts,
        at=when.earliest, latest=when.latest, period=isinstance(body.get("effectivePeriod"), Mapping),
        until=until.latest if until else None, source=resource.reference,
        about=tuple(reference_of(r) for r in (*(body.get("partOf") or ()), *(body.get("focus") or ()))),
        confirmed=body.get("status") in COUNTS and dated is not None, spinal=spinal,
    )  # fmt: skip


def finding_code(body: Mapping[str, Any], terms: Terminology) -> str | None:
    """The finding that an Observation states: a local finding code, or `pain-score` for LOINC 72514-3."""
    local = code_in(FINDING, body.get("code"))
    if local:
        return local
    return "pain-score" if terms.match("pain-score-0-10", list(codings(body.get("code")))) else None


def _answer(element: Mapping[str, Any]) -> str:
    """The coded answer; a boolean is present or absent; empty where there is none or it is absent for a reason."""
    if "dataAbsentReason" in element:
        return ""
    if isinstance(element.get("valueBoolean"), bool):
        return "present" if element["valueBoolean"] else "absent"
    concept = element.get("valueCodeableConcept")
    return code_in(ANSWER, concept) or code_in(TECHNIQUE, concept) or ""


def _number(element: Mapping[str, Any]) -> Decimal | None:
    """The number measured, to the two decimal places that the vocabulary keeps; none where it is only a bound."""
    quantity = element.get("valueQuantity")
    value = number(element.get("valueInteger"))
    if isinstance(quantity, Mapping):
        value = None if quantity.get("comparator") else number(quantity.get("value"))
    return value if value is None or value == value.to_integral_value() else round(value, 2)


def _component(part: Any) -> Iterator[tuple[str, str]]:
    """A component as (its code, its answer): technique, circumstance, or a leak's destination."""
    if isinstance(part, Mapping):
        key = code_in(FINDING, part.get("code")) or code_in(LEAK, part.get("code"))
        answer = _answer(part)
        if key and answer:
            yield key, answer
