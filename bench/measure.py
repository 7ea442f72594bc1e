"""Timing: candidates take turns, so that a busy moment hits them all; medians of rounds; the collector off meanwhile.

Two clocks: what a caller waits (wall), and what the process spends (CPU, all its threads). On a machine that others use
too, the second says more about code, the first about service.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

Candidate = Callable[[int], object]
"""One call; its number says which of its inputs to take."""

WARM: Final = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of one call in microseconds. `p50` is the median of the rounds' medians, `p99` that of all calls."""

    p50: float
    p99: float
    low: float
    high: float
    cpu: float

    def spread(self) -> str:
        """The lowest and the highest median of a round."""
        return f"{shown(self.low)} to {shown(self.high)}"


def in_turns(candidates: Mapping[str, Candidate], *, rounds: int, calls: int) -> dict[str, Pace]:
    """The pace of each candidate over interleaved rounds, after one that does not count."""
    walls: dict[str, list[list[int]]] = {name: [] for name in candidates}
    cpus: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(WARM + rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            wall, cpu = _round(candidates[name], calls)
            if number >= WARM:
                walls[name].append(wall)
                cpus[name].append(cpu)
    return {name: _pace(walls[name], cpus[name]) for name in names}


def _round(call: Candidate, calls: int) -> tuple[list[int], float]:
    clock, wall = time.perf_counter_ns, [0] * calls
    gc.collect()
    gc.disable()
    try:
        began = time.process_time_ns()
        for number in range(calls):
            since = clock()
            call(number)
            wall[number] = clock() - since
        return wall, (time.process_time_ns() - began) / calls / 1000
    finally:
        gc.enable()


def _pace(walls: list[list[int]], cpus: list[float]) -> Pace:
    medians = [median(wall) / 1000 for wall in walls]
    every = sorted(one for wall in walls for one in wall)
    last = every[min(len(every) - 1, len(every) * 99 // 100)] / 1000
    return Pace(median(medians), last, min(medians), max(medians), median(cpus))


def shown(microseconds: float) -> str:
    """A time as people read it."""
    if microseconds >= 1000:
        return f"{microseconds / 1000:.1f} ms" if microseconds < 100_000 else f"{microseconds / 1000:.0f} ms"
    return f"{microseconds:.0f} µs" if microseconds >= 10 else f"{microseconds:.1f} µs"
