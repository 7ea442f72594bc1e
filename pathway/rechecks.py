"""Rechecks: decide again on whoever lags behind their chart, where an instant came at which time may tell, and on all
once other rules decide.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pathway.canonical import sha256
from pathway.deciding import Asked, Decider
from pathway.errors import ChartMovedError
from pathway.leases import Tell, silent
from pathway.logbook import is_logged
from pathway.ports import Ledger, Store

TRY_AGAIN: Final = timedelta(hours=1)
"""A patient who cannot be decided on waits so long for the next try, and no other waits for them."""
MOVED: Final = timedelta(minutes=1)
"""One whose tasks somebody changed in that moment waits so long: a row that never comes to rest keeps no sweep busy."""
RECALLED: Final = 1000
"""So many patients at a time are made due when other rules decide than before."""
TRIGGER: Final = "recheck"


@dataclass(frozen=True, slots=True)
class Rechecks:
    """Decides again on stored patients, each in a transaction of their own.

    Several may run at once, and one may stop anywhere: whoever is due is found again until their row says otherwise.
    """

    store: Store
    decider: Decider
    tell: Tell = silent

    def catch_up(self, limit: int, stop: Callable[[], bool] = lambda: False) -> int:
        """Decide on at most `limit` patients who lag or are due, the lagging first; how many were looked at.

        None of these is found again at the same instant: somebody who asks until none is left comes to an end.
        """
        now = self.decider.clock.now()
        self._recall(now)
        with self.store.read() as ledger:
            lagging = ledger.lagging(limit)
            due = ledger.due_again(now, limit - len(lagging))
        looked = 0
        for patient in dict.fromkeys((*lagging, *due)):
            if stop():
                break
            looked += self._one(patient)
        return looked

    def _recall(self, now: datetime) -> None:
        """Make everybody due, a part at a time, once other rules decide than those that they were decided by."""
        armed = self.decider.rules.look(now)
        if not armed.rule_sets:
            return  # nobody could be decided on
        rules = sha256(f"{self.decider.acting} {armed.key}".encode())
        with self.store.read() as ledger:
            if ledger.follows(rules, now):
                return
        self.store.run(lambda ledger: ledger.recall(rules, now, RECALLED), lambda ledger: ledger.follows(rules, now))

    def _one(self, patient: str) -> bool:
        """One patient; a fault with them is told, and is nobody else's: the store's own comes out when it postpones.

        Whether anything was done.
        """
        try:
            return self._decide(patient)
        except ChartMovedError:
            self._postpone(patient, MOVED)
            return False
        except Exception as fault:  # a fault of ours in one chart may not stop the sweep for all
            self.tell("recheck-failed", patient=patient, fault=type(fault).__name__)
            self._postpone(patient, TRY_AGAIN)
            return True

    def _postpone(self, patient: str, by: timedelta) -> None:
        """Let a patient wait who is still to be decided on; whoever was decided on meanwhile waits for nothing."""
        with self.store.write() as ledger:
            ledger.hold(patient)
            head, now = ledger.head(patient), self.decider.clock.now()
            if head.lags or head.is_due(now):
                ledger.postpone(patient, now + by)

    def _decide(self, patient: str) -> bool:
        asked = Asked(str(uuid.uuid4()), TRIGGER, "pathway")

        def work(ledger: Ledger) -> bool:
            ledger.hold(patient)
            head = ledger.head(patient)
            if head.lags:
                self.decider.decide(ledger, patient, asked)
            elif head.is_due(self.decider.clock.now()):
                self.decider.decide_again(ledger, patient, asked)
            else:
                return False  # another sweeper was quicker
            return True

        return self.store.run(work, lambda ledger: is_logged(ledger, asked.id))
