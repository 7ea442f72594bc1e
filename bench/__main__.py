"""`python -m bench`: every bench, or those that are named; the tables to the terminal and to docs/benchmarks.md."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from bench import databases, deciding, engines, hooks, screening, sweeping
from bench.report import Table, write

BENCHES: Final[dict[str, Callable[[], list[Table]]]] = {
    "engines": engines.tables,
    "deciding": deciding.tables,
    "hooks": hooks.tables,
    "databases": databases.tables,
    "screening": screening.tables,
    "sweeping": sweeping.tables,
}


def _silence(*_: object) -> NoReturn:
    raise structlog.DropEvent


def main(names: list[str]) -> None:
    """Run what is named. The file is written only by a run of all."""
    unknown = set(names) - BENCHES.keys()
    if unknown:
        sys.exit(f"no such bench; known: {', '.join(BENCHES)}")
    structlog.configure(processors=[_silence])  # a call's line in the log is made, and not printed
    made: list[Table] = []
    for name in names or list(BENCHES):
        began = time.monotonic()
        found = BENCHES[name]()
        made += found
        for table in found:
            print(f"{table.text()}\n")  # noqa: T201 -- this is what it is for
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", flush=True)  # noqa: T201
    if not names:
        write(made)


if __name__ == "__main__":
    main(sys.argv[1:])
