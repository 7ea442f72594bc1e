"""Stays: which encounters are going on at the instant of the decision."""

from __future__ import annotations

from typing import Final

from adapters.fhir.known_chart import KnownChart, days
from adapters.fhir.reading import When, at_path
from pathway.chart import ChartResource

GONE: Final = frozenset({"planned", "cancelled", "entered-in-error"})
_GOING_ON: Final = frozenset({"arrived", "triaged", "in-progress", "onleave"})
LONGEST_STAY: Final = 90
"""Days after which an open stay without an end is doubted. A project default of 2026-11-22, awaiting sign-off."""


def going_on(encounter: ChartResource, chart: KnownChart) -> bool:
    """Whether an encounter has begun and not ended; an end that was known when it came counts as planned after that."""
    body = encounter.body
    if body.get("status") in GONE:
        return False
    unfinished = body.get("status") in _GOING_ON
    end = When.read(at_path(body, "period.end"), chart.zone)
    if end is None:
        return unfinished
    return end.latest > chart.as_of and (unfinished or end.latest <= encounter.received_at)


def forgotten(encounter: ChartResource, chart: KnownChart) -> bool:
    """Whether an encounter that goes on was more likely never closed: no end, and begun long ago or never."""
    start, end = (When.read(at_path(encounter.body, f"period.{part}"), chart.zone) for part in ("start", "end"))
    return end is None and (start is None or days(start.earliest, chart.as_of) > LONGEST_STAY)
