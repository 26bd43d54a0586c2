"""What people save: definitions, snapshots, schedules, shares, webhooks, deliveries; and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
INSTANT = sa.DateTime(timezone=True)


# Nothing changes a line of the audit, and only what is older than `audit_start` says may be deleted.
AUDIT_GUARDS = {
    "sqlite": (
        """
        CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
        """,
        """
        CREATE TRIGGER audit_kept BEFORE DELETE ON audit
        WHEN OLD.at >= COALESCE((SELECT since FROM audit_start), '')
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                IF OLD.at < (SELECT since FROM audit_start) THEN
                    RETURN OLD;
                END IF;
            END IF;
            RAISE EXCEPTION 'the audit is append-only';
        END $$
        """,
        """
        CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE ON audit
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
        """,
        """
        CREATE TRIGGER audit_kept BEFORE TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
        """,
    ),
}


def upgrade() -> None:
    """Make their tables."""
    _make_definitions()
    _make_schedules()
    _make_shares()
    _make_deliveries()
    _make_audit()


def _make_definitions() -> None:
    op.create_table(
        "definitions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("sort_name", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("members", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("dialect", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("last_executed_at", INSTANT),
    )
    op.create_index("definitions_of_tenant", "definitions", ["tenant", "id"])
    op.create_index("definitions_of_dialect", "definitions", ["tenant", "dialect", "external_id"], unique=True)
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("principal_id", sa.Text, nullable=False),
        sa.Column("definition_id", sa.Text, nullable=False),
        sa.Column("page_size", sa.Integer, nullable=False),
        sa.Column("keep_alive_s", sa.Integer, nullable=False),
        sa.Column("needs", sa.Text, nullable=False),
        sa.Column("spool", sa.Text),
        sa.Column("index", sa.Text),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("snapshot_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
    )
    op.create_index("snapshots_of_tenant", "snapshots", ["tenant", "expires_at"])


def _make_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("definition_id", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("next_at", INSTANT),
        sa.Column("last_at", INSTANT),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("watermark", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_index("schedules_of_tenant", "schedules", ["tenant", "id"])
    op.create_index("schedules_due", "schedules", ["state", "next_at"])
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", sa.Text, primary_key=True),
        sa.Column("instant", INSTANT, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, index=True),
        sa.Column("delta", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("finished_at", INSTANT),
    )
    op.create_index("schedule_runs_open", "schedule_runs", ["state", "retry_at"])


def _make_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("definition_id", sa.Text),
        sa.Column("job_id", sa.Text),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("max_downloads", sa.Integer),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
    )
    op.create_index("shares_of_tenant", "shares", ["tenant", "id"])


def _make_deliveries() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_until", INSTANT),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_index("webhooks_of_tenant", "webhooks", ["tenant", "id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, index=True),
        sa.Column("webhook_id", sa.Text, index=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_at", INSTANT),
        sa.Column("finished_at", INSTANT),
    )
    op.create_index("deliveries_of_tenant", "deliveries", ["tenant", "id"])
    op.create_index("deliveries_due", "deliveries", ["state", "next_at"])


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("tenant", sa.Text),
        sa.Column("principal", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text),
        sa.Column("thing", sa.Text),
        sa.Column("filter", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("rows", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("address", sa.Text),
        sa.Column("request_id", sa.Text),
    )
    op.create_index("audit_of_tenant", "audit", ["tenant", "id"])
    op.create_index("audit_of_time", "audit", ["at"])
    op.create_table(
        "audit_start",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", INSTANT, nullable=False),
    )
    for statement in AUDIT_GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_audit_change() CASCADE")
    for table in (
        "audit_start",
        "audit",
        "deliveries",
        "webhooks",
        "shares",
        "schedule_runs",
        "schedules",
        "snapshots",
        "definitions",
    ):
        op.drop_table(table)
