"""Letters about patients, which are append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DEFERRED = {"deferrable": True, "initially": "DEFERRED"}
INSTANT = sa.DateTime(timezone=True)
# Ordered by its bytes on both databases, which SQLite does of itself.
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
HASH = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and the triggers that keep it as it was written."""
    op.create_table(
        "letter",
        sa.Column("letter", TEXT, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("step", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("actor", "role", "display", "decision")),
        sa.Column("sha256", HASH, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("replaces", "text")),
        sa.PrimaryKeyConstraint("letter", "sequence", name="pk_letter"),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name="fk_letter_decision", **DEFERRED),
        sa.ForeignKeyConstraint(["sha256"], ["payload.sha256"], name="fk_letter_sha256", **DEFERRED),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_letter_patient_letter", "letter", ["patient", "letter"])
    if op.get_bind().dialect.name == "postgresql":
        _append_only_postgresql()
    else:
        _append_only_sqlite()


def _append_only_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'letter is append-only'); END"
    op.execute(f"CREATE TRIGGER letter_no_update BEFORE UPDATE ON letter {refuse}")
    op.execute(f"CREATE TRIGGER letter_no_delete BEFORE DELETE ON letter {refuse}")
    op.execute(
        "CREATE TRIGGER letter_no_replace BEFORE INSERT ON letter WHEN EXISTS"
        f" (SELECT 1 FROM letter WHERE letter = NEW.letter AND sequence = NEW.sequence) {refuse}"
    )


def _append_only_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER letter_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON letter"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("ALTER TABLE letter ENABLE ALWAYS TRIGGER letter_append_only")
