"""The days that a form offers are those that the act takes: the first and the last, and none before or after."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.http.pages.worklist.days import Days, next_try, put_off
from pathway.acts import act
from pathway.calendar import end_of_day, start_of_day
from pathway.clockwork import PACE, Pace
from pathway.lifecycle import Act
from pathway.people import OutOfTurnError, Person, Role, Said
from pathway.tasks import Task
from tests.adapters.http.conftest import NOW

DAY = timedelta(days=1)
CLIO = Person("clio", Role.CLINICIAN, "Clio")
Offered = Callable[[datetime, datetime, ZoneInfo], Days | None]


def task(priority: str) -> Task:
    return Task(
        key="e/r/1", patient="s|p", episode="e", rule="r", occurrence=1, code="c", title="t", status="ready",
        priority=priority, owner="nurse", due_at=NOW, anchor="asked", focus="", release="x|1", decision="d",
        authored_at=NOW, modified_at=NOW,
    )  # fmt: skip


def said(what: Act, day: date, zone: ZoneInfo) -> Said:
    """What a form says that names a day: by its end for a next try, from its beginning for what is put off."""
    if what is Act.ATTEMPT:
        return Said(channel="phone", outcome="no-answer", until=end_of_day(day, zone))
    return Said(text="on holiday", until=start_of_day(day, zone))


@pytest.mark.parametrize(
    "at",
    [
        NOW,
        datetime(2026, 11, 22, 22, 59, 58, tzinfo=UTC),
        datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC),  # in Berlin the last second of the day
        datetime(2026, 11, 22, 22, 59, 59, 500_000, tzinfo=UTC),
        datetime(2026, 11, 22, 23, 0, tzinfo=UTC),  # and midnight
        datetime(2026, 10, 24, 12, 0, tzinfo=UTC),  # the next day there has 25 hours
        datetime(2026, 3, 28, 12, 0, tzinfo=UTC),  # and here 23
    ],
)
@pytest.mark.parametrize("where", ["UTC", "Europe/Berlin", "America/Havana", "Pacific/Kiritimati"])
@pytest.mark.parametrize("priority", ["stat", "asap", "urgent", "routine"])
@pytest.mark.parametrize(("what", "offered"), [(Act.ATTEMPT, next_try), (Act.SNOOZE, put_off)])
def test_the_act_takes_the_first_day_and_the_last_and_none_beside_them(
    what: Act, offered: Offered, priority: str, where: str, at: datetime
) -> None:
    zone, one = ZoneInfo(where), task(priority)
    days = offered(at, at + PACE.furthest(one), zone)
    assert days is not None
    for day in (days.first, days.last):
        assert act(one, what, CLIO, at, said(what, day, zone)).version == 2
    for day in (days.first - DAY, days.last + DAY):
        with pytest.raises(OutOfTurnError):
            act(one, what, CLIO, at, said(what, day, zone))


def test_where_no_day_would_be_taken_none_is_offered() -> None:
    short = Pace(longest_snooze=timedelta(hours=1))
    furthest = NOW + short.furthest(task("routine"))
    assert next_try(NOW, furthest, ZoneInfo("UTC")) is None
    assert put_off(NOW, furthest, ZoneInfo("UTC")) is None
