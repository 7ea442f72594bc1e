"""Deliveries: bytes kept once by their hash, and where they came from."""

from __future__ import annotations

from sqlalchemy import insert, select

from adapters.db import tables
from adapters.db.rows import Rows
from pathway.canonical import sha256 as hash_of
from pathway.errors import NotFoundError
from pathway.ports import Submission

_PAYLOAD = tables.payload.c


class Deliveries(Rows):
    """The part of a ledger that keeps what came (`pathway.ports.Ledger`)."""

    def keep_bytes(self, data: bytes) -> str:
        """Keep bytes once, by their sha256, and say the hash."""
        key = hash_of(data)
        self._insert_new(tables.payload, {"sha256": key, "body": data})
        return key

    def bytes_of(self, sha256: str) -> bytes:
        """The bytes with that hash; NotFoundError if there are none."""
        found = self._connection.scalar(select(_PAYLOAD.body).where(_PAYLOAD.sha256 == sha256))
        if found is None:
            raise NotFoundError("no bytes are stored under this hash", where=sha256)
        return found

    def keep_submission(self, submission: Submission) -> None:
        """Remember a delivery; StoreRefusedError if it is known, or its bytes are not kept by the end."""
        row = {
            "id": submission.id,
            "source": submission.source,
            "door": submission.door,
            "received_at": submission.received_at,
            "sha256": submission.sha256,
            "set_aside": [item.to_json() for item in submission.set_aside],
        }
        self._connection.execute(insert(tables.submission), row)
