"""The header by which a server asks to be left alone for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime


def retry_after(text: str, now: datetime) -> timedelta | None:
    """The pause that a Retry-After asks for, in seconds or as a date (RFC 9110); None where it asks for none."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return timedelta(seconds=int(text))
    try:
        return max(timedelta(0), parsedate_to_datetime(text) - now)
    except (ValueError, TypeError, OverflowError):  # the last for a year or a zone of many digits
        return None
