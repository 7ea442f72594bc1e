"""What the pages of measures show: the numbers of the last report, and the patients behind one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from adapters.bootstrap import House
from adapters.jobs import Progress, progress
from adapters.measure import job as measuring
from adapters.measure.report import SHOWN, WORDS, period, rate_words
from pathway.errors import NotFoundError
from pathway.measure_forms import NotComputed
from pathway.measures import Line, Tally, Window

MOST: Final = 200
"""What a page shows of the patients behind a number; the file has all of them."""
PARTS: Final = 50
"""How many parts of a report a page reads for it, so that it comes back however many patients there are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure in the table."""

    id: str
    title: str
    catalogue: str
    counts: str
    rate: str
    denominator: int
    numbers: tuple[tuple[str, str, int], ...]
    unseen: str

    @classmethod
    def of(cls, tally: Tally) -> Row:
        """The row of a measure's numbers, each with its word and its code."""
        one = tally.measure
        numbers = tuple((WORDS[standing], standing.value, tally[standing]) for standing in SHOWN)
        return cls(
            one.id, one.title, one.catalogue, one.counts.value, rate_words(tally), tally.denominator, numbers,
            one.unseen,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """The last report that was counted to its end: by which rules, as of when, of whom."""

    job: str
    as_of: str
    period: str
    releases: tuple[str, ...]
    patients: int
    rows: tuple[Row, ...]
    not_computed: tuple[NotComputed, ...]
    draft: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """The patients behind one measure, or one of its numbers; `more` says that the file has others."""

    row: Row
    standing: str
    lines: tuple[Line, ...]
    more: bool


def report(house: House) -> Report | None:
    """The last report; None if nobody has measured yet, or it was removed since."""
    found = measuring.latest(house, measuring.SUM)
    if found is None:
        return None
    body = found.body
    window = Window.from_json(body, ZoneInfo(house.settings.time_zone))
    releases = tuple(name.rpartition("|")[0] for name in body["rules"])
    rows = tuple(Row.of(tally) for tally in measuring.tallies(body))
    not_computed = measuring.not_computed(body)
    return Report(
        body["job"], body["asOf"], period(window), releases, body["patients"], rows, not_computed, body["draft"]
    )  # fmt: skip


def under_way(house: House) -> Progress | None:
    """How far the measuring is that was begun last, unless it came to its end and the report is of it."""
    begun, found = measuring.latest(house, measuring.KIND), measuring.latest(house, measuring.SUM)
    if begun is None or (found is not None and found.body["job"] == begun.id):
        return None
    return progress(house, begun.id)


def behind(house: House, measure: str, standing: str) -> Behind:
    """The patients behind a measure of the last report, in the order of their keys; NotFoundError if there is none."""
    found = report(house)
    row = next((row for row in found.rows if row.id == measure), None) if found else None
    if found is None or row is None or standing not in ("", *(word for _, word, _ in row.numbers)):
        raise NotFoundError("the last report has no such measure", where=measure, fix="The page of measures names them")
    own = (line for line in _few(house, found.job) if line.measure == measure)
    lines = tuple(islice((line for line in own if standing in ("", line.standing.value)), MOST))
    count = sum(number for _, code, number in row.numbers if standing in ("", code))
    return Behind(row, standing, lines, count > len(lines))


def _few(house: House, job: str) -> Iterator[Line]:
    """The lines of the first parts of a report."""
    with house.store.jobs(write=False) as jobs:
        for _, result in jobs.results(job, limit=PARTS):
            yield from (Line.from_json(row) for row in result.get("lines", ()))
