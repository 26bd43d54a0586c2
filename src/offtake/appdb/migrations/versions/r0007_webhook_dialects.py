"""Webhooks may speak as a foreign API does."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; those of before speak natively."""
    op.add_column("webhooks", sa.Column("dialect", sa.Text))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("webhooks", "dialect")
