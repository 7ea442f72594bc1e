"""What was stated or seen of one vertebra beside oedema and tenderness, and whether it goes on losing height."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.fhir.answers import HOLDS, THERE, answered
from adapters.fhir.claim_codes import claim_codes
from adapters.fhir.code_fit import order_code_fits
from adapters.fhir.findings import Finding, latest
from adapters.fhir.height import APART, PROGRESS
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.level_reasons import reasons
from adapters.fhir.level_signs import signs
from adapters.fhir.morphology_facts import morphology
from adapters.fhir.sins_facts import tumour_at
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED

Own = Callable[[str], Sequence[Finding]]

_ORIGINS: Final = {"this-fracture": "this-fracture", "something-else": "something-else"}


def statements(chart: KnownChart, level: str, since: datetime, until: datetime) -> Iterator[Fact]:
    """Every statement and sign of one vertebra, from `since` to `until`; without a vertebra what codes say."""
    yield claim_codes(chart, level)
    if level == UNSPECIFIED:
        return

    def own(code: str) -> list[Finding]:
        return [f for f in chart.named(code) if f.level == level and since <= f.at <= until]

    yield answered("pain-attribution", _ORIGINS, own("pain-attribution"))
    yield answered("care-optimal", HOLDS, own("care-optimal"))
    yield answered("surgeon-opinion", HOLDS, own("surgeon-opinion"))
    shown = list(signs(chart, level, since, until))
    yield from shown
    yield from reasons(chart, own, shown)
    yield from morphology(own)
    yield from tumour_at(chart, level, own, until)
    yield order_code_fits(chart, level)
    yield _progression(own)


def _progression(own: Own) -> Fact:
    """A statement, unless measures came later; of the measures those of one technique, the last against the first."""
    datum = "progressive-height-loss"
    said = answered(datum, THERE, own(datum))
    measured = _measured([f for f in own("vertebral-height-loss") if f.number is not None and f.technique])
    if measured is None:
        return said
    if said.at is not None and measured.at is not None and said.at >= measured.at:
        return said
    return measured


def _measured(rows: Sequence[Finding]) -> Fact | None:
    """The comparison that ends last; None without two measures of one technique on days apart."""
    pairs: list[tuple[tuple[Finding, ...], Finding]] = []
    for technique in sorted({f.technique for f in rows}):
        alike = [f for f in rows if f.technique == technique]
        last = latest(alike)
        earlier = [f for f in alike if last[0].at - f.at >= APART]
        if earlier:
            pairs.append((last, earlier[0]))
    if not pairs:
        return None
    end = max(last[0].at for last, _ in pairs)
    return _compared([(last, first) for last, first in pairs if last[0].at == end])


def _compared(pairs: Sequence[tuple[tuple[Finding, ...], Finding]]) -> Fact:
    datum = "progressive-height-loss"
    rises = {(f.number or Decimal(0)) - (first.number or Decimal(0)) for last, first in pairs for f in last}
    rows = [f for last, first in pairs for f in (first, *last)]
    sources, at = tuple(f.source for f in rows), rows[-1].at
    progress = {True if rise >= PROGRESS else (False if rise <= 0 else None) for rise in rises}
    if len(progress) > 1:
        return unknown(datum, Reason.CONFLICTING, at=at, sources=sources)
    verdict = progress.pop()
    if verdict is None or not all(f.confirmed for f in rows):
        why = {"why": "within the error of measuring" if verdict is None else "a measure is preliminary"}
        candidate = True if verdict is None else verdict
        return unknown(datum, Reason.UNCONFIRMED, candidate=candidate, at=at, sources=sources, detail=why)
    return Fact(datum, verdict, None, None, at, sources)
