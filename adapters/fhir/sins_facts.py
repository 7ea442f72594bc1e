"""Stability of a tumour vertebra (SINS): a total, or the sum of six parts, each missing one from least to most.

The parts and their points are those of Fisher 2010, as tabulated at pacs.de (catalogue I-05, S33) and at
oxfordmedicaleducation.com, which agree; both were read on 2026-11-22, the article itself was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import ceil, floor
from typing import Final

from adapters.fhir.answers import agreed, answered
from adapters.fhir.findings import Finding, latest
from adapters.fhir.known_chart import KnownChart
from pathway.facts import Fact, Interval, Value, unknown
from pathway.levels import LevelRange

Own = Callable[[str], Sequence[Finding]]

LESION: Final = "tumour-lesion"
PARTS: Final[Mapping[str, Mapping[str, int]]] = {
    "sins-pain": {"mechanical": 3, "not-mechanical": 1, "pain-free": 0},
    LESION: {"lytic": 2, "mixed": 1, "blastic": 0},
    "sins-alignment": {"subluxation": 4, "new-deformity": 2, "normal": 0},
    "sins-collapse": {"over-half": 3, "under-half": 2, "body-involved": 1, "absent": 0},
    "sins-posterolateral": {"bilateral": 3, "unilateral": 1, "absent": 0},
}
"""Findings and the points of their answers; where the vertebra lies is the sixth part."""
_PLACES: Final = (
    ("C1-C2", 3), ("C3-C6", 2), ("C7-T2", 3), ("T3-T10", 1), ("T11-L1", 3), ("L2-L4", 2), ("L5", 3),
)  # fmt: skip
_SACRUM: Final = Interval(0, 3)  # S1 stands for the sacrum as a whole: its top is junctional, the rest rigid


def tumour_at(chart: KnownChart, level: str, own: Own, until: datetime) -> Iterator[Fact]:
    """The lesion and the score of one vertebra. A lesion is the tumour's, and older than the fracture that it made."""
    lesions = [f for f in chart.named(LESION) if f.level == level and f.at <= until]
    lesion = answered(LESION, {answer: answer for answer in PARTS[LESION]}, lesions)
    yield lesion
    yield _score(level, own, lesion)


def location(level: str) -> Interval:
    """The points for where a vertebra lies."""
    points = next((points for place, points in _PLACES if LevelRange.parse(place).holds(level)), None)
    return _SACRUM if points is None else Interval(points, points)


def _score(level: str, own: Own, lesion: Fact) -> Fact:
    """A total as late as the last part outweighs them; without a total or a part nothing is known."""
    parts = [_points(code, own) for code in PARTS if code != LESION] + [_lesion_points(lesion)]
    known = [part for part in parts if part.known]
    last = max((part.at for part in known if part.at is not None), default=None)
    total = _total(own("sins-total"))
    if total.at is not None and (last is None or total.at >= last):
        return total
    return _sum(level, parts, known) if known else unknown("sins")


def _points(code: str, own: Own) -> Fact:
    return answered(code, PARTS[code], own(code))


def _lesion_points(lesion: Fact) -> Fact:
    if not lesion.known:
        return lesion
    return Fact(LESION, PARTS[LESION][str(lesion.value)], None, None, lesion.at, lesion.sources)


def _sum(level: str, parts: Sequence[Fact], known: Sequence[Fact]) -> Fact:
    """From the least to the most that the known parts allow, and no younger than the oldest of them."""
    place = location(level)
    scored = sum(part.value for part in known if isinstance(part.value, int))
    open_ = [part.datum for part in parts if not part.known]
    most = sum(max(PARTS[code].values()) for code in open_)
    at = min(part.at for part in known if part.at is not None)
    sources = tuple(source for part in known for source in part.sources)
    words = {"missing": ", ".join(code.removeprefix("sins-").removeprefix("tumour-") for code in open_)}
    detail = words if open_ else {}
    return Fact("sins", Interval(place.lo + scored, place.hi + scored + most), None, None, at, sources, detail)


def _total(rows: Sequence[Finding]) -> Fact:
    last = latest([f for f in rows if f.number is not None])
    return agreed("sins", last, _of_total) if last else unknown("sins")


def _of_total(finding: Finding) -> Value:
    return whole(finding.number or Decimal(0))


def whole(total: Decimal) -> Interval:
    """A total as an interval; one that is no whole number is open to both of its neighbours."""
    return Interval(floor(total), ceil(total))
