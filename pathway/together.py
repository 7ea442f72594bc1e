"""Criteria that share data, completed together: what looks as if it mattered while each is taken by itself.

That a cause is both a tumour and none is one combination of verdicts, and no answer leads to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pathway.completions import Completions, Reached, State, Steps
from pathway.diagram import Diagram, Node
from pathway.errors import CompileError

TOGETHER: Final = 3_000
"""Steps of a search, and combinations. Part of what a decision says: another number may change `missing`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Criteria that hang together by data without a final answer: most of them one criterion, with data of its own.

    `places` are their questions in the diagram, `data` all the data whose answer changes one of them.
    """

    places: tuple[int, ...]
    together: Completions
    states: tuple[State, ...]
    data: frozenset[str]

    def answers(self, reached: Reached) -> dict[int, bool]:
        """What a completion answers, by the question of the diagram."""
        return {place: verdict is True for place, verdict in zip(self.places, reached, strict=True)}


def sharing(open_data: Sequence[Sequence[str]], places: Sequence[int]) -> list[tuple[int, ...]]:
    """The criteria at these places, those that share open data together. `open_data` are those of each criterion."""
    groups: list[tuple[set[int], set[str]]] = []
    for place in places:
        joined, data = {place}, set(open_data[place])
        for other in [group for group in groups if group[1] & data]:
            groups.remove(other)
            joined |= other[0]
            data |= other[1]
        groups.append((joined, data))
    return [tuple(sorted(joined)) for joined, _ in groups]


def idle_data(diagram: Diagram, root: Node, groups: Sequence[Group]) -> Iterator[str]:
    """The data of the groups that no completion of the data makes matter.

    Where finding that out takes more than `TOGETHER` steps, none: asking for too much is the safe side.
    """
    shared = [group for group in groups if len(group.places) > 1]
    if not shared:
        return
    try:
        left = _left(diagram, root, shared)
    except CompileError:
        return
    asked = {question for node in set(left.values()) for question in diagram.questions(node)}
    for group in groups:
        if len(group.places) > 1:
            ends = _by_end(left, shared.index(group))
            differ = partial(_differ, ends)
            yield from group.data.difference(group.together.open(group.states, differ, Steps(TOGETHER)))
        elif asked.isdisjoint(group.places):
            yield from group.data


_Left = dict[tuple[Reached, ...], Node]
"""What is left of the outcome after one completion of each group that shares data."""


def _left(diagram: Diagram, root: Node, shared: Sequence[Group]) -> _Left:
    left: _Left = {(): root}
    for group in shared:
        steps = Steps(TOGETHER)
        ends = sorted(group.together.reached(group.states, steps=steps))
        given = {end: diagram.giving(group.answers(end)) for end in ends}
        left = {(*before, end): given[end](node) for before, node in left.items() for end in ends if steps.take()}
    return left


def _by_end(left: _Left, place: int) -> dict[Reached, list[Node]]:
    """What is left after each completion of one group, for every completion of the other groups in the same order."""
    rows: dict[Reached, list[Node]] = {}
    for ends, node in left.items():
        rows.setdefault(ends[place], []).append(node)
    return rows


def _differ(ends: dict[Reached, list[Node]], one: Reached, two: Reached) -> bool:
    """Whether two completions of a group lead to different outcomes, for some completion of everything else."""
    return ends[one] != ends[two]
