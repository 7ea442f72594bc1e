"""Whose lines stand where in the files of an export: found slice by slice, each kept in a file of its own.

A file of any size may come from another server, and nobody may wait until it was looked through.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.bootstrap import House
from adapters.db.jobs import Part, Piece
from adapters.fhir import strict_json
from adapters.ingest.bulk import CHUNK, list_faults
from adapters.ingest.intake import Door
from adapters.jobs.kinds import Done, Stop
from adapters.screen.lines import Index
from adapters.screen.plan import cut

FIRST: Final = (0, {"step": "index", "file": 0, "at": 0, "line": 0, "faults": 0})
_SLICES: Final = "*.index"


def look_on(house: House, folder: Path, part: Part, stop: Stop, door: Door) -> Done:
    """Look on from where the slice before ended, a mebibyte at least; then the next slice, or the joining."""
    paths, index, place = files(folder), Index(), part.body
    number, at, line = place["file"], place["at"], place["line"]
    while number < len(paths):
        at, line, ended = index.read(number, paths[number], at, line, stop)
        if ended:
            number, at, line = number + 1, 0, 0
        if stop():
            break
    faults = list_faults(house, paths, index.faults, index.bad, door, place["faults"])
    _keep(folder / f"{part.number:08d}.index", index)
    if number == len(paths):
        return Done({}, ((0, {"step": "join"}),))
    return Done({}, ((0, {"step": "index", "file": number, "at": at, "line": line, "faults": faults}),))


def joined(folder: Path) -> Sequence[Piece]:
    """The parts that load the patients of all slices."""
    index = Index()
    for path in sorted(folder.glob(_SLICES)):
        index.add(json.loads(path.read_bytes()))
    return cut("lines", index.rows(), CHUNK)


def files(folder: Path) -> Sequence[Path]:
    """The files of an export that are whole, in their order."""
    return sorted(folder.glob("*.ndjson"))


def _keep(path: Path, index: Index) -> None:
    begun = path.with_suffix(".begun")
    with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(strict_json.dumps(index.to_json()))
    begun.replace(path)
