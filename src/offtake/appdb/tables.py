"""The service's own tables, as the newest migration leaves them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which has no zones, keeps it as naive UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware in, UTC out; a naive one is a bug of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("An instant needs a time zone.")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


KEYS = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False, index=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.Column("last_used_at", Instant),
)

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),  # JSON: the principal that asked
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # JSON: query.stored
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Column("needs", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),  # how often it was put into the queue
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("error", sa.Text),  # JSON
    sa.Column("artifact", sa.Text),  # JSON
    sa.Column("stages", sa.Text),  # JSON
    sa.Column("definition_id", sa.Text),
    sa.Column("deliveries", sa.Text, nullable=False),  # JSON: to whom and where its file goes
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("instant", Instant),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("beat_at", Instant),
    sa.Column("name", sa.Text),
    sa.Column("sort_name", sa.Text),
    sa.Column("words", sa.Text),  # what a search finds it by
    sa.Column("dialect", sa.Text),
    sa.Column("external_id", sa.Text),
    sa.Column("extra", sa.Text),  # JSON
    sa.Column("recurrence", sa.Text),  # JSON
    sa.Column("follower_id", sa.Text),
    sa.Column("modified_at", Instant),
    sa.Index("jobs_of_tenant", "tenant", "id"),
    sa.Index("jobs_in_state", "state", "due_at"),
    sa.Index("jobs_expiring", "expires_at"),
    sa.Index("jobs_alike", "owner_id", "request_hash"),
    sa.Index("jobs_of_dialect", "tenant", "dialect", "external_id", unique=True),
)

IDEMPOTENCY = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("body_hash", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

# Sums over every job that ever finished, for /metrics: the jobs themselves are deleted in time.
TOTALS = sa.Table(
    "totals",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
)
