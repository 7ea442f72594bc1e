"""Loss of height that came later: a measure against an earlier one of the same vertebra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from adapters.fhir.findings import Finding

APART: Final = timedelta(days=1)
PROGRESS: Final = Decimal(5)
"""Percentage points by which height loss must rise to be more than the error of measuring it on films.

No source fixes it. A project default of 2026-11-22, awaiting sign-off.
"""


def later_loss(rows: Sequence[Finding], since: datetime) -> tuple[Finding, ...]:
    """The first measure since an instant that lies above an earlier one, days apart, and that one; none if none does.

    A film that shows no loss compares with any; two numbers only if they are of one technique.
    """
    for row in rows:
        if row.at < since or not row.deformed:
            continue
        lower = (early for early in rows if row.at - early.at >= APART and _rose(early, row))
        first = next(lower, None)
        if first is not None:
            return row, first
    return ()


def unseen_loss(rows: Sequence[Finding], since: datetime, looks: Iterable[datetime]) -> tuple[Finding, ...]:
    """As `later_loss`, of what nobody has looked at yet: what sank on after a look is a loss of its own.

    A look answers what was measured before its instant.
    """
    lost = later_loss(rows, since)
    for look in sorted(looks):
        if lost and lost[0].at < look:
            lost = later_loss([*_most(r for r in rows if r.at <= look), *(r for r in rows if r.at > look)], look)
    return lost


def _most(rows: Iterable[Finding]) -> list[Finding]:
    """Of each technique the greatest loss measured; without any, films that show none."""
    measured = list(rows)
    sunk = {f.technique: f for f in sorted(measured, key=lambda f: f.number or Decimal(0)) if f.deformed}
    return list(sunk.values()) or measured


def _rose(early: Finding, late: Finding) -> bool:
    if not early.deformed:
        return early.answer == "absent" or early.number == 0
    alike = early.technique == late.technique != ""
    return alike and early.number is not None and late.number is not None and late.number - early.number >= PROGRESS
