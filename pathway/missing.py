"""What is missing: the data, and only the data, whose answer could change the outcome under one rule set.

Exact where it can be afforded, otherwise too much and never too little: docs/adr/0008-engine-under-load.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Final
from weakref import WeakValueDictionary

from pathway.comparisons import Comparisons, places
from pathway.completions import Completions, State, state_of
from pathway.conditions import All, AnyOf, Condition, Leaf, Not
from pathway.diagram import NO, YES, Diagram, Node
from pathway.errors import CompileError, DecisionError
from pathway.facts import Fact
from pathway.kleene import View, verdict_of
from pathway.rulebook import Rule, RuleSet
from pathway.together import Group, idle_data, sharing

REFUSAL: Final = "refusal"
_NONE: Final = "no outcome"
_REMEMBERED: Final = 256  # of each kind: it keeps memory flat, and to find something anew takes a few milliseconds
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)  # verdicts have no age


@dataclass(frozen=True, slots=True)
class Wanted:
    """What could change an outcome: data, each with the criterion that waits for it, and flags that are unknown."""

    data: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]


States = tuple[State, ...]
"""How each comparison of a rule set's criteria stands on one sheet."""


class Search:
    """Finds what is wanted under one rule set. Threads may share it.

    Raises CompileError for outcome rules that read a note, or that branch beyond all bounds.
    """

    def __init__(self, rule_set: RuleSet) -> None:
        self._release = rule_set.release
        self._criteria = tuple(rule for rule in rule_set.criteria if rule.role != "note")
        self._places = {rule.id: place for place, rule in enumerate(self._criteria)}
        self._parts = tuple(_alone(rule.when) for rule in self._criteria)
        self.leaves = tuple(leaf for part in self._parts for leaf in part.completions.leaves)
        self._diagram = Diagram()
        self._root = self._outcome(rule_set)
        self._together = lru_cache(maxsize=_REMEMBERED)(self._completed)
        self.wanted_at = lru_cache(maxsize=_REMEMBERED)(self._find)
        self.first_wanted_at = lru_cache(maxsize=_REMEMBERED)(self._first_find)
        self._looked = Comparisons(state_of)
        self._take = places([self._looked.number(leaf) for leaf in self.leaves])

    def deciding(self, verdicts: Mapping[str, str]) -> frozenset[str]:
        """The unknown criteria that could change the outcome, whatever the other unknown ones turn out to be.

        Criteria are taken as independent of each other. Refusals count as one answer: what could only turn one of
        them into another decides nothing.
        """
        _, left = self._left(self._known(verdicts))
        return frozenset(self._criteria[place].id for place in left)

    def possible(self, verdicts: Mapping[str, str]) -> frozenset[str]:
        """The outcomes that completing the unknown criteria can lead to, refusals as one."""
        diagram = self._diagram.copy()
        return diagram.ends(diagram.given(self._root, self._known(verdicts)))

    def _known(self, verdicts: Mapping[str, str]) -> dict[int, bool]:
        return {place: verdicts[id] == "met" for id, place in self._places.items() if verdicts[id] != "unknown"}

    def wanted(self, view: View, as_of: datetime) -> Wanted:
        """What could change the outcome of a level, completing the data themselves."""
        return self.wanted_at(self.states(view, as_of))

    def first_wanted(self, view: View, as_of: datetime) -> Wanted:
        """As decisions of the first form saw it: criteria independent of each other, recorded or not for ever."""
        return self.first_wanted_at(self.states(view, as_of))

    def states(self, view: View, as_of: datetime) -> States:
        """How the comparisons of `leaves` stand on a sheet: all that `wanted_at` and `first_wanted_at` rest on."""
        return self._take(self._looked.on(view, as_of))

    def _by_part(self, states: States) -> list[tuple[State, ...]]:
        rest = iter(states)
        return [tuple(islice(rest, len(part.completions.leaves))) for part in self._parts]

    def _find(self, flat: States) -> Wanted:
        states = self._by_part(flat)
        open_ = [part.open(one) for part, one in zip(self._parts, states, strict=True)]
        settled = {place: self._settled(place, states[place]) for place, data in enumerate(open_) if not data}
        diagram, left = self._left(settled)
        root = diagram.given(self._root, settled)
        groups = [self._group(places, states, open_) for places in sharing(open_, left)]
        idle = frozenset(idle_data(diagram, root, groups))
        rows = [(place, [datum for datum in open_[place] if datum not in idle]) for place in left]
        unsure = {place for place in left if self._parts[place].completions.now(states[place]) == (None,)}
        flags = [place for place, data in rows if data and place in unsure and self._criteria[place].role == "flag"]
        found = [(datum, self._criteria[place].id) for place, data in rows if place not in flags for datum in data]
        return Wanted(tuple(found), tuple(self._criteria[place].id for place in flags))

    def _first_find(self, flat: States) -> Wanted:
        states = self._by_part(flat)
        now = [part.completions.now(one)[0] for part, one in zip(self._parts, states, strict=True)]
        _, left = self._left({place: truth for place, truth in enumerate(now) if truth is not None})
        flags = [self._criteria[place].id for place in left if self._criteria[place].role == "flag"]
        asked = [place for place in left if self._criteria[place].role != "flag"]
        found = [
            (datum, self._criteria[place].id) for place in asked for datum in self._parts[place].open(states[place])
        ]
        return Wanted(tuple(found), tuple(flags))

    def _left(self, known: Mapping[int, bool]) -> tuple[Diagram, list[int]]:
        """The diagram to go on with, and the criteria in order that can still change where it ends."""
        diagram = self._diagram.copy()
        root = diagram.given(self._root, known)
        if _NONE in diagram.ends(root):
            raise DecisionError("no outcome follows from a completion", where=self._release)
        return diagram, sorted(diagram.questions(root))

    def _settled(self, place: int, states: Sequence[State]) -> bool:
        """The verdict of a criterion that no answer can change."""
        part = self._parts[place].completions
        (verdict,) = part.now(states)
        if verdict is None:
            ((verdict,),) = part.reached(states)
        return verdict is True

    def _group(
        self, places: tuple[int, ...], states: Sequence[tuple[State, ...]], open_: Sequence[tuple[str, ...]]
    ) -> Group:
        parts = [self._parts[place].completions for place in places]
        together = parts[0] if len(parts) == 1 else self._together(places)
        own = zip((leaf for part in parts for leaf in part.leaves), chain(*(states[p] for p in places)), strict=True)
        by_leaf = {id(leaf): state for leaf, state in own}
        data = frozenset(datum for place in places for datum in open_[place])
        return Group(places, together, tuple(by_leaf[id(leaf)] for leaf in together.leaves), data)

    def _completed(self, places: tuple[int, ...]) -> Completions:
        return Completions(part for place in places for part in self._parts[place].completions.conditions)

    def _outcome(self, rule_set: RuleSet) -> Node:
        """The outcome as a function of the criteria, met or not met; the rules in hit order, the first one wins."""
        diagram = self._diagram
        root = diagram.end(_NONE)
        for outcome in reversed(rule_set.hit_order):
            end = diagram.end(REFUSAL if outcome in rule_set.refusals else outcome)
            for rule in rule_set.recommendations:
                if rule.outcome == outcome:
                    root = diagram.choose(self._condition(rule, rule.when), end, root)
        return root

    def _condition(self, rule: Rule, condition: Condition) -> Node:
        diagram = self._diagram
        match condition:
            case Leaf(datum):
                if datum.id not in self._places:
                    raise CompileError(
                        f"the outcome rests on {datum.id!r}, which decides nothing",
                        where=rule.id,
                        fix="Make it a gate or a flag",
                    )
                ends = (YES if _holds(condition, verdict) else NO for verdict in ("met", "not-met"))
                return diagram.ask(self._places[datum.id], *ends)
            case Not(part):
                return diagram.choose(self._condition(rule, part), NO, YES)
            case All(parts):
                node = YES
                for part in reversed(parts):
                    node = diagram.choose(self._condition(rule, part), node, NO)
                return node
            case AnyOf(parts):
                node = NO
                for part in reversed(parts):
                    node = diagram.choose(self._condition(rule, part), YES, node)
                return node


class _Alone:
    """One criterion by itself; rule sets that have the same one share it, and what is remembered of it."""

    def __init__(self, condition: Condition) -> None:
        self.completions = Completions((condition,))
        self.open = lru_cache(maxsize=_REMEMBERED)(self.completions.open)


_criteria: Final = WeakValueDictionary[Condition, _Alone]()


def _alone(condition: Condition) -> _Alone:
    known = _criteria.get(condition)
    return known if known is not None else _criteria.setdefault(condition, _Alone(condition))


def _holds(leaf: Leaf, verdict: str) -> bool:
    return verdict_of(leaf, Fact(leaf.datum.id, verdict), _ANY_TIME) is True
