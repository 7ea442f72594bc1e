"""The report of measures as text, as CSV for a spreadsheet and as lines of JSON. CSV and JSON name every patient."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapters.spreadsheet import csv_bytes
from pathway.canonical import instant
from pathway.measure_forms import Measure, NotComputed
from pathway.measures import FEW, Line, Standing, Tally, Window
from pathway.rulebook import RuleSet

COLUMNS: Final = ("measure", "patient", "episode", "levels", "on", "standing", "why")
SHOWN: Final = (
    Standing.DONE, Standing.NOT_DONE, Standing.UNKNOWN, Standing.RUNNING, Standing.EXCLUDED, Standing.IN_DOUBT,
)  # fmt: skip
WORDS: Final = {
    Standing.DONE: "yes", Standing.NOT_DONE: "no", Standing.UNKNOWN: "unknown", Standing.RUNNING: "still running",
    Standing.EXCLUDED: "excluded", Standing.IN_DOUBT: "in doubt",
}  # fmt: skip
"""How people read where somebody stands. In doubt: nobody knows whether they belong to the measure at all."""

DRAFT: Final = "Draft rules: not approved for clinical use"


@dataclass(frozen=True, slots=True)
class Head:
    """What a report is of: its window, the rule sets that it was counted by, and what none computes."""

    window: Window
    releases: tuple[str, ...]
    draft: bool
    not_computed: tuple[NotComputed, ...]

    @classmethod
    def of(cls, window: Window, rule_sets: Iterable[RuleSet], not_computed: tuple[NotComputed, ...]) -> Head:
        """The head of a report by these rule sets."""
        sets = tuple(rule_sets)
        return cls(window, tuple(one.release for one in sets), any(one.status == "draft" for one in sets), not_computed)


def rate_words(tally: Tally) -> str:
    """A rate in words: `62 %`, or `at least 40 %, at most 80 %`; with a warning where it is of few."""
    if tally.rates is None:
        return "nobody to rate"
    low, high = (_percent(rate) for rate in tally.rates)
    rate = low if tally[Standing.UNKNOWN] == 0 else f"at least {low}, at most {high}"
    return f"{rate} (of fewer than {FEW}: says little)" if tally.few else rate


def _percent(rate: float) -> str:
    """A rate in whole per cent, or as finely as it takes: one of 300 is not none, and 299 are not all."""
    said = (f"{rate:.{places}%}" for places in range(10))
    return next(one for one in said if rate in (0, 1) or float(one[:-1]) not in (0, 100)).replace("%", " %")


def csv_rows(lines: Iterable[Line]) -> Iterator[bytes]:
    """A row for each line: the patients behind each measure, with episode, day and reason."""
    yield csv_bytes([COLUMNS])
    for line in lines:
        row = line.to_json() | {"levels": " ".join(line.levels)}
        yield csv_bytes([[row[name] for name in COLUMNS]])


def ndjson(lines: Iterable[Line], measures: Iterable[Measure], head: Head) -> Iterator[bytes]:
    """A line of JSON for each patient behind a measure, then one for each measure with its numbers."""
    tallies = {one.id: Tally(one) for one in measures}
    for line in lines:
        tallies[line.measure].counts[line.standing] += 1
        yield _json(line.to_json())
    for tally in tallies.values():
        yield _json(to_json(tally, head))


def to_json(tally: Tally, head: Head) -> dict[str, Any]:
    """The numbers of one measure as plain JSON; rates as fractions, or null where nobody is rated."""
    low, high = tally.rates or (None, None)
    numbers = {standing.value: tally[standing] for standing in SHOWN}
    return {
        "measure": tally.measure.id, "title": tally.measure.title, "catalogue": tally.measure.catalogue,
        "counts": tally.measure.counts.value, "asOf": instant(head.window.as_of), "releases": list(head.releases),
        "denominator": tally.denominator, **numbers, "rateAtLeast": low, "rateAtMost": high, "few": tally.few,
        "unseen": tally.measure.unseen, "harm": tally.measure.harm, "draft": head.draft,
    }  # fmt: skip


def text(tallies: Iterable[Tally], head: Head) -> Iterator[str]:
    """The numbers of each measure in a few lines, and what none computes."""
    draft = f". {DRAFT}" if head.draft else ""
    yield f"As of {instant(head.window.as_of)}, {period(head.window)}, by {', '.join(head.releases)}{draft}"
    for tally in tallies:
        measure = tally.measure
        yield f"{measure.catalogue} {measure.id}: {measure.title}"
        counted = ", ".join(f"{tally[standing]} {WORDS[standing]}" for standing in SHOWN)
        yield f"    {rate_words(tally)}. {tally.denominator} {measure.counts}s: {counted}"
        yield f"    Not seen: {measure.unseen}"
    for one in head.not_computed:
        yield f"{one.catalogue}: {one.title}: not computed. {one.why}"


def period(window: Window) -> str:
    """Of which days the events are that were looked at."""
    since, until = window.since, window.until
    if since is None and until is None:
        return "events of any day"
    return f"events from {since or 'the first'} to {until or window.day(window.as_of)}"


def _json(body: dict[str, Any]) -> bytes:
    return (json.dumps(body, ensure_ascii=False) + "\n").encode()
