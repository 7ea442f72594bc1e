"""The file of a backup: lines in gzip, first what it is, then every row, last what it must come to.

    {"format": "pathway-backup", ...}     version of the format, of the tables and of the service, when, the tables
    [0, ...]                              a row: the number of its table, then its values
    {"rows": ..., "sha256": ..., "all": ...}   rows and hash of each table; hash of all lines before this one

A file that was cut has no last line; one that was changed does not come to it. It contains patient data.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.db.layout import Layout
from pathway.errors import PathwayError

FORMAT: Final = "pathway-backup"
VERSION: Final = 1


class BackupError(PathwayError):
    """A backup that cannot be made, or a file of one that cannot be used. The database is as it was."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a backup says of itself: the revision of its tables, who made it when, and the tables."""

    schema: str
    service: str
    made_at: str
    tables: tuple[Layout, ...]

    def to_json(self) -> dict[str, Any]:
        """The first line."""
        named = {"schema": self.schema, "service": self.service, "made_at": self.made_at}
        return {"format": FORMAT, "version": VERSION, **named, "tables": [t.to_json() for t in self.tables]}


@dataclass(slots=True)
class Sum:
    """Counts and hashes as lines go by."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    _tables: dict[str, Any] = field(default_factory=dict[str, Any])
    _all: Any = field(default_factory=hashlib.sha256)

    def head(self, line: bytes) -> None:
        """The first line counts for the whole only."""
        self._all.update(line)

    def row(self, table: str, line: bytes) -> None:
        """A row's line, without the number of its table."""
        self.rows[table] = self.rows.get(table, 0) + 1
        self._tables.setdefault(table, hashlib.sha256()).update(line)
        self._all.update(table.encode() + b" " + line)

    @property
    def all(self) -> str:
        """The hash of everything."""
        return self._all.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The last line."""
        hashes = {name: found.hexdigest() for name, found in self._tables.items()}
        return {"rows": self.rows, "sha256": hashes, "all": self.all}

    def tables(self) -> dict[str, Any]:
        """Rows and hash of each table."""
        found = self.to_json()
        return {"rows": found["rows"], "sha256": found["sha256"]}


@contextmanager
def new_file(path: Path) -> Iterator[gzip.GzipFile]:
    """A file that only its owner may read, under its name once it is whole, and not at all if anything fails.

    BackupError if the name is taken: a backup never replaces another.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.exists():
            raise FileExistsError(17, "the name is taken")
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        os.link(partial, path)  # unlike a rename, it fails if someone else took the name meanwhile
        _sync(path.parent)
    except OSError as error:
        raise BackupError(
            "the backup cannot be written", where=str(path), why=os.strerror(error.errno or 0),
            fix="Choose a new name in a folder that exists, on a disk with room",
        ) from error  # fmt: skip
    finally:
        with suppress(OSError):
            partial.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


Rows = Generator[tuple[Layout, dict[str, Any]], None, Sum]


@contextmanager
def opened(path: Path) -> Iterator[tuple[Head, Rows]]:
    """The head and the rows of a backup's file; the rows end with what they came to, once that is what it should be.

    BackupError, at whichever line, for a file that is damaged, cut, or not a backup that this version reads.
    """
    with ExitStack() as stack:
        lines = _lines(path, stack)
        first = next(lines, b"")
        head = _head(first, path)
        yield head, _rows(first, head, lines, path)


def _lines(path: Path, stack: ExitStack) -> Iterator[bytes]:
    try:
        yield from stack.enter_context(gzip.GzipFile(path, "rb"))
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, "it cannot be read to its end") from error


def _head(line: bytes, path: Path) -> Head:
    try:
        found = json.loads(line)
        if found["format"] != FORMAT:
            raise ValueError(FORMAT)
        if found["version"] != VERSION:
            raise _newer(path)
        tables = tuple(Layout.from_json(each) for each in found["tables"])
        return Head(str(found["schema"]), str(found["service"]), str(found["made_at"]), tables)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, "its first line is not that of a backup") from error


def _rows(first: bytes, head: Head, lines: Iterator[bytes], path: Path) -> Rows:
    found = Sum()
    found.head(first)
    for line in lines:
        try:
            values = json.loads(line)
            if isinstance(values, dict):
                if values != found.to_json() or next(lines, None) is not None:
                    raise _damaged(path, "its rows do not come to what its last line says")
                return found
            layout = head.tables[values.pop(0)]
            row = layout.row(values)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise _damaged(path, "a line of it is not a row") from error
        found.row(layout.name, b"[" + line.partition(b",")[2])
        yield layout, row
    raise _damaged(path, "it was cut: its last line is missing")


def _damaged(path: Path, why: str) -> BackupError:
    return BackupError(
        "this is not a whole backup", where=str(path), why=why, fix="Use another copy or an older backup"
    )


def _newer(path: Path) -> BackupError:
    return BackupError(
        "this backup has another format", where=str(path), why="another version of the service made it",
        fix="Restore it with that version",
    )  # fmt: skip
