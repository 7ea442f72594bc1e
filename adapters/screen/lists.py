"""Who needs what, as files: CSV with a row for each thing asked for, NDJSON with a line for each patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.fhir import strict_json
from adapters.spreadsheet import csv_bytes
from adapters.whole_files import put_in_place

HEAD: Final = (
    "patient", "asked for", "what", "vertebrae", "for whom", "priority", "due", "emergency", "has a task", "verdicts",
    "why",
)  # fmt: skip


def write_csv(path: Path, parts: Iterable[Mapping[str, Any]], acting: str) -> None:
    """One row for each thing that a patient needs. `acting` is the policy whose verdicts are shown."""
    put_in_place(path, _csv(parts, acting))


def write_ndjson(path: Path, parts: Iterable[Mapping[str, Any]]) -> None:
    """One line for each patient with something to tell, and one for each that could not be read."""
    put_in_place(path, _ndjson(parts))


def _csv(parts: Iterable[Mapping[str, Any]], acting: str) -> Iterator[bytes]:
    yield csv_bytes([HEAD])
    for part in parts:
        for line in part["lines"]:
            yield from (csv_bytes([_row(line, need, acting)]) for need in line["needs"])


def _row(line: Mapping[str, Any], need: Mapping[str, Any], acting: str) -> tuple[str, ...]:
    verdicts = (f"{level} {judged[acting]}" for level, judged in line["levels"].items() if acting in judged)
    return (
        line["patient"], need["code"], need["title"], " ".join(need["levels"]), need["owner"], need["priority"],
        need["due"], "yes" if need["emergency"] else "", "yes" if need["task"] else "", "; ".join(verdicts),
        "; ".join(need["why"]),
    )  # fmt: skip


def _ndjson(parts: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for part in parts:
        yield from (strict_json.dumps(line) + b"\n" for line in part["lines"])
        yield from (strict_json.dumps({"where": w, "notRead": why}) + b"\n" for w, why in part["refused"])
