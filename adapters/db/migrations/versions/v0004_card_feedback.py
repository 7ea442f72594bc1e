"""What clinicians answered to cards, which is append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
# Ordered by its bytes on both databases, which SQLite does of itself.
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
HASH = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and the triggers that keep it as it was written."""
    texts = ("service", "outcome", "actor", "reason", "reason_system", "comment")
    op.create_table(
        "card_feedback",
        sa.Column("digest", HASH, nullable=False),
        sa.Column("card", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in texts),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_card_feedback"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_card_feedback_card_at_digest", "card_feedback", ["card", "at", "digest"])
    if op.get_bind().dialect.name == "postgresql":
        _append_only_postgresql()
    else:
        _append_only_sqlite()


def _append_only_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'card_feedback is append-only'); END"
    op.execute(f"CREATE TRIGGER card_feedback_no_update BEFORE UPDATE ON card_feedback {refuse}")
    op.execute(f"CREATE TRIGGER card_feedback_no_delete BEFORE DELETE ON card_feedback {refuse}")
    op.execute(
        "CREATE TRIGGER card_feedback_no_replace BEFORE INSERT ON card_feedback WHEN EXISTS"
        f" (SELECT 1 FROM card_feedback WHERE digest = NEW.digest) {refuse}"
    )


def _append_only_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER card_feedback_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON card_feedback"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("ALTER TABLE card_feedback ENABLE ALWAYS TRIGGER card_feedback_append_only")
