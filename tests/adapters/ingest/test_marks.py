"""How far a type was read: in rounds that are too short for all of it, under ordinary load, a mark only goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from adapters.bootstrap import House
from adapters.fhir.client import NotRetrievedError
from adapters.ingest import polling
from adapters.ingest.reach import begin_at, reach
from adapters.ingest.server import Page, Source
from tests.world import NOW

BEGAN = NOW - timedelta(hours=2)
FIRST = BEGAN - timedelta(hours=1)
A_SECOND = 10
LAST = 3 * 60 * 60 * A_SECOND  # observations until now
PAGE = 200


def observation(number: int) -> dict[str, object]:
    at = FIRST + timedelta(seconds=number / A_SECOND)
    return {"resourceType": "Observation", "id": f"o{number}", "meta": {"lastUpdated": at.isoformat()}}


class Busy(Source):
    """A server with ten new observations a second; `reads` are the numbers that were read."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9/fhir", float("inf"))
        object.__setattr__(self, "reads", set[int]())
        object.__setattr__(self, "now", NOW)

    def pages(self, query: str, most: int = 0) -> Iterator[Page]:
        asked = datetime.fromisoformat(query.split("ge")[1].split("&")[0])
        number = max(int((asked - FIRST).total_seconds() * A_SECOND), 0)
        while number < LAST:
            found = range(number, min(number + PAGE, LAST))
            self.reads.update(found)  # type: ignore[attr-defined]
            yield Page(tuple(map(observation, found)), self.now)  # type: ignore[attr-defined]
            number += PAGE


@pytest.fixture
def busy(house: House, monkeypatch: pytest.MonkeyPatch) -> Busy:
    monkeypatch.setattr(polling, "_keep", lambda _house, _server, page, _kind, _seen: len(page.resources))
    begin_at(house, BEGAN)
    return Busy()


def a_round(house: House, server: Source) -> None:
    """As much as there is time for: five pages."""
    left = iter([False] * 4)
    polling._poll_type(house, server, "Observation", polling._Round(), lambda: next(left, True))


def mark(house: House) -> datetime:
    with house.store.marks(write=False) as marks:
        found = marks.mark("poll/Observation")
    assert found is not None
    return found.at


def test_rounds_that_are_too_short_for_all_go_on_where_they_were_and_come_to_an_end(house: House, busy: Busy) -> None:
    before, asked = mark(house), reach(house, "Observation").since
    for _ in range(80):  # 100 s of records each, and two hours and the overlap to read
        a_round(house, busy)
        assert mark(house) >= before
        if mark(house) == NOW:
            break
        assert reach(house, "Observation").since > asked
        before, asked = mark(house), reach(house, "Observation").since
    assert mark(house) == NOW
    first = min(busy.reads)  # type: ignore[attr-defined]
    assert busy.reads == set(range(first, LAST))  # type: ignore[attr-defined]
    assert reach(house, "Observation").since == NOW - timedelta(seconds=house.settings.poll_overlap_seconds)


def test_what_was_written_while_it_was_read_in_rounds_is_asked_for_again(house: House, busy: Busy) -> None:
    """The overlap is counted from when the reading began: what came late under an earlier instant is read."""
    a_round(house, busy)
    object.__setattr__(busy, "now", NOW + timedelta(minutes=20))
    while mark(house) < NOW:
        a_round(house, busy)
    assert mark(house) == NOW


def test_a_server_that_fails_in_the_middle_leaves_the_mark_where_it_was(house: House, busy: Busy) -> None:
    a_round(house, busy)
    asked = reach(house, "Observation").since

    class Failing(Busy):
        def pages(self, query: str, most: int = 0) -> Iterator[Page]:
            raise NotRetrievedError("the server answered 503")

    with pytest.raises(NotRetrievedError):
        a_round(house, Failing())
    assert reach(house, "Observation").since == asked
