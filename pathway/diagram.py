"""What follows from questions of yes and no, as a decision diagram: one node for each question that still matters.

Reduced and ordered (R. E. Bryant, "Graph-based algorithms for Boolean function manipulation", 1986): functions that
are equal are the same node, and a question that can change nothing is asked nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from pathway.errors import CompileError

Node = int
"""A place in a diagram. Ends are negative numbers, given by `Diagram.end`; questions stand at 0, 1, 2…"""

NO: Final[Node] = -1
YES: Final[Node] = -2
MAX_NODES: Final = 200_000


class _Asked(NamedTuple):
    question: int
    yes: Node
    no: Node


class Diagram:
    """Nodes under construction; questions are asked in the order of their numbers. One thread at a time.

    Raises CompileError where a function has more than `MAX_NODES` nodes.
    """

    def __init__(self) -> None:
        self._ends: list[str] = ["no", "yes"]
        self._nodes: list[_Asked] = []
        self._places: dict[_Asked, Node] = {}
        self._chosen: dict[tuple[Node, Node, Node], Node] = {}

    def end(self, word: str) -> Node:
        """The end at which nothing more is asked, and a word stands for what follows."""
        if word not in self._ends:
            self._ends.append(word)
        return -1 - self._ends.index(word)

    def ask(self, question: int, yes: Node, no: Node) -> Node:
        """The node that goes on at `yes` or at `no`; both must ask later questions only."""
        if yes == no:
            return yes
        asked = _Asked(question, yes, no)
        place = self._places.setdefault(asked, len(self._nodes))
        if place == len(self._nodes):
            if place >= MAX_NODES:
                raise CompileError("too many ways through the outcome rules", fix="Split the rules, or a criterion")
            self._nodes.append(asked)
        return place

    def choose(self, test: Node, then: Node, other: Node) -> Node:
        """`then` where the test ends in YES, `other` where it ends in NO."""
        if test < 0:
            return then if test == YES else other
        if then == other:
            return then
        key = (test, then, other)
        if key not in self._chosen:
            first = min(self._nodes[node].question for node in key if node >= 0)
            yes, no = (self.choose(*(self._after(node, first, truth) for node in key)) for truth in (True, False))
            self._chosen[key] = self.ask(first, yes, no)
        return self._chosen[key]

    def given(self, root: Node, answers: Mapping[int, bool]) -> Node:
        """What is left of a function once some of its questions are answered."""
        return self.giving(answers)(root)

    def giving(self, answers: Mapping[int, bool]) -> Callable[[Node], Node]:
        """`given` for any number of functions and the same answers."""
        done: dict[Node, Node] = {}
        last = max(answers, default=-1)

        def left(node: Node) -> Node:
            if node < 0 or self._nodes[node].question > last:
                return node
            if node not in done:
                asked = self._nodes[node]
                truth = answers.get(asked.question)
                if truth is None:
                    done[node] = self.ask(asked.question, left(asked.yes), left(asked.no))
                else:
                    done[node] = left(asked.yes if truth else asked.no)
            return done[node]

        return left

    def questions(self, root: Node) -> frozenset[int]:
        """The questions whose answer can change what follows, for some answers to the others."""
        return frozenset(self._nodes[node].question for node in self._reached(root) if node >= 0)

    def ends(self, root: Node) -> frozenset[str]:
        """What can follow."""
        return frozenset(self._ends[-1 - node] for node in self._reached(root) if node < 0)

    def copy(self) -> Diagram:
        """A diagram with the same nodes, to go on from without changing this one."""
        other = Diagram()
        other._ends, other._nodes, other._places = list(self._ends), list(self._nodes), dict(self._places)
        return other

    def _after(self, node: Node, question: int, truth: bool) -> Node:
        if node < 0 or self._nodes[node].question != question:
            return node
        return self._nodes[node].yes if truth else self._nodes[node].no

    def _reached(self, root: Node) -> Iterator[Node]:
        seen, waiting = {root}, [root]
        while waiting:
            node = waiting.pop()
            yield node
            if node >= 0:
                new = {self._nodes[node].yes, self._nodes[node].no} - seen
                seen |= new
                waiting += new
