"""Slightly wrong versions of a condition: what a slip of the pen would make of it."""

from collections.abc import Iterator
from dataclasses import replace

from pathway.conditions import ORDERED, All, AnyOf, Condition, Leaf, Not, Op, leaves

DAY = 86400


def mutants(condition: Condition) -> Iterator[tuple[str, Condition]]:
    """Each wrong version, with what is wrong with it. A comparison that a count repeats is wrong everywhere at once."""
    for leaf in leaves(condition):
        for what, wrong in _leaves(leaf):
            yield f"{leaf.datum.id} {what}", _with(condition, leaf, wrong)
    yield from _joints(condition)


def _with(condition: Condition, old: Leaf, new: Leaf) -> Condition:
    match condition:
        case Leaf():
            return new if condition is old else condition
        case Not(part):
            return Not(_with(part, old, new))
        case All(parts) | AnyOf(parts):
            return type(condition)(tuple(_with(part, old, new) for part in parts))


def _joints(condition: Condition) -> Iterator[tuple[str, Condition]]:
    """What goes wrong where comparisons are joined."""
    match condition:
        case Leaf():
            return
        case Not(part):
            yield "not dropped", part
            yield from ((what, Not(wrong)) for what, wrong in _joints(part))
        case All(parts) | AnyOf(parts):
            kind, other = type(condition), AnyOf if isinstance(condition, All) else All
            if len(parts) > 1:
                yield f"{kind.__name__} for {other.__name__}", other(parts)
                for n in range(len(parts)):
                    yield f"part {n} dropped", kind(parts[:n] + parts[n + 1 :])
            for n, part in enumerate(parts):
                for what, wrong in _joints(part):
                    yield f"part {n}: {what}", kind((*parts[:n], wrong, *parts[n + 1 :]))


def _leaves(leaf: Leaf) -> Iterator[tuple[str, Leaf]]:
    operand = leaf.operand
    if leaf.op in ORDERED and isinstance(operand, int):
        yield "bound one step lower", replace(leaf, operand=operand - 1)
        yield "bound one step higher", replace(leaf, operand=operand + 1)
    elif isinstance(operand, bool):
        yield "opposite", replace(leaf, operand=not operand)
    else:
        codes = operand if isinstance(operand, tuple) else (operand,)
        for code in leaf.datum.values:
            wrong = tuple(c for c in codes if c != code) if code in codes else (*codes, code)
            if wrong:
                yield f"{code} {'left out' if code in codes else 'added'}", replace(leaf, op=Op.IN, operand=wrong)
    if leaf.within is not None:
        yield "ages for ever", replace(leaf, within=None)
        yield "limit of age a second shorter", replace(leaf, within=leaf.within - 1)
        yield "limit of age a day longer", replace(leaf, within=leaf.within + DAY)
    if leaf.unconfirmed:
        yield "unconfirmed no longer counts", replace(leaf, unconfirmed=False)
