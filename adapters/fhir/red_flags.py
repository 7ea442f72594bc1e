"""Red flags of a person beyond the examination: infection, restart, cement in the canal, questions left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adapters.fhir.infection_signs import infection_signs
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.nerve_signs import Nerves
from adapters.fhir.restart_facts import restart_facts
from pathway.facts import Fact, Reason, Sheet, unknown

CANAL: Final = "cement-in-canal"
_LEAKS: Final = ("leak-canal", "leak-epidural-veins", "leak-intradural")
_STATED: Final = _LEAKS[:2]  # what the operator states of every vertebra
_NONE: Final = "none on record"


def red_flags(chart: KnownChart, treated: Sequence[Sheet]) -> Iterator[Fact]:
    """Every red flag of the patient's sheet that is not read with the person's other facts."""
    yield from infection_signs(chart)
    yield from restart_facts(chart)
    yield cement_in_canal(chart, treated)
    contacts = [fact for sheet in treated if (fact := sheet.facts["last-contact-day"]).known]
    yield Nerves.of(chart).asked(contacts)


def cement_in_canal(chart: KnownChart, treated: Sequence[Sheet]) -> Fact:
    """Whether cement is known in the canal of any vertebra, which ones, and which hold cement at all.

    Of a procedure without a date nobody can state a leak: it is named, and leaves open where its cement went.
    """
    rows = [(sheet, sheet.facts[leak]) for sheet in treated for leak in _LEAKS]
    there = [(sheet, fact) for sheet, fact in rows if True in (fact.value, fact.candidate)]
    undated = [f"{event.place} (no date)" for event in chart.cement if event.cement and event.when is None]
    cemented = [*(sheet.level for sheet in treated), *undated]
    detail = {"places": _named(sheet.level for sheet, _ in there), "cemented": _named(cemented)}
    if there:
        at = max((fact.at for _, fact in there if fact.at), default=chart.as_of)
        sources = tuple(dict.fromkeys(source for _, fact in there for source in fact.sources))
        if any(fact.value is True for _, fact in there):
            return Fact(CANAL, True, None, None, at, sources, detail)
        return unknown(CANAL, Reason.UNCONFIRMED, candidate=True, at=at, sources=sources, detail=detail)
    if not undated and all(sheet.facts[leak].value is False for sheet in treated for leak in _STATED):
        return Fact(CANAL, False, None, None, chart.as_of, (), detail)
    return unknown(CANAL, detail=detail | {"places": "not stated"})


def _named(levels: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(levels)) or _NONE
