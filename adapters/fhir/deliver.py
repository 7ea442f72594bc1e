"""Deliveries: what was sent, taken apart into one patient's resources each, and what could not be used of it.

Refused whole: what is not JSON or not FHIR, two patients in one Bundle, a transaction with one bad resource. Set aside
and reported: one bad resource among good ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from adapters.fhir import strict_json
from adapters.fhir.bundles import aliases_of, entries_of, foreign_bases, names_a_patient, owner_of, resolved
from adapters.fhir.known_chart import READ
from adapters.fhir.links import merges_of, one_person, strange_links
from adapters.fhir.plausible import doubts
from adapters.fhir.terminology import Terminology
from adapters.fhir.validate import check_resource
from pathway.canonical import sha256
from pathway.chart import ChartResource, SetAside, patient_key
from pathway.errors import BadInputError
from pathway.service import Delivery
from pathway.vocabulary import NUMERIC, Vocabulary

MAX_BYTES: Final = 16 * 1024 * 1024
EVERYBODY: Final = "*"  # the owner of what is about nobody, such as an Organization
_WHOLE: Final = frozenset({"transaction"})


def _unchecked(_document: Any) -> None:
    """For those who send by hand: the reader's own checks will do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one resource sent: its place, reference, and why it was set aside, if it was.

    What was set aside has its own bytes in `data`, unless it was no JSON.
    """

    index: int
    reference: str
    accepted: bool
    code: str = ""
    why: str = ""
    fix: str = ""
    expression: str = ""
    place: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One submission, read: deliveries by patient, and what became of each entry."""

    deliveries: tuple[Delivery, ...]
    entries: tuple[Entry, ...]
    bundle_type: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads submissions: the source that namespaces patients, when they came, and the tables to check against."""

    source: str
    received_at: datetime
    terms: Terminology
    vocabulary: Vocabulary
    zone: tzinfo = UTC
    ranges: Mapping[str, tuple[Decimal, Decimal]] = field(init=False)

    def __post_init__(self) -> None:
        bounds = {
            d.id: (d.lo, d.hi)
            for d in self.vocabulary.data.values()
            if d.kind in NUMERIC and d.lo is not None and d.hi is not None
        }
        object.__setattr__(self, "ranges", bounds)

    def submission(
        self, data: bytes, where: str, max_bytes: int = MAX_BYTES, check: Callable[[Any], object] = _unchecked
    ) -> Parcel:
        """One JSON document: a Bundle of any type, or a single resource. Raises BadInputError if refused whole.

        `check` sees the parsed document first, and may refuse it in its own words.
        """
        document = strict_json.load(data, max_bytes=max_bytes, where=where)
        check(document)
        if not isinstance(document, Mapping) or not isinstance(document.get("resourceType"), str):
            raise BadInputError(
                "this is not FHIR: there is no resourceType",
                where=where,
                fix="Send a Bundle or a resource as FHIR JSON",
                code="structure",
            )
        if document["resourceType"] != "Bundle":
            return self._parcel([(where, document, "")], "", data, where, alone=True)
        kind = document.get("type")
        if not isinstance(kind, str):
            raise BadInputError("the Bundle has no type", where=where, fix="Set Bundle.type", code="required")
        rows = list(entries_of(document, where))
        if not rows:
            raise BadInputError(
                "the Bundle holds no resource", where=where, fix="Send at least a Patient", code="required"
            )
        return self._parcel(rows, kind, data, where, alone=False)

    def ndjson(self, data: bytes, where: str) -> Parcel:
        """Lines of resources, of any number of patients. A line that is not JSON is set aside like a bad resource."""
        rows: list[tuple[str, Any, str]] = []
        lines = strict_json.load_ndjson(data, where=where)
        while True:
            try:
                number, value = next(lines)
            except StopIteration:
                break
            except BadInputError as fault:
                rows.append((fault.where, fault, ""))
                continue
            rows.append((f"{where}:{number}", value, ""))
        return self._parcel(rows, "", data, where, alone=False, many=True)

    def resources(self, bodies: Iterable[tuple[str, Any]]) -> tuple[list[tuple[ChartResource, bytes]], list[SetAside]]:
        """Resources from elsewhere (a hook's prefetch), each with its place: those that can be used, and the others."""
        good: list[tuple[ChartResource, bytes]] = []
        aside: list[SetAside] = []
        for place, body in bodies:
            fault = self._fault(body, place)
            if fault is None:
                good.append(self._kept(body))
            else:
                aside.append(SetAside(place, "invalid", fault.sentence()))
        return good, aside

    def _parcel(
        self,
        rows: Sequence[tuple[str, Any, str]],
        kind: str,
        data: bytes,
        where: str,
        *,
        alone: bool,
        many: bool = False,
    ) -> Parcel:
        if not many and len(foreign_bases(body for _, body, _ in rows)) > 1:
            raise BadInputError(
                "two patients in one Bundle",
                where=where,
                why="patients of different servers are referred to",
                fix="Send one Bundle for each patient",
                code="business-rule",
            )
        aliases = aliases_of((body, url) for _, body, url in rows)
        by_patient: dict[str, list[tuple[ChartResource, bytes]]] = defaultdict(list)
        aside: dict[str, list[SetAside]] = defaultdict(list)
        entries: list[Entry] = []
        for index, (place, body, _) in enumerate(rows):
            fault = self._fault(body, place)
            if fault is None:
                body = resolved(body, aliases)
            owner = owner_of(body) if fault is None else ""
            if fault is None and not owner:
                if many or body["resourceType"] in READ or names_a_patient(body):
                    why = "it names no patient that can be told"
                    fault = _Fault("required", body["resourceType"], why, "Set subject or patient to Patient/id")
                else:
                    owner = EVERYBODY
            reference = f"{body['resourceType']}/{body['id']}" if fault is None else ""
            if fault is not None:
                if alone or kind in _WHOLE:
                    raise BadInputError(f"{fault.expression} {fault.why}", where=place, fix=fault.fix, code=fault.code)
                aside[owner].append(SetAside(place, "invalid", fault.sentence()))
                own = b"" if isinstance(body, BadInputError) else strict_json.dumps(resolved(body, aliases))
                told = (fault.code, fault.why, fault.fix, fault.expression)
                entries.append(Entry(index, reference, False, *told, place=place, data=own))
                continue
            by_patient[owner].append(self._kept(body))
            entries.append(Entry(index, reference, True))
        deliveries = self._deliveries(by_patient, aside, where, many)
        return Parcel(deliveries, tuple(entries), kind, sha256(data))

    def _deliveries(
        self,
        by_patient: Mapping[str, list[tuple[ChartResource, bytes]]],
        aside: Mapping[str, list[SetAside]],
        where: str,
        many: bool,
    ) -> tuple[Delivery, ...]:
        patients = sorted(set(by_patient) - {EVERYBODY})
        people = [kept.body for owner in patients for kept, _ in by_patient[owner] if kept.type == "Patient"]
        if not many and len(patients) > 1 and not one_person(patients, people):
            raise BadInputError(
                "two patients in one Bundle", where=where, why=f"{len(patients)} are referred to",
                fix="Send one Bundle for each patient", code="business-rule",
            )  # fmt: skip
        if not patients:
            refused = "; ".join(f"{item.where}: {item.why}" for item in aside.get("", ()))
            raise BadInputError(
                "nothing here belongs to a patient",
                where=where,
                why="no usable resource is a Patient or refers to one",
                fix=f"Mend what was refused: {refused[:600]}" if refused else "Send the Patient",
                code="required",
            )
        shared = by_patient.get(EVERYBODY, [])
        lost = tuple(aside.get("", ()))
        return tuple(self._delivery(owner, [*by_patient[owner], *shared], lost) for owner in patients)

    def _delivery(
        self, owner: str, rows: Sequence[tuple[ChartResource, bytes]], lost: tuple[SetAside, ...]
    ) -> Delivery:
        people = [kept.body for kept, _ in rows if kept.type == "Patient"]
        key = patient_key(self.source, owner.removeprefix("Patient/"))
        return Delivery(key, tuple(rows), (*lost, *strange_links(people)), merges_of(people, self.source))

    def _fault(self, body: Any, place: str) -> _Fault | None:
        """The first reason why a resource cannot be used: its form, its id, or its sense."""
        if isinstance(body, BadInputError):
            return _Fault(body.code, "line", body.what, body.fix)
        for issue in check_resource(body):
            if issue.severity in ("error", "fatal"):
                return _Fault(issue.code, issue.expression, issue.message, "Send valid FHIR R4 (4.0.1)")
        if not body.get("id"):
            return _Fault("required", f"{body['resourceType']}.id", "there is no id", "Give every resource its id")
        for doubt in doubts(self.terms.understood(body), self.received_at, self.terms, self.ranges, self.zone):
            return _Fault(doubt.code, doubt.expression, doubt.why, doubt.fix)
        return None

    def _kept(self, body: Mapping[str, Any]) -> tuple[ChartResource, bytes]:
        data = strict_json.dumps(body)
        return ChartResource(body, sha256(data), self.received_at), data


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    expression: str
    why: str
    fix: str

    def sentence(self) -> str:
        return f"{self.expression} {self.why}. {self.fix}"
