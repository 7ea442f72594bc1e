"""What a screening is cut into: parts of so many patients, each of which says where its patients are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from adapters.bootstrap import House
from adapters.ingest.server import known_base, token
from adapters.jobs import Job, Part
from adapters.screen import files, lines, server
from adapters.screen.charts import Chart
from pathway.errors import BadInputError

CHUNK: Final = 50
"""Patients in a part: a second or two of work, so that a stop is soon and a lost part costs little."""
_NDJSON: Final = frozenset({".ndjson", ".jsonl"})
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Plan:
    """The job's body, its parts with the number of patients in each, and what could not be laid to any patient.

    `faults` are its places with reasons, `bad` says where those lines stand in the files.
    """

    body: Mapping[str, Any]
    parts: Sequence[tuple[int, Mapping[str, Any]]]
    faults: Sequence[tuple[str, str]] = ()
    bad: Sequence[lines.Span] = ()


def plan(house: House, source: str, chunk: int = CHUNK, tell: Callable[[int], object] = lambda _: None) -> Plan:
    """The plan for a folder, a file or a FHIR base; `tell` hears of bytes looked through. BadInputError if it is none.

    A folder may hold Bundles (`.json`, one patient each) and NDJSON (any patients, by type or mixed).
    """
    if source.startswith(("http://", "https://")):
        base = known_base(house, source)
        ids = server.patients(base, token(house, base))
        return _planned({"base": base}, cut("patients", ids, chunk), base, lines.Index())
    root = Path(source).resolve()
    found = _found(root)
    many = _many(found)
    alone = [path for path in found if path.suffix.lower() == ".json"]
    folder = root if root.is_dir() else root.parent
    index = lines.Index.of(many, tell)
    names = [str(path.relative_to(folder)) for path in alone]
    body = {
        "root": str(folder), "ndjson": [str(path.relative_to(folder)) for path in many],
        "stamps": [lines.stamp(path) for path in many],
    }  # fmt: skip
    parts = [*cut("files", names, chunk), *cut("lines", index.rows(), chunk)]
    return _planned(body, parts, source, index)


def _planned(
    body: dict[str, Any], parts: Sequence[tuple[int, Mapping[str, Any]]], where: str, index: lines.Index
) -> Plan:
    if not parts:
        raise BadInputError(
            "no patient is found there", where=where,
            fix="Name a folder of Bundles (.json) or NDJSON (.ndjson), one NDJSON file, or a FHIR base",
        )  # fmt: skip
    about = {"unusable": index.unusable, "faults": [list(fault) for fault in index.faults]}
    return Plan(body | about, parts, index.faults, index.bad)


def size_of(path: Path) -> int:
    """How many bytes of NDJSON a folder or a file has: of so many `plan` tells."""
    return sum(one.stat().st_size for one in _many(_found(path)))


def _found(root: Path) -> list[Path]:
    return sorted(root.rglob("*")) if root.is_dir() else [root] if root.is_file() else []


def _many(found: Sequence[Path]) -> list[Path]:
    return [path for path in found if path.suffix.lower() in _NDJSON]


def cut(kind: str, items: Sequence[_Item], chunk: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Parts of so many items, each with their number."""
    rest: Iterator[_Item] = iter(items)
    return [(len(some), {kind: some}) for some in iter(lambda: list(islice(rest, chunk)), [])]


def charts(house: House, job: Job, part: Part) -> Iterator[Chart]:
    """The charts of one part of a planned screening."""
    if "patients" in part.body:
        base = job.body["base"]
        return server.read(base, part.body["patients"], token(house, base), house.terms.site)
    root = Path(job.body["root"])
    if "files" in part.body:
        return files.read(root, part.body["files"])
    found = [root / name for name in job.body["ndjson"]]
    return lines.read(found, job.body["stamps"], part.body["lines"])
