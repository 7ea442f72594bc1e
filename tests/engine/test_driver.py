"""The driver under threads, forks, interruption, reload and long service."""

import os
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pathway import engine as driver
from pathway.compiler import Statement, compile_statements
from pathway.conditions import Leaf, Op
from pathway.engine import Engine
from pathway.errors import EngineError
from pathway.facts import Fact
from pathway.vocabulary import Scope
from tests.engine import sheets
from tests.engine.sheets import AS_OF, fact, flag, number, unknown

FLAG, PAIN = flag("flag"), number("pain")
SHARDS = compile_statements(
    [
        Statement("sure", Scope.PATIENT, Leaf(FLAG, Op.IS, True)),
        Statement("hurts", Scope.PATIENT, Leaf(PAIN, Op.AT_LEAST, 5)),
    ]
)
VIEW = {"flag": fact(FLAG, True), "pain": fact(PAIN, 4)}
RIGHT = {"sure": True, "hurts": False}
ROOT = Path(__file__).parents[2]


def random_engine(seed: int) -> tuple[Engine, list[driver.Instance]]:
    rng = random.Random(seed)
    data = sheets.vocabulary(rng, 20)
    engine = Engine(compile_statements(sheets.statements(rng, data, 40)))
    return engine, [(scope, sheets.view(rng, data)) for scope in Scope for _ in range(4)]


def test_eight_threads_share_one_engine() -> None:
    engine, views = random_engine(1)
    expected = [engine.run([view], AS_OF)[0] for view in views]

    def work(seed: int) -> bool:
        rng = random.Random(seed)
        for _ in range(40):
            order = rng.sample(range(len(views)), rng.randint(1, len(views)))
            if engine.run([views[n] for n in order], AS_OF) != [expected[n] for n in order]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_threads_may_use_engines_of_their_own_at_once() -> None:
    def work(seed: int) -> bool:
        engine, views = random_engine(seed)
        first = engine.run(views, AS_OF)
        same = all(engine.run(views, AS_OF) == first for _ in range(10))
        engine.close()
        return same

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


