"""What tests/soak/test_decisions_for_long.py runs, each in a process of its own.

Memory is what the kernel says is resident. It is measured after a warm-up that fills every cache (each holds at most a
few hundred entries) and after a collection, because a machine that was let go leaves cycles. What may be left then is
the allocator's: it rounds to pages and keeps some for later, up to a few megabytes, whatever the number of rounds. A
leak of 100 bytes a decision would be 10,000 kB in 100,000 of them.
"""

import gc
import resource
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from pathway.decide import decide
from pathway.strata import Machine
from tests.engine import crowd
from tests.engine.test_machines import handles

FLAT = 5_000  # kB
SETTLED = 8_000  # kB; compiling while others decide, the allocator takes about 100 reloads to settle


def resident() -> int:
    """Kilobytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def many_decisions(number: int) -> None:
    """Memory stays flat over so many different decisions."""
    machines, seeds, warm = crowd.machines(), iter(range(10**9)), 500

    def some(of_them: int) -> None:
        for _ in range(of_them):
            decide(crowd.case(next(seeds)), machines).to_bytes()

    some(warm)
    before = resident()
    some(number)
    assert resident() - before < FLAT, f"{resident() - before} kB more"
    assert sum(machine.disagreements for machine in machines) == 0


def _reloaded() -> tuple[Machine, ...]:
    """Two policies that share most of their rules, newly compiled: a handle leaks as well from two as from all."""
    return crowd.machines(crowd.rule_sets()[:2])


class Shop:
    """What hands out the machines of the day: who takes them is counted before they can be swapped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = _reloaded()

    def serve(self, seeds: Sequence[int]) -> list[bytes]:
        """Decisions under whatever machines are of the day at each call."""
        done: list[bytes] = []
        for seed in seeds:
            with ExitStack() as uses:
                with self._lock:
                    machines = self.now
                    for machine in machines:
                        uses.enter_context(machine.in_use())
                done.append(decide(crowd.case(seed), machines).to_bytes())
        return done

    def swap(self) -> tuple[Machine, ...]:
        """New machines for old ones, which are closed at once and freed with their last call."""
        fresh = _reloaded()
        with self._lock:
            old, self.now = self.now, fresh
        for machine in old:
            machine.close()
        return old


def many_reloads(number: int) -> None:
    """So many reloads leak nothing and drop no call."""
    shop, seeds, done = Shop(), range(6), threading.Event()
    expected = shop.serve(seeds)
    calls: list[int] = []

    def call(_: int) -> bool:
        right = True
        while not done.is_set():
            right = shop.serve(seeds) == expected and right
            calls.append(len(seeds))
        return right

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(call, n) for n in range(4)]
        try:
            retired = [machine for _ in range(30 + number // 10) for machine in shop.swap()]
            before, passed = resident(), len(calls)
            for _ in range(number):
                retired += shop.swap()
                del retired[: -len(shop.now)]
        finally:
            done.set()
        assert all(one.result() for one in running)
    assert resident() - before < SETTLED, f"{resident() - before} kB more"
    assert len(calls) > passed, "calls went on meanwhile"
    assert [machine for machine in retired if handles(machine)] == []
