"""Decision diagrams against their truth tables."""

import random
from itertools import product

import pytest

from pathway import diagram as module
from pathway.conditions import All, AnyOf, Condition, Leaf, Not, Op
from pathway.diagram import NO, YES, Diagram, Node
from pathway.errors import CompileError
from tests.engine.sheets import flag

NAMES = 6
QUESTIONS = [Leaf(flag(f"q{n}"), Op.IS, True) for n in range(NAMES)]


def random_test(rng: random.Random, depth: int = 3) -> Condition:
    if not depth or rng.random() < 0.3:
        return rng.choice(QUESTIONS)
    if rng.random() < 0.25:
        return Not(random_test(rng, depth - 1))
    return rng.choice((All, AnyOf))(tuple(random_test(rng, depth - 1) for _ in range(rng.randint(1, 3))))


def holds(condition: Condition, row: tuple[bool, ...]) -> bool:
    match condition:
        case Leaf():
            return row[QUESTIONS.index(condition)]
        case Not(part):
            return not holds(part, row)
        case All(parts):
            return all(holds(part, row) for part in parts)
        case AnyOf(parts):
            return any(holds(part, row) for part in parts)


def drawn(diagram: Diagram, condition: Condition) -> Node:
    match condition:
        case Leaf():
            return diagram.ask(QUESTIONS.index(condition), YES, NO)
        case Not(part):
            return diagram.choose(drawn(diagram, part), NO, YES)
        case All(parts):
            node = YES
            for part in parts:
                node = diagram.choose(drawn(diagram, part), node, NO)
            return node
        case AnyOf(parts):
            node = NO
            for part in parts:
                node = diagram.choose(drawn(diagram, part), YES, node)
            return node


@pytest.mark.parametrize("seed", range(40))
def test_a_diagram_is_its_truth_table(seed: int) -> None:
    """The first of three tests that holds says which word follows: under every answer, and after some are given."""
    rng = random.Random(seed)
    tests = [random_test(rng) for _ in range(3)]
    diagram = Diagram()
    root = diagram.end("none")
    for word, test in zip("abc", tests, strict=True):
        root = diagram.choose(drawn(diagram, test), diagram.end(word), root)
    rows = list(product((True, False), repeat=NAMES))
    table = {row: next((w for w, t in zip("cba", tests[::-1], strict=True) if holds(t, row)), "none") for row in rows}
    for row, word in table.items():
        assert diagram.ends(diagram.given(root, dict(enumerate(row)))) == {word}
    some = {n: rng.random() < 0.5 for n in rng.sample(range(NAMES), 2)}
    left, kept = diagram.given(root, some), [row for row in rows if all(row[n] is v for n, v in some.items())]
    assert diagram.ends(left) == {table[row] for row in kept}
    assert diagram.questions(left) == {
        n for n in range(NAMES) if any(table[row] != table[flipped(row, n)] for row in kept if n not in some)
    }


def flipped(row: tuple[bool, ...], place: int) -> tuple[bool, ...]:
    return (*row[:place], not row[place], *row[place + 1 :])


def test_equal_functions_are_one_node() -> None:
    a, b, c = QUESTIONS[:3]
    diagram = Diagram()
    assert drawn(diagram, Not(All((a, b)))) == drawn(diagram, AnyOf((Not(b), Not(a))))
    assert drawn(diagram, AnyOf((a, All((a, c))))) == drawn(diagram, a)
    assert drawn(diagram, AnyOf((a, Not(a)))) == YES


def test_a_copy_goes_on_without_changing_its_original() -> None:
    a, b = QUESTIONS[:2]
    diagram = Diagram()
    root = drawn(diagram, All((a, b)))
    other = diagram.copy()
    assert other.questions(other.given(root, {0: True})) == {1}
    other.ask(5, YES, NO)
    assert diagram.ask(4, YES, NO) != root
    assert diagram.questions(root) == {0, 1}


def test_a_function_beyond_all_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NODES", 3)
    with pytest.raises(CompileError, match="too many ways"):
        drawn(Diagram(), All(tuple(QUESTIONS)))
