"""Whether the CPT code of an order or a procedure fits the vertebra: each is for one region of the spine (K-05)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.fhir.events import CementEvent
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.order_facts import DRAFT, STANDS, CementOrder, cement_orders
from adapters.fhir.reading import codings
from adapters.fhir.terminology import Terminology
from pathway.episodes import Episode
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED, LevelRange

CPT: Final = "http://www.ama-assn.org/go/cpt"


@dataclass(frozen=True, slots=True)
class _Coded:
    """The regions that the codes of one record allow: those of the first vertebra, and those of each one more."""

    first: tuple[LevelRange, ...]
    more: tuple[LevelRange, ...]

    @classmethod
    def read(cls, terms: Terminology, concept: Any) -> _Coded:
        """The CPT codes of a concept; codes of other systems name no region of a claim."""
        first: list[LevelRange] = []
        more: list[LevelRange] = []
        for coding in codings(concept):
            match = terms.match("cement-augmentation", [coding])
            if match and match.system == CPT and match.levels:
                add_on = terms.match("cement-add-on", [coding]) is not None
                (more if add_on else first).append(match.levels)
        return cls(tuple(first), tuple(more))

    def __add__(self, other: _Coded) -> _Coded:
        return _Coded((*self.first, *other.first), (*self.more, *other.more))

    def __bool__(self) -> bool:
        return bool(self.first or self.more)

    def fits(self, level: str, levels: Collection[str]) -> bool:
        """Whether the codes fit one of the vertebrae that they are for.

        An add-on code goes with a first one of any region; one that fits none of the vertebrae carries nothing.
        """
        if any(region.holds(level) for region in self.first):
            return True
        carried = not self.first or any(region.holds(other) for region in self.first for other in levels)
        return carried and any(region.holds(level) for region in self.more)


def order_code_fits(chart: KnownChart, level: str) -> Fact:
    """All orders for cement that name this vertebra; those in draft only where none stands."""
    datum = "order-code-fits"
    for statuses, sure in ((STANDS, True), (DRAFT, False)):
        rows = [(order, coded) for order, coded in _orders(chart, statuses) if level in order.levels]
        if rows:
            fits = all(coded.fits(level, order.levels) for order, coded in rows)
            at = max(chart.dated(order.resource) for order, _ in rows)
            sources = tuple(order.resource.reference for order, _ in rows)
            if sure:
                return Fact(datum, fits, None, None, at, sources)
            return unknown(datum, Reason.UNCONFIRMED, candidate=fits, at=at, sources=sources)
    return unknown(datum)


def _orders(chart: KnownChart, statuses: frozenset[str]) -> Iterator[tuple[CementOrder, _Coded]]:
    for order in cement_orders(chart, statuses):
        coded = _Coded.read(chart.terms, order.resource.body.get("code"))
        if coded:
            yield order, coded


def procedure_code_fits(chart: KnownChart, event: Episode, level: str) -> Fact:
    """All codes of one procedure event: of each record that names this vertebra, and of those that name none.

    Records without a vertebra are read together: a first code among them must fit one of the vertebrae treated, and
    where it fits another one than this it says nothing of this.
    """
    datum = "procedure-code-fits"
    if level == UNSPECIFIED:
        return unknown(datum)
    rows = [(e, c) for e in chart.cement if _of(event, e) and (c := _Coded.read(chart.terms, _code(e)))]
    own = [(e, coded) for e, coded in rows if e.place.level == level and _sites(chart, e.resource.body)]
    loose = [(e, coded) for e, coded in rows if not _sites(chart, e.resource.body)]
    together = sum((coded for _, coded in loose), _Coded((), ()))
    astray = any(not any(region.holds(name) for name in event.levels) for region in together.first)
    verdicts = [coded.fits(level, _sites(chart, e.resource.body)) for e, coded in own]
    if astray:
        verdicts.append(False)
    elif not own and together.fits(level, event.levels):
        verdicts.append(True)
    if not verdicts:
        return unknown(datum)
    used = own if own and not astray else [*own, *loose]
    sources = tuple(dict.fromkeys(e.resource.reference for e, _ in used))
    return Fact(datum, all(verdicts), None, None, event.onset_at, sources)


def _of(event: Episode, cement: CementEvent) -> bool:
    return cement.cement and cement.resource.reference in event.sources


def _code(event: CementEvent) -> Any:
    return event.resource.body.get("code")


def _sites(chart: KnownChart, body: Mapping[str, Any]) -> Sequence[str]:
    found = (chart.terms.match("vertebral-level", [coding]) for coding in codings(body.get("bodySite")))
    return [match.levels.level for match in found if match and match.levels]
