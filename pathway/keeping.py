"""Keeping a task: the row, its history, and what has to leave the house about it, in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from pathway.history import TaskEvent
from pathway.letters import Letter
from pathway.ports import Ledger
from pathway.tasks import Task

FHIR: Final = "fhir"
ALERTS: Final = ("webhook", "email")
"""The channels by which an emergency leaves the house."""


def keep_task(
    ledger: Ledger, before: Task | None, after: Task, event: TaskEvent | None, channels: Collection[str], now: datetime
) -> None:
    """Store a task's next version with what happened to it, and post what others have to hear of it.

    `channels` are those that are set up. Whoever sends reads the task when it goes: nothing is written here of it.
    """
    ledger.save_task(after, expect_version=after.version - 1)
    if event is not None:
        ledger.append_task_event(event)
    if FHIR in channels:
        ledger.post(f"Task/{after.id}", FHIR, after.patient, now)
    post_plan(ledger, after.episode, after.patient, channels, now)
    if rings(before, after):
        for channel in ALERTS:
            if channel in channels:
                ledger.post(f"alert/{after.id}/{after.stage}/{channel}", channel, after.patient, now)


def post_plan(ledger: Ledger, episode: str, patient: str, channels: Collection[str], now: datetime) -> None:
    """Post that an episode's plan stands otherwise, though none of its tasks may."""
    if FHIR in channels:
        ledger.post(f"CarePlan/{episode}", FHIR, patient, now)


def rings(before: Task | None, after: Task) -> bool:
    """Whether an emergency is new, opened again, or at its next stage: once for each stage."""
    if not after.emergency or after.ended:
        return False
    return before is None or before.ended or after.stage > before.stage


def post_letter(ledger: Ledger, letter: Letter, channels: Collection[str], now: datetime) -> None:
    """Post that a letter stands otherwise; one that nobody signed never left the house, and is not told of."""
    if FHIR in channels and letter.signed:
        ledger.post(f"DocumentReference/{letter.id}", FHIR, letter.made.patient, now)
