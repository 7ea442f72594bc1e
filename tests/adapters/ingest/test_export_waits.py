"""How long an export waits for a server that is still at it: as long as it asks for, within bounds, at no cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from adapters.bootstrap import House
from adapters.ingest import export
from adapters.ingest.server import Answer
from adapters.jobs import progress, work
from adapters.jobs.working import ATTEMPTS
from tests.world import FixedClock, make_house

BASE = "http://127.0.0.1:9/fhir"


class Busy:
    """A server that starts an export and never comes to its end; it says how long it wants to be left alone."""

    def __init__(self, status: int, pause: str) -> None:
        self.status, self.pause = status, pause

    def checked(self, url: str) -> str:
        return url

    def ask(self, _method: str, url: str, _headers: Mapping[str, str]) -> Answer:
        if "$export" in url:
            return Answer(202, {"Content-Location": f"{BASE}/status/1"}, b"")
        return Answer(self.status, {"Retry-After": self.pause} if self.pause else {}, b"")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = make_house(tmp_path, FixedClock(), poll_base=BASE, export_folder=tmp_path / "exports")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("status", "pause", "seconds"),
    [(202, "120", 120), (202, "0", 1), (202, "7200", 600), (202, "", 5), (202, "soon", 5), (202, "²", 5),
     (202, "9" * 15, 5), (202, "Sun, 22 Nov 2026 12:02:00 GMT", 120), (202, "Sun, 22 Nov 2026 11:00:00 GMT", 1),
     (202, "Fri, 31 Dec 9999 23:59:59 GMT", 600), (202, "Sun, 22 Nov 99999999999999999999 12:00:00 GMT", 5),
     (429, "Sun, 22 Nov 2026 12:02:00 GMT", 120), (503, "Sun, 22 Nov 2026 12:02:00 GMT", 120), (503, "²", 5)],
)  # fmt: skip
def test_a_pause_is_kept_as_seconds_or_as_a_date(
    house: House, monkeypatch: pytest.MonkeyPatch, status: int, pause: str, seconds: int
) -> None:
    monkeypatch.setattr(export, "source", lambda *_: Busy(status, pause))
    job = export.begin(house, BASE)
    assert work(house, limit=10, job=job) == 2  # it asked, and was told to wait
    forward(house, seconds - 0.5)
    assert not work(house, job=job)
    forward(house, 0.5)
    assert work(house, job=job) == 1


def test_waiting_never_parks_an_export_whatever_a_server_asks_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "source", lambda *_: Busy(202, "²"))
    job = export.begin(house, BASE)
    for _ in range(2 * ATTEMPTS):
        work(house, limit=10, job=job)
        forward(house, 600)
    assert progress(house, job).parked == 0


def forward(house: House, seconds: float) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    clock.forward(seconds=seconds)
