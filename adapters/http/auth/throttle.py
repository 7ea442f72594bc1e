"""Guessing is slow: attempts are counted under each name before the password is looked at, in the database.

From the fifth on, each locks the name for longer; a quiet quarter of an hour after the lock forgets them, and so does
signing in. Names that nobody has are counted alike, so that a lock tells nothing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from adapters.db.accounts import Accounts, Attempts

FREE: Final = 5
WINDOW: Final = timedelta(minutes=15)
FIRST: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(minutes=15)


def name_sha256(name: str) -> str:
    """Under which a name's attempts are kept."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def admitted(accounts: Accounts, name: str, now: datetime) -> timedelta:
    """Count an attempt under a name and say how long to wait: nothing, and it may go on, or until the lock ends."""
    key = name_sha256(name)
    known = accounts.attempts(key, now)
    if known.locked_until > now:
        return known.locked_until - now
    tries = 1 if now - known.locked_until > WINDOW else known.tries + 1
    accounts.save_attempts(key, Attempts(tries, now + _lock(tries)))
    return timedelta(0)


def _lock(tries: int) -> timedelta:
    if tries < FREE:
        return timedelta(0)
    return min(FIRST * 2 ** min(tries - FREE, 10), LONGEST)
