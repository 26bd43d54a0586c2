"""The tables of what people save: definitions, pages, schedules, shares, deliveries, and the audit."""

import sqlalchemy as sa

from offtake.appdb.tables import METADATA, Instant

DEFINITIONS = sa.Table(
    "definitions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),  # JSON: the principal that saved it
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    # Case-folded by us, for databases do not agree on what a small letter is:
    sa.Column("sort_name", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),  # name and description, to search in
    sa.Column("dataset", sa.Text, nullable=False),  # empty for a combined one
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # JSON: query.stored
    sa.Column("members", sa.Text, nullable=False),  # JSON: ids of the definitions a combined one lists
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("dialect", sa.Text),  # which foreign API made it,
    sa.Column("external_id", sa.Text),  # under which id of the client's own,
    sa.Column("extra", sa.Text, nullable=False),  # JSON: and what that API wants echoed
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("last_executed_at", Instant),
    sa.Index("definitions_of_tenant", "tenant", "id"),
    sa.Index("definitions_of_dialect", "tenant", "dialect", "external_id", unique=True),
)

SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("principal_id", sa.Text, nullable=False),
    sa.Column("definition_id", sa.Text, nullable=False),
    sa.Column("page_size", sa.Integer, nullable=False),
    sa.Column("keep_alive_s", sa.Integer, nullable=False),
    sa.Column("needs", sa.Text, nullable=False),  # scopes that its pages want
    sa.Column("spool", sa.Text),  # its name in the store; null until it is committed
    sa.Column("index", sa.Text),  # JSON: where in the spool which rows lie
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("snapshot_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("snapshots_of_tenant", "tenant", "expires_at"),
)

SCHEDULES = sa.Table(
    "schedules",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),  # JSON
    sa.Column("definition_id", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),  # JSON: rule, start, timezone, policies, delta, deliveries
    sa.Column("state", sa.Text, nullable=False),  # active, paused, ended
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("last_at", Instant),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("watermark", sa.Text),  # JSON: up to where the last delta that succeeded reached
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index("schedules_of_tenant", "tenant", "id"),
    sa.Index("schedules_due", "state", "next_at"),
)

# One row an instant of a schedule: its primary key is what keeps two tickers from running one twice.
SCHEDULE_RUNS = sa.Table(
    "schedule_runs",
    METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    sa.Column("instant", Instant, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # waiting, submitted, skipped, succeeded, failed, cancelled
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, index=True),
    sa.Column("delta", sa.Text),  # JSON: from where to where, and how many rows came too late
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("retry_at", Instant),  # of one that waits: when to put it into the queue
    sa.Column("finished_at", Instant),
    sa.Index("schedule_runs_open", "state", "retry_at"),
)

SHARES = sa.Table(
    "shares",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),  # JSON
    sa.Column("definition_id", sa.Text),  # one of these two
    sa.Column("job_id", sa.Text),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("max_downloads", sa.Integer),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.Column("last_used_at", Instant),
    sa.Index("shares_of_tenant", "tenant", "id"),
)

WEBHOOKS = sa.Table(
    "webhooks",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # encrypted under the newest of `secrets:`
    sa.Column("old_secret", sa.Text),  # while it rotates, both sign
    sa.Column("old_until", Instant),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("dialect", sa.Text),
    sa.Index("webhooks_of_tenant", "tenant", "id"),
)

DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # the stable id a receiver can tell repeats by
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),  # mail, webhook, store
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, index=True),
    sa.Column("webhook_id", sa.Text, index=True),
    sa.Column("target", sa.Text, nullable=False),  # JSON: to whom or where
    sa.Column("payload", sa.Text, nullable=False),  # JSON
    sa.Column("state", sa.Text, nullable=False),  # pending, succeeded, failed
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Index("deliveries_of_tenant", "tenant", "id"),
    sa.Index("deliveries_due", "state", "next_at"),
)

AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("tenant", sa.Text),
    sa.Column("principal", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),  # ok, refused, failed
    sa.Column("dataset", sa.Text),
    sa.Column("thing", sa.Text),  # the id of what was acted on
    sa.Column("filter", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("rows", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("address", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Index("audit_of_tenant", "tenant", "id"),
    sa.Index("audit_of_time", "at"),
)

# One row: from when on the audit is whole. Lines younger than that cannot be deleted.
AUDIT_START = sa.Table(
    "audit_start",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since", Instant, nullable=False),
)
