"""Tasks: what somebody has to do, as it stands.

A task is made by the record (`reconcile`), moved by people (`acts`) and by the clock (`clockwork`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pathway.obligations import Item

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pathway.example/fhir/Task")
ON_CALL: Final = "on-call"
"""A task asked of this role is an emergency: neither evidence nor the clock ends it, whoever claims it."""

ENDED: Final = frozenset({"completed", "cancelled", "rejected", "failed", "entered-in-error"})
EXPIRED: Final = "expired"
"""The outcome of a task that the clock ended: it is asked for again only once what asked for it has gone."""
ENDLESS: Final = frozenset({"bone-health"})
"""The rule sets whose tasks the clock never ends: the disease itself is treated, or a person says why not."""


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote on a task; `author` is their name and role."""

    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to reach the patient: by which channel, with what outcome, and when to try again."""

    at: datetime
    author: str
    channel: str
    outcome: str
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task as it stands. `status` is a FHIR R4 task status; `lapsed` says that what asked for it has been gone
    since it ended.

    `owner` is the role that it is for; `holder` the account of who claimed or ended it. `by_person` says that a
    person's word stands on it: they hold it, wrote on it or ended it. `outcome` is how a person ended it
    (`pathway.people.OUTCOMES`), or `EXPIRED`. `items` is its checklist, as the record stood at the last decision.
    `disputed` are records that closed it once and of which a person said, by reopening it, that they do not settle it.

    Its clock: it begins at `start_at` (at once if none), is due at `due_at`, comes back from a snooze at `returns_at`,
    is escalated to the next `stage` at `escalate_at`, and ends unasked at `expires_at`. Overdue is derived, no status.

    `key` is episode, rule and occurrence and never holds a rule version: an upgrade of rules re-creates nothing.
    """

    key: str
    patient: str
    episode: str
    rule: str
    occurrence: int
    code: str
    title: str
    status: str
    priority: str
    owner: str
    due_at: datetime
    anchor: str
    focus: str
    release: str
    decision: str
    authored_at: datetime
    modified_at: datetime
    levels: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    status_reason: str = ""
    by_person: bool = False
    lapsed: bool = False
    emergency: bool = False
    version: int = 1
    holder: str = ""
    holder_display: str = ""
    held_at: datetime | None = None
    outcome: str = ""
    notes: tuple[Note, ...] = ()
    ended_at: datetime | None = None
    items: tuple[Item, ...] = ()
    start_at: datetime | None = None
    expires_at: datetime | None = None
    returns_at: datetime | None = None
    escalate_at: datetime | None = None
    stage: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    attempts: tuple[Attempt, ...] = ()
    disputed: tuple[str, ...] = ()

    @property
    def wake_at(self) -> datetime | None:
        """When the clock next has something to do with it; None once it has ended."""
        start = self.start_at if self.status == "requested" else None
        expiry = self.expires_at if self.may_expire else None
        ahead = [at for at in (start, self.returns_at, self.escalate_at, expiry) if at is not None]
        return None if self.ended else min(ahead, default=None)

    @property
    def may_expire(self) -> bool:
        """Whether the clock may end it: no emergency, nothing that people have, nothing of an `ENDLESS` rule set."""
        return not (self.emergency or self.by_person or self.rule_set in ENDLESS)

    @property
    def rule_set(self) -> str:
        """The rule set that asked for it."""
        return self.release.partition("|")[0]

    @property
    def id(self) -> str:
        """The FHIR id, the same for the same key on every machine."""
        return str(uuid.uuid5(NAMESPACE, self.key))

    @property
    def ended(self) -> bool:
        """Whether the task has reached an end of the state machine."""
        return self.status in ENDED
