"""Where a fault of ours happened, told without a value: what a log may hold of an exception."""

from __future__ import annotations

import traceback
from typing import Final

_FRAMES: Final = 6


def places_of(error: BaseException) -> list[str]:
    """The last frames of an exception, each by file name, line and function; never its text, which may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
