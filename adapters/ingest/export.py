"""Bulk Data `$export`: asked for, waited for, fetched file by file, then loaded as any other NDJSON.

All of it is one job: the server's answers stand in its parts, so that a stop at any point costs one request or the rest
of one file. The instant at which the server made the export becomes the one from which changes are polled. Its files
hold whole charts: they are removed when all of it is loaded.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from adapters.bootstrap import House
from adapters.db.jobs import Job, Part, Piece
from adapters.fhir.client import NotRetrievedError
from adapters.fhir.known_chart import READ, SHARED
from adapters.ingest import bulk, looking
from adapters.ingest.download import download
from adapters.ingest.intake import Door
from adapters.ingest.reach import begin_at
from adapters.ingest.server import Answer, Source, known_base, source
from adapters.jobs import desk
from adapters.jobs.kinds import Done, NotYetError, Stop, TimeOverError
from adapters.out.retry_after import retry_after
from adapters.screen.lines import stamp
from pathway.canonical import parse_instant
from pathway.errors import BadInputError, NotFoundError, PathwayError

KIND: Final = "export"
DOOR: Final = Door("export")
AWAY: Final = timedelta(seconds=30)
SHORTEST_WAIT: Final = timedelta(seconds=1)
USUAL_WAIT: Final = timedelta(seconds=5)
"""Where a server does not say how long it wants to be left alone."""
LONGEST_WAIT: Final = timedelta(minutes=10)
_TYPES: Final = ",".join(sorted(READ | SHARED))


def begin(house: House, base: str, since: str = "", group: str = "") -> str:
    """Start an export of a listed server, of all its patients or of a Group's, and say the job's id.

    `since` is an instant: only what changed after it is asked for. BadInputError for a base that is not listed.
    """
    if since:
        _instant(since)
    about = {"base": known_base(house, base), "since": since, "group": group}
    return desk.start(house, KIND, [(0, {"step": "ask"})], about)


def run(house: House, job: Job, part: Part, stop: Stop) -> Mapping[str, Any] | Done:
    """One step: to ask for the export, to wait for it, to fetch a file, to look through them, to load patients."""
    if "step" not in part.body:
        return bulk.run(house, _as_load(house, job), part)
    try:
        return _STEPS[part.body["step"]](house, job, part, stop)
    except NotRetrievedError as fault:
        raise NotYetError(fault.what, AWAY) from fault


def _ask(house: House, job: Job, _part: Part, _stop: Stop) -> Done:
    base, group = job.body["base"], job.body["group"]
    asked = {"_type": _TYPES} | ({"_since": job.body["since"]} if job.body["since"] else {})
    url = f"{base}/{f'Group/{group}' if group else 'Patient'}/$export?{urlencode(asked)}"
    answer = source(house, base).ask("GET", url, {"Prefer": "respond-async"})
    status = answer.headers.get("Content-Location", "")
    if answer.status != 202 or not status:
        raise _refused(house, answer, "the server starts no export")
    _refuse_elsewhere(source(house, base), status)
    return Done({}, ((0, {"step": "wait", "status": status}),))


def _wait(house: House, job: Job, part: Part, _stop: Stop) -> Done:
    answer = source(house, job.body["base"]).ask("GET", part.body["status"], {"Accept": "application/json"})
    if answer.status == 202 or answer.status == 429:
        raise NotYetError("the server is still at it", _pause(answer, house.clock.now()))
    if answer.status != 200:
        raise _refused(house, answer, "the export came to no end")
    manifest = answer.json()
    files = [one for one in _rows(manifest.get("output")) if isinstance(one.get("url"), str)]
    parts: list[Piece] = [
        (0, {"step": "fetch", "url": one["url"], "name": f"{number:05d}.ndjson"}) for number, one in enumerate(files)
    ]
    at = str(manifest.get("transactionTime", ""))
    _instant(at)
    gone = {"step": "look", "at": at, "status": part.body["status"], "files": len(files)}
    return Done({"files": len(files)}, (*parts, (0, gone)))


def _fetch(house: House, job: Job, part: Part, stop: Stop) -> Done:
    """One file, from where it was left. It has its name only when it is whole."""
    folder = _folder(house, job)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole, begun = folder / part.body["name"], folder / f"{part.body['name']}.{part.token}"
    server = source(house, job.body["base"])
    _refuse_elsewhere(server, part.body["url"])
    if not whole.exists():
        for left in sorted(folder.glob(f"{part.body['name']}.*")):  # of a worker that was killed
            left.replace(begun)
        if not download(server, part.body["url"], begun, stop):
            raise TimeOverError
        begun.replace(whole)
    return Done({"bytes": whole.stat().st_size})


def _look(house: House, job: Job, part: Part, _stop: Stop) -> Done:
    """When every file is there, polling begins at their instant, and they are looked through."""
    folder = _folder(house, job)
    missing = part.body["files"] - len(looking.files(folder))
    if missing:
        parked = desk.progress(house, job.id).parked
        raise NotYetError(f"{missing} files are not there yet", LONGEST_WAIT if parked else timedelta(seconds=1))
    begin_at(house, _instant(part.body["at"]))
    with suppress(NotRetrievedError):  # the server removes it in its own time
        source(house, job.body["base"]).ask("DELETE", part.body["status"])
    return Done({}, (looking.FIRST,) if part.body["files"] else ())


def _index(house: House, job: Job, part: Part, stop: Stop) -> Done:
    """Whose lines stand where, as far as the time of a round goes."""
    return looking.look_on(house, _folder(house, job), part, stop, DOOR)


def _join(house: House, job: Job, _part: Part, _stop: Stop) -> Done:
    """The parts that load the patients that were found."""
    return Done({}, tuple(looking.joined(_folder(house, job))))


_STEPS: Final = {"ask": _ask, "wait": _wait, "fetch": _fetch, "look": _look, "index": _index, "join": _join}


def remove(house: House, job: str) -> None:
    """Remove the files of an export."""
    shutil.rmtree(house.settings.export_folder / job, ignore_errors=True)


def tidy(house: House, forgotten: Collection[str]) -> None:
    """Remove the files of exports that are loaded, which a killed worker left behind, or whose jobs are forgotten."""
    folder = house.settings.export_folder
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in forgotten or _is_over(house, path.name):
            remove(house, path.name)


def _is_over(house: House, name: str) -> bool:
    """Whether a folder is that of a job of ours that is over; what is not ours is left alone."""
    with suppress(ValueError, NotFoundError), house.store.jobs(write=False) as jobs:
        return jobs.is_over(str(uuid.UUID(name)))
    return False


def _as_load(house: House, job: Job) -> Job:
    """The job as one that loads its folder: files that are fetched do not change any more."""
    folder = _folder(house, job)
    paths = looking.files(folder)
    about = {"root": str(folder), "ndjson": [path.name for path in paths], "stamps": [stamp(path) for path in paths]}
    return Job(job.id, job.kind, job.state, job.made_at, job.ended_at, about)


def _refuse_elsewhere(server: Source, url: str) -> None:
    """Our token and our trust are for one server: what it keeps elsewhere is not fetched."""
    try:
        server.checked(url)
    except NotRetrievedError as fault:
        raise BadInputError("the export is kept on another server", fix="Let it give files below its base") from fault


def _folder(house: House, job: Job) -> Path:
    return house.settings.export_folder / job.id


def _refused(house: House, answer: Answer, what: str) -> PathwayError:
    if answer.status >= 500 or answer.status in (408, 425, 429):
        return NotYetError(f"the server answered {answer.status}", _pause(answer, house.clock.now()))
    return BadInputError(what, why=f"it answered {answer.status}", fix="See whether it has Bulk Data export")


def _pause(answer: Answer, now: datetime) -> timedelta:
    told = retry_after(answer.headers.get("Retry-After", ""), now)
    return USUAL_WAIT if told is None else min(max(told, SHORTEST_WAIT), LONGEST_WAIT)


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _instant(text: str) -> Any:
    try:
        at = parse_instant(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadInputError("not an instant with a zone", where="$export", fix="Write it as 2026-11-22T12:00:00Z")
    return at
