"""The care of the bone behind one fractured vertebra, cemented or not, and whether a cement procedure carries it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from adapters.fhir.bone_courses import on_treatment
from adapters.fhir.bone_facts import bone_facts
from adapters.fhir.known_chart import KnownChart
from adapters.fhir.treated_facts import TreatedReader
from pathway.episodes import SAME_FRACTURE, Episode, EpisodeKind
from pathway.facts import Fact, unknown

_HERE: Final = {
    "osteoporosis-referral": "fracture-referral", "osteoporosis-treatment": "fracture-treatment",
    "bone-density-result": "fracture-density", "bone-laboratory": "fracture-laboratory",
}  # fmt: skip
"""The facts of a cemented vertebra -> those of a fracture."""
_DATED_EARLY: Final = timedelta(days=7)
"""How long before the stated onset cement still belongs to it, as for `cement-on-record`. A project default."""


def bone_care(
    chart: KnownChart, rows: Mapping[str, Mapping[str, Fact]], person: Mapping[str, Fact]
) -> Iterator[tuple[str, Fact]]:
    """For each vertebra what was done for its bone since its fracture; nothing but unknowns where none is on record."""
    beside = any(person[datum].value is True for datum in ("osteoporosis-recorded", "hormone-therapy"))
    causes = {level: facts["fracture-cause"] for level, facts in rows.items()}
    for level in rows:
        episode = chart.current_episode(level)
        if episode is None:
            yield from ((level, unknown(datum)) for datum in (*_HERE.values(), "fracture-on-treatment"))
            yield level, Fact("bone-care-by-cement", False, at=chart.as_of)
            continue
        for fact in bone_facts(chart, chart.since(level)):
            yield level, replace(fact, datum=_HERE[fact.datum])
        yield level, on_treatment(chart, episode.onset_at)
        yield level, _by_cement(chart, episode, level, causes, beside=beside)


def _by_cement(
    chart: KnownChart, fracture: Episode, level: str, causes: Mapping[str, Fact], *, beside: bool
) -> Fact:  # fmt: skip
    """Cement since the fracture began carries its care; an earlier one of the same bout while its own is not done.

    The care after it has to hold all that the fracture asks for: cement into a tumour carries no osteoporosis.
    """
    owed, begun = _owed(causes[level], beside=beside), fracture.onset_at
    carrying: list[Episode] = []
    for event in chart.episodes_of(EpisodeKind.PROCEDURE):
        readers = [TreatedReader(chart, event, one, causes) for one in event.levels]
        readers = [reader for reader in readers if owed <= _owed(reader.cause(), beside=beside)]
        since = event.onset_at >= begun - _DATED_EARLY
        bout = begun - event.onset_at <= SAME_FRACTURE
        if readers and (since or (bout and any(not _done(reader) for reader in readers))):
            carrying.append(event)
    sources = tuple(sorted({source for event in carrying for source in event.sources}))
    at = max((event.onset_at for event in carrying), default=chart.as_of)
    return Fact("bone-care-by-cement", bool(carrying), at=at, sources=sources)


def _owed(cause: Fact, *, beside: bool) -> frozenset[str]:
    """The care that a cause asks for, as the rules have it; `beside` says that a tumour's bone has osteoporosis too."""
    if cause.value == "high-energy":
        return frozenset()
    if cause.value == "neoplastic":
        return frozenset({"oncology", "osteoporosis"} if beside else {"oncology"})
    return frozenset({"osteoporosis"})


def _done(reader: TreatedReader) -> bool:
    """Whether evidence has ended the care after a procedure: the referral was kept, a drug was handed out."""
    facts = {fact.datum: fact.value for fact in bone_facts(reader.chart, reader.fractured_at)}
    return (facts["osteoporosis-referral"], facts["osteoporosis-treatment"]) == ("kept", "dispensed")
