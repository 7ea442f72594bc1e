"""Measuring as a job: any number of processes may carry it out, and what came of it is the report that the page shows.

Once all parts are done they are added up, and the sum is kept as a job of its own without parts: so a page reads one
row, however many patients there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.bootstrap import House
from adapters.jobs import Done, Job, Part, Stop, results, start
from adapters.measure.counting import Counter, counting
from adapters.screen.plan import cut
from pathway.errors import BadInputError
from pathway.measure_forms import Counts, Measure, NotComputed
from pathway.measures import Line, Standing, Tally, Window

KIND: Final = "measure"
SUM: Final = "measured"
CHUNK: Final = 100
"""Patients in a part."""


def begin(house: House, window: Window, chunk: int = CHUNK) -> str:
    """Start measuring everybody who is stored, by the measures in force, and say the job's id."""
    with house.store.read() as ledger:
        patients = ledger.patients()
    with counting(house, window) as counter:
        about = {
            "rules": _rules(counter), "draft": any(one.status == "draft" for one in counter.rule_sets),
            "measures": [_measure_json(one) for one in counter.measures],
            "notComputed": [[one.catalogue, one.title, one.why] for one in counter.not_computed],
            "patients": len(patients),
        }  # fmt: skip
    id_ = start(house, KIND, cut("patients", patients, chunk), {**window.to_json(), **about})
    if not patients:  # a job without parts is over at once, and nobody is left to add it up
        add_up(house, id_)
    return id_


def run(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    """Measure one part; whom its time does not reach is a part of its own. BadInputError if the rules have changed."""
    window = Window.from_json(job.body, ZoneInfo(house.settings.time_zone))
    patients: list[str] = part.body["patients"]
    found: list[dict[str, Any]] = []
    done = 0
    with counting(house, window) as counter:
        if _rules(counter) != job.body["rules"]:
            raise BadInputError("the measures changed since this began", fix="Measure again")
        for patient in patients:
            found += [line.to_json() for line in counter.of(patient)]
            done += 1
            if stop():
                break
    left = patients[done:]
    more = ((len(left), {"patients": left}),) if left else ()
    return Done({"lines": found}, more, size=done)


def add_up(house: House, job: str) -> str:
    """Add up what came of a measuring, keep the sum, and say under which id. Done twice it comes to the same."""
    counts: dict[str, dict[str, int]] = {}
    for line in lines(house, job):
        own = counts.setdefault(line.measure, {})
        own[line.standing.value] = own.get(line.standing.value, 0) + 1
    with house.store.jobs(write=False) as jobs:
        about = jobs.job(job).body
    return start(house, SUM, (), {**about, "job": job, "counts": counts})


def latest(house: House, kind: str) -> Job | None:
    """The job of a kind that was begun last; None if there is none, or it was removed since."""
    with house.store.jobs(write=False) as jobs:
        return next(iter(jobs.jobs([kind], limit=1)), None)


def tallies(body: Mapping[str, Any]) -> tuple[Tally, ...]:
    """The numbers that `add_up` kept, measure by measure."""
    found: list[Tally] = []
    for row in body["measures"]:
        tally = Tally(Measure(**row | {"counts": Counts(row["counts"])}, denominator=(), exclusions=(), numerator=""))
        tally.counts.update({Standing(word): count for word, count in body["counts"].get(row["id"], {}).items()})
        found.append(tally)
    return tuple(found)


def not_computed(body: Mapping[str, Any]) -> tuple[NotComputed, ...]:
    """What no measure computed, as `begin` noted it."""
    return tuple(NotComputed(*row) for row in body["notComputed"])


def lines(house: House, job: str) -> Iterator[Line]:
    """The lines of a measuring, read a few parts at a time."""
    for result in results(house, job):
        yield from (Line.from_json(row) for row in result.get("lines", ()))


def _measure_json(one: Measure) -> dict[str, Any]:
    """What a page says of a measure; to count by it takes its rules as well."""
    return {
        "id": one.id, "title": one.title, "catalogue": one.catalogue, "counts": one.counts.value,
        "every_level": one.every_level, "runs_for": one.runs_for, "unseen": one.unseen,
        "harm": one.harm,
    }  # fmt: skip


def _rules(counter: Counter) -> list[str]:
    return [f"{one.release}|{one.sha256}" for one in counter.rule_sets]
