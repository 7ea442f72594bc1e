"""The tables of work to be done and of how far it came. A broker may lose its messages: these rows are the truth."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Index, Integer, Table

from adapters.db.columns import Instant, Text, metadata, refers, where

# One row for each thing that has to leave the house. The row says that it must go, and what was last sent; what is
# sent is read from its source when it goes, so nothing old is ever sent after something new.
outbox: Final = Table(
    "outbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("channel", Text, nullable=False),  # fhir, webhook, email
    Column("patient", Text, nullable=False),
    Column("wanted", Integer, nullable=False),  # how often it was posted
    Column("sent", Integer, nullable=False),  # which of these the other side holds
    Column("state", Text, nullable=False),  # pending, sent, parked, unneeded
    Column("attempts", Integer, nullable=False),  # counted when it is claimed, before the work
    Column("not_before", Instant, nullable=False),
    Column("lease_until", Instant),
    Column("lease_token", Text, nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("last_error", Text, nullable=False),  # never a patient's data, never an address with a query
    Column("posted_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("written", JSON, nullable=False),  # what other people may change of it, as we wrote it; the last tries too
)
Index(
    "ix_outbox_pending",
    outbox.c.channel,
    outbox.c.not_before,
    outbox.c.key,
    **where("state = 'pending'"),
)
Index(None, outbox.c.patient)
Index(None, outbox.c.state, outbox.c.key)

# Whether a server that failed is left alone for a while; by its base or address without query.
breaker: Final = Table(
    "breaker",
    metadata,
    Column("name", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_until", Instant),
    Column("changed_at", Instant, nullable=False),
    Column("last_error", Text, nullable=False),
)

# How far something that goes on for ever came: a beat's tick, a poll's last instant. `version` fences two of them.
mark: Final = Table(
    "mark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
)

# Work that has an end: a load, a screening. Its parts are claimed by lease, so it goes on where it was stopped.
job: Final = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),  # open, done, stopped
    Column("priority", Integer, nullable=False),  # the lowest first: 0 news, 1 what can wait
    Column("turn_at", Instant, nullable=False),  # since when it waits: made then, or a part of it took its time then
    Column("made_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("body", JSON, nullable=False),
)
Index(None, job.c.state, job.c.priority, job.c.turn_at, job.c.id)
job_part: Final = Table(
    "job_part",
    metadata,
    Column("job", Text, refers("job.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),  # pending, done, parked
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("lease_token", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("result", JSON, nullable=False),
    Column("last_error", Text, nullable=False),
)
Index(
    "ix_job_part_pending",
    job_part.c.job,
    job_part.c.number,
    **where("state = 'pending'"),
)
Index(
    "ix_job_part_parked",
    job_part.c.job,
    job_part.c.number,
    **where("state = 'parked'"),
)

# What came and could not be read: a list that a person works through.
unread: Final = Table(
    "unread",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("patient", Text, nullable=False),  # empty where nobody can tell
    Column("place", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("sha256", Text(64), refers("payload.sha256"), nullable=False),
    Column("state", Text, nullable=False),  # open, read, dismissed
    Column("handled_at", Instant),
    Column("handled_by", Text, nullable=False),
    Column("note", Text, nullable=False),
)
Index(None, unread.c.state, unread.c.at, unread.c.id)
Index(
    "ix_unread_open",
    unread.c.reference,
    unread.c.source,
    **where("state = 'open'"),
)

# One person under two keys: what the first had goes on under the second.
merge: Final = Table(
    "merge",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("into", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),  # the record that says so
)
Index(None, merge.c.into)
