"""Intake: what was delivered is kept, joined where two patients are one, decided on, and brought to the tasks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pathway.chart import ChartResource, SetAside
from pathway.deciding import Asked, Decider
from pathway.decisions import DecisionRecord
from pathway.history import merge_event
from pathway.keeping import keep_task, post_letter
from pathway.logbook import is_logged
from pathway.ports import Ledger, Store, Stored, Submission
from pathway.reconcile import Changes


@dataclass(frozen=True, slots=True)
class Merge:
    """A record says that one patient key is another's: `old` goes on as `into`; `source` is that record."""

    old: str
    into: str
    source: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One patient's resources out of one submission, with the canonical bytes of each, and what was set aside.

    `merges` are what its Patient says of other records of the same person (`Patient.link`).
    """

    patient: str
    resources: tuple[tuple[ChartResource, bytes], ...]
    set_aside: tuple[SetAside, ...] = ()
    merges: tuple[Merge, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of a delivery: what was stored of each resource, the decision, and the tasks that changed."""

    stored: tuple[tuple[str, Stored], ...]
    decision: DecisionRecord
    changes: Changes


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes deliveries into a store."""

    store: Store
    decider: Decider

    def take(self, delivery: Delivery, submission: Submission, raw: bytes, actor: str) -> Ingested:
        """Keep a delivery, decide, and bring the tasks to the desired state: all in one transaction, or nothing.

        The store may run it again: nothing outside the transaction happens, and the decision's id is chosen once.
        What comes for a patient who was merged into another is the other's.
        """
        now = self.decider.clock.now()
        self.decider.rules.look(now)  # what is to be compiled anew is not compiled inside the transaction
        asked = Asked(str(uuid.uuid4()), submission.door, actor, delivery.set_aside)

        def work(ledger: Ledger) -> Ingested:
            for key in sorted({delivery.patient, *(key for one in delivery.merges for key in (one.old, one.into))}):
                ledger.hold(key)
            patient = ledger.survivor(delivery.patient)
            ledger.hold(patient)
            ledger.keep_bytes(raw)
            ledger.keep_submission(replace(submission, set_aside=(*submission.set_aside, *delivery.set_aside)))
            stored = tuple(
                (resource.reference, ledger.put_resource(patient, resource, body))
                for resource, body in delivery.resources
            )
            self._merge(ledger, delivery.merges, now)
            made = self.decider.decide(ledger, ledger.survivor(patient), asked)
            return Ingested(stored, made.record, made.changes)

        return self.store.run(work, lambda ledger: is_logged(ledger, asked.id))

    def _merge(self, ledger: Ledger, merges: Sequence[Merge], now: datetime) -> None:
        """Join charts, episodes, tasks and letters; each task says in its history where it came from."""
        for merge in merges:
            old, into = ledger.survivor(merge.old), ledger.survivor(merge.into)
            ledger.hold(old)
            ledger.hold(into)
            if not ledger.join(old, into, now, merge.source):
                continue
            for task in ledger.tasks(old):
                moved = replace(task, patient=into, modified_at=now, version=task.version + 1)
                keep_task(ledger, task, moved, merge_event(task, moved, merge.source), self.decider.channels, now)
            for letter in ledger.letters(into):  # whom they are about goes by another id now
                post_letter(ledger, letter, self.decider.channels, now)
