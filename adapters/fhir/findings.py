"""Findings: what a person saw or measured, from Observations of the finding profile and from pain scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from adapters.fhir.invariants import objects
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
ATTESTATION: Final = "attestation"
_REASON: Final = "reason-despite-"
_STATEMENTS: Final = frozenset({ATTESTATION, "pain-attribution", "care-optimal"})
_PROFESSIONS: Final = frozenset({"Practitioner", "PractitionerRole"})
_QUALIFIERS: Final = frozenset({ATTESTATION, "imaging-technique", "pain-circumstance"})
_WARNINGS: Final = frozenset({"spinal-instability", "neural-impingement", "retropulsion", "cement-allergy"})


def is_statement(code: str) -> bool:
    """Whether a finding is what somebody holds rather than sees: it counts only with the name of who holds it."""
    return code in _STATEMENTS or code.startswith(_REASON)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its code, its vertebra (or `unspecified`), its answer or number, when and how it was made.

    `at` and `latest` are the first and last instants that its date allows; a `period` runs from `at` to `until` or on.
    `confirmed` is false for preliminary results, and for statements that nobody signed. `spinal` says that its place is
    somewhere on the spine.
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
        rows = list(_read(resource, code, terms, zone))
        if happened(resource.body, zone) is None:
            notes.append(SetAside(resource.reference, "invalid", "a finding without a date cannot be placed in time"))
            rows = [finding for finding in rows if _danger(finding)]
        found += rows
    return tuple(sorted(found, key=in_order)), tuple(notes)


def in_order(finding: Finding) -> tuple[datetime, str, str]:
    """Findings as they are listed: oldest first, then by source, then by what of it."""
    return finding.at, finding.source, finding.code


def _withdrawn(chart: Iterable[ChartResource]) -> Iterator[str]:
    """The results of reports that were entered in error or cancelled."""
    for resource in chart:
        if resource.type == "DiagnosticReport" and resource.body.get("status") in DROPPED:
            yield from (reference_of(result) for result in resource.body.get("result") or ())


def _danger(finding: Finding) -> bool:
    """Whether a finding warns: a leak, a neurological sign, chest symptoms, what speaks against cement."""
    leak = finding.code == "cement-leak" and "present" in finding.parts.values()
    there = finding.code in {"infection-screen", *_WARNINGS} and finding.answer == "present"
    return leak or there or finding.answer in ("deficit", "cord-or-cauda-sign", "symptoms", "pregnant", "abnormal")


def latest(rows: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that may be the last: those of the last instant, and those whose vaguer date reaches it.

    They must agree; which of them came last is not known.
    """
    ordered = list(rows)
    newest = max((f.at for f in ordered), default=None)
    return tuple(f for f in ordered if newest is not None and f.latest >= newest)


def _read(resource: ChartResource, code: str, terms: Terminology, zone: tzinfo) -> Iterator[Finding]:
    """The finding of an Observation; an attestation has one for each component, of one place, time and signature."""
    body = resource.body
    dated = happened(body, zone)
    when = dated or recorded(body, zone) or When(resource.received_at, resource.received_at)
    site = terms.match("vertebral-level", list(codings(body.get("bodySite"))))
    place = site.levels.level if site and site.levels else UNSPECIFIED
    spinal = site is not None or terms.match("spine-site", list(codings(body.get("bodySite")))) is not None
    until = When.read(at_path(body, "effectivePeriod.end"), zone)
    parts = {key: value for part in body.get("component") or () for key, value in _component(part)}
    signed = not is_statement(code) or _signed(body)
    rows = _attested(body) if code == ATTESTATION else ((code, body),)
    for name, element in rows:
        yield Finding(
            code=name, level=place, answer=_answer(element) or _reason(name, element), number=_number(element),
            technique=parts.get("imaging-technique", ""), circumstance=parts.get("pain-circumstance", ""), parts=parts,
            at=when.earliest, latest=when.latest, period=isinstance(body.get("effectivePeriod"), Mapping),
            until=until.latest if until else None, source=resource.reference,
            about=tuple(reference_of(r) for r in (*(body.get("partOf") or ()), *(body.get("focus") or ()))),
            confirmed=body.get("status") in COUNTS and dated is not None and signed, spinal=spinal,
        )  # fmt: skip


def _attested(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What an attestation answers: the finding of each component, with the component."""
    for part in objects(body, "component"):
        name = code_in(FINDING, part.get("code"))
        if name and name not in _QUALIFIERS:
            yield name, part


def _signed(body: Mapping[str, Any]) -> bool:
    """Whether a person of the profession stands by it; a device, the patient or an organization does not."""
    return any(
        row.get("type") in _PROFESSIONS or reference_of(row).split("/")[0] in _PROFESSIONS
        for row in objects(body, "performer")
    )


def _reason(code: str, element: Mapping[str, Any]) -> str:
    """A reason is documented by its text; the text itself stays in the record."""
    text = element.get("valueString")
    return "yes" if code.startswith(_REASON) and isinstance(text, str) and text.strip() else ""


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
