"""Hot reload for long: a thousand releases one after the other under four callers; nothing dropped, memory flat."""

from __future__ import annotations

import gc
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pathway import releases
from pathway.leases import IDLE
from tests.engine.test_driver import rss
from tests.unit.test_leases import FROM, NOW, World, verdict
from tests.unit.test_releases import rule_set

CALLERS = 4
SETTLED = 3 * IDLE
"""Reloads after which as many machines are kept as ever will be."""
FLAT_KB = 40_000
"""Four threads fragment memory, and the lock grows: 5 to 11 MB were seen, however many reloads there were. A thousand
compiled rule sets that leak, or only their documents, would take hundreds.
"""


@pytest.mark.slow
def test_a_thousand_reloads_drop_no_call_answer_right_and_leak_nothing(
    tmp_path: Path, rounds: Callable[[int], int], capsys: pytest.CaptureFixture[str]
) -> None:
    world, reloads = World(tmp_path), SETTLED + rounds(1000)
    world.store(rule_set("0.1.0", 5, effective=FROM))
    done, faults, seen = threading.Event(), [], Counter[str]()
    counting = threading.Lock()

    def call() -> None:
        while not done.is_set():
            try:
                with world.rules.lease(NOW) as armed:
                    version = armed.rule_sets[0].version
                    expected = "met" if int(version.split(".")[1]) % 2 else "not-met"
                    assert verdict(armed) == expected, version
            except BaseException as fault:  # whatever it is, it is a dropped call
                faults.append(fault)
                return
            with counting:
                seen[version] += 1

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    settled = 0
    for number in range(2, reloads + 2):
        world.store(rule_set(f"0.{number}.0", 5 if number % 2 else 7, effective=FROM))
        while seen[f"0.{number}.0"] < CALLERS and not faults:
            done.wait(0.001)
        if number == SETTLED:
            gc.collect()
            settled = rss()
    done.set()
    for caller in callers:
        caller.join()
    gc.collect()
    grown = rss() - settled
    with capsys.disabled():
        print(f"\n{reloads} reloads, {sum(seen.values())} calls, {grown} kB more than after {SETTLED}")  # noqa: T201
    assert faults == []
    assert len(seen) >= reloads
    assert world.rules.trouble == ()
    assert len(world.rules.machines) <= IDLE + 1
    assert grown < FLAT_KB, f"{grown} kB more"
    world.rules.close()
    shutil.rmtree(tmp_path / releases.FOLDER)
