"""Decisions at the same time, on one patient and on many: the end is that of one after the other."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.bootstrap import House
from tests.adapters.ingesting import Part, deliver, parts, state
from tests.world import ROOT, FixedClock, make_house

pytestmark = pytest.mark.slow  # many deliveries at once

PATIENTS = [f"p{n}" for n in range(1, 5)]
KEYS = [f"local|{patient}" for patient in PATIENTS]


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), database_url=database)
    yield made
    made.close()


def check_serial(house: House, folder: Path, keys: list[str], by_name: dict[str, Part], total: int) -> None:
    """What is stored is what one writer stores who takes the same deliveries in the order of the decisions."""
    folder.mkdir()
    alone = make_house(folder, FixedClock())
    with house.store.read() as ledger:
        decisions = [decision for key in keys for decision in reversed(ledger.decisions(key, limit=10_000))]
    assert len({decision.sequence for decision in decisions}) == len(decisions) == total
    for decision in decisions:
        deliver(alone, by_name[decision.actor], decision.actor)
    assert state(house, keys) == state(alone, keys)
    alone.close()


def test_threads_on_one_patient_lose_and_double_nothing(house: House, tmp_path: Path) -> None:
    by_name = {f"p1-{n}": part for n, part in enumerate(parts("p1"))}
    work = list(by_name.items()) * 3
    random.Random(7).shuffle(work)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: deliver(house, one[1], one[0]), work))
    check_serial(house, tmp_path / "alone", KEYS[:1], by_name, len(work))


def test_threads_on_many_patients_lose_and_double_nothing(house: House, tmp_path: Path) -> None:
    by_name = {f"{p}-{n}": part for p in PATIENTS for n, part in enumerate(parts(p, 4))}
    work = list(by_name.items()) * 2
    random.Random(8).shuffle(work)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: deliver(house, one[1], one[0]), work))
    check_serial(house, tmp_path / "alone", KEYS, by_name, len(work))


@pytest.mark.slow
def test_processes_on_the_same_patients_lose_and_double_nothing(house: House, tmp_path: Path, database: str) -> None:
    patients = PATIENTS[:2]
    command = [sys.executable, "-m", "tests.adapters.ingesting", database, ",".join(patients)]
    running = [subprocess.Popen([*command, str(n)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for n in range(3)]
    done = [int(process.communicate(timeout=120)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    by_name = {f"{p}-{n}": part for p in patients for n, part in enumerate(parts(p))}
    check_serial(house, tmp_path / "alone", KEYS[:2], by_name, sum(done))


def test_the_same_delivery_at_once_from_many_makes_its_tasks_once(house: House) -> None:
    (whole,) = parts("p1", 100)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: deliver(house, whole, f"t{n}"), range(8)))
    assert sum(len(one.changes.created) > 0 for one in made) == 1
    assert sum(any(str(stored) == "new" for _, stored in one.stored) for one in made) == 1
    with house.store.read() as ledger:
        assert sorted(t.key for t in ledger.tasks("local|p1")) == sorted(
            t.key for one in made for t in one.changes.created
        )
        assert ledger.chart_version("local|p1") == len(ledger.chart("local|p1"))
