"""What has to leave the house, how far work came, what could not be read, who is who; when clocks have work to do."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from adapters.db.columns import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DEFERRED = {"deferrable": True, "initially": "DEFERRED"}
INSTANT = sa.DateTime(timezone=True)
# Ordered by its bytes on both databases, which SQLite does of itself.
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
HASH = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables. Open tasks wake once, and everybody is decided on once: then their clocks are known."""
    _clocks()
    _outbox()
    _jobs()
    _others()
    _wake_once()  # last: PostgreSQL makes no index on a table whose rows still wait for their deferred checks


def _text(*names: str) -> list[sa.Column]:
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _clocks() -> None:
    op.add_column("task", sa.Column("wake_at", INSTANT, nullable=True))
    op.add_column("task", sa.Column("emergency", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("patient_head", sa.Column("recheck_at", INSTANT, nullable=True))
    op.add_column("patient_head", sa.Column("decision", TEXT, nullable=True))
    _partial("ix_task_wake_at", "task", ["wake_at", "key"], "wake_at IS NOT NULL")
    _partial("ix_task_wake_emergency", "task", ["wake_at", "key"], "wake_at IS NOT NULL AND emergency")
    _partial("ix_patient_head_recheck_at", "patient_head", ["recheck_at", "patient"], "recheck_at IS NOT NULL")
    _partial("ix_patient_head_lagging", "patient_head", ["patient"], "decided_version < chart_version")


def _wake_once() -> None:
    ended = "('completed', 'cancelled', 'rejected', 'failed', 'entered-in-error')"
    op.execute(f"UPDATE task SET wake_at = due_at WHERE status NOT IN {ended}")
    task = sa.table("task", sa.column("body", sa.JSON()), sa.column("emergency", sa.Boolean()))
    op.execute(sa.update(task).where(task.c.body["emergency"].as_boolean()).values(emergency=True))
    op.execute("UPDATE task SET status = 'ready' WHERE status = 'requested'")  # all of them had begun
    long_ago = sa.bindparam("at", datetime(2026, 1, 1, tzinfo=UTC), type_=Instant())
    op.execute(sa.text("UPDATE patient_head SET recheck_at = :at").bindparams(long_ago))


def _outbox() -> None:
    op.create_table(
        "outbox",
        *_text("key", "channel", "patient"),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        *_text("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT),
        *_text("lease_token", "remote_id", "etag", "last_error"),
        sa.Column("posted_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("written", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    _partial("ix_outbox_pending", "outbox", ["channel", "not_before", "key"], "state = 'pending'")
    op.create_index("ix_outbox_patient", "outbox", ["patient"])
    op.create_index("ix_outbox_state_key", "outbox", ["state", "key"])
    op.create_table(
        "breaker",
        *_text("name"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", INSTANT),
        sa.Column("changed_at", INSTANT, nullable=False),
        *_text("last_error"),
        sa.PrimaryKeyConstraint("name", name="pk_breaker"),
    )


def _jobs() -> None:
    op.create_table(
        "job",
        *_text("id", "kind", "state"),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("turn_at", INSTANT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_state_priority_turn_at_id", "job", ["state", "priority", "turn_at", "id"])
    op.create_table(
        "job_part",
        *_text("job"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", INSTANT),
        *_text("lease_token"),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        *_text("last_error"),
        sa.PrimaryKeyConstraint("job", "number", name="pk_job_part"),
        sa.ForeignKeyConstraint(["job"], ["job.id"], name="fk_job_part_job", **DEFERRED),
    )
    _partial("ix_job_part_pending", "job_part", ["job", "number"], "state = 'pending'")
    _partial("ix_job_part_parked", "job_part", ["job", "number"], "state = 'parked'")


def _others() -> None:
    op.create_table(
        "mark",
        *_text("name"),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_mark"),
    )
    op.create_table(
        "unread",
        *_text("id"),
        sa.Column("at", INSTANT, nullable=False),
        *_text("source", "door", "patient", "place", "reference", "code", "why", "fix"),
        sa.Column("sha256", HASH, nullable=False),
        *_text("state"),
        sa.Column("handled_at", INSTANT),
        *_text("handled_by", "note"),
        sa.PrimaryKeyConstraint("id", name="pk_unread"),
        sa.ForeignKeyConstraint(["sha256"], ["payload.sha256"], name="fk_unread_sha256", **DEFERRED),
    )
    op.create_index("ix_unread_state_at_id", "unread", ["state", "at", "id"])
    _partial("ix_unread_open", "unread", ["reference", "source"], "state = 'open'")
    op.create_table(
        "care_word",
        *_text("patient"),
        sa.Column("sequence", sa.Integer(), nullable=False),
        *_text("episode"),
        sa.Column("at", INSTANT, nullable=False),
        *_text("actor", "role", "display", "outcome", "text"),
        sa.Column("episodes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("patient", "sequence", name="pk_care_word"),
    )
    op.create_table(
        "merge",
        *_text("patient", "into"),
        sa.Column("at", INSTANT, nullable=False),
        *_text("source"),
        sa.PrimaryKeyConstraint("patient", name="pk_merge"),
    )
    op.create_index("ix_merge_into", "merge", ["into"])
