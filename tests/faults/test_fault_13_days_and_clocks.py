"""Fault 13: a clock that is put forward, put back or wrong, and a year with one day more."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bootstrap import House
from adapters.db.jobs import Job
from adapters.out.posting import LEASE, Claimed, Sent, TryLater, drain
from pathway.calendar import begin_of, end_of, end_of_day, start_of_day
from pathway.lifecycle import Tick
from pathway.people import Act, Person, Role, Said
from pathway.tasks import Task
from tests.databases import BACKENDS, fresh
from tests.world import FixedClock, candidate, ingest, make_house

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
CORA = Person("cora", Role.COORDINATOR, "Cora C.")


@pytest.mark.parametrize(
    ("zone", "day", "first", "last", "hours"),
    [
        pytest.param("Europe/Berlin", "2026-03-29", "00:00:00+01:00", "23:59:59+02:00", 23, id="gap at 2"),
        pytest.param("Europe/Berlin", "2026-10-25", "00:00:00+02:00", "23:59:59+01:00", 25, id="overlap at 3"),
        pytest.param("America/New_York", "2027-03-14", "00:00:00-05:00", "23:59:59-04:00", 23, id="gap in New York"),
        pytest.param("America/Havana", "2026-03-08", "01:00:00-04:00", "23:59:59-04:00", 23, id="no midnight"),
        pytest.param("America/Havana", "2026-11-01", "00:00:00-04:00", "23:59:59-05:00", 25, id="two midnights"),
        pytest.param("Asia/Beirut", "2026-10-24", "00:00:00+03:00", "23:59:59+02:00", 25, id="its last hour twice"),
        pytest.param("Australia/Lord_Howe", "2026-10-04", "00:00:00+10:30", "23:59:59+11:00", 23.5, id="half an hour"),
        pytest.param("Asia/Kathmandu", "2028-02-29", "00:00:00+05:45", "23:59:59+05:45", 24, id="leap day"),
        pytest.param("America/Toronto", "1919-03-31", "00:30:00-04:00", "23:59:59-04:00", 23.5, id="over midnight"),
        pytest.param("UTC", "2026-12-31", "00:00:00+00:00", "23:59:59+00:00", 24, id="end of the year"),
    ],
)
def test_a_day_has_the_hours_that_it_has(zone: str, day: str, first: str, last: str, hours: float) -> None:
    there, on = ZoneInfo(zone), date.fromisoformat(day)
    assert start_of_day(on, there).astimezone(there).isoformat() == f"{day}T{first}"
    assert end_of_day(on, there).astimezone(there).isoformat() == f"{day}T{last}"
    assert end_of_day(on, there) + SECOND - start_of_day(on, there) == timedelta(hours=hours)


ZONES = st.sampled_from([
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Nuuk",
    "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu", "America/St_Johns", "Atlantic/Azores",
])  # fmt: skip
DAYS = st.dates(date(2020, 1, 1), date(2037, 12, 30))


@given(zone=ZONES, day=DAYS)
def test_days_follow_each_other_without_a_gap_and_each_instant_has_one(zone: str, day: date) -> None:
    there = ZoneInfo(zone)
    first, last = start_of_day(day, there), end_of_day(day, there)
    assert last + SECOND == start_of_day(day + DAY, there)
    assert (first.astimezone(there).date(), last.astimezone(there).date()) == (day, day)
    assert (first - SECOND).astimezone(there).date() < day


@given(zone=ZONES, day=DAYS, hour=st.times().filter(lambda at: at.hour != 2), days=st.integers(0, 400))
def test_so_many_days_on_is_that_date_whatever_the_clocks_did_between(
    zone: str, day: date, hour: time, days: int
) -> None:
    """Of an event at midnight, too: counted in hours, it would slip to the day before when summer time ends."""
    there = ZoneInfo(zone)
    anchor = datetime.combine(day, hour, there).astimezone(UTC)
    wanted = anchor.astimezone(there).date() + days * DAY
    assert end_of(anchor, anchor + days * DAY, there).astimezone(there).date() == wanted
    assert begin_of(anchor, anchor + days * DAY, there).astimezone(there).date() == wanted


def test_without_an_anchor_the_day_is_that_of_the_instant() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert end_of(None, at, berlin) == datetime(2026, 11, 24, 22, 59, 59, tzinfo=UTC)


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with fresh(request.param, tmp_path) as url:
        made = make_house(tmp_path, FixedClock(), database_url=url)
        ingest(made, candidate())
        yield made
        made.close()


def state(house: House) -> tuple[Task, ...]:
    with house.store.read() as ledger:
        return ledger.tasks("local|p1")


def events(house: House, task: Task) -> list[str]:
    with house.store.read() as ledger:
        return [event.act for event in ledger.task_events(task.key)]


def test_a_clock_that_runs_a_day_ahead_and_is_put_right_loses_and_doubles_nothing(house: House) -> None:
    """Swept under a clock a day ahead, then under the right one: each thing that was done stays done once."""
    clock = house.clock
    assert isinstance(clock, FixedClock)
    task = max(state(house), key=lambda one: one.due_at)
    clock.at = task.due_at + DAY + timedelta(hours=1)
    assert house.service.wake() == len(state(house))
    wrong = state(house)
    clock.at -= DAY
    assert house.service.wake() == 0
    assert state(house) == wrong, "what was told too early is not taken back, and not told again"
    clock.at += 2 * DAY
    house.service.wake()
    assert events(house, task).count(Tick.ESCALATE) == 2


def test_people_go_on_working_while_the_clock_is_a_day_behind(house: House) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    (task, *_) = state(house)
    clock.at -= DAY
    held = house.service.desk.act(task.id, Act.CLAIM, CORA, task.version)
    asleep = house.service.desk.act(task.id, Act.SNOOZE, CORA, held.version, Said("later", until=clock.at + DAY))
    clock.at += DAY
    house.service.wake()
    (back,) = [one for one in state(house) if one.id == asleep.id]
    assert (back.status, back.holder, back.returns_at) == ("accepted", "cora", None)
    assert events(house, task) == ["ask", "claim", "snooze", "return"]


def test_a_snooze_to_a_day_without_midnight_comes_back_on_that_day(house: House) -> None:
    havana, day = ZoneInfo("America/Havana"), date(2027, 3, 14)
    clock = house.clock
    assert isinstance(clock, FixedClock)
    (task, *_) = state(house)
    until = start_of_day(day, havana)
    clock.at = until - 10 * DAY
    asleep = house.service.desk.act(task.id, Act.SNOOZE, CORA, task.version, Said("later", until=until))
    clock.at = until - SECOND
    assert house.service.wake() == len(state(house)) - 1
    clock.at = until
    house.service.wake()
    (back,) = [one for one in state(house) if one.id == asleep.id]
    assert (back.status, back.modified_at.astimezone(havana).date()) == ("ready", day)
    assert replace(back, modified_at=until) == back


class Other:
    """The other side of the outbox: it counts what it was sent, or fails with what it was given."""

    def __init__(self, error: TryLater | None = None) -> None:
        self.heard, self.error = list[str](), error

    def send(self, row: Claimed) -> Sent:
        self.heard.append(row.key)
        if self.error:
            raise self.error
        return Sent("there", "1")


@pytest.mark.parametrize("channel", ["fhir", "webhook"])
def test_what_was_posted_under_a_clock_a_day_ahead_leaves_once_it_is_right(house: House, channel: str) -> None:
    clock, other = house.clock, Other()
    assert isinstance(clock, FixedClock)
    clock.at += DAY
    with house.store.write() as ledger:
        ledger.post("alert/x/0", channel, "local|p1", clock.at)
    clock.at -= DAY
    drain(house, by={channel: other})
    assert other.heard == ["alert/x/0"]


@pytest.mark.parametrize("channel", ["fhir", "webhook"])
def test_a_lease_or_a_pause_of_a_clock_a_day_ahead_holds_nothing_up(house: House, channel: str) -> None:
    clock, other = house.clock, Other()
    assert isinstance(clock, FixedClock)
    clock.at += DAY
    with house.store.write() as ledger:
        for number in range(2):
            ledger.post(f"alert/x/{number}", channel, "local|p1", clock.at)
    with house.store.outbox(write=True) as outbox:
        assert outbox.claim(channel, clock.at, LEASE, "killed under the wrong clock")
    assert drain(house, by={channel: Other(TryLater("busy", after=timedelta(minutes=1)))}).failed == 1
    clock.at -= DAY
    drain(house, by={channel: other})
    assert len(other.heard) == 2


def test_a_part_that_was_claimed_under_a_clock_a_day_ahead_is_taken_up_once_it_is_right(house: House) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    clock.at += DAY
    with house.store.jobs(write=True) as jobs:
        jobs.add(Job("one", "screen", "open", clock.at, None), [(1, {})])
        assert jobs.claim(clock.at, LEASE, "killed under the wrong clock", "one")
    clock.at -= DAY
    with house.store.jobs(write=True) as jobs:
        assert jobs.claim(clock.at, LEASE, "next", "one")
