"""The cohort report as text, as CSV for a spreadsheet and as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.spreadsheet import csv_bytes
from pathway.canonical import instant
from pathway.cohort import Line

COLUMNS: Final = (
    "patient", "kind", "levels", "since", "bone_health", "title", "why", "owner", "due_at", "code", "rule", "release",
)  # fmt: skip


def rendered(lines: Iterable[Line], form: str, zone: ZoneInfo) -> Iterator[bytes]:
    """The report as `text`, `csv` or `ndjson`, line by line, in UTF-8; text has days of the facility's zone."""
    if form == "csv":
        yield csv_bytes([COLUMNS])
    patients: set[str] = set()
    gaps = count = 0
    for line in lines:
        row = to_json(line)
        patients.add(line.patient)
        gaps, count = gaps + line.bone_health, count + 1
        if form == "csv":
            yield csv_bytes([[_plain(row[name]) for name in COLUMNS]])
        elif form == "ndjson":
            yield (json.dumps(row, ensure_ascii=False) + "\n").encode()
        else:
            of = f"{line.kind} {' '.join(line.levels)} of {line.since.astimezone(zone):%Y-%m-%d}"
            yield f"{line.patient}  {of}: {line.title}\n".encode()
    if form == "text":
        yield f"{count} lines, {len(patients)} patients, {gaps} gaps in osteoporosis care\n".encode()


def _plain(value: object) -> object:
    return " ".join(value) if isinstance(value, tuple) else value


def to_json(line: Line) -> dict[str, Any]:
    """A line as plain JSON, instants in UTC."""
    body = asdict(line)
    return body | {"kind": line.kind.value, "since": instant(line.since), "due_at": instant(line.due_at)}
