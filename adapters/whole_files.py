"""Files with patients in them: put in place whole, readable by their owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def put_in_place(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts beside the path and move them there: a file that was cut off never stands there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
