"""What one finding answers by itself: each datum, the finding that tells it, and what its answers mean.

The latest wins, item by item; a panel or a signed attestation may hold several of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.fhir.answers import HOLDS, answered
from adapters.fhir.known_chart import KnownChart
from pathway.facts import Fact, Reason, Value

Answers = Mapping[str, Value]

_ABLE: Final[Answers] = {"able": True, "unable": False}
_RISK: Final[Answers] = {"high": "high", "not-high": "not-high"}
_TOLERANCE: Final[Answers] = {"tolerated": "tolerated", "doubtful": "doubtful"}

PLAIN: Final[tuple[tuple[str, str, Answers], ...]] = (  # datum, finding, answers
    ("mri-unsafe", "mri-unsafe", HOLDS),
    ("pain-controlled", "pain-control", HOLDS),
    ("physiotherapy-tolerated", "physiotherapy-tolerance", _ABLE),
    ("analgesia-side-effects", "analgesia-side-effects", HOLDS),
    ("cardiopulmonary-disease", "cardiopulmonary-disease", HOLDS),
    ("bleeding-risk", "bleeding-risk", HOLDS),
    ("thrombotic-risk", "thrombotic-risk", _RISK),
    ("antibiotic-prophylaxis", "antibiotic-prophylaxis", HOLDS),
    ("prone-and-sedation", "prone-and-sedation", _TOLERANCE),
    ("surgical-rescue", "surgical-rescue", HOLDS),
    ("team-discussion", "team-discussion", HOLDS),
    ("nutrition-advice", "nutrition-advice", HOLDS),
    ("falls-assessment", "falls-assessment", HOLDS),
    ("three-messages", "three-messages", HOLDS),
    ("performance-status-poor", "performance-status-poor", HOLDS),
    ("hyperviscosity", "hyperviscosity", HOLDS),
    ("activity-advice", "activity-advice", HOLDS),
    ("cannot-sit-upright", "cannot-sit-upright", HOLDS),
    ("dental-review", "dental-review", HOLDS),
    ("fall-risk-high", "fall-risk-high", HOLDS),
    *((f"consent-{item}", f"consent-{item}", HOLDS) for item in (
        "trial-evidence", "leak", "embolism", "infection", "bleeding", "new-fracture",
    )),
)  # fmt: skip


def unusable(results: Iterable[Fact]) -> Fact:
    """Whether a result is on record that nobody can use: what cannot be read may be the bad one."""
    datum, bad = "unusable-results", [r for r in results if r.reason in (Reason.UNPARSEABLE, Reason.CONFLICTING)]
    which = {"which": ", ".join(sorted(fact.datum for fact in bad))} if bad else {}
    sources = tuple(dict.fromkeys(source for fact in bad for source in fact.sources))
    return Fact(datum, bool(bad), None, None, max((r.at for r in bad if r.at), default=None), sources, which)


def plain(chart: KnownChart) -> Iterator[Fact]:
    """Every datum that the latest of one finding answers."""
    for datum, code, answers in PLAIN:
        yield answered(datum, answers, chart.named(code))
