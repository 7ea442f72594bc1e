"""Suspicion of a fracture: how many of ten signs are there, never rounded up where some are not recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.person_facts import diagnosed
from adapters.fhir.plan_facts import since_present_fracture
from pathway.facts import Fact, Interval, unknown

_DATUM: Final = "suspicion-findings"
_ITEMS: Final = (  # the finding suspicion-…, and its words
    ("adl-limited", "daily life limited"), ("relief-at-rest", "relief at rest"), ("minor-trauma", "minor trauma"),
    ("activity-pain", "pain with activity"), ("osteoporosis", "osteoporosis or osteopenia"),
    ("earlier-fracture", "earlier fracture"), ("steroids", "long-term steroids"),
    ("tenderness", "tender spinous process"),
    ("position-change", "pain on change of position"), ("midline-pain", "midline pain"),
)  # fmt: skip
_DIAGNOSES: Final = {"osteoporosis": "osteoporosis", "steroids": "systemic-steroids"}  # item -> value set
_OTHER: Final = {  # item -> a finding that tells the same, and what its answers mean
    "minor-trauma": ("fracture-mechanism", {"low-energy": True, "high-energy": False}),
    "tenderness": ("spinal-tenderness", {"present": True}),
}


def suspicion(chart: KnownChart) -> Fact:
    """From the signs recorded present to all but those recorded absent; unknown while none is recorded.

    A code or another finding may show that a sign is there; only its own finding says that it is not.
    """
    found = {words: _item(chart, item) for item, words in _ITEMS}
    known = {words: fact for words, fact in found.items() if fact.known}
    if not known:
        return unknown(_DATUM)
    there = [words for words, fact in known.items() if fact.value is True]
    silent = [words for words in found if words not in known]
    at = max(fact.at for fact in known.values() if fact.at is not None)
    sources = tuple(dict.fromkeys(source for fact in known.values() for source in fact.sources))
    detail = {
        "recorded": f"{len(known)} of {len(_ITEMS)}", "present": ", ".join(there) or "none",
        "absent": ", ".join(w for w in known if w not in there) or "none", "silent": ", ".join(silent) or "none",
    }  # fmt: skip
    return Fact(_DATUM, Interval(len(there), len(there) + len(silent)), None, None, at, sources, detail)


def _item(chart: KnownChart, item: str) -> Fact:
    """Its own finding; else what else shows it. Signs from before the present fracture say nothing of this one."""
    lasting = item in _DIAGNOSES or item == "earlier-fracture"
    since = None if lasting else since_present_fracture(chart)
    code = f"suspicion-{item}"
    said = answered(_DATUM, HOLDS, [f for f in chart.named(code) if since is None or f.at >= since])
    if said.known:
        return said
    return next((fact for fact in _shown(chart, item, since) if fact.known), said)


def _shown(chart: KnownChart, item: str, since: datetime | None) -> Iterator[Fact]:
    if item in _DIAGNOSES:
        yield diagnosed(chart, _DATUM, _DIAGNOSES[item]) or unknown(_DATUM)
    if item in _OTHER:
        code, answers = _OTHER[item]
        yield answered(_DATUM, answers, [f for f in chart.named(code) if since is None or f.at >= since])
