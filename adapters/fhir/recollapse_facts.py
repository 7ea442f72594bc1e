"""Whether a cemented vertebra sank further, by a finding or by two films after cement, and whether a surgeon looked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.fhir.answers import THERE, answered
from adapters.fhir.findings import Finding, latest
from adapters.fhir.height import unseen_loss
from adapters.fhir.known_chart import KnownChart
from pathway.episodes import Episode
from pathway.facts import Fact, Reason, unknown
from pathway.levels import UNSPECIFIED

_DATUM: Final = "recollapse"
FOUND: Final = ("recollapse", "intravertebral-cleft")
"""The findings that show it: the second, after cement, is a cleft that the cement left open."""


def recollapse(chart: KnownChart, told: Sequence[Finding], event: Episode, level: str, over_at: datetime) -> Fact:
    """`seen`, `reviewed` once a surgeon's signed opinion of this vertebra is later, or `none` where somebody looked.

    What sinks on after an opinion, or after a film that showed nothing, is seen anew.
    `told` are findings of this procedure. One that names no vertebra counts for a procedure of just one; of several it
    may be any of them.
    """
    rows = [f for f in told if f.at >= over_at and f.answer in THERE and f.level in (level, UNSPECIFIED)]
    own = [f for f in rows if f.level == level or len(event.levels) == 1]
    looks = [f.at for f in _named(own, _DATUM) if f.answer == "absent" and f.confirmed]
    seen = _seen(own, chart, level, over_at, looks)
    if not seen:
        vague = [f for f in rows if f not in own and f.answer == "present"]
        return _vague(vague) if vague else answered(_DATUM, {"absent": "none"}, _named(own, _DATUM))
    at, opinions = max(f.at for f in seen), _opinions(chart, level, over_at)
    if any(f.at >= at for f in opinions):
        looks += [f.at + timedelta.resolution for f in opinions]  # the film of that instant was before the surgeon
        again = unseen_loss(_measures(chart, level, over_at), over_at, looks)
        if not again:
            sources = tuple(dict.fromkeys(f.source for f in (*seen, opinions[-1])))
            return Fact(_DATUM, "reviewed", None, None, opinions[-1].at, sources)
        seen, at = [*again], again[0].at
    sources = tuple(dict.fromkeys(f.source for f in seen))
    if all(f.confirmed for f in seen):
        return Fact(_DATUM, "seen", None, None, at, sources)
    return unknown(_DATUM, Reason.UNCONFIRMED, candidate="seen", at=at, sources=sources)


def _seen(
    own: Sequence[Finding], chart: KnownChart, level: str, over_at: datetime, looks: Sequence[datetime]
) -> list[Finding]:  # fmt: skip
    """What shows it: the latest of each finding; two films, unless somebody later looked for it and saw none."""
    seen = [f for code in FOUND for f in latest(_named(own, code)) if f.answer == "present"]
    return [*seen, *unseen_loss(_measures(chart, level, over_at), over_at, looks)]


def _named(rows: Sequence[Finding], code: str) -> list[Finding]:
    return [f for f in rows if f.code == code]


def _vague(rows: Sequence[Finding]) -> Fact:
    why, sources = {"why": "recorded without its vertebra"}, [f.source for f in rows]
    return unknown(_DATUM, Reason.UNCONFIRMED, candidate="seen", at=rows[-1].at, sources=sources, detail=why)


def _measures(chart: KnownChart, level: str, over_at: datetime) -> list[Finding]:
    return [f for f in chart.named("vertebral-height-loss") if f.level == level and f.at >= over_at]


def _opinions(chart: KnownChart, level: str, since: datetime) -> list[Finding]:
    rows = [f for f in chart.named("surgeon-opinion") if f.level == level and f.at >= since and f.confirmed]
    return [f for f in rows if f.answer in ("yes", "present")]
