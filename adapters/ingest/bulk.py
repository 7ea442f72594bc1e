"""Loading files: a folder of NDJSON or of Bundles, cut into parts of a few patients, each taken in whole.

A patient's lines are brought together from all files first, so that a chart is decided on once and in no order. A load
is a job: killed anywhere, it goes on where it was; loaded twice, the second time changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.bootstrap import House
from adapters.db.jobs import Job, Part
from adapters.db.unread import Unreadable
from adapters.fhir import strict_json
from adapters.fhir.deliver import MAX_BYTES
from adapters.ingest.intake import Door, Taken, put_on_list, take
from adapters.jobs import desk
from adapters.jobs.kinds import Done
from adapters.screen import files, lines
from adapters.screen.charts import bundled
from adapters.screen.plan import plan
from pathway.errors import BadInputError

KIND: Final = "load"
DOOR: Final = Door("load")
CHUNK: Final = 10
"""Patients in a part: below a second or two of work."""
_TRIES: Final = 2
_KEPT: Final = 64 * 1024
"""Of a line that is no JSON so many bytes are kept."""


def begin(house: House, path: Path, tell: Callable[[int], object] = lambda _: None) -> str:
    """Look through files and start to load them, or go on with the load that was stopped; the job's id.

    `tell` hears of bytes looked through. BadInputError if no patient is found there.
    """
    planned = plan(house, str(path), CHUNK, tell)
    body = planned.body
    list_faults(house, _paths(body), planned.faults, planned.bad, DOOR)
    with house.store.jobs(write=True) as jobs:
        for job in jobs.jobs([KIND], ["open", "stopped"]):
            if dict(job.body) == _json(body):
                jobs.requeue(job.id, house.clock.now())
                return job.id
    return desk.start(house, KIND, planned.parts, _json(body))


def run(house: House, job: Job, part: Part) -> Mapping[str, Any] | Done:
    """Load one part. Tried again, it is cut into single patients: one that breaks a worker holds up no other."""
    rows = part.body.get("lines") or part.body.get("files") or ()
    kind = "lines" if "lines" in part.body else "files"
    if part.attempts > _TRIES and len(rows) > 1:
        return Done(Taken().to_json(), tuple((1, {kind: [row]}) for row in rows), size=0)
    taken = Taken()
    for data, where in _documents(house, job.body, part.body):
        taken += take(house, data, where, DOOR)
    return taken.to_json()


def total(results: Iterator[Mapping[str, Any]]) -> Taken:
    """What came of all the parts."""
    taken = Taken()
    for result in results:
        if "resources" in result:
            taken += Taken(**result)
    return taken


def list_faults(
    house: House, paths: Sequence[Path], faults: Sequence[tuple[str, str]], bad: Sequence[lines.Span], door: Door,
    listed: int = 0,
) -> int:  # fmt: skip
    """Put lines of which nobody can tell whose they are on the list, each with its own bytes; how many were listed."""
    for (where, why), (number, at, length) in zip(faults, bad, strict=True):
        if listed == lines.MOST_FAULTS:
            break
        with paths[number].open("rb") as file:
            file.seek(at)
            data = file.read(min(length, _KEPT)).strip()
        put_on_list(house, Unreadable(
            house.settings.source, door.name, where, why, data, "Mend the line at its source", "structure"
        ))  # fmt: skip
        listed += 1
    return listed


def _documents(house: House, body: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[tuple[bytes, str]]:
    """The Bundles of a part, one for each patient, with their places."""
    root = Path(body["root"])
    for chart in files.read(root, part.get("files", ())):
        if chart.fault:
            what = Unreadable(house.settings.source, DOOR.name, chart.where, chart.fault, chart.where.encode())
            put_on_list(house, what)
        else:
            yield chart.data, chart.where
    paths = _paths(body)
    if part.get("lines"):
        lines.refuse_changed(paths, body["stamps"], "Load it again")
    for patient, spans in part.get("lines", ()):
        good = [line for line, place in _lines(paths, spans) if _is_read(house, line, place)]
        if good:
            yield bundled(good), f"Patient/{patient}"


def _paths(body: Mapping[str, Any]) -> Sequence[Path]:
    return [Path(body["root"]) / name for name in body["ndjson"]]


def _lines(paths: Sequence[Path], spans: Sequence[Sequence[int]]) -> Iterator[tuple[bytes, str]]:
    for number, at, length in spans:
        with paths[number].open("rb") as file:
            file.seek(at)
            for line in file.read(length).split(b"\n"):
                if line := line.removeprefix(b"\xef\xbb\xbf").strip():
                    yield line, f"{paths[number].name} at byte {at}"


def _is_read(house: House, line: bytes, place: str) -> bool:
    """Whether a line is strict JSON; put on the list if not, so that it spoils no other line of its patient."""
    try:
        strict_json.load(line, max_bytes=MAX_BYTES, where=place)
    except BadInputError as fault:
        why = Unreadable(house.settings.source, DOOR.name, place, fault.what, line, fault.fix, fault.code)
        put_on_list(house, why)
        return False
    return True


def _json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is on the list already, and as it comes back from the database."""
    kept = {name: value for name, value in body.items() if name not in ("faults", "unusable")}
    return json.loads(strict_json.dumps(kept))
