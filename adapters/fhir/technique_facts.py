"""How one vertebra was cemented: technique, code, guidance, approach, sedation, volume, and a stop for a leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from adapters.fhir.answers import THERE, agreed, answered
from adapters.fhir.code_fit import procedure_code_fits
from adapters.fhir.events import CementEvent
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import codings
from pathway.episodes import Episode
from pathway.facts import Fact, Reason, Value, unknown
from pathway.levels import UNSPECIFIED

_GUIDANCE: Final[Mapping[str, Value]] = {name: name for name in ("fluoroscopy", "ct", "other")}
_APPROACH: Final[Mapping[str, Value]] = {name: name for name in ("transpedicular", "other")}
_SEDATION: Final[Mapping[str, Value]] = {name: name for name in ("local", "moderate", "deep", "general")}
TOLD: Final = (
    "procedure-guidance", "procedure-approach", "procedure-sedation", "stopped-for-leak", "cement-volume",
    "much-height-restored",
)  # fmt: skip
"""The findings that tell of a procedure."""


def details(chart: KnownChart, event: Episode, level: str, rows: Sequence[Finding]) -> Iterator[Fact]:
    """What is recorded of one vertebra of a procedure event; `rows` are the findings of the event.

    Guidance and sedation are the procedure's. The rest is the vertebra's: without one it counts for an event of one.
    """
    whole = [f for f in rows if f.level in (level, UNSPECIFIED)]
    own = [f for f in whole if f.level == level or len(event.levels) == 1]
    yield technique_used(chart, event, level)
    yield procedure_code_fits(chart, event, level)
    yield answered("guidance", _GUIDANCE, [f for f in whole if f.code == "procedure-guidance"])
    yield answered("sedation", _SEDATION, [f for f in whole if f.code == "procedure-sedation"])
    yield answered("approach", _APPROACH, [f for f in own if f.code == "procedure-approach"])
    yield _stopped([f for f in whole if f.code == "stopped-for-leak"], own)
    yield answered("much-height-restored", THERE, [f for f in own if f.code == "much-height-restored"])
    yield _volume([f for f in own if f.code == "cement-volume"])


def technique_used(chart: KnownChart, event: Episode, level: str) -> Fact:
    """By the codes that name this vertebra or none; all must agree.

    ICD-10-PCS codes a kyphoplasty as reposition and cement; by cement alone it may be one whose other half is to come.
    """
    datum = "technique-used"
    rows = [e for e in chart.cement if e.resource.reference in event.sources and _is_here(event, e, level)]
    said: dict[str, list[str]] = {}
    for row in rows:
        for technique in _said(chart, row):
            said.setdefault(technique, []).append(row.resource.reference)
    sources = tuple(dict.fromkeys(source for named in said.values() for source in named))
    if len(said) > 1:
        return unknown(datum, Reason.CONFLICTING, at=event.onset_at, sources=sources)
    if said:
        return Fact(datum, next(iter(said)), None, None, event.onset_at, sources)
    plain = tuple(e.resource.reference for e in rows if e.cement)
    if plain:
        return unknown(datum, Reason.UNCONFIRMED, candidate="vertebroplasty", at=event.onset_at, sources=plain)
    return unknown(datum)


def _is_here(event: Episode, cement: CementEvent, level: str) -> bool:
    """Whether a record is of this vertebra: it names it, or names none and may be, as in an event of one it must."""
    if cement.place.level != UNSPECIFIED or level == UNSPECIFIED:
        return cement.place.level == level
    return len(event.levels) == 1 or cement.place.holds(level)


def _said(chart: KnownChart, event: CementEvent) -> Iterator[str]:
    """The techniques that the codes of one record state."""
    for coding in codings(event.resource.body.get("code")):
        for technique in ("vertebroplasty", "kyphoplasty"):
            if chart.terms.match(technique, [coding]):
                yield technique
        if chart.terms.match("fracture-reposition", [coding]):
            yield "kyphoplasty"


def _stopped(rows: Sequence[Finding], own: Sequence[Finding]) -> Fact:
    """A stop at no named vertebra of several may have been at this one; that there was none clears them all."""
    sure = [f for f in rows if f in own or f.answer == "absent"]
    loose = [replace(f, confirmed=False) for f in rows if f not in own and f.answer == "present"]
    return answered("stopped-for-leak", THERE, [*sure, *loose])


def _volume(rows: Sequence[Finding]) -> Fact:
    """The latest volume, to the tenth of a millilitre that the vocabulary keeps."""
    last = latest([f for f in rows if f.number is not None])
    if not last:
        return unknown("cement-volume")
    return agreed("cement-volume", last, lambda f: round(f.number or Decimal(0), 1))
