"""Accounts, their sessions and sign-in attempts, and the history of tasks, which is append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DEFERRED = {"deferrable": True, "initially": "DEFERRED"}
INSTANT = sa.DateTime(timezone=True)
# Ordered by its bytes on both databases, which SQLite does of itself.
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
HASH = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables; a task that is there already begins its history with its next event."""
    _history()
    _accounts()
    if op.get_bind().dialect.name == "postgresql":
        _append_only_postgresql()
    else:
        _append_only_sqlite()


def _history() -> None:
    op.create_table(
        "task_event",
        sa.Column("task", TEXT, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("display", TEXT, nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("before", TEXT, nullable=False),
        sa.Column("after", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("task", "sequence", name="pk_task_event"),
        sa.ForeignKeyConstraint(["task"], ["task.key"], name="fk_task_event_task", **DEFERRED),
        sqlite_with_rowid=False,
    )


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("display", TEXT, nullable=False),
        sa.Column("password", TEXT, nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_account"),
    )
    op.create_table(
        "session",
        sa.Column("token_sha256", HASH, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_session"),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name="fk_session_account", **DEFERRED),
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_table(
        "sign_in_attempt",
        sa.Column("name_sha256", HASH, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("locked_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name_sha256", name="pk_sign_in_attempt"),
    )


def _append_only_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'task_event is append-only'); END"
    op.execute(f"CREATE TRIGGER task_event_no_update BEFORE UPDATE ON task_event {refuse}")
    op.execute(f"CREATE TRIGGER task_event_no_delete BEFORE DELETE ON task_event {refuse}")
    op.execute(
        "CREATE TRIGGER task_event_no_replace BEFORE INSERT ON task_event WHEN EXISTS"
        f" (SELECT 1 FROM task_event WHERE task = NEW.task AND sequence = NEW.sequence) {refuse}"
    )


def _append_only_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER task_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON task_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("ALTER TABLE task_event ENABLE ALWAYS TRIGGER task_event_append_only")
