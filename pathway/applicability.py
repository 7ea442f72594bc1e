"""Which rule sets decide: those for everybody, and of each family those for this payer and this place.

A family holds one rule set for each jurisdiction. Place decides which of them is asked: while it is unknown none can be
chosen. The payer only rules out: while it is unknown the chosen rule set says itself that it is missing. What could not
be chosen is never silent: every family leaves one entry that says what was chosen, or why nothing was. A place that
none of those that run speaks about is answered with not applicable only if the whole family runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pathway.case import Case
from pathway.rulebook import RuleSet
from pathway.strata import Machine

PAYER: Final = "payer"
PLACE: Final = "place-of-service"


@dataclass(frozen=True, slots=True)
class Choice:
    """The machines that run, in their given order, and one entry of plain JSON for each family that was asked."""

    machines: tuple[Machine, ...]
    families: tuple[dict[str, Any], ...]


def choose(case: Case, machines: Sequence[Machine], not_run: Sequence[Mapping[str, str]] = ()) -> Choice:
    """The rule sets that speak about this person, by who pays and where care is given.

    `not_run` are the configured ones that do not decide, each with its family.
    """
    families: dict[str, list[RuleSet]] = {}
    for machine in machines:
        if machine.rule_set.applies_to:
            families.setdefault(machine.rule_set.family, []).append(machine.rule_set)
    absent = {name: [one["ruleSet"] for one in not_run if one.get("family") == name] for name in families}
    entries = {name: _entry(case, name, sets, absent[name]) for name, sets in families.items()}
    run = {id for entry in entries.values() for id in entry["chosen"]}
    return Choice(
        tuple(m for m in machines if not m.rule_set.applies_to or m.rule_set.id in run), tuple(entries.values())
    )


def _entry(case: Case, family: str, sets: Sequence[RuleSet], absent: Sequence[str]) -> dict[str, Any]:
    """What came of one family: `chosen`, `not-applicable`, or `insufficient-data` with what is missing."""
    facts = case.person.facts
    payer, place = facts[PAYER], facts[PLACE]
    payers = {value for one in sets for value in one.applies_to.get(PAYER, ())}
    fitting = [one for one in sets if place.value in one.applies_to.get(PLACE, ())]
    entry: dict[str, Any] = {"family": family, "kind": sets[0].kind, "chosen": [], "missing": []}
    if payer.known and payer.value not in payers:
        return {**entry, "outcome": "not-applicable", "reason": f"Who pays: {_words(payer.value)}"}
    if not place.known:
        missing = [_missing(case, sets[0], id) for id in (PLACE, PAYER) if not facts[id].known]
        reason = "Where care is given is not known: none can be chosen"
        return {**entry, "outcome": "insufficient-data", "reason": reason, "missing": missing}
    if not fitting and absent:
        reason = f"Place of care: {_area(place.value)}; what may speak about it did not decide: {', '.join(absent)}"
        return {**entry, "outcome": "insufficient-data", "reason": reason}
    if not fitting:
        return {**entry, "outcome": "not-applicable", "reason": f"Place of care: {_area(place.value)}"}
    reason = f"Place of care: {_area(place.value)}; who pays: {_words(payer.value) if payer.known else 'not known'}"
    return {**entry, "outcome": "chosen", "reason": reason, "chosen": [one.id for one in fitting]}


def _missing(case: Case, rule_set: RuleSet, id: str) -> dict[str, str]:
    fact, ask = case.person.facts[id], rule_set.vocabulary[id].ask
    reason = fact.reason.value if fact.reason else "not-recorded"
    return {"datum": id, "reason": reason, "ask": ask, "say": rule_set.vocabulary.asks[ask].say}


def _area(value: object) -> str:
    """A contractor's area as people write it: JE, J15; a place outside all of them as it is."""
    return str(value).upper() if len(str(value)) < len("J100") else _words(value)


def _words(value: object) -> str:
    return str(value).replace("-", " ")
