"""Days of the facility: a period that is given in days begins and ends with local days, whatever the clocks do.

A day here is a date in a zone. It may have 23 or 25 hours, or its midnight may not exist; no length in seconds tells.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC."""
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    if _local(midnight, zone) == datetime.combine(day, time()):
        return midnight  # of two midnights the first, for `fold` is 0
    return _after_the_gap(day, midnight - _DAY, midnight + _DAY, zone)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a local day, in UTC: still of this day to whoever reads it, and late right after."""
    return start_of_day(day + _DAY, zone) - _SECOND


def begin_of(anchor_at: datetime | None, at: datetime, zone: ZoneInfo) -> datetime:
    """When a period in days begins that was counted from `anchor_at` as `at` in days of 24 hours."""
    return start_of_day(_date(anchor_at, at, zone), zone)


def end_of(anchor_at: datetime | None, at: datetime, zone: ZoneInfo) -> datetime:
    """When a period in days ends that was counted from `anchor_at` as `at` in days of 24 hours.

    The local date of the anchor and so many dates on: counted in hours, what began at a midnight would fall on the day
    before once summer time has ended. Without an anchor, the end of the local day of `at`.
    """
    return end_of_day(_date(anchor_at, at, zone), zone)


def _date(anchor_at: datetime | None, at: datetime, zone: ZoneInfo) -> date:
    if anchor_at is None:
        return at.astimezone(zone).date()
    return anchor_at.astimezone(zone).date() + timedelta(days=(at - anchor_at) // _DAY)


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _after_the_gap(day: date, before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """When clocks jump over this day's midnight, to the second, between an instant `before` it and one `after` it."""
    while after - before > _SECOND:
        between = before + (after - before) // 2
        before, after = (before, between) if _local(between, zone).date() >= day else (between, after)
    return after.replace(microsecond=0)
