"""The tables of charts, decisions, tasks and people; those of work to be done stand in `queues`.

Migrations make them; a test holds both together. References between rows that a caller may write in any order are
checked at COMMIT (deferred).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
    false,
    text,
)

from adapters.db.columns import Instant as Instant
from adapters.db.columns import Text as Text
from adapters.db.columns import metadata as metadata
from adapters.db.columns import refers, where
from adapters.db.queues import breaker as breaker
from adapters.db.queues import job as job
from adapters.db.queues import job_part as job_part
from adapters.db.queues import mark as mark
from adapters.db.queues import merge as merge
from adapters.db.queues import outbox as outbox
from adapters.db.queues import unread as unread

payload: Final = Table(
    "payload",
    metadata,
    Column("sha256", Text(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

submission: Final = Table(
    "submission",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sha256", Text(64), refers("payload.sha256"), nullable=False),
    Column("set_aside", JSON, nullable=False),
)

patient_head: Final = Table(
    "patient_head",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("chart_version", Integer, nullable=False),
    Column("decided_version", Integer, nullable=False),
    # when time alone may change a decision, so that it is made again; none where nothing waits for a day
    Column("recheck_at", Instant),
    Column("decision", Text),  # the one that the tasks follow
)
Index(
    "ix_patient_head_recheck_at",
    patient_head.c.recheck_at,
    patient_head.c.patient,
    **where("recheck_at IS NOT NULL"),
)
Index(
    "ix_patient_head_lagging",
    patient_head.c.patient,
    **where("decided_version < chart_version"),
)

resource_version: Final = Table(
    "resource_version",
    metadata,
    Column("patient", Text, refers("patient_head.patient"), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("fhir_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("sha256", Text(64), refers("payload.sha256"), nullable=False),
    Column("version_id", Text, nullable=False),
    Column("last_updated", Instant),
    Column("received_at", Instant, nullable=False),
    Column("is_current", Boolean, nullable=False),
)
Index(
    "uq_resource_version_current",
    resource_version.c.patient,
    resource_version.c.type,
    resource_version.c.fhir_id,
    unique=True,
    sqlite_where=text("is_current = 1"),
    postgresql_where=text("is_current"),
)

episode: Final = Table(
    "episode",
    metadata,
    Column("patient", Text, refers("patient_head.patient"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", JSON, nullable=False),
)

task: Final = Table(
    "task",
    metadata,
    Column("key", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("episode", Text, nullable=False),
    Column("decision", Text, refers("decision.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    # when the clock next has something to do with it: it starts, escalates, returns or expires; none once it ended
    Column("wake_at", Instant),
    Column("emergency", Boolean, nullable=False, server_default=false()),
    Column("body", JSON, nullable=False),
    UniqueConstraint("id"),
    ForeignKeyConstraint(
        ["patient", "episode"], ["episode.patient", "episode.id"], deferrable=True, initially="DEFERRED"
    ),
)
Index(None, task.c.patient, task.c.due_at, task.c.key)
Index(None, task.c.status, task.c.due_at, task.c.key)
Index(
    "ix_task_wake_at",
    task.c.wake_at,
    task.c.key,
    **where("wake_at IS NOT NULL"),
)
Index(  # so that an emergency never waits behind what a long pause left to do
    "ix_task_wake_emergency",
    task.c.wake_at,
    task.c.key,
    **where("wake_at IS NOT NULL AND emergency"),
)

# No reference to patient_head: a hook decides about patients whose chart is not stored.
decision: Final = Table(
    "decision",
    metadata,
    Column("sequence", Integer().with_variant(BigInteger(), "postgresql"), primary_key=True),
    Column("id", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("patient", Text, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("service_version", Text, nullable=False),
    Column("input_sha256", Text(64), refers("payload.sha256"), nullable=False),
    Column("body_sha256", Text(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hook_instance", Text, nullable=False),
    UniqueConstraint("id"),
    # SQLite shows a BEFORE INSERT trigger -1 for a number it has yet to choose; that row must not exist.
    CheckConstraint("sequence > 0", name="sequence_positive"),
    sqlite_autoincrement=True,  # a number is never given twice
)
Index(None, decision.c.patient, decision.c.sequence)

release: Final = Table(
    "release",
    metadata,
    Column("sha256", Text(64), primary_key=True),
    Column("rule_set", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The hash is the only handle: by a rowid of its own, INSERT OR REPLACE could push out another release.
    sqlite_with_rowid=False,
)

task_event: Final = Table(
    "task_event",
    metadata,
    Column("task", Text, refers("task.key"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("display", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What people said about a patient's care: it ended, or goes on. The last word about an episode or the patient holds.
care_word: Final = Table(
    "care_word",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("episode", Text, nullable=False),  # empty where all of the patient's care is meant
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("display", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # empty where care goes on
    Column("text", Text, nullable=False),
    Column("episodes", JSON, nullable=False),  # that were known then
)

# What clinicians answered to cards of CDS Hooks. The digest is of all of an answer, so that one sent twice is one row.
card_feedback: Final = Table(
    "card_feedback",
    metadata,
    Column("digest", Text(64), primary_key=True),
    Column("card", Text, nullable=False),
    Column("at", Instant, nullable=False),  # when the clinician answered, by the client's clock
    Column("received_at", Instant, nullable=False),
    Column("service", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("actor", Text, nullable=False),  # the client that sent it: the hook does not say which of its users
    Column("reason", Text, nullable=False),
    Column("reason_system", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("accepted", JSON, nullable=False),  # the ids of the suggestions
    sqlite_with_rowid=False,
)
Index(None, card_feedback.c.card, card_feedback.c.at, card_feedback.c.digest)

# Letters about a patient, step by step: made, signed off, taken back. Each step names the document as it stood then.
letter: Final = Table(
    "letter",
    metadata,
    Column("letter", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("patient", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("display", Text, nullable=False),
    Column("decision", Text, refers("decision.id"), nullable=False),
    Column("sha256", Text(64), refers("payload.sha256"), nullable=False),
    Column("replaces", Text, nullable=False),  # empty where it is in no other letter's place
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index(None, letter.c.patient, letter.c.letter)

account: Final = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("display", Text, nullable=False),
    Column("password", Text, nullable=False),  # an argon2 hash; empty for a demo account
    Column("demo", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("made_at", Instant, nullable=False),
)

session: Final = Table(
    "session",
    metadata,
    Column("token_sha256", Text(64), primary_key=True),
    Column("account", Text, refers("account.name"), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
Index(None, session.c.account)

# Attempts under a name, known or not; the name itself is not kept, for people type passwords there.
sign_in_attempt: Final = Table(
    "sign_in_attempt",
    metadata,
    Column("name_sha256", Text(64), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("locked_until", Instant, nullable=False),
)
