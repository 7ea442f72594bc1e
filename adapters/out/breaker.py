"""When a server that failed is left alone, and for how long; what is stored of it is a row (`adapters.db.outbox`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.db.outbox import LONGEST as UNHURRIED
from pathway.keeping import ALERTS

THRESHOLD: Final = 5
"""So many failures in a row, and it is left alone. Fewer may be the fault of what was sent."""
FIRST: Final = timedelta(seconds=15)
LONGEST: Final = timedelta(minutes=5)
"""The first pause, which doubles up to the longest: how late at most we notice that a server is back."""
URGENT: Final = timedelta(minutes=2)
"""No pause of an alert is longer, whoever asks for it: somebody waits for an answer."""


def longest(channel: str) -> timedelta:
    """The longest pause of a row or a channel; one that a server asks for and is longer looks like a mistake."""
    return URGENT if channel in ALERTS else UNHURRIED


def pause(channel: str, failures: int, asked: timedelta | None = None) -> timedelta | None:
    """For how long a channel whose server failed so often in a row is left alone; None for not at all."""
    if asked is not None:
        return min(asked, longest(channel))
    if failures < THRESHOLD:
        return None
    return min(FIRST * 2 ** min(failures - THRESHOLD, 10), LONGEST, longest(channel))
