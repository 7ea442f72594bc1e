"""Findings: what a person saw or measured, from Observations of the finding profile and from pain scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
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
PANELS: Final = frozenset({ATTESTATION, "consent", "fracture-suspicion"})
"""Findings that only gather others: each component is a finding of its own."""
_STATEMENTS: Final = frozenset({
    ATTESTATION, "pain-attribution", "care-optimal", "surgeon-opinion", "antithrombotic-plan", "inflammation-explained",
    "team-discussion", "cluster-review", "embolism-place", "embolism-plan", "heart-team-discussion",
    "oncology-bone-plan", "denosumab-plan", "treatment-review",
})  # fmt: skip
_PROFESSIONS: Final = frozenset({"Practitioner", "PractitionerRole"})
RESTART: Final = "restart-on"
RESIDUAL: Final = "residual-urine"
_HUGE: Final = Decimal(1_000_000_000)  # nothing that is found is as large, and rounding it might not be possible
_QUALIFIERS: Final = PANELS | {"imaging-technique", "pain-circumstance", RESTART}
_WARNINGS: Final = frozenset({
    "spinal-instability", "neural-impingement", "retropulsion", "cement-allergy", "atypical-pattern",
    "epidural-extension", "spinal-stenosis", "mri-unsafe", "cardiopulmonary-disease", "bleeding-risk",
    "antibiotic-allergy", "contrast-allergy", "hyperviscosity", "occult-tumour-signs", "performance-status-poor",
    "new-back-pain", "recollapse",
    "cement-migrating", "radicular-pain", "skeletal-malignancy", "recent-heart-attack-or-stroke", "paget-disease",
    "skeletal-radiotherapy", "atypical-femur-fracture", "jaw-necrosis", "oesophageal-disease", "cannot-sit-upright",
    "fall-risk-high",
    "leg-weakness", "saddle-numbness", "bladder-or-bowel-trouble", "night-pain",
})  # fmt: skip
_WORRYING: Final = frozenset({
    "deficit", "cord-or-cauda-sign", "symptoms", "pregnant", "abnormal", "anticoagulant", "antiplatelet", "raised",
    "doubtful", "central", "haematoma", "discharge",
})  # fmt: skip


_DENIALS: Final = frozenset({
    "none", "no", "nil", "null", "no reason", "no reasons", "no reason given", "no reason documented",
    "no reason stated", "no reason recorded", "none given", "none documented", "none stated", "none recorded",
    "none known", "not known", "not documented", "not recorded", "not stated", "not given", "not applicable",
    "not available", "n a", "na", "n d", "nd", "n k", "nk", "unknown", "reason unknown", "reason not known",
    "reason not documented", "unspecified", "tbd", "to be determined", "to be documented", "to follow", "pending",
})  # fmt: skip
"""Texts in the place of a reason that say there is none, without case and punctuation; compared whole."""


def is_statement(code: str) -> bool:
    """Whether a finding is what somebody holds rather than sees: it counts only with the name of who holds it."""
    return code in _STATEMENTS or code.startswith(_REASON)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its code, its vertebra (or `unspecified`), its answer or number, when and how it was made.

    `at` and `latest` are the first and last instants that its date allows; a `period` runs from `at` to `until` or on.
    `confirmed` is false for preliminary results, and for statements that nobody signed. `spinal` says that its place is
    somewhere on the spine; `signed` that a person of the profession stands by it.
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
    encounter: str = ""
    signed: bool = False

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
    gone = set(withdrawn(chart))
    found: list[Finding] = []
    notes: list[SetAside] = []
    for resource in chart:
        code = finding_code(resource.body, terms) if resource.type == "Observation" else None
        if code is None or resource.reference in gone or resource.body.get("status") in DROPPED:
            continue
        rows = list(_read(resource, code, terms, zone))
        if happened(resource.body, zone) is None:
            notes.append(SetAside(resource.reference, "invalid", "a finding without a date cannot be placed in time"))
            rows = [finding for finding in rows if warns(finding)]
        found += rows
    return tuple(sorted(found, key=in_order)), tuple(notes)


def in_order(finding: Finding) -> tuple[datetime, str, str]:
    """Findings as they are listed: oldest first, then by source, then by what of it."""
    return finding.at, finding.source, finding.code


def withdrawn(chart: Iterable[ChartResource]) -> Iterator[str]:
    """The results of reports that were entered in error or cancelled."""
    for resource in chart:
        if resource.type == "DiagnosticReport" and resource.body.get("status") in DROPPED:
            yield from (reference_of(result) for result in resource.body.get("result") or ())


def warns(finding: Finding) -> bool:
    """Whether a finding warns: a leak, a neurological sign, chest symptoms, what speaks against cement."""
    leak = finding.code == "cement-leak" and "present" in finding.parts.values()
    there = finding.code in {"infection-screen", *_WARNINGS} and finding.answer in ("present", "yes")
    wall = finding.code == "posterior-wall" and finding.answer == "disrupted"
    thrombosis = finding.code == "thrombotic-risk" and finding.answer == "high"
    retained = finding.code == RESIDUAL and finding.number is not None
    return leak or there or wall or thrombosis or retained or finding.answer in _WORRYING


def latest(rows: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that may be the last: those of the last instant, and those whose vaguer date reaches it.

    They must agree; which of them came last is not known.
    """
    ordered = list(rows)
    newest = max((f.at for f in ordered), default=None)
    return tuple(f for f in ordered if newest is not None and f.latest >= newest)


