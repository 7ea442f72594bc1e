"""What our compiler and driver make of one or a few conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pathway.compiler import Shard, Statement, compile_statements
from pathway.conditions import Condition
from pathway.engine import Engine
from pathway.facts import Fact
from pathway.vocabulary import Scope
from tests.engine.sheets import AS_OF


def shards(*conditions: Condition) -> tuple[Shard, ...]:
    return compile_statements(Statement(f"s{n}", Scope.PATIENT, one) for n, one in enumerate(conditions))


def judged(conditions: Sequence[Condition], *facts: Fact) -> list[bool | None]:
    """The engine's verdicts on one view, in the order of the conditions."""
    engine = Engine(shards(*conditions))
    (row,) = engine.run([(Scope.PATIENT, {one.datum: one for one in facts})], AS_OF)
    engine.close()
    return list(row.values())


def patterns(shard: Shard) -> Iterable[dict[str, Any]]:
    """Every single comparison in a ruleset."""
    for rule in shard.ruleset.values():
        assert list(rule) == ["all"]
        (frame,) = rule["all"]
        ((alias, pattern),) = frame.items()
        assert not alias.endswith(("$not", "$all", "$any"))
        assert list(pattern) == ["$and"]
        yield from pattern["$and"]


def sheet(condition: Condition, *facts: Fact) -> dict[str, Any]:
    (shard,) = shards(condition)
    return shard.project({one.datum: one for one in facts}, AS_OF, 0)
