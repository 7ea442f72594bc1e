"""Who pays, and in whose area care is given: what chooses the coverage rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.fhir.invariants import objects
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.places import Found, Places
from adapters.fhir.reading import PAYER, When, at_path, code_in, codings, reference_of
from adapters.fhir.stays import forgotten, going_on
from pathway.chart import ChartResource, SetAside
from pathway.facts import Fact, Reason, unknown

_SETS: Final[Mapping[str, str]] = {
    "payer-original-medicare": "original-medicare",
    "payer-medicare-advantage": "medicare-advantage",
    "payer-other": "other-payer",
}
_LEFT: Final = frozenset({"planned", "reserved", "completed"})  # EncounterLocationStatus: not there yet, or no more
_NOT_A_PLACE: Final = frozenset({"old", "temp", "billing"})  # AddressUse
_STEPS: Final = 5  # how far a bed is followed to its ward, house and organization


@dataclass(frozen=True, slots=True)
class _Cover:
    """One Coverage that stands: who it says pays (several where its codes differ), its rank, and when it began."""

    resource: ChartResource
    kinds: frozenset[str]
    vague: bool
    order: int | None


def payer(chart: KnownChart) -> Fact:
    """Who pays first. Coverages without an order must agree; a type that no table knows leaves it open."""
    covers = list(_standing(chart))
    if not covers:
        return unknown("payer")
    ranks = [c.order for c in covers if c.order is not None]
    first = [c for c in covers if c.order == min(ranks)] if len(ranks) == len(covers) else covers
    kinds = {kind for cover in first for kind in cover.kinds}
    sources = [c.resource.reference for c in first]
    if len(kinds) > 1:
        why = {"why": "which one pays first is not said"}
        return unknown("payer", Reason.CONFLICTING, at=chart.as_of, sources=sources, detail=why)
    if len(kinds) == 1 and all(c.kinds for c in first):
        return Fact("payer", kinds.pop(), None, None, chart.as_of, tuple(sources))
    vague = not kinds and all(c.vague for c in first)
    why = {"why": "original Medicare or Advantage is not said" if vague else "the type of a coverage is not mapped"}
    candidate = kinds.pop() if kinds else ("original-medicare" if vague else None)
    return unknown("payer", Reason.UNCONFIRMED, candidate=candidate, at=chart.as_of, sources=sources, detail=why)


def unmapped_coverages(chart: KnownChart) -> Iterator[SetAside]:
    """The coverages whose type stands in no table, so that a site can map it."""
    for cover in _standing(chart):
        if not cover.kinds and not cover.vague:
            why = "its type says in no code that is known here who pays"
            yield SetAside(cover.resource.reference, "unmapped", why)


def _standing(chart: KnownChart) -> Iterator[_Cover]:
    for resource in chart.of_type("Coverage"):
        body = resource.body
        concepts = list(codings(body.get("type")))
        if body.get("status") != "active" or chart.terms.match("payer-beside", concepts) or not _holds(chart, body):
            continue
        kinds = {kind for value_set, kind in _SETS.items() if chart.terms.match(value_set, concepts)}
        local = code_in(PAYER, body.get("type"))
        kinds |= {local} & set(_SETS.values()) if local else set()
        vague = chart.terms.match("payer-medicare-unstated", concepts) is not None
        order = body.get("order")
        yield _Cover(resource, frozenset(kinds), vague, order if isinstance(order, int) else None)


def _holds(chart: KnownChart, body: Mapping[str, Any]) -> bool:
    """Whether a period holds the instant, read generously at both ends; one without an end goes on."""
    start, end = (When.read(at_path(body, f"period.{part}"), chart.zone) for part in ("start", "end"))
    return (start is None or start.earliest <= chart.as_of) and (end is None or end.latest >= chart.as_of)


def place_of_service(chart: KnownChart, table: Places, home: Found) -> Fact:
    """The area where care is given: by the current encounter, else the site's own. The patient's home says nothing."""
    rows = _where(chart, table) or ([("", home)] if home.jurisdiction else [])
    return _placed(chart, "place-of-service", rows, [(found.jurisdiction, found.sure) for _, found in rows])


def state_of_care(chart: KnownChart, table: Places, home: Found) -> Fact:
    """The state where care is given, as its area; it is sure also where two contractors share it."""
    rows = _where(chart, table) or ([("", home)] if home.state else [])
    return _placed(chart, "state-of-care", rows, [(found.state, True) for _, found in rows])


def _where(chart: KnownChart, table: Places) -> list[tuple[str, Found]]:
    """What the addresses of the encounters that go on say, each with its encounter."""
    return [
        (encounter.reference, found)
        for encounter in chart.of_type("Encounter")
        if going_on(encounter, chart) and not forgotten(encounter, chart)
        for found in _Surroundings(chart, encounter).places(table)
    ]


def _placed(
    chart: KnownChart, datum: str, rows: Sequence[tuple[str, Found]], said: Sequence[tuple[str, bool]]
) -> Fact:  # fmt: skip
    if not rows:
        return unknown(datum)
    sources = tuple(reference for reference, _ in rows if reference)
    detail = {"why": rows[0][1].why}
    values = {value for value, _ in said}
    if len(values) > 1:
        detail = {"why": "the encounter names two places"}
        return unknown(datum, Reason.CONFLICTING, at=chart.as_of, sources=sources, detail=detail)
    value = values.pop()
    if not value:
        return unknown(datum, Reason.UNPARSEABLE, at=chart.as_of, sources=sources, detail=detail)
    if not all(sure for _, sure in said):
        return unknown(datum, Reason.UNCONFIRMED, candidate=value, at=chart.as_of, sources=sources, detail=detail)
    return Fact(datum, value, None, None, chart.as_of, sources, detail)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The places of one encounter, contained in it or sent beside it."""

    chart: KnownChart
    encounter: ChartResource

    def places(self, table: Places) -> list[Found]:
        """What the addresses of its locations say, or where they have none those of its service provider."""
        body = self.encounter.body
        here = [row for row in objects(body, "location") if row.get("status") not in _LEFT and not self._ended(row)]
        starts: Sequence[Sequence[Any]] = ([row.get("location") for row in here], [body.get("serviceProvider")])
        for start in starts:
            found = [table.of_address(a) for element in start for a in self._addresses(element)]
            if found:
                return found
        return []

    def _ended(self, row: Mapping[str, Any]) -> bool:
        end = When.read(at_path(row, "period.end"), self.chart.zone)
        return end is not None and end.latest <= self.chart.as_of

    def _addresses(self, element: Any) -> list[Mapping[str, Any]]:
        """The addresses of a place, or of the nearest thing that it is part of and that has one."""
        for _ in range(_STEPS):
            body = self._resource(element)
            if body is None:
                return []
            own = body.get("address")
            rows = [own] if isinstance(own, Mapping) else objects(body, "address")
            rows = [a for a in rows if a.get("use") not in _NOT_A_PLACE and (a.get("state") or a.get("country"))]
            if rows:
                return rows
            element = body.get("partOf") or body.get("managingOrganization")
        return []

    def _resource(self, element: Any) -> Mapping[str, Any] | None:
        raw = element.get("reference") if isinstance(element, Mapping) else None
        if isinstance(raw, str) and raw.startswith("#"):
            return next((c for c in objects(self.encounter.body, "contained") if c.get("id") == raw[1:]), None)
        return self.chart.shared.get(reference_of(element)) if raw else None
