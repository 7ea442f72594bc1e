"""The tables. Migrations make them; a test holds both together.

References between rows that a caller may write in any order are checked at COMMIT (deferred).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
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
from sqlalchemy.types import TypeEngine


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


class Text(TypeDecorator[str]):
    """Text that both databases order alike, by its bytes in UTF-8; ValueError for one with a NUL character.

    PostgreSQL cannot hold a NUL; what one database takes, the other must take too.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """With PostgreSQL's collation of bytes, whatever that of the database is."""
        own = String() if dialect.name != "postgresql" else String(collation="C")
        own.length = getattr(self.impl, "length", None)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As it is."""
        if value is not None and "\0" in value:
            raise ValueError("text that is stored may not hold a NUL character")
        return value


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
    Column("sha256", Text(64), _refers("payload.sha256"), nullable=False),
    Column("set_aside", JSON, nullable=False),
)

patient_head: Final = Table(
    "patient_head",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("chart_version", Integer, nullable=False),
    Column("decided_version", Integer, nullable=False),
)

resource_version: Final = Table(
    "resource_version",
    metadata,
    Column("patient", Text, _refers("patient_head.patient"), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("fhir_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("sha256", Text(64), _refers("payload.sha256"), nullable=False),
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
    Column("patient", Text, _refers("patient_head.patient"), primary_key=True),
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
    Column("decision", Text, _refers("decision.id"), nullable=False),
    Column("status", Text, nullable=False),
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
    Column("sequence", Integer().with_variant(BigInteger(), "postgresql"), primary_key=True),
    Column("id", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("patient", Text, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("service_version", Text, nullable=False),
    Column("input_sha256", Text(64), _refers("payload.sha256"), nullable=False),
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
    Column("task", Text, _refers("task.key"), primary_key=True),
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
    Column("account", Text, _refers("account.name"), nullable=False),
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
