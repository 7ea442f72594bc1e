"""Compiled rule sets shared by threads, forked, closed in the middle of calls, and cut into shards of any size."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pathway import compiler
from pathway.compiler import Shard, Statement, compile_statements
from pathway.conditions import Leaf, Op
from pathway.decide import decide
from pathway.errors import EngineError
from pathway.strata import Machine
from pathway.vocabulary import Scope
from tests.engine import crowd
from tests.rules.people import VOCABULARY

ROOT = Path(__file__).parents[2]


def test_a_crowd_comes_to_every_verdict_and_many_outcomes() -> None:
    """What follows is worth something only if the cases differ."""
    shared = crowd.machines()
    levels = [row for seed in range(60) for row in decide(crowd.case(seed), shared).body["levels"]]
    assert {c["verdict"] for row in levels for c in row["criteria"]} == {"met", "not-met", "unknown"}
    clinical = {row["outcome"] for row in levels if row["policy"] == "candidacy"}
    assert len(clinical) >= 5


def test_eight_threads_share_machines_and_make_the_bytes_that_one_makes() -> None:
    cases = [crowd.case(seed) for seed in range(20)]
    alone = [decide(one, crowd.machines()).to_bytes() for one in cases[:10]]
    shared = crowd.machines()  # new: the threads also race for the first handle, and for every cache
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [decide(one, shared).to_bytes() for one in cases], range(8)))
    assert runs == [runs[0]] * 8
    assert runs[0][:10] == alone
    assert sum(machine.disagreements for machine in shared) == 0


FORK = """
import os, signal, sys, threading
from pathway.decide import decide
from tests.engine import crowd
machines = crowd.machines()
cases = [crowd.case(seed) for seed in range(6)]
expected = [decide(one, machines).to_bytes() for one in cases]
{before}
children = []
for n in range(4):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        own = cases[n:] + cases[:n]
        right = [decide(one, machines).to_bytes() for one in own] == expected[n:] + expected[:n]
        for machine in machines:
            machine.close()
        os._exit(0 if right else 1)
    children.append(child)
ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
{after}
same = [decide(one, machines).to_bytes() for one in cases] == expected
print(ends, same)
sys.exit(0 if same and ends == [0] * 4 else 1)
"""
HOLD = """
held, done = threading.Event(), threading.Event()
judges = [judge for m in machines for judge in (m._criteria, m._recommend, m._oblige)]
locks = [m._lock for m in machines] + [j._counting for j in judges] + [j._engine._lock for j in judges]
def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    done.wait()
    for lock in locks:
        lock.release()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
"""
BUSY = """
done = threading.Event()
def work():
    while not done.is_set():
        for one in cases:
            decide(one, machines)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HOLD, "done.set()\nthread.join()"),
        (BUSY, "done.set()\nfor thread in threads: thread.join()"),
    ],
    ids=["while a thread holds every lock", "while threads decide"],
)
def test_four_forked_workers_and_their_parent_decide_right(before: str, after: str) -> None:
    script = FORK.format(before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_machine_closed_in_the_middle_of_a_call_finishes_it_and_is_then_freed() -> None:
    machine = Machine(crowd.rule_sets()[0])
    expected = decide(crowd.case(1), [machine]).to_bytes()
    with machine.in_use():
        machine.close()
        assert decide(crowd.case(1), [machine]).to_bytes() == expected
        assert handles(machine)
    assert not handles(machine)
    with pytest.raises(EngineError, match="this machine is closed"):
        decide(crowd.case(1), [machine])
    machine.close()


def test_closing_waits_for_no_one_and_drops_no_call_of_many_threads() -> None:
    rule_set, cases = crowd.rule_sets()[0], [crowd.case(seed) for seed in range(6)]
    expected = [decide(one, [Machine(rule_set)]).to_bytes() for one in cases]
    machine, ready = Machine(rule_set), threading.Barrier(9)

    def work(_: int) -> list[bytes]:
        with machine.in_use():
            ready.wait()
            return [decide(one, [machine]).to_bytes() for one in cases]

    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(work, n) for n in range(8)]
        ready.wait()
        machine.close()
        assert [run.result() for run in runs] == [expected] * 8
    assert not handles(machine)


def handles(machine: Machine) -> list[int]:
    """The engine's rule sets that a machine holds in memory."""
    judges = (machine._criteria, machine._recommend, machine._oblige)
    return [handle for judge in judges for handle in judge._engine._handles.values()]


@pytest.mark.parametrize("limits", [(1, 60, 200), (100, 8, 12), (250, 60, 240)])
def test_however_the_rules_are_cut_into_shards_the_bytes_are_the_same(
    limits: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, whole = [crowd.case(seed) for seed in range(8)], crowd.machines()
    expected = [decide(one, whole).to_bytes() for one in cases]
    usual = sum(len(shards_of(machine)) for machine in whole)
    for name, limit in zip(("MAX_RULES", "MAX_MATCHES", "MAX_FIELDS"), limits, strict=True):
        monkeypatch.setattr(compiler, name, limit)
    monkeypatch.setattr(compiler, "_compiled", without_limits)
    cut = crowd.machines()
    assert [decide(one, cut).to_bytes() for one in cases] == expected
    if limits[0] < 100 or limits[1] < 60 or limits[2] < 200:
        assert sum(len(shards_of(machine)) for machine in cut) > usual


def shards_of(machine: Machine) -> list[Shard]:
    judges = (machine._criteria, machine._recommend, machine._oblige)
    return [shard for judge in judges for shard in judge._engine._shards]


compiled = compiler._compiled


def without_limits(*given: object) -> object:
    """A statement by itself is held to the true limits: a smaller one only cuts the shards."""
    with pytest.MonkeyPatch.context() as true:
        for name, limit in (("MAX_MATCHES", 60), ("MAX_FIELDS", 200)):
            true.setattr(compiler, name, limit)
        return compiled(*given)  # type: ignore[arg-type]


def test_a_rule_set_of_more_rules_than_a_shard_may_hold_has_several() -> None:
    pain = Leaf(VOCABULARY["pain-score"], Op.AT_LEAST, 0)
    many = [Statement(f"pain-{n}", Scope.PATIENT, replace(pain, operand=n)) for n in range(compiler.MAX_RULES)]
    shards = compile_statements(many)
    assert len(shards) > 1
    assert max(len(shard.rules) for shard in shards) <= compiler.MAX_RULES
    assert [id_ for shard in shards for id_ in shard.statements] == [statement.id for statement in many]
