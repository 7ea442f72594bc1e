"""The tables. Migrations make them; a test holds both together.

References between rows that a caller may write in any order are checked at COMMIT (deferred).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Instant(TypeDecorator[datetime]):
    """An instant: a datetime with a zone going in (TypeError without one), in UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, because SQLite stores the clock's digits and drops the zone."""
        if value is not None and value.tzinfo is None:
            raise TypeError("an instant needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With the zone that was dropped; a database that keeps zones answers in its session's."""
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value and value.astimezone(UTC)


metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _refers(target: str) -> ForeignKey:
    """A reference that must hold when the transaction commits."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


payload: Final = Table(
    "payload",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

submission: Final = Table(
    "submission",
    metadata,
    Column("id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("door", String, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sha256", String(64), _refers("payload.sha256"), nullable=False),
    Column("set_aside", JSON, nullable=False),
)

patient_head: Final = Table(
    "patient_head",
    metadata,
    Column("patient", String, primary_key=True),
    Column("chart_version", Integer, nullable=False),
    Column("decided_version", Integer, nullable=False),
)

resource_version: Final = Table(
    "resource_version",
    metadata,
    Column("patient", String, _refers("patient_head.patient"), primary_key=True),
    Column("type", String, primary_key=True),
    Column("fhir_id", String, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("sha256", String(64), _refers("payload.sha256"), nullable=False),
    Column("version_id", String, nullable=False),
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
    Column("patient", String, _refers("patient_head.patient"), primary_key=True),
    Column("id", String, primary_key=True),
    Column("body", JSON, nullable=False),
)

task: Final = Table(
    "task",
    metadata,
    Column("key", String, primary_key=True),
    Column("id", String, nullable=False),
    Column("patient", String, nullable=False),
    Column("episode", String, nullable=False),
    Column("decision", String, _refers("decision.id"), nullable=False),
    Column("status", String, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("id"),
    ForeignKeyConstraint(
        ["patient", "episode"], ["episode.patient", "episode.id"], deferrable=True, initially="DEFERRED"
    ),
)
Index(None, task.c.patient, task.c.due_at, task.c.key)
Index(None, task.c.status, task.c.due_at, task.c.key)

# No reference to patient_head: a hook decides about patients whose chart is not stored.
decision: Final = Table(
    "decision",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("id", String, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("patient", String, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("trigger", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("service_version", String, nullable=False),
    Column("input_sha256", String(64), _refers("payload.sha256"), nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hook_instance", String, nullable=False),
    UniqueConstraint("id"),
    # SQLite shows a BEFORE INSERT trigger -1 for a number it has yet to choose; that row must not exist.
    CheckConstraint("sequence > 0", name="sequence_positive"),
    sqlite_autoincrement=True,  # a number is never given twice
)
Index(None, decision.c.patient, decision.c.sequence)

release: Final = Table(
    "release",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("rule_set", String, nullable=False),
    Column("version", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The hash is the only handle: by a rowid of its own, INSERT OR REPLACE could push out another release.
    sqlite_with_rowid=False,
)
