"""Long service: very many different decisions in one process, and very many reloads under running calls.

Each runs in a process of its own (`for_long`): in one that has run thousands of tests, what these left behind is freed
and moved meanwhile, and the measure is theirs.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc/self/statm"),
]


def alone(what: str, number: int) -> None:
    script = f"from tests.soak.for_long import {what}; {what}({number})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_memory_stays_flat_over_100_000_different_decisions(rounds: Callable[[int], int]) -> None:
    alone("many_decisions", rounds(100_000))


def test_1_000_reloads_leak_nothing_and_drop_no_call(rounds: Callable[[int], int]) -> None:
    alone("many_reloads", rounds(1_000))
