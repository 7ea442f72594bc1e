"""Whether a chart codes both halves of a claim for a tumour fracture: the fracture (M84.58) and the tumour (I-03)."""

from __future__ import annotations

from typing import Final

from adapters.fhir.known_chart import KnownChart
from adapters.fhir.reading import codings, status_code
from pathway.chart import ChartResource
from pathway.facts import Fact, Reason, unknown
from pathway.levels import LevelRange

_FRACTURE: Final = "vertebral-fracture-neoplastic"
_TUMOUR: Final = "tumour-claim"
_PAIRED: Final = {
    (True, True): "both", (True, False): "fracture-only", (False, True): "tumour-only", (False, False): "neither",
}  # fmt: skip


def claim_codes(chart: KnownChart, level: str) -> Fact:
    """Both, one or neither, as far as diagnoses are confirmed; what a doubtful one would make of it is a candidate."""
    fractures, perhaps = _fractures(chart, level)
    tumours = [r for r, standing in chart.conditions(_TUMOUR) if standing == "active" or _remission(r, standing)]
    feared = [r for r, standing in chart.conditions(_TUMOUR) if standing == "suspected"]
    sure = _PAIRED[bool(fractures), bool(tumours)]
    possible = _PAIRED[bool(fractures or perhaps), bool(tumours or feared)]
    sources = tuple(r.reference for r in (*fractures, *tumours))
    if possible == sure:
        return Fact("tumour-claim-codes", sure, at=chart.as_of, sources=sources)
    sources = (*sources, *(r.reference for r in (*perhaps, *feared)))
    return unknown("tumour-claim-codes", Reason.UNCONFIRMED, candidate=possible, at=chart.as_of, sources=sources)


def _fractures(chart: KnownChart, level: str) -> tuple[list[ChartResource], list[ChartResource]]:
    """Codes of a tumour fracture that are surely this vertebra's, and those that only may be.

    One counts where it names the vertebra, or belongs to its episode; its aftermath (XS) is coded for a claim, too.
    """
    episode = chart.current_episode(level)
    own = frozenset(episode.sources) if episode else frozenset[str]()
    sure: list[ChartResource] = []
    perhaps: list[ChartResource] = []
    for resource, standing in chart.conditions(_FRACTURE):
        named = _named(chart, resource)
        if named and level not in named:
            continue
        here = bool(named) or resource.reference in own
        (sure if here and standing != "suspected" else perhaps).append(resource)
    return sure, perhaps


def _named(chart: KnownChart, resource: ChartResource) -> set[str]:
    """The vertebrae that a diagnosis names."""
    sites = (chart.terms.match("vertebral-level", [coding]) for coding in codings(resource.body.get("bodySite")))
    places: list[LevelRange] = [site.levels for site in sites if site and site.levels]
    return {place.level for place in places}


def _remission(resource: ChartResource, standing: str) -> bool:
    """A myeloma in remission is over as a finding and coded all the same (C90.01)."""
    return standing == "over" and status_code(resource.body.get("clinicalStatus")) == "remission"
