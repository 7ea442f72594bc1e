"""The days that a form offers: those which the act behind it would take, so that nobody has to guess them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Days:
    """From the first day to the last, both among them."""

    first: date
    last: date


def next_try(now: datetime, furthest: datetime, zone: ZoneInfo) -> Days | None:
    """The local days that end after now and no later than the furthest instant; None if there is none."""
    # A day ends a second before the next begins (`calendar.end_of_day`).
    return _days((now + _SECOND).astimezone(zone).date(), (furthest + _SECOND).astimezone(zone).date() - _DAY)


def put_off(now: datetime, furthest: datetime, zone: ZoneInfo) -> Days | None:
    """The local days that begin after now and no later than the furthest instant; None if there is none."""
    return _days(now.astimezone(zone).date() + _DAY, furthest.astimezone(zone).date())


def _days(first: date, last: date) -> Days | None:
    return Days(first, last) if first <= last else None
