"""What tests of writing to a FHIR server share: a house that writes, its patient, and what must be true in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import House
from adapters.db.outbox import OutboxRow
from adapters.fhir.from_plan import EPISODE, TASK_KEY
from adapters.fhir.from_plan import task as to_fhir
from adapters.out import writer
from adapters.out.merging import same
from adapters.out.posting import Drained, drain
from pathway.tasks import Task
from tests.adapters.http.builders import candidate
from tests.faults.proxy import Proxy, proxy
from tests.servers import OtherServer, medplum, sekmet
from tests.world import FixedClock, ingest, make_house

KINDS = ("sekmet-ours", "sekmet-server", "medplum-ours", "medplum-server")
"""The servers, and who gives the ids. Medplum refuses ids of ours where it gives them."""
_NUMBER = count(1)


@dataclass
class Desk:
    """A house that writes through a proxy to a real server, with one patient whose tasks are to be written."""

    house: House
    clock: FixedClock
    proxy: Proxy
    server: OtherServer
    patient: str
    own_ids: bool

    @property
    def tasks(self) -> tuple[Task, ...]:
        with self.house.store.read() as ledger:
            return ledger.tasks(self.patient)

    @property
    def episodes(self) -> set[str]:
        """What the tasks are about: each has a care plan of its own."""
        return {task.episode for task in self.tasks}

    def drain(self) -> Drained:
        """Send what is due now."""
        return drain(self.house, limit=1000)

    def settle(self, minutes: int = 180) -> None:
        """Let time go by until everything is sent; fails if it takes longer."""
        for _ in range(minutes * 6):
            self.drain()
            if not self.rows("pending"):
                return
            self.clock.forward(seconds=10)
        pytest.fail(f"still to be sent: {[(row.key, row.last_error) for row in self.rows('pending')]}")

    def rows(self, state: str) -> tuple[OutboxRow, ...]:
        with self.house.store.outbox(write=False) as outbox:
            return tuple(row for row in outbox.rows(state, limit=1000) if row.patient == self.patient)

    def change(self, task: Task, **fields: Any) -> Task:
        """Our side of a task changes, and has to be sent."""
        with self.house.store.write() as ledger:
            now = ledger.find_task(task.id)
            changed = replace(now, **fields, version=now.version + 1, modified_at=self.clock.now())
            ledger.save_task(changed, now.version)
            ledger.post(f"Task/{task.id}", "fhir", task.patient, self.clock.now())
        return changed

    def there(self, task: Task) -> list[dict[str, Any]]:
        """What the server holds of a task."""
        return self.server.search("Task", identifier=f"{TASK_KEY}|{task.key}")

    def proofs(self, reference: str) -> list[dict[str, Any]]:
        """The Provenance of a resource at the server, of all its versions."""
        every = self.server.search("Provenance")
        return [one for one in every if one["target"][0]["reference"].startswith(f"{reference}/_history/")]

    def check_plans(self) -> None:
        """Each episode has exactly one plan at the server, and it names that episode's tasks, each once."""
        assert len(self.episodes) > 1, "the fracture's and the person's own"
        for episode in self.episodes:
            (plan,) = self.server.search("CarePlan", identifier=f"{EPISODE}|{episode}")
            named = sorted(one["reference"]["reference"] for one in plan["activity"])
            own = [task for task in self.tasks if task.episode == episode]
            assert named == sorted(f"Task/{one['id']}" for task in own for one in self.there(task))
            assert len(named) == len(own)

    def check(self) -> None:
        """Each task is there exactly once and says what we say; each version of ours has one Provenance."""
        assert self.rows("pending") == self.rows("parked") == ()
        assert self.tasks
        for task in self.tasks:
            (one,) = self.there(task)
            ours = {key: value for key, value in to_fhir(task).items() if key not in ("id", "meta")}
            assert same(ours, {key: value for key, value in one.items() if key not in ("id", "meta")})
            assert (one["id"] == task.id) is self.own_ids
            proofs = self.proofs(f"Task/{one['id']}")
            targets = [proof["target"][0]["reference"] for proof in proofs]
            assert len(set(targets)) == len(targets) > 0, targets
            assert f"Task/{one['id']}/_history/{one['meta']['versionId']}" in targets


@contextmanager
def any_server(kind: str) -> Iterator[OtherServer]:
    """The server of a kind."""
    with sekmet() if kind.startswith("sekmet") else medplum(own_ids=kind.endswith("server")) as server:
        yield server


@dataclass
class Office:
    """A house that writes through a proxy to a real server."""

    house: House
    clock: FixedClock
    proxy: Proxy
    server: OtherServer
    own_ids: bool

    def desk(self) -> Desk:
        """A new patient, whose tasks are still to be sent."""
        record = candidate(f"w{next(_NUMBER)}", self.clock.now())
        ingest(self.house, record)
        self.proxy.heard.clear()
        return Desk(self.house, self.clock, self.proxy, self.server, f"test|{record.id}", self.own_ids)


@contextmanager
def office(kind: str, folder: Path, **settings: Any) -> Iterator[Office]:
    """An office in front of a server of a kind."""
    with any_server(kind) as server, proxy(server.base) as between:
        ids, clock = kind.partition("-")[2], FixedClock()
        given = {"fhir_write_base": between.base, "fhir_write_ids": ids, "source": "test"} | settings
        house = make_house(folder, clock, **given)
        try:
            yield Office(house, clock, between, server, ids == "ours")
        finally:
            house.close()


def hurry(monkeypatch: pytest.MonkeyPatch, seconds: float = 1.0) -> None:
    """Give a send little time, so that a server which hangs costs a test little of it."""
    monkeypatch.setattr(writer, "SEND", timedelta(seconds=seconds))
