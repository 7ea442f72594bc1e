"""Files with patients in them: put in place whole, readable by their owner alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pathway.errors import PathwayError


def put_in_place(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts beside the path and move them there: a file that was cut off never stands there.

    PathwayError where nothing can be written; what stood there stays.
    """
    try:
        _put(path, parts)
    except OSError as error:
        raise PathwayError(
            "this file cannot be written", where=str(path), why=error.strerror or type(error).__name__,
            fix="Check that its folder is there, may be written to, and has room",
        ) from None  # fmt: skip


def _put(path: Path, parts: Iterable[bytes]) -> None:
    # A name that nobody has: two processes, in two containers too, never write into one another's.
    open_, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(open_, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)
