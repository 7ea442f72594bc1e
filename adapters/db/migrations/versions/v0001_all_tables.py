"""All tables of the first version, and the triggers that keep decisions and releases as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DEFERRED = {"deferrable": True, "initially": "DEFERRED"}
INSTANT = sa.DateTime(timezone=True)
# Ordered by its bytes on both databases, which SQLite does of itself.
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
HASH = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")

# What makes a row the same row: an insert that meets it is refused, because OR REPLACE would first delete it,
# and on a connection without recursive_triggers that deletion asks no trigger.
SAME_ROW = {
    "decision": "id = NEW.id OR sequence = NEW.sequence",
    "release": "sha256 = NEW.sha256",
}

# PostgreSQL: once for each statement, so that TRUNCATE and a statement that meets no row are refused too.
ASK = "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Make the tables, those that others refer to first."""
    _charts()
    _decisions_and_releases()
    _board()
    if op.get_context().dialect.name == "postgresql":
        op.execute(REFUSE)
        for table in SAME_ROW:
            op.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} {ASK}")
            # ALWAYS: also in a session that calls itself a replica.
            op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")
        return
    for table, same in SAME_ROW.items():
        _append_only(table, same)


def _charts() -> None:
    op.create_table(
        "payload",
        sa.Column("sha256", HASH, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_payload"),
    )
    op.create_table(
        "submission",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("door", TEXT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("sha256", HASH, nullable=False),
        sa.Column("set_aside", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_submission"),
        sa.ForeignKeyConstraint(["sha256"], ["payload.sha256"], name="fk_submission_sha256", **DEFERRED),
    )
    op.create_table(
        "patient_head",
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("chart_version", sa.Integer(), nullable=False),
        sa.Column("decided_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("patient", name="pk_patient_head"),
    )
    op.create_table(
        "resource_version",
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("fhir_id", TEXT, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("sha256", HASH, nullable=False),
        sa.Column("version_id", TEXT, nullable=False),
        sa.Column("last_updated", INSTANT, nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("patient", "type", "fhir_id", "seq", name="pk_resource_version"),
        sa.ForeignKeyConstraint(["patient"], ["patient_head.patient"], name="fk_resource_version_patient", **DEFERRED),
        sa.ForeignKeyConstraint(["sha256"], ["payload.sha256"], name="fk_resource_version_sha256", **DEFERRED),
    )
    op.create_index(
        "uq_resource_version_current",
        "resource_version",
        ["patient", "type", "fhir_id"],
        unique=True,
        sqlite_where=sa.text("is_current = 1"),
        postgresql_where=sa.text("is_current"),
    )


def _decisions_and_releases() -> None:
    op.create_table(
        "decision",
        sa.Column("sequence", sa.Integer().with_variant(sa.BigInteger(), "postgresql"), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("service_version", TEXT, nullable=False),
        sa.Column("input_sha256", HASH, nullable=False),
        sa.Column("body_sha256", HASH, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hook_instance", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_decision"),
        sa.UniqueConstraint("id", name="uq_decision_id"),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_decision_sequence_positive")),
        sa.ForeignKeyConstraint(["input_sha256"], ["payload.sha256"], name="fk_decision_input_sha256", **DEFERRED),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decision_patient_sequence", "decision", ["patient", "sequence"])
    op.create_table(
        "release",
        sa.Column("sha256", HASH, nullable=False),
        sa.Column("rule_set", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_release"),
        sqlite_with_rowid=False,
    )


def _board() -> None:
    op.create_table(
        "episode",
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("patient", "id", name="pk_episode"),
        sa.ForeignKeyConstraint(["patient"], ["patient_head.patient"], name="fk_episode_patient", **DEFERRED),
    )
    op.create_table(
        "task",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("episode", TEXT, nullable=False),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_task"),
        sa.UniqueConstraint("id", name="uq_task_id"),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name="fk_task_decision", **DEFERRED),
        sa.ForeignKeyConstraint(
            ["patient", "episode"], ["episode.patient", "episode.id"], name="fk_task_patient_episode", **DEFERRED
        ),
    )
    op.create_index("ix_task_patient_due_at_key", "task", ["patient", "due_at", "key"])
    op.create_index("ix_task_status_due_at_key", "task", ["status", "due_at", "key"])


def _append_only(table: str, same: str) -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
        f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}"
    )
