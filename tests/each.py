"""One test over many things: it goes on past the first that fails, and names every offender.

For thousands of small looks at what we ship, where a test for each would cost more to list than to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any


def each(things: Iterable[Any], name: Callable[..., str] = str) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Run a test for each of the things; a plain tuple fills several arguments. `name` says which one failed."""
    rows: list[tuple[Any, ...]] = [thing if type(thing) is tuple else (thing,) for thing in things]

    def of(test: Callable[..., None]) -> Callable[[], None]:
        assert rows, f"{test.__name__} has nothing to look at"
        takes = len(signature(test).parameters)

        def whole() -> None:
            faults: list[str] = []
            for row in rows:
                try:
                    test(*row[:takes])
                except AssertionError as fault:
                    faults.append(f"{name(*row)}: {fault}")
            assert faults == [], "\n".join(faults)

        whole.__name__, whole.__doc__, whole.__module__ = test.__name__, test.__doc__, test.__module__
        return whole

    return of
