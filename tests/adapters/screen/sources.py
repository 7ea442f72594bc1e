"""Patients as sources of a screening, and what a screening found of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.bootstrap import House
from adapters.demo.record import Record
from adapters.jobs import results


def ndjson(path: Path, records: Sequence[Record]) -> Path:
    path.write_text("".join(f"{json.dumps(body)}\n" for record in records for body in record.resources))
    return path


def bundles(folder: Path, records: Sequence[Record]) -> Path:
    folder.mkdir()
    for record in records:
        (folder / f"{record.id}.json").write_text(json.dumps(record.bundle()))
    return folder


def told(house: House, job: str) -> list[Any]:
    """What a screening found, without how long it took."""
    lines = [line for part in results(house, job) for line in part["lines"]]
    return sorted(lines, key=lambda line: line["patient"])
