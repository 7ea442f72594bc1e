"""What the list of unread things shows: where each came from, why it could not be read, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.db.unread import Unread, UnreadRow

PAGE = 50
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the open rows, the oldest first; the next begins after the row `more`."""

    rows: tuple[UnreadRow, ...]
    open: int
    dismissed: int
    more: str


def page_of(unread: Unread, after: str) -> Page:
    """The page of rows after the one with an id."""
    found, counts = unread.rows(OPEN, after, PAGE + 1), unread.counts()
    more = found[PAGE - 1].id if len(found) > PAGE else ""
    return Page(found[:PAGE], counts.get(OPEN, 0), counts.get("dismissed", 0), more)
