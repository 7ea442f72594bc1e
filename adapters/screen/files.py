"""A folder of FHIR JSON files, each one patient's Bundle, as exports of single charts and synthetic records come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.fhir.deliver import MAX_BYTES
from adapters.screen.charts import Chart


def read(root: Path, names: Sequence[str]) -> Iterator[Chart]:
    """The charts of files by their names below a folder; one that cannot be read is a chart with that fault."""
    for name in names:
        try:
            with (root / name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)  # one byte more than the reader takes, so that it says why
        except OSError as fault:
            yield Chart(name, fault=f"the file cannot be read ({fault.strerror})")
        else:
            yield Chart(name, data)