FORK = """
import os, signal, sys, threading
from tests.engine.test_driver import AS_OF, Engine, RIGHT, SHARDS, VIEW
from pathway.vocabulary import Scope
engine = Engine(SHARDS)
engine.run([(Scope.PATIENT, VIEW)], AS_OF)
{before}
child = os.fork()
if child == 0:
    signal.alarm(20)
    right = engine.run([(Scope.PATIENT, VIEW)] * 3, AS_OF) == [RIGHT] * 3
    engine.close()
    os._exit(0 if right else 1)
_, status = os.waitpid(child, 0)
{after}
same = engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]
sys.exit(0 if os.waitstatus_to_exitcode(status) == 0 and same else 1)
"""
HOLD = """
held, done = threading.Event(), threading.Event()
def hold():
    with engine._lock:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("before", "after"), [("", ""), (HOLD, "done.set()\nthread.join()")], ids=["idle", "locked"])
def test_a_fork_even_while_another_thread_holds_the_lock_leaves_both_processes_right(before: str, after: str) -> None:
    script = FORK.format(before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        timeout=30,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_closed_engine_answers_no_more_and_waits_for_the_batch_under_way() -> None:
    engine = Engine(SHARDS)
    assert engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]
    with engine._lock:
        closing = threading.Thread(target=engine.close)
        closing.start()
        closing.join(0.05)
        assert closing.is_alive()
    closing.join()
    with pytest.raises(EngineError, match="this engine is closed"):
        engine.run([(Scope.PATIENT, VIEW)], AS_OF)
    engine.close()


class Meddled:
    """The C engine with one function replaced."""

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(c, name)


c = driver._c


def test_a_sheet_that_the_engine_passed_over_is_an_error_not_an_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(SHARDS)

    def forgetful(handle: int, batch: str) -> tuple[int, int]:
        return c.assert_facts(handle, batch.replace(',{"id":1,"sid":"1","go":1', ',{"id":1,"sid":"1"'))

    monkeypatch.setattr(driver, "_c", Meddled(assert_facts=forgetful))
    with pytest.raises(EngineError, match="passed over a sheet"):
        engine.run([(Scope.PATIENT, VIEW)] * 2, AS_OF)
    monkeypatch.setattr(driver, "_c", c)
    assert engine.run([(Scope.PATIENT, VIEW)] * 2, AS_OF) == [RIGHT] * 2


@pytest.mark.parametrize("batch", ['[{"id":0,"sid":"1","go":1e16}]', '[{"id":0,"id":', "[]"])
def test_a_batch_that_the_engine_cannot_read_is_an_error_not_a_crash(
    batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(SHARDS)
    assert engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]
    monkeypatch.setattr(driver, "_c", Meddled(assert_facts=lambda handle, _: c.assert_facts(handle, batch)))
    with pytest.raises(EngineError, match="refused a batch"):
        engine.run([(Scope.PATIENT, VIEW)], AS_OF)
    monkeypatch.setattr(driver, "_c", c)
    assert engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]


def test_an_interruption_at_any_step_leaves_the_next_batch_right(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(SHARDS)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    for _ in range(2):  # before the handle is made, and after
        for step in ("create_ruleset", "assert_facts", "start_action_for_state", "complete_and_start_action"):
            monkeypatch.setattr(driver, "_c", Meddled(**{step: interrupted}))
            with suppress(KeyboardInterrupt, EngineError):
                engine.run([(Scope.PATIENT, VIEW)], AS_OF)
            monkeypatch.setattr(driver, "_c", c)
        assert engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]


def test_rules_that_contradict_each_other_are_an_error_that_names_the_statement() -> None:
    (shard,) = SHARDS
    both = {**shard.ruleset, "sure#not-met/1": shard.ruleset["sure#met/1"]}
    with pytest.raises(EngineError, match="sure: both met and not met"):
        Engine([replace(shard, ruleset=both)]).run([(Scope.PATIENT, VIEW)], AS_OF)


def test_a_definition_that_the_engine_refuses_is_an_error() -> None:
    (shard,) = SHARDS
    with pytest.raises(EngineError, match=r"refused a batch.*error code: 105"):
        Engine([replace(shard, ruleset={**shard.ruleset, "x": {"why": 1}})]).run([(Scope.PATIENT, VIEW)], AS_OF)


def rss() -> int:
    """Kilobytes in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_memory_stays_flat_while_evaluating_and_while_rules_are_reloaded() -> None:
    def evaluate(times: int) -> None:
        for _ in range(times):
            engine.run(views, AS_OF)

    def reload(times: int) -> None:
        for _ in range(times):
            fresh = Engine(SHARDS)
            fresh.run([(Scope.PATIENT, VIEW)], AS_OF)
            fresh.close()

    engine, views = random_engine(4)
    for work, times in ((evaluate, 150), (reload, 300)):
        work(times // 3)
        before = rss()
        work(times)
        assert rss() - before < 1500, f"{work.__name__}: {rss() - before} kB more"


def test_an_undeclared_fact_beside_the_rules_is_not_sent_to_the_engine() -> None:
    seen = Engine(SHARDS).run([(Scope.PATIENT, {**VIEW, "other": Fact("other", "text"), "x": unknown("x")})], AS_OF)
    assert seen == [RIGHT]


@pytest.mark.parametrize("message", ['{"r#met/1":{"other":{"id":0,"sid":"1"}}}', '{"r#met/1":{"s":{"sid":"1"}}}', "[]"])
def test_a_firing_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    engine = Engine(SHARDS)
    assert engine.run([(Scope.PATIENT, VIEW)], AS_OF) == [RIGHT]
    monkeypatch.setattr(driver, "_drain", lambda handle, batch: [message])
    monkeypatch.setattr(driver, "_c", Meddled(delete_state=lambda handle, sid: None))
    with pytest.raises(EngineError, match="a firing cannot be read"):
        engine.run([(Scope.PATIENT, VIEW)], AS_OF)