def _read(resource: ChartResource, code: str, terms: Terminology, zone: tzinfo) -> Iterator[Finding]:
    """The finding of an Observation; a panel has one for each component, of one place, time and signature."""
    body = resource.body
    dated = happened(body, zone)
    when = dated or recorded(body, zone) or When(resource.received_at, resource.received_at)
    site = terms.match("vertebral-level", list(codings(body.get("bodySite"))))
    place = site.levels.level if site and site.levels else UNSPECIFIED
    spinal = site is not None or terms.match("spine-site", list(codings(body.get("bodySite")))) is not None
    until = When.read(at_path(body, "effectivePeriod.end"), zone)
    told = _components(body)
    parts = {key: _one(answers) for key, answers in told.items()}
    own = told.keys() - {"pain-circumstance"}  # a score may hold at rest and on movement alike
    clear = all(len(told[key]) < 2 for key in own if code not in PANELS or key in _QUALIFIERS)
    signed = _signed(body)
    rows = attested(body) if code in PANELS else ((code, body),)
    for name, element, answer, alone in _said(rows):
        vouched = signed or not (is_statement(code) or is_statement(name))
        yield Finding(
            code=name, level=place, answer=answer, number=_number(element, name),
            technique=parts.get("imaging-technique", ""), circumstance=parts.get("pain-circumstance", ""), parts=parts,
            at=when.earliest, latest=when.latest, period=isinstance(body.get("effectivePeriod"), Mapping),
            until=until.latest if until else None, source=resource.reference,
            about=tuple(reference_of(r) for r in (*(body.get("partOf") or ()), *(body.get("focus") or ()))),
            confirmed=body.get("status") in COUNTS and dated is not None and vouched and clear and alone, spinal=spinal,
            encounter=reference_of(body.get("encounter")), signed=signed,
        )  # fmt: skip


def _said(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any], str, bool]]:
    """Each finding and element with its answer, and whether that is the only one.

    A concept that gives several gives a finding for each: they conflict, none is confirmed, and one may still warn.
    """
    for name, element in rows:
        given = sorted(_answers(element)) or [_reason(name, element)]
        yield from ((name, element, answer, len(given) == 1) for answer in given)


def attested(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What an attestation or other panel answers: the finding of each component, with the component."""
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
    """A reason is documented by its text, unless that denies one; the text itself stays in the record."""
    text = element.get("valueString")
    if not code.startswith(_REASON) or not isinstance(text, str):
        return ""
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return "yes" if words and words not in _DENIALS else ""


def finding_code(body: Mapping[str, Any], terms: Terminology) -> str | None:
    """The finding that an Observation states: a local finding code, or `pain-score` for LOINC 72514-3."""
    local = code_in(FINDING, body.get("code"))
    if local:
        return local
    return "pain-score" if terms.match("pain-score-0-10", list(codings(body.get("code")))) else None


def _answers(element: Mapping[str, Any]) -> set[str]:
    """The coded answers, of which there should be one; a boolean is present or absent; none if absent for a reason."""
    if "dataAbsentReason" in element:
        return set()
    if isinstance(element.get("valueBoolean"), bool):
        return {"present" if element["valueBoolean"] else "absent"}
    coded = list(codings(element.get("valueCodeableConcept")))
    by_system = ({str(c["code"]) for c in coded if c.get("system") == s and c.get("code")} for s in (ANSWER, TECHNIQUE))
    return next(filter(None, by_system), set())


def _one(answers: Set[str]) -> str:
    """The answer of a component; of several that differ that it is there, else none."""
    return next(iter(answers)) if len(answers) == 1 else "present" if "present" in answers else ""


def _number(element: Mapping[str, Any], name: str) -> Decimal | None:
    """The number measured, to the two decimal places that the vocabulary keeps; none where it is only a bound.

    Of residual urine a bound from below counts: a scanner says no more than "> 999 mL", and the volume only warns.
    """
    quantity = element.get("valueQuantity")
    value = number(element.get("valueInteger"))
    if isinstance(quantity, Mapping):
        bounds = ("", ">", ">=") if name == RESIDUAL else ("",)
        value = number(quantity.get("value")) if (quantity.get("comparator") or "") in bounds else None
    if value is None or abs(value) >= _HUGE:
        return None
    return value if value == value.to_integral_value() else round(value, 2)


def _components(body: Mapping[str, Any]) -> dict[str, set[str]]:
    """The answers of components by their code: technique, circumstance, a leak's destination, or a day of restart."""
    found: dict[str, set[str]] = {}
    for part in objects(body, "component"):
        key = code_in(FINDING, part.get("code")) or code_in(LEAK, part.get("code"))
        answers = _answers(part) or ({_day(part)} - {""} if key == RESTART else set[str]())
        if key and answers:
            found.setdefault(key, set()).update(answers)
    return found


def _day(part: Mapping[str, Any]) -> str:
    """The date that a component gives, as it stands."""
    text = part.get("valueDateTime")
    return text if isinstance(text, str) else ""
