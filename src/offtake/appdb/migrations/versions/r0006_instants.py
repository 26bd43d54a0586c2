"""What a job's relative dates mean is kept beside when it may start: a scheduled run may come late."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; jobs of before have one instant for both."""
    op.add_column("jobs", sa.Column("instant", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "instant")
