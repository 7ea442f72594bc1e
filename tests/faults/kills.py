"""The kill harness: a town is killed at chance points while records flow in; afterwards the FHIR server is counted.

A seed fixes which part dies, at which point and after how many passes; when it gets there is the machine's.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from adapters.db.store import SqlStore, open_store
from tests.databases import plainly
from tests.faults.census import Found, Json, check_counted, check_decided_once, never_killed
from tests.faults.flow import HEADERS as HEADERS
from tests.faults.flow import Flow, deliveries
from tests.faults.flow import whole_record as whole_record
from tests.faults.mortal import COMMITS, POSTS, SENDS
from tests.faults.nursery import Nursery
from tests.faults.town import PARTS, POLICIES, Town
from tests.servers import OtherServer

DRAIN_SECONDS = 240.0
EACH_SECONDS = 1.0  # longer for each delivery: a server that holds all in memory searches slower and slower
# The last of each is where most could be lost or doubled: the first death is there.
POINTS = {"web": (*COMMITS, *POSTS), "worker": (*COMMITS, *SENDS), "beat": COMMITS}
PASSES = (1, 2, 3, 5, 10, 20, 40)
"""How often a point is passed before the death there: the more, the more was done in between."""
UNREACHED = 12.0
"""Seconds after which a part dies anyway, because nothing flows past its point."""


@dataclass(frozen=True)
class Toll:
    """What a run came to: deaths by part and point, deliveries, decisions, what the server holds, seconds."""

    deaths: Counter[str]
    deliveries: int
    unanswered: int
    decisions: int
    found: Found
    seconds: tuple[float, float, float]  # killing; until all was taken and sent; counting

    def sentence(self) -> str:
        """The figures on one line."""
        how = ", ".join(f"{number} {what}" for what, number in sorted(self.deaths.items()))
        return (
            f"{self.deaths.total()} kills ({how}); {self.deliveries} deliveries ({self.unanswered} sent and not "
            f"answered), {self.decisions} decisions; at the server {self.found.tasks} tasks, {self.found.plans} care "
            f"plans, {self.found.proofs} Provenances: 0 lost, 0 twice; {sum(self.seconds):.0f} s "
            f"(kills {self.seconds[0]:.0f}, rest {self.seconds[1]:.0f}, count {self.seconds[2]:.0f})"
        )


def kill_and_count(town: Town, server: OtherServer, kills: int, decisions: int, seed: int) -> Toll:
    """Kill so often while so many deliveries flow; then everything acknowledged is at the server, once and whole."""
    began = time.monotonic()
    parts = deliveries(decisions, seed)
    introduce(server, parts)
    town.nursery = Nursery(POLICIES)
    flow = Flow(town.base, list(parts))
    for part in PARTS:
        town.start(part)
    town.wait_until_it_answers()
    flow.begin()
    deaths = kill_often(town, flow, kills, decisions // max(kills, 1), seed)
    killed = time.monotonic()
    for part in PARTS:  # whoever carries a death that has not come yet, dies now
        town.kill(part)
        town.start(part)
    flow.finish(DRAIN_SECONDS)
    expected = never_killed(town.folder, flow.log, {"policies": POLICIES, "rules_from": "working"})
    wait_until_empty(town, DRAIN_SECONDS + EACH_SECONDS * decisions)
    sent = time.monotonic()
    assert len(flow.taken) == decisions
    url = town.settings["database_url"]
    decided = check_decided_once(url, flow.taken, flow.broken)
    store = open_store(url)
    try:
        found = check_counted(store, flow.taken, server, expected)
    finally:
        store.close()
    seconds = (killed - began, sent - killed, time.monotonic() - sent)
    return Toll(deaths, decisions, flow.broken.total(), decided, found, seconds)


@dataclass
class Life:
    """How one start of a part ends: at a point after so many passes, or from outside when its time is over."""

    point: str = "never"
    count: int = 1
    until: float = float("inf")
    main_only: bool = False


def lives(part: str, seed: int) -> Iterator[Callable[[], Life]]:
    """The lives of a part, one after the other; each begins when it is called.

    The first end at each of its points in turn, the worst before the others. Of the later ones most end at a point;
    some while they start, some at any time.
    """
    dice = random.Random(f"{seed} {part}")
    *others, worst = POINTS[part]
    first = [*dice.sample(others, len(others)), worst]
    while True:
        kind, point, count = dice.random(), dice.choice(POINTS[part]), dice.choice(PASSES)
        main_only, seconds = dice.random() < 0.3, UNREACHED
        if first:
            point, count = first.pop(), dice.randint(1, 3)
        elif kind < 0.15:
            point, seconds = "never", dice.uniform(0, 1)
        elif kind < 0.4:
            point, seconds = "never", dice.uniform(1, 6)
        yield lambda p=point, c=count, s=seconds, m=main_only: Life(p, c, time.monotonic() + s, m)


def kill_often(town: Town, flow: Flow, kills: int, each: int, seed: int) -> Counter[str]:
    """Let every part live and die until there were so many deaths; with each, so many deliveries more may go.

    Half of the deaths are workers', for they write elsewhere; a fifth are the beat's. A part to which none falls lives.
    """
    deaths: Counter[str] = Counter()
    left = {"worker": kills // 2, "beat": kills // 5}
    left["web"] = kills - sum(left.values())
    flow.release(each)
    ahead = {part: lives(part, seed) for part in PARTS}
    living = {part: Life(until=0.0) if left[part] else Life() for part in PARTS}
    while any(left.values()):
        time.sleep(0.02)
        for part, life in living.items():
            itself = town.has_died(part)
            if not itself and time.monotonic() < life.until:
                continue
            if not itself:
                town.kill(part, main_only=life.main_only)
            deaths[f"{part} {life.point if itself else 'at any time'}"] += 1
            left[part] -= 1
            flow.release(each)
            living[part] = next(ahead[part])() if left[part] else Life()
            town.start(part, living[part].point, living[part].count)
    return deaths


def introduce(server: OtherServer, parts: Sequence[Json]) -> None:
    """Make the patients known at the server, as a record system would have."""
    patients = {part["entry"][0]["resource"]["id"]: part["entry"][0]["resource"] for part in parts}
    for _, patient in sorted(patients.items()):
        server.put(patient)


def wait_until_empty(town: Town, seconds: float) -> None:
    """Wait until nothing waits to be sent; fails where something was parked, or lasts."""
    until, waiting = time.monotonic() + seconds, -1
    url = town.settings["database_url"]
    while waiting and time.monotonic() < until:
        time.sleep(0.3)
        waiting = plainly(url, "SELECT count(*) FROM outbox WHERE state = 'pending'")[0][0]
    rows = plainly(url, "SELECT key, state, attempts, last_error FROM outbox WHERE state <> 'sent' ORDER BY key")
    assert not rows, f"{len(rows)} never sent: {rows[:5]} {town.said('worker')}"


def check_nothing_lost(store: SqlStore, taken: Sequence[Json], server: OtherServer) -> int:
    """Every acknowledged delivery is in its chart, and every task at the server exactly once, as it stands here."""
    return check_counted(store, taken, server, None).tasks
