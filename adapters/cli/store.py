"""The database that the settings name, for commands that need no rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.db import SqlStore, open_store, upgrade
from adapters.settings import from_environment


@contextmanager
def opened_store() -> Iterator[SqlStore]:
    """The store, brought up to date first and closed afterwards."""
    url = from_environment().database_url
    upgrade(url)
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()
