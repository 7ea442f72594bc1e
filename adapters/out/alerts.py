"""Alerts: what leaves the house about an emergency that nobody has answered. Nothing in it is about the patient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from adapters.db.outbox import Claimed
from adapters.settings import Settings
from pathway.clockwork import told
from pathway.errors import BadInputError, NotFoundError
from pathway.ports import Ledger

WEBHOOK: Final = "webhook"
EMAIL: Final = "email"
_KEY: Final = re.compile(r"alert/([0-9a-f-]{36})/([0-9]{1,4})/(?:webhook|email)")


@dataclass(frozen=True, slots=True)
class Alert:
    """One emergency that waits for an answer: `kind` is the task's code, `role` who is called, `link` its page here.

    `stage` is that of its escalation (`pathway.clockwork.STAGES`); at each the task is told of once.
    """

    task: str
    kind: str
    role: str
    stage: int
    link: str

    @property
    def again(self) -> bool:
        """Whether somebody was called before: nobody answered then, or it was opened again."""
        return self.stage > 0


def alert_of(ledger: Ledger, row: Claimed, address: str) -> Alert | None:
    """The alert behind a row of the outbox as things stand now, with links below `address`.

    None where nobody is to be called any more: the emergency was answered since it reached this stage, or has ended.
    An answer from before does not count: it was given, and then nothing was done.
    """
    found = _KEY.fullmatch(row.key)
    if found is None:
        raise NotFoundError("this row names no alert", where="outbox")
    task = ledger.find_task(found[1])
    if task.ended or (task.acknowledged_at is not None and task.acknowledged_at >= row.posted_at):
        return None
    stage = int(found[2])
    role = "supervisor" if told(stage) == "supervisor" else task.owner
    return Alert(task.id, task.code, role, stage, f"{address.rstrip('/')}/tasks/{task.id}")


def channels(settings: Settings) -> frozenset[str]:
    """The channels that a site has set up for alerts; BadInputError names what one that is half set up lacks."""
    found = {name for name, wanted in _PARTS.items() if any(_given(settings, part) for part in wanted)}
    for name in sorted(found):
        lacking = [part for part in (*_PARTS[name], "public_url") if not _given(settings, part)]
        if lacking:
            raise BadInputError(
                f"alerts by {name} are only half set up", where=_variable(lacking[0]),
                why="an alert that cannot be sent, signed or opened helps nobody",
                fix=f"Set {' and '.join(map(_variable, lacking))} too",
            )  # fmt: skip
    return frozenset(found)


_PARTS: Final = {
    WEBHOOK: ("alert_webhook", "alert_webhook_secret"),
    EMAIL: ("alert_smtp", "alert_to", "alert_from"),
}


def _given(settings: Settings, part: str) -> bool:
    value = getattr(settings, part)
    return bool(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _variable(part: str) -> str:
    return f"PATHWAY_{part.upper()}"
