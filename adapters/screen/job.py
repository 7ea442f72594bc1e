"""A screening as a job: it goes on where it was stopped, at the instant as of which it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from adapters.bootstrap import House
from adapters.jobs import Done, Job, Part, Stop, TimeOverError, start
from adapters.screen.charts import Chart
from adapters.screen.deciding import Screener
from adapters.screen.plan import Plan, charts
from adapters.worker import ending
from pathway.canonical import instant, parse_instant


def begin(house: House, plan: Plan, as_of: datetime, keep: bool = False) -> str:
    """Start a screening as planned and say the job's id; with `keep` the patients are ingested, which makes tasks."""
    about = {"asOf": instant(as_of), "keep": keep, "acting": house.settings.acting_policy}
    return start(house, "screen", plan.parts, {**plan.body, **about})


def run(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    """Screen one part; what it has to tell (`deciding.Told`). Whom its time does not reach is a part of its own."""
    screener = Screener.of(house, parse_instant(job.body["asOf"]), job.body["keep"])
    ((kind, items),) = part.body.items()
    seen: list[str] = []
    told = screener.screen(_until(stop, charts(house, job, part), seen))
    left = items[len(seen) :]
    if not seen:
        raise TimeOverError
    return Done(told.to_json(), ((len(left), {kind: left}),) if left else (), size=len(seen))


def _until(stop: Stop, found: Iterator[Chart], seen: list[str]) -> Iterator[Chart]:
    """Charts until the time is over, noting whose they are; none that the end of the process broke off."""
    for chart in found:
        if chart.fault and ending.is_ending():
            return
        seen.append(chart.where)
        yield chart
        if stop():
            return
