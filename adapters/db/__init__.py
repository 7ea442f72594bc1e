"""The store: charts, episodes, tasks, decisions and releases in one SQL database.

`upgrade(url)` makes the database or brings it to this version; `open_store(url)` then opens it.
"""

from adapters.db.errors import StoreRefusedError, StoreUnavailableError
from adapters.db.migrate import upgrade
from adapters.db.store import SqlStore, open_store

__all__ = ["SqlStore", "StoreRefusedError", "StoreUnavailableError", "open_store", "upgrade"]
