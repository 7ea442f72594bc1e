"""docs/benchmarks.md: the tables of a run, with machine and versions, between markers; the words around stay."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_PACKAGES: Final = ("durable-rules", "zen-engine", "orjson", "Flask", "waitress", "SQLAlchemy", "psycopg")


@dataclass(frozen=True, slots=True)
class Table:
    """One result: a title, column heads, rows, and what the reader should know."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """As Markdown."""
        lines = [f"### {self.title}", "", _row(self.head), _row(["---"] + ["---:"] * (len(self.head) - 1))]
        lines += [_row(row) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def machine() -> str:
    """Where and with what this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"Measured {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC on {_processor()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; {packages}. "
        f"Load averages at the end: {load}."
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(tables: Iterable[Table], path: Path = FILE) -> None:
    """Put the tables between the markers of the file."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join(table.text() for table in tables)
    path.write_text(f"{before}{BEGIN}\n\n{machine()}\n\n{body}\n\n{END}{after}", encoding="utf-8")
