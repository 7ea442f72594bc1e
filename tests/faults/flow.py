"""The flow: deliveries about invented patients on their way to a town, each sent again until it is acknowledged."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
import urllib3

from adapters.demo.patients import demo_patients
from tests.faults.census import Json, body_of, patient_of

HEADERS = {"Content-Type": "application/fhir+json"}
SENDERS = 3
SIZE = 4  # resources in one delivery, beside the Patient
PATIENCE = 240.0  # seconds for which one delivery is sent again and again


@dataclass
class Flow:
    """Deliveries on their way, each sent again until it is acknowledged; so many may go as were released.

    Those of one patient go one after the other, the last of the queue first, so that whoever takes them in the order
    of `log` takes each patient's in the order in which they were taken here.
    """

    base: str
    queue: list[Json]
    log: list[tuple[datetime, Json]] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)  # by hash: sent and not answered
    strange: list[str] = field(default_factory=list)
    _gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: set[str] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def taken(self) -> list[Json]:
        """What was acknowledged."""
        return [part for _, part in self.log]

    def begin(self) -> None:
        """Start the senders; they end when everything is taken."""
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def release(self, number: int) -> None:
        """Let so many more go."""
        self._gate.release(number)

    def finish(self, seconds: float) -> None:
        """Let all go, and wait until they are taken."""
        self.release(len(self.queue) + SENDERS)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        assert self.strange == [], self.strange[:3]
        assert not any(thread.is_alive() for thread in self._threads), f"{len(self.queue)} deliveries never taken"

    def _send_all(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while True:
                self._gate.acquire()
                while (part := self._next()) is None:
                    if self.strange or not self.queue:  # of whom one was refused, the rest will never be free
                        return
                    time.sleep(0.01)
                self._send(session, part)

    def _next(self) -> Json | None:
        """The next delivery of a patient of whom none is on its way."""
        with self._lock:
            for place in range(len(self.queue) - 1, -1, -1):
                if (patient := patient_of(self.queue[place])) not in self._busy:
                    self._busy.add(patient)
                    return self.queue.pop(place)
        return None

    def _send(self, session: requests.Session, part: Json) -> None:
        until, data = time.monotonic() + PATIENCE, body_of(part)
        while time.monotonic() < until:
            try:
                answer = session.post(f"{self.base}/fhir", data=data, headers=HEADERS, timeout=30)
            except requests.RequestException as error:
                if not _nobody_listened(error):
                    with self._lock:
                        self.broken[hashlib.sha256(data).hexdigest()] += 1
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                with self._lock:
                    self.log.append((datetime.now(UTC), part))
                    self._busy.discard(patient_of(part))
                return
            if answer.status_code != 503:
                self.strange.append(f"{answer.status_code} {answer.text[:300]}")
                return
            time.sleep(0.1)
        self.strange.append("never taken")


def _nobody_listened(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), urllib3.exceptions.NewConnectionError)


def deliveries(number: int, seed: int) -> list[Json]:
    """So many deliveries about invented patients, in a chance order: a patient's parts come in any order."""
    now, found = datetime.now(UTC), list[Json]()
    records = tuple(demo_patients(now))
    count = 0
    while len(found) < number:
        record = records[count % len(records)]
        whole = json.loads(json.dumps(record.bundle()).replace(record.id, f"k{count}"))
        about, *others = whole["entry"]
        found += [{**whole, "entry": [about, *others[n : n + SIZE]]} for n in range(0, len(others), SIZE)]
        count += 1
    found = found[:number]
    random.Random(seed).shuffle(found)
    return found


def whole_record(id: str, at: datetime | None = None) -> Json:
    """One of the demo's records in one delivery, as of an instant or of now."""
    return next(record.bundle() for record in demo_patients(at or datetime.now(UTC)) if record.id == id)
