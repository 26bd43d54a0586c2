"""API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table of keys."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False, index=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("expires_at", instant),
        sa.Column("revoked_at", instant),
        sa.Column("last_used_at", instant),
    )


def downgrade() -> None:
    """Drop the table of keys."""
    op.drop_table("keys")
