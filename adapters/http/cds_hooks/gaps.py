"""Facts that speak from silence, where the silence is ours: what could not be fetched is unknown, never "no".

"No cement since onset" is read from a chart without such a procedure. If the procedures could not be fetched, the
chart is silent because we are deaf, and the fact becomes `not-retrieved`. A yes stays a yes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pathway.case import Case
from pathway.chart import ChartResource, SetAside
from pathway.episodes import Episode
from pathway.facts import Fact, Interval, Reason, Sheet, Value, unknown
from pathway.ports import FactBuilder

CODE: Final = "not-retrieved"
_MEDICINES: Final = frozenset({"antithrombotic", "antithrombotic-plan", "antithrombotic-restart", "coagulopathy"})
SILENCE: Final[Mapping[str, frozenset[str]]] = {
    "procedures": frozenset({"cement-on-record", "cement-before-onset"}),
    "encounters": frozenset({"hospitalised"}),
    "allergies": frozenset({"cement-allergy", "contrast-allergy", "antibiotic-allergy"}),
    "requests": frozenset({"levels-planned", "procedure-planned", "cement-ordered-here"}),
    "medications": _MEDICINES,
    "medicationStatements": _MEDICINES,
}
"""By prefetch key the data whose `false` or `none`, or number without a source, rests on nothing having been found.

What a person said of antithrombotics, of the plan for them and of coagulation, a medicine recorded since outweighs.
"""
_STANDS: Final[Mapping[str, Value]] = {
    "antithrombotic": "anticoagulant", "antithrombotic-plan": "", "antithrombotic-restart": "",
}  # fmt: skip
"""Data of which more than a no rests on silence, and the one value that nothing unheard would change: the worst."""


@dataclass(frozen=True, slots=True)
class GapReader:
    """A fact builder that mistrusts a no which rests on data that could not be had. The set-aside name the gaps."""

    inner: FactBuilder

    def build(
        self, patient: str, chart: Sequence[ChartResource], as_of: datetime, episodes: Sequence[Episode] = (),
        standing: Sequence[str] = (), aside: Sequence[SetAside] = (),
    ) -> Case:  # fmt: skip
        """The case, with each such no as unknown."""
        case = self.inner.build(patient, chart, as_of, episodes, standing, aside)
        doubted = frozenset[str]().union(*(SILENCE.get(item.where, ()) for item in aside if item.code == CODE))
        return replace(
            case, person=_doubt(case.person, doubted), levels=tuple(_doubt(sheet, doubted) for sheet in case.levels)
        )


def _rests_on_silence(fact: Fact) -> bool:
    if fact.datum in _STANDS:
        return fact.known and fact.value != _STANDS[fact.datum]
    return fact.value is False or fact.value == "none" or (isinstance(fact.value, Interval) and not fact.sources)


def _doubt(sheet: Sheet, doubted: frozenset[str]) -> Sheet:
    silent = {name for name in doubted & sheet.facts.keys() if _rests_on_silence(sheet.facts[name])}
    facts = {name: _unheard(fact) if name in silent else fact for name, fact in sheet.facts.items()}
    return replace(sheet, facts=facts)


def _unheard(fact: Fact) -> Fact:
    """The fact as unknown; a drug that is known stays feared, for what was not retrieved can only be worse."""
    if fact.datum != "antithrombotic" or fact.value == "none":
        return unknown(fact.datum, Reason.NOT_RETRIEVED)
    detail = dict(fact.detail) | {"why": "a stronger drug may be among the medicines that could not be retrieved"}
    return unknown(
        fact.datum, Reason.UNCONFIRMED, candidate=fact.value, at=fact.at, sources=fact.sources, detail=detail
    )
