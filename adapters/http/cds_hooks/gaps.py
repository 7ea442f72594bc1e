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
from pathway.facts import Fact, Interval, Reason, Sheet, unknown
from pathway.ports import FactBuilder

CODE: Final = "not-retrieved"
SILENCE: Final[Mapping[str, frozenset[str]]] = {
    "procedures": frozenset({"cement-on-record", "cement-before-onset"}),
    "encounters": frozenset({"hospitalised"}),
    "allergies": frozenset({"cement-allergy"}),
    "requests": frozenset({"levels-planned"}),
}
"""By prefetch key the data whose `false`, or whose number without a source, rests on nothing having been found."""


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
    return fact.value is False or (isinstance(fact.value, Interval) and not fact.sources)


def _doubt(sheet: Sheet, doubted: frozenset[str]) -> Sheet:
    silent = {name for name in doubted & sheet.facts.keys() if _rests_on_silence(sheet.facts[name])}
    facts = {
        name: unknown(name, Reason.NOT_RETRIEVED) if name in silent else fact for name, fact in sheet.facts.items()
    }
    return replace(sheet, facts=facts)
