"""Whether this worker is told to stop: one byte that it shares with the processes forked from it, which no signal
reaches.
"""

from __future__ import annotations

import mmap
from typing import Final

_ENDING: Final = mmap.mmap(-1, 1)


def begin() -> None:
    """Let work that is under way take up nothing more, and give back what can be gone on with."""
    _ENDING[0] = 1


def is_ending() -> bool:
    """Whether this worker was told to stop."""
    return _ENDING[0] != 0
